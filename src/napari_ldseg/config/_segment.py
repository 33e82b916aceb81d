"""Settings of a segmentation, of the part of an image that it sees, and of a batch."""

from typing import Literal, Self

from pydantic import model_validator

from ._base import TIMESTEPS, Config, Device, Precision, SamplerName, Tiling, WrittenFormat
from ._samplers import too_few_steps
from ._setting import setting

SAMPLING = "Samples"
TILES = "Tiles and frames"
COMPUTING = "Computing"
WRITE = "Also write"
PART = "Part of the image"


class SegmentConfig(Config):
    """One press of Segment."""

    samples: int | Literal["auto"] = setting(
        "auto",
        title="Samples",
        show="main",
        flags=("--samples", "-n"),
        description="Independent runs that make the mean and the uncertainty; 'auto' stops when both settle.",
        offers=(1, 10, 100),
    )
    steps: int | None = setting(
        None,
        title="Steps",
        show="main",
        ge=1,
        le=TIMESTEPS,
        description="Sampling steps K; by default the model's own.",
        offers=(10, 50, 250),
    )
    seed: int = setting(
        0,
        title="Seed",
        show="main",
        ge=0,
        le=2**31 - 1,
        description="The same seed gives the same samples again.",
    )
    device: Device = setting("auto", title="Device", show="main", description="Where to compute; 'auto' prefers a GPU.")

    sampler: SamplerName | None = setting(
        None, title="Sampler", show="more", group=SAMPLING, description="Sampler; by default the model's own."
    )
    views: Literal[1, 2, 4, 8] | None = setting(
        None,
        title="Views",
        show="more",
        group=SAMPLING,
        description="Mirror images of the input that the samples take turns with (test-time augmentation): 1 is the "
        "image alone, 4 also mirrors x, y and both; by default the model's own.",
    )
    guess_weight: float | None = setting(
        None,
        title="First guess",
        show="more",
        group=SAMPLING,
        ge=0,
        le=1,
        description="Share of the first guess, made without diffusion, in the map that the labels come from; the rest "
        "is the mean of the samples. By default the model's own; 0 is the samples alone.",
        offers=(0.5,),
    )
    max_samples: int = setting(
        100,
        title="At most",
        show="more",
        group=SAMPLING,
        ge=2,
        le=10_000,
        description="The number of samples after which 'auto' stops in any case.",
    )
    tolerance: float = setting(
        0.05,
        title="Tolerance",
        show="more",
        group=SAMPLING,
        gt=0,
        lt=1,
        description="With samples 'auto', sampling stops when the standard error of the mean map is below this on 99 % "
        "of the pixels.",
    )
    keep_mb: int = setting(
        256,
        title="Keep MB",
        show="more",
        group=SAMPLING,
        ge=0,
        le=1_000_000,
        description="Megabytes at most for keeping the mask of each sample (one byte a pixel on the networks' grid), "
        "for review and error bars; as many samples are kept as fit. 0 keeps none.",
    )

    tiles: Tiling = setting(
        "auto",
        title="Tiles",
        show="more",
        group=TILES,
        description="Whether to cut the image into overlapping tiles: 'auto' does where it is too large for one pass "
        "(never for a model that sees the whole image at once).",
    )
    tile: int | None = setting(
        None,
        title="Tile size",
        show="more",
        group=TILES,
        absent="automatic",
        ge=16,
        le=8192,
        description="Side of a tile in pixels of the networks' grid; by default twice that of the training images.",
        offers=(256, 512, 1024),
    )
    overlap: int | None = setting(
        None,
        title="Overlap",
        show="more",
        group=TILES,
        absent="automatic",
        ge=0,
        le=4096,
        description="Pixels of the networks' grid that two tiles share; by default as many as one latent cell reaches "
        "in the mask decoder.",
        offers=(32, 64, 128),
    )
    smoothing: float | None = setting(
        None,
        title="Smoothing",
        show="more",
        group=TILES,
        absent="model default",
        ge=0,
        le=100,
        description="Standard deviation, in frames, of a Gaussian over the embeddings of a sequence (axis t); "
        "0 segments each frame on its own; by default the model's own, for sequences of at least 8 frames.",
        offers=(0, 0.5, 1.0, 2.0),
    )

    precision: Precision = setting(
        "auto",
        title="Precision",
        show="more",
        group=COMPUTING,
        description="Numbers that the networks compute in: 'auto' takes bfloat16 where the device computes it "
        "natively, but float32 to embed whole images; 'bfloat16' embeds these in it, too, which is faster and moves "
        "the SD map by about 2 %.",
    )
    denoise: bool = setting(
        True,
        title="Smooth noisy images",
        show="more",
        group=COMPUTING,
        description="Smooth an image a little, where its noise is above what the model is known to bear, before the "
        "networks see it; models that state no such limit never do.",
    )
    batch: int = setting(
        50,
        title="Batch",
        show="more",
        group=COMPUTING,
        ge=1,
        le=256,
        description="Samples that are computed together; fewer need less memory.",
    )

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


class PartConfig(Config):
    """Which pixels of an image are segmented: all of them, as the file says, unless told otherwise."""

    axes: str | None = setting(
        None,
        title="Axes",
        show="more",
        group=PART,
        absent="as the file says",
        description="Letters for the image's axes, for example tyx: z y x are spatial, t p s frames, c channels; by "
        "default as the file says.",
    )
    frames: str | None = setting(
        None,
        title="Frames",
        show="more",
        group=PART,
        absent="all",
        description="Only these frames; 3:10 is 3 to 9, 5 is one alone, and 0:2,5 is for two axes.",
    )
    region: str | None = setting(
        None,
        title="Region",
        show="more",
        group=PART,
        absent="the whole frame",
        description="Only a part of each frame: Y0:Y1,X0:X1 in pixels of the finest level, or a file of areas drawn in "
        "QuPath (GeoJSON) or ImageJ (ROIs), of which the box around all is taken.",
    )

    @property
    def is_part(self) -> bool:
        """Whether the image is to be read otherwise than it says, or in part."""
        return any(part is not None for part in (self.axes, self.frames, self.region))


class BatchConfig(Config):
    """How many images are segmented, and what is written of each; independent of the model and its settings."""

    written: WrittenFormat | None = setting(
        None,
        title="Format",
        show="main",
        flags=("--format",),
        absent="as the image",
        description="Format of the outputs; by default the image's own where we can write it, else tif.",
    )
    sd: bool = setting(
        True, title="SD map", show="main", group=WRITE, description="Write <stem>_sd, the map of uncertainty."
    )
    mean: bool = setting(
        False,
        title="Mean",
        show="main",
        group=WRITE,
        description="Write <stem>_mean, the mean probability of each class.",
    )
    masks: bool = setting(
        False,
        title="Samples",
        show="main",
        group=WRITE,
        flags=("--masks",),
        description="Write <stem>_samples, the mask of each sample, for review and error bars; as many as fit into "
        "the megabytes to keep.",
    )
    overwrite: bool = setting(
        False,
        title="Replace outputs that were made otherwise",
        show="more",
        description="Replace outputs that exist and were made otherwise; what is done already is skipped in any case.",
    )
    workers: int = setting(
        1,
        title="Workers",
        group="Cluster",
        ge=1,
        le=1024,
        description="Processes that segment images side by side, each with its own copy of the model (Dask).",
    )
    scheduler: str | None = setting(
        None,
        title="Scheduler",
        group="Cluster",
        absent="none",
        description="Address of a running Dask scheduler, for example tcp://node1:8786; its workers do the work.",
    )

    server: str | None = setting(
        None,
        title="Compute on",
        group="Cluster",
        absent="this computer",
        description="Address of another computer that runs `napari-ldseg serve`, for example http://workstation:8765; "
        "it has its own models. Images are read and results written here.",
    )

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is written of each image: ``"labels"`` and, where asked for, ``"sd"``, ``"mean"``, ``"samples"``."""
        wanted = {"sd": self.sd, "mean": self.mean, "samples": self.masks}
        return ("labels", *(kind for kind, write in wanted.items() if write))
