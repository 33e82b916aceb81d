"""Measure every object, and the spread of each number over the samples."""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from .._util import Progress
from ..config import MeasureConfig, Ranking
from ..errors import InputError
from ..metrics import sample_dice
from . import _ranking as scores
from ._components import Region, find_regions, grown, whole_frames
from ._matching import Versions, match
from ._samples import SampleMasks
from ._shape import boundary, form, intensity, size

RANKINGS: tuple[Ranking, ...] = get_args(Ranking)


@dataclass(frozen=True)
class Spread:
    """A number and its spread over the samples.

    Attributes
    ----------
    value : float
        The number for the object as labelled.
    sd, low, high : float
        Standard deviation over the samples, and the ends of the interval; nan without samples. A sample that lacks
        the object counts as size 0; the other numbers ignore it.
    """

    value: float
    sd: float = math.nan
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Measurement:
    """The measurements of one object, frame or slice.

    Attributes
    ----------
    region : Region
    values : dict of Spread
        ``"area"``, ``"perimeter"`` (2D) or ``"volume"``, ``"surface"`` (3D), ``"eccentricity"``, ``"solidity"``,
        and the intensities, in the unit of the pixel size.
    existence, split, merge : float
        Share of the samples that have the object, split it, or merge it with another; nan without samples.
    scores : dict of float
        One for each of :data:`Ranking`: the higher, the sooner to look at. nan if its input is missing.
    """

    region: Region
    values: dict[str, Spread]
    existence: float
    split: float
    merge: float
    scores: dict[Ranking, float]


@dataclass(frozen=True)
class Measured:
    """The arrays that are measured, all on one grid.

    Attributes
    ----------
    labels : integer array, shape ``(*frames, (Z), Y, X)``
    ndim : {2, 3}
        Spatial axes of an object.
    spacing : tuple of float or None
        Pixel size ((Z), Y, X); None measures in pixels.
    masks : SampleMasks or None
    sd : float array like ``labels``, or None
    mean : float array, shape ``(*frames, C, (Z), Y, X)``, or None
    image : array, shape ``(*frames, (Z), Y, X, C)``, or None
    objects : integer array like ``labels``, or None
        The numbers of the objects; without them an object is what is connected.
    """

    labels: NDArray[Any]
    ndim: int
    spacing: tuple[float, ...] | None = None
    masks: SampleMasks | None = None
    sd: NDArray[Any] | None = None
    mean: NDArray[Any] | None = None
    image: NDArray[Any] | None = None
    objects: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        """Refuse arrays on another grid than the labels."""
        shape, frames = self.labels.shape, self.labels.ndim - self.ndim
        spatial = shape[frames:]
        found: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        if self.sd is not None:
            found["SD map"] = (self.sd.shape, shape)
        if self.objects is not None:
            found["objects"] = (self.objects.shape, shape)
        if self.mean is not None:
            found["mean map"] = (self.mean.shape[:frames] + self.mean.shape[frames + 1 :], shape)
        if self.image is not None:
            found["image"] = (self.image.shape[:-1], shape)
        if self.masks is not None:
            found["samples"] = (self.masks.array.shape[: -self.ndim - 1] + self.masks.shape, shape[:frames] + spatial)
        for name, (given, wanted) in found.items():
            if given != wanted:
                raise InputError(
                    f"The {name} of shape {given} does not lie on the grid {wanted} of the labels; "
                    "use those from the same image."
                )
        if self.spacing is not None and len(self.spacing) != self.ndim:
            raise InputError(f"The pixel size {self.spacing} must be {self.ndim} numbers, one for each spatial axis.")

    @property
    def steps(self) -> tuple[float, ...]:
        """Pixel size; 1 if it is unknown."""
        return self.spacing or (1.0,) * self.ndim


def size_name(ndim: int) -> str:
    """Return "area" or "volume"."""
    return "area" if ndim == 2 else "volume"


def measure_objects(
    source: Measured, config: MeasureConfig | None = None
) -> Generator[Progress, None, list[Measurement]]:
    """Measure all objects, and their spread over the samples if there are any.

    Every number of a sample is measured on the sample's own version of the object (see :func:`match`), on the image's
    grid. The interval lies between two percentiles; with N samples it cannot be finer than 1/N.

    Yields
    ------
    Progress
        The number of objects done.

    Returns
    -------
    list of Measurement
        Ordered by frame, then from top left to bottom right.
    """
    config = config or MeasureConfig()
    regions = find_regions(source.labels, source.ndim, config.smallest, source.objects)
    yield _progress([], regions)
    done: list[Measurement] = []
    if source.masks is None:
        for region in regions:
            done.append(_measure(source, region, None, config))
            yield _progress(done, regions)
        return done
    for versions in match(regions, source.masks, config.cover):
        done.append(_measure(source, versions.region, versions, config))
        yield _progress(done, regions)
    return sorted(done, key=lambda one: one.region.number)


def measure_frames(
    source: Measured, config: MeasureConfig | None = None
) -> Generator[Progress, None, list[Measurement]]:
    """Measure each frame, or each slice of a volume, as a whole: everything that is not background.

    It yields and returns as :func:`measure_objects` does, without the scores that need separate objects.
    """
    config = (config or MeasureConfig()).replace(shapes=False)
    regions = whole_frames(source.labels)
    yield _progress([], regions)
    done: list[Measurement] = []
    for region in regions:
        versions = None if source.masks is None else _slice_versions(region, source.masks)
        done.append(_measure(_slice_of(source, region), region, versions, config))
        yield _progress(done, regions)
    return done


def _progress(done: list[Measurement], regions: list[Region]) -> Progress:
    return Progress(len(done), len(regions), f"Object {len(done)} of {len(regions)}")


def _slice_of(source: Measured, region: Region) -> Measured:
    """Return the arrays with the slices of volumes as frames."""
    if source.ndim == 2:
        return source
    mean = None if source.mean is None else np.moveaxis(source.mean, -4, -3)
    return Measured(source.labels, 2, source.steps[1:], sd=source.sd, mean=mean)


def _slice_versions(region: Region, masks: SampleMasks) -> Versions:
    """Return the foreground of each sample in a frame or slice, whatever its class."""
    if masks.ndim == 3:
        level = int((region.frame[-1] + 0.5) / masks.factors[0])
        samples = masks.at(region.frame[:-1])[:, level] != 0
    else:
        samples = masks.at(region.frame) != 0
    places = [
        ((np.arange(g) + 0.5) * n / g).astype(np.intp)
        for g, n in zip(samples.shape[1:], region.mask.shape, strict=True)
    ]
    nothing = np.zeros(len(samples), bool)
    box = tuple(slice(0, n) for n in samples.shape[1:])
    exists = samples.reshape(len(samples), -1).any(axis=1)
    return Versions(region, box, region.mask[np.ix_(*places)], samples, exists, nothing, nothing)


def _measure(source: Measured, region: Region, versions: Versions | None, config: MeasureConfig) -> Measurement:
    """Measure one object and each of its versions."""
    measured = _values(source, region.frame, region.box, region.mask, config.shapes)
    if versions is None:
        nan = math.nan
        values = {name: Spread(value) for name, value in measured.items()}
        return Measurement(region, values, nan, nan, nan, rate(source, region, None))
    sampled = [_version_values(source, versions, sample, config.shapes) for sample in range(len(versions.masks))]
    values = {
        name: spread_of(value, [one[name] for one in sampled], config.interval) for name, value in measured.items()
    }
    exists, split, merged = (float(flags.mean()) for flags in (versions.exists, versions.split, versions.merged))
    return Measurement(region, values, exists, split, merged, rate(source, region, versions))


def _version_values(source: Measured, versions: Versions, sample: int, shapes: bool) -> dict[str, float]:
    if not shapes or source.masks is None:
        share = math.prod(source.labels.shape[-source.ndim :]) / math.prod(_grid_of(source, versions))
        pixels = int(np.count_nonzero(versions.masks[sample]))
        return {size_name(source.ndim): pixels * share * math.prod(source.steps)}
    box, mask = versions.on_image(sample, source.masks)
    return _values(source, versions.region.frame, box, mask, shapes)


def _grid_of(source: Measured, versions: Versions) -> tuple[int, ...]:
    """Return the shape of the versions' grid."""
    return source.masks.grid if source.masks is not None else versions.masks.shape[1:]


def _values(
    source: Measured, frame: tuple[int, ...], box: tuple[slice, ...], mask: NDArray[np.bool_], shapes: bool
) -> dict[str, float]:
    values = {size_name(source.ndim): size(mask, source.steps)}
    if not shapes:
        return values
    values["perimeter" if source.ndim == 2 else "surface"] = boundary(mask, source.steps)
    values |= form(mask, source.steps)
    if source.image is not None:
        values |= intensity(mask, source.image[frame][box])
    return values


def class_sizes(source: Measured, interval: float) -> dict[int, Spread]:
    """Return the area or volume of each class in the labels, summed over frames, with its spread.

    Only samples that exist in all frames count.
    """
    pixel = math.prod(source.steps)
    found: dict[int, Spread] = {}
    for label in np.unique(source.labels).tolist():
        if label == 0:
            continue
        sampled: list[float] = []
        if source.masks is not None:
            masks, axes = source.masks, source.masks.array.ndim - source.ndim - 1
            frames = [masks.at(frame) for frame in np.ndindex(*masks.array.shape[:axes])]
            common = min(map(len, frames))
            counts = sum((frame[:common] == label).reshape(common, -1).sum(axis=1) for frame in frames)
            sampled = (np.asarray(counts) * math.prod(masks.factors) * pixel).tolist()
        found[label] = spread_of(float(np.count_nonzero(source.labels == label)) * pixel, sampled, interval)
    return found


def spread_of(value: float, sampled: list[float], interval: float) -> Spread:
    """Return SD and interval of the samples' numbers. nan (no object, no shape) is ignored."""
    numbers = np.array(sampled)
    numbers = numbers[np.isfinite(numbers)]
    if len(numbers) < 2:
        return Spread(value)
    tail = (1 - interval) / 2
    low, high = np.quantile(numbers, [tail, 1 - tail])
    return Spread(value, float(numbers.std(ddof=1)), float(low), float(high))


def rate(source: Measured, region: Region, versions: Versions | None) -> dict[Ranking, float]:
    """Return every score of one object; nan if samples, SD or mean map are missing."""
    box, near = grown(region, scores.MARGIN, source.labels.shape[-source.ndim :])
    inner = tuple(slice(b.start - o.start, b.stop - o.start) for b, o in zip(region.box, box, strict=True))
    mask = np.zeros_like(near)
    mask[inner] = region.mask
    found: dict[Ranking, float] = {}

    def with_versions(name: Ranking, score: Callable[[Versions], float]) -> None:
        found[name] = score(versions) if versions is not None else math.nan

    with_versions("expected loss", lambda v: scores.expected_loss(v.own, v.masks))
    with_versions("sample Dice", lambda v: sample_dice(v.masks))
    with_versions("existence", lambda v: scores.absence(v.exists))
    with_versions("split or merge", lambda v: scores.split_or_merge(v.split, v.merged))
    with_versions("size variation", lambda v: scores.size_variation(v.masks))
    sd = None if source.sd is None else source.sd[region.frame][box]
    found["mean SD"] = math.nan if sd is None else scores.mean_sd(sd, near)
    length = boundary(region.mask, (1.0,) * source.ndim)
    found["SD per boundary"] = math.nan if sd is None else scores.sd_per_boundary(sd, near, length)
    mean = None if source.mean is None else source.mean[region.frame][(slice(None), *box)]
    p = None if mean is None else (mean[region.label] if region.label else 1 - mean[0])
    found["soft Dice"] = math.nan if p is None else scores.soft_dice(p, mask, near)
    found["max softmax"] = math.nan if mean is None else scores.max_softmax(mean, mask)
    return found


def usable_ranking(measurements: list[Measurement], wanted: Ranking) -> Ranking:
    """Return the wanted score if it exists, else the next best: mean SD, then any."""
    for name in (wanted, "mean SD", *RANKINGS):
        if any(math.isfinite(one.scores[name]) for one in measurements):
            return name
    return wanted


def ranked(measurements: list[Measurement], ranking: Ranking) -> list[Measurement]:
    """Sort measurements, the most uncertain first. Those without the score come last."""

    def first(one: Measurement) -> float:
        score = one.scores[ranking]
        return -score if math.isfinite(score) else math.inf

    return sorted(measurements, key=first)
