"""Settings of a segmentation, and of many."""

from typing import Literal, Self

from pydantic import Field, model_validator

from ._base import TIMESTEPS, Config, Device, Precision, SamplerName, Tiling
from ._samplers import too_few_steps


class SegmentConfig(Config):
    """One press of Segment."""

    samples: int | Literal["auto"] = Field(
        "auto",
        title="Samples",
        description="Independent runs that make the mean and the uncertainty; 'auto' stops when both settle.",
    )
    steps: int | None = Field(
        None,
        title="Steps",
        ge=1,
        le=TIMESTEPS,
        description="Sampling steps K; empty takes the model's own default.",
    )
    sampler: SamplerName | None = Field(
        None, title="Sampler", description="Sampler; empty takes the model's own default."
    )
    views: Literal[1, 2, 4, 8] | None = Field(
        None,
        title="Views",
        description="Mirror images of the input that the samples take turns with: 1 is the image alone, 4 also mirrors "
        "x, y and both; empty takes the model's own default.",
    )
    seed: int = Field(0, title="Seed", ge=0, le=2**31 - 1, description="The same seed gives the same samples again.")
    device: Device = Field("auto", title="Device", description="Where to compute; 'auto' prefers a GPU.")
    precision: Precision = Field(
        "auto",
        title="Precision",
        description="Numbers that the networks compute in: 'auto' takes bfloat16 where the device computes it "
        "natively, but float32 to embed whole images; 'bfloat16' embeds these in it, too, which is faster and moves "
        "the SD map by about 2 %.",
    )
    batch: int = Field(50, title="Batch", ge=1, le=256, description="Samples that are computed together.")
    max_samples: int = Field(100, ge=2, le=10_000, description="Where samples = 'auto' gives up waiting.")
    tolerance: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="samples = 'auto' stops when the standard error of the mean map is below this "
        "on 99 % of the pixels.",
    )

    keep_mb: int = Field(
        0,
        title="Keep MB",
        ge=0,
        le=1_000_000,
        description="Megabytes for keeping the mask of each sample (one byte a pixel on the networks' grid), for "
        "review and error bars; as many samples are kept as fit. 0 keeps none.",
    )
    tiles: Tiling = Field(
        "auto",
        title="Tiles",
        description="Whether to cut the image into overlapping tiles: 'auto' does where it is too large for one pass "
        "(never for a model that sees the whole image at once).",
    )
    tile: int | None = Field(
        None,
        title="Tile size",
        ge=16,
        le=8192,
        description="Side of a tile in pixels of the networks' grid; empty takes twice that of the training images.",
    )
    overlap: int | None = Field(
        None,
        title="Overlap",
        ge=0,
        le=4096,
        description="Pixels of the networks' grid that two tiles share; empty takes as much as one latent cell "
        "reaches in the mask decoder.",
    )
    smoothing: float = Field(
        0.0,
        title="Smooth in time",
        ge=0,
        le=100,
        description="Standard deviation, in frames, of a Gaussian over the embeddings of a sequence (axis t); "
        "0 segments each frame on its own.",
    )

    axes: str | None = Field(
        None, title="Axes", description="Letters for the image's axes, for example tyx; empty: as the file says."
    )
    frames: str | None = Field(None, title="Frames", description="Only these frames; 3:10 is 3 to 9.")
    region: str | None = Field(None, title="Region", description="Only a part of each frame: Y0:Y1,X0:X1.")

    @property
    def is_part(self) -> bool:
        """Whether the image is to be read otherwise than it says, or in part."""
        return any(part is not None for part in (self.axes, self.frames, self.region))

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if isinstance(self.samples, int) and not 1 <= self.samples <= 10_000:
            raise ValueError("samples must be 'auto' or between 1 and 10000")
        return self

    @model_validator(mode="after")
    def _enough_steps(self) -> Self:
        if self.sampler and self.steps and (reason := too_few_steps(self.sampler, self.steps)):
            raise ValueError(reason)
        return self


class BatchConfig(Config):
    """How many images are segmented, whatever the model and its settings."""

    workers: int = Field(
        1,
        title="Workers",
        ge=1,
        le=1024,
        description="Processes that segment images side by side, each with its own copy of the model (Dask).",
    )
    scheduler: str | None = Field(
        None,
        title="Scheduler",
        description="Address of a running Dask scheduler, for example tcp://node1:8786; its workers do the work.",
    )
    written: str | None = Field(
        None,
        title="Format",
        description="tif, ome-tif, nifti, mha or ome-zarr; empty: the image's own, else tif.",
    )
    overwrite: bool = Field(
        False,
        title="Overwrite",
        description="Replace outputs that exist and were made otherwise; what is done already is skipped in any case.",
    )
