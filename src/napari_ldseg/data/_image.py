"""The image that every package exchanges: an array that names its axes."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ._geometry import Geometry

SPATIAL = "zyx"
FRAMES = "tps"


@dataclass(frozen=True)
class Image:
    """An array with its axes and its pixel size.

    Attributes
    ----------
    array : array
        Any integer, boolean or float dtype.
    axes : str
        One letter for each axis. ``z y x`` are spatial, in this order, and ``c`` is channels. ``t`` (time), ``p``
        (position) and ``s`` (slice) count frames, which a model does not see.
    spacing : tuple of float or None
        Pixel size ((Z), Y, X) in ``unit``; None if the source states none.
    unit : str
        For example ``"micrometer"``, ``"millimeter"`` or ``"pixel"``.
    name : str
    levels : tuple of Image
        The same image at coarser pixel sizes, finest first, if the source is multiscale. The axes are the same.
    geometry : Geometry or None
        Where a medical image lies in the patient. Results are written back onto it.
    notes : tuple of str
        What a reader left out, dropped or assumed, in sentences for the user.
    """

    array: NDArray[Any]
    axes: str
    spacing: tuple[float, ...] | None = None
    unit: str = "pixel"
    name: str = "image"
    levels: tuple["Image", ...] = ()
    geometry: Geometry | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse axes and spacing that do not describe the array."""
        array = np.shape(self.array)
        if len(self.axes) != len(array):
            raise InputError(
                f"{self.name!r} has {len(array)} axes {array}, but its axes are given as {self.axes!r}; "
                "give one letter for each axis, for example 'yxc' for a colour image."
            )
        if len(set(self.axes)) != len(self.axes) or set(self.axes) - set(SPATIAL + FRAMES + "c"):
            raise InputError(
                f"Axes {self.axes!r} of {self.name!r} must be different letters out of t, p, s, z, y, x, c."
            )
        if self.spatial not in ("yx", "zyx"):
            raise InputError(f"Axes {self.axes!r} of {self.name!r} need y before x, and z before both.")
        if self.spacing is not None and (
            len(self.spacing) != len(self.spatial) or not all(np.isfinite(s) and s > 0 for s in self.spacing)
        ):
            raise InputError(
                f"The pixel size {self.spacing} of {self.name!r} must be {len(self.spatial)} positive numbers."
            )

    @property
    def spatial(self) -> str:
        """The spatial axes, ``"yx"`` or ``"zyx"``."""
        return "".join(axis for axis in self.axes if axis in SPATIAL)

    @property
    def frame_axes(self) -> str:
        """The axes that a model does not see, in the array's order."""
        return "".join(axis for axis in self.axes if axis in FRAMES)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the spatial axes."""
        return tuple(n for n, axis in zip(np.shape(self.array), self.axes, strict=True) if axis in SPATIAL)

    @property
    def channels(self) -> int:
        """Number of channels; 1 without a channel axis."""
        return int(np.shape(self.array)[self.axes.index("c")]) if "c" in self.axes else 1

    def replace(self, **changes: Any) -> "Image":
        """Return a copy with some fields changed, checked again."""
        return replace(self, **changes)
