"""Settings of measurements."""

from pydantic import Field

from ._base import Config, Ranking, VolumeMethod


class MeasureConfig(Config):
    """What counts as an object, and when a sample has it."""

    smallest: int = Field(
        20,
        title="Min. size",
        ge=1,
        le=2**31 - 1,
        description="Objects of fewer pixels are left out as specks.",
    )
    cover: float = Field(
        0.1, gt=0, le=1, description="A sample's piece belongs to an object of which it covers this share or more."
    )
    interval: float = Field(
        0.95, gt=0, lt=1, description="Share of the samples inside the interval that is given with each number."
    )
    ranking: Ranking = Field(
        "expected loss",
        title="Order by",
        description="Score that says what to look at first (docs/review.md compares them); without samples: mean SD.",
    )
    shapes: bool = Field(True, description="Also boundary, eccentricity, solidity and intensity, which take longer.")


class CardiacConfig(Config):
    """Which class is which chamber, and how volumes are computed."""

    method: VolumeMethod = Field(
        "simpson",
        title="Volume by",
        description="Simpson's method of 20 disks, or the area-length method 8 A^2 / (3 pi L).",
    )
    lv: int = Field(1, title="LV", ge=1, le=254, description="Class of the left ventricle.")
    myocardium: int = Field(2, title="Muscle", ge=1, le=254, description="Class of the myocardium.")
    atrium: int = Field(3, title="LA", ge=1, le=254, description="Class of the left atrium.")
    interval: float = Field(
        0.95, gt=0, lt=1, description="Share of the samples inside the interval that is given with each number."
    )
