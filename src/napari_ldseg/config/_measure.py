"""The settings of measurements."""

from ._base import Config, QuPathObject, Ranking, VolumeMethod
from ._setting import setting


class MeasureConfig(Config):
    """What counts as an object, and when a sample has it."""

    smallest: int = setting(
        20,
        title="Min. size",
        show="main",
        ge=1,
        le=2**31 - 1,
        description="Objects with fewer pixels are left out.",
    )
    shapes: bool = setting(
        True,
        title="Also boundary, shape and intensity",
        show="main",
        description="Also measure boundary, eccentricity, solidity and intensity, which takes longer.",
    )
    interval: float = setting(
        0.95,
        title="Interval",
        show="more",
        gt=0,
        lt=1,
        description="Share of the samples inside the interval of each number.",
    )
    cover: float = setting(
        0.1,
        title="Cover",
        show="more",
        gt=0,
        le=1,
        description="A sample's piece belongs to an object of which it covers this share or more.",
    )
    ranking: Ranking = setting(
        "expected loss",
        title="Order by",
        show="more",
        description="Score that says what to look at first (docs/review.md compares them); without samples: mean SD.",
    )
    qupath: QuPathObject = setting(
        "annotation",
        title="In QuPath",
        show="more",
        description="What objects are in QuPath: annotations can be corrected there; of detections it bears many more.",
    )


class CardiacConfig(Config):
    """Which class is which chamber, and how volumes are computed."""

    method: VolumeMethod = setting(
        "simpson",
        title="Volume by",
        show="main",
        description="Simpson's method of 20 disks, or the area-length method 8 A^2 / (3 pi L).",
    )
    interval: float = setting(
        0.95,
        title="Interval",
        show="more",
        gt=0,
        lt=1,
        description="Share of the samples inside the interval of each number.",
    )
    widen: float = setting(
        2.0,
        title="Widened",
        show="more",
        gt=0,
        le=10,
        description="Factor by which the ends of the ejection fraction's interval are moved away from it; 1 keeps what "
        "the samples say, which is too narrow (docs/cardiac.md).",
    )
    lv: int = setting(1, title="LV", show="more", ge=1, le=254, description="Class of the left ventricle.")
    myocardium: int = setting(2, title="Muscle", show="more", ge=1, le=254, description="Class of the myocardium.")
    atrium: int = setting(3, title="LA", show="more", ge=1, le=254, description="Class of the left atrium.")
