"""The content of a report."""

from dataclasses import dataclass, field
from typing import Any

from ..config import MeasureConfig, class_color
from ..measure import Measured, Measurement


@dataclass(frozen=True)
class Report:
    """Measurements, with everything that explains them.

    Attributes
    ----------
    source : Measured
        The arrays that were measured.
    measurements : list of Measurement
    config : MeasureConfig
    name : str
        The image's name.
    unit : str
        Unit of the pixel size; "pixel" if it is unknown.
    class_names, class_colors : tuple of str
        Background first. Labels may go beyond them.
    provenance : dict
        That of the segmentation, all JSON; empty if unknown.
    states : dict
        States from the review, by the number of the object.
    cores : dict
        The TMA core of each object, by the object's number; empty without a microarray. See :func:`name_cores`.
    shown_colors : dict
        The viewer's colours (#rrggbb) for labels that are no classes of a model.
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
    cores: dict[int, str] = field(default_factory=dict)

    @property
    def place(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Where the labels lie in the full-resolution image: their first corner (y, x), and their pixels in its."""
        grid: Any = self.provenance.get("grid")
        try:
            (top, left), (down, right) = (tuple(float(each) for each in grid[key][-2:]) for key in ("start", "step"))
        except (KeyError, TypeError, ValueError):
            return (0.0, 0.0), (1.0, 1.0)
        return (top, left), (down, right)

    def class_name(self, label: int) -> str:
        """Return the name of a class, or "class 7" if it has none."""
        return self.class_names[label] if label < len(self.class_names) else f"class {label}"

    def class_color(self, label: int) -> tuple[int, int, int]:
        """Return the colour of a class as red, green, blue from 0 to 255."""
        code = (self.shown_colors.get(label) or class_color(label, self.class_colors)).lstrip("#")
        return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)
