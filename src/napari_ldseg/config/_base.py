"""The base of all settings, and the words that they choose from."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import InputError

FORMAT_VERSION = 1
TIMESTEPS = 1000

Schedule = Literal["cosine", "linear", "quadratic"]
Prediction = Literal["epsilon", "sample", "v"]
SamplerName = Literal["ddpm", "ddim", "dpm-solver++", "ldseg-release", "ldseg-release-ddpm"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16"]
Tiling = Literal["auto", "always", "never"]
WrittenFormat = Literal["tif", "ome-tif", "nifti", "mha", "nrrd", "ome-zarr", "ome-zarr-0.5", "dicom-seg"]
VolumeMethod = Literal["simpson", "area-length"]
DemoSample = Literal["gland", "echo", "volume"]
QuPathObject = Literal["annotation", "detection"]
Ranking = Literal[
    "expected loss",
    "sample Dice",
    "existence",
    "split or merge",
    "size variation",
    "mean SD",
    "SD per boundary",
    "soft Dice",
    "max softmax",
]


class Config(BaseModel):
    """A frozen set of values. Unknown names and values out of range raise a readable error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def parse(cls, values: object) -> Self:
        """Build from plain values (for example decoded JSON).

        Raises
        ------
        InputError
            If a field does not fit; the message names each one and the reason.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or cls.__name__}: {e['msg']}" for e in error.errors())
            raise InputError(f"These settings do not fit {cls.__name__}: {faults}.") from error

    def replace(self, **changes: object) -> Self:
        """Return a copy with some fields changed, validated again."""
        return type(self).parse({**self.model_dump(), **changes})
