"""All that a report is made of."""

from dataclasses import dataclass, field
from typing import Any

from ..config import MeasureConfig, class_color
from ..measure import Measured, Measurement


@dataclass(frozen=True)
class Report:
    """Measurements with what is needed to read them.

    Attributes
    ----------
    source : Measured
        The pictures that were measured.
    measurements : list of Measurement
    config : MeasureConfig
    name : str
        Of the image.
    unit : str
        Of the pixel size; "pixel" where none is known.
    class_names, class_colors : tuple of str
        Background first; may be shorter than the labels go.
    provenance : dict
        Of the segmentation, everything JSON; empty where nothing is known.
    states : dict
        What the review says of objects, by their number.
    shown_colors : dict
        Of labels that are no classes of a model: their colours (#rrggbb) in the viewer.
    """

    source: Measured
    measurements: list[Measurement]
    config: MeasureConfig
    name: str
    unit: str = "pixel"
    class_names: tuple[str, ...] = ()
    class_colors: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    states: dict[int, str] = field(default_factory=dict)
    shown_colors: dict[int, str] = field(default_factory=dict)

    def class_name(self, label: int) -> str:
        """Return the name of a class; "class 7" where it has none."""
        return self.class_names[label] if label < len(self.class_names) else f"class {label}"

    def class_color(self, label: int) -> tuple[int, int, int]:
        """Return the colour of a class as red, green, blue of 0 to 255."""
        code = (self.shown_colors.get(label) or class_color(label, self.class_colors)).lstrip("#")
        return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)
