"""One drawn annotation."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

REGIONS = ("region*", "region", "roi")
Rings = list[NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Shape:
    """Something that was drawn on an image.

    Attributes
    ----------
    geometry : shapely geometry
        In x, y pixels of the full image, from the corner of its first pixel, as QuPath counts: its centre is 0.5, 0.5.
    name : str
        The class; empty if it has none.
    kind : str
        QuPath's ``objectType``: ``"annotation"``, ``"detection"``, ``"cell"``, ``"tma_core"``, ...; or ``"roi"``,
        ``"coco"``.
    plane : dict
        Slice ``"z"`` and frame ``"t"``, counted from 0, where they are stated.
    measurements : dict of float
    color : tuple of int or None
        Red, green, blue, 0 to 255.
    title : str
        The object's own name.
    identity : str
        Its UUID or number.
    radius : float or None
        Of points and lines, in pixels, where it is stated.
    """

    geometry: Any
    name: str = ""
    kind: str = "annotation"
    plane: dict[str, int] = field(default_factory=dict)
    measurements: dict[str, float] = field(default_factory=dict)
    color: tuple[int, int, int] | None = None
    title: str = ""
    identity: str = ""
    radius: float | None = None

    @property
    def is_region(self) -> bool:
        """Whether it says where somebody looked, and not what is there (QuPath's class ``Region*``)."""
        return self.name.casefold() in REGIONS

    @property
    def is_ignored(self) -> bool:
        """Whether its class is one that QuPath ignores: one that ends in a star."""
        return self.name.endswith("*") and not self.is_region

    def areas(self) -> list[Rings]:
        """Return each area: its outline and its holes, (vertices, 2) in x, y."""
        return [
            [np.asarray(ring.coords)[:, :2] for ring in (one.exterior, *one.interiors)]
            for one in shapely.get_parts(self.geometry)
            if isinstance(one, shapely.Polygon) and not one.is_empty
        ]


def valid(geometry: Any) -> Any:
    """Return a geometry whose outlines cross neither themselves nor each other; what is empty stays so."""
    if geometry.is_valid:
        return geometry
    mended = shapely.make_valid(geometry)
    # A tooth without width becomes a line, which is no part of an area.
    areas = [part for part in shapely.get_parts(mended) if part.geom_type in ("Polygon", "MultiPolygon")]
    return shapely.union_all(areas) if areas and "Polygon" in geometry.geom_type else mended
