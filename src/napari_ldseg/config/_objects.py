"""Which classes of a model are made of objects that can be counted, and how objects are told apart."""

import math
from typing import Self

from pydantic import Field, model_validator

from ._base import Config


class ObjectsConfig(Config):
    """What a model's file says of its objects; the rule that leaves some out is chosen on held-out cases.

    A model that was trained with the numbers of objects draws a *rim* along each of them: one more class for each
    countable one, which keeps touching objects apart. Without rims, an object is what is connected.
    """

    classes: tuple[int, ...] = Field(
        (), description="Classes that are made of objects; none: all classes but the background."
    )
    rim: int = Field(
        0,
        ge=0,
        le=16,
        description="Width of the rim in pixels of the networks' grid; 0: the model draws none. With rims, the "
        "networks have one more class for each of `classes`, behind all others and in their order.",
    )
    rim_share: float = Field(
        0.5, gt=0, le=1, description="Share of rim in the map above which a pixel keeps two objects apart."
    )
    core: int = Field(
        4, ge=1, description="An inner part with fewer pixels of the networks' grid is no object beside another."
    )
    smallest: int = Field(1, ge=1, description="Objects with fewer pixels of the networks' grid are left out.")
    existence: float = Field(
        0.0, ge=0, le=1, description="Objects that a smaller share of the samples has are left out."
    )

    @property
    def rims(self) -> tuple[int, ...]:
        """The class that each rim belongs to; none without rims."""
        return self.classes if self.rim else ()

    def countable(self, classes: int) -> tuple[int, ...]:
        """Return the classes that are made of objects, of so many with the background."""
        return tuple(c for c in self.classes if c < classes) or tuple(range(1, classes))

    def enlarged(self, factors: tuple[float, ...]) -> Self:
        """Return the same rule for a grid that has ``factors`` as many pixels along each axis."""
        share = math.prod(factors)
        return self.replace(core=max(1, round(self.core * share)), smallest=max(1, round(self.smallest * share)))

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if len(set(self.classes)) < len(self.classes) or any(not 1 <= c < 127 for c in self.classes):
            raise ValueError("objects.classes are different classes from 1 to 126")
        if self.rim and not self.classes:
            raise ValueError("objects.rim needs objects.classes, whose rims they are")
        return self
