"""The progress that a segmentation reports, and the result that it returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .._util import Progress
from ..data import Geometry
from ..measure import SampleMasks


@dataclass(frozen=True)
class Segmentation:
    """The result of :func:`segment`, on the input's own grid (that of the level that was read).

    If the result is on disk, ``labels`` and ``sd`` are zarr arrays: index them, or use :func:`numpy.asarray`.

    Attributes
    ----------
    labels : uint8 array, shape ``(*frames, (Z), Y, X)``
        Class indices, the argmax of ``probability``; 0 is the background.
    mean : float32 array, shape ``(*frames, C, (Z), Y, X)``, or None
        Mean class probability over the samples; not kept on disk.
    sd : float32 array, shape ``(*frames, (Z), Y, X)``
        Standard deviation of the probability over the samples, ``sqrt(sum_c Var_c / 2)``: for two classes
        this is the standard deviation of the foreground's probability. Between 0 and 0.71.
        0 everywhere where only one sample was drawn.
    sizes : float64 array, shape ``(*frames, N, C)``
        Area or volume of each class in each sample, in pixels of the input times the pixel size.
    axes : str
        One letter for each axis of ``labels``, for example ``"yx"`` or ``"tyx"``.
    spacing : tuple of float or None
        Pixel size ((Z), Y, X) in ``unit``.
    unit : str
    class_names, class_colors : tuple of str
    samples : int
        N, the number of samples behind the maps.
    provenance : dict
        Package version, model name and SHA-256, settings, seed, device, seconds; all JSON.
    masks : SampleMasks or None
        The mask of each sample, as many as fit into ``SegmentConfig.keep_mb``; None if none was kept.
    probability : float32 array like ``mean``, or None
        The map that the labels come from: the mean of the samples mixed with the first guess, which is made without
        diffusion (``SegmentConfig.guess_weight``). Where the guess does not count, it is ``mean`` itself.
    highest : float32 array like ``sd``, or None
        The largest probability of anything but background that the mean of the samples, or the first guess at any
        pixel size, gives: where it is high and the labels say background, something may have been missed.
    ood : float64 array, shape ``(*frames)``, or None
        Out-of-distribution score of each frame: how far samples and first guess disagree, as a share of what they
        found (:attr:`RunningStatistics.disagreement`). nan where the model makes no guess; None on disk.
    geometry : Geometry or None
        That of the input, if it is a medical image.
    path : Path or None
        The OME-Zarr that holds the result: the SD as its image, the labels beside it. None in memory.
    coarser : dict of str to arrays
        The coarser levels of "labels" and "sd" on disk; see :meth:`levels`.
    """

    labels: NDArray[np.uint8]
    mean: NDArray[np.float32] | None
    sd: NDArray[np.float32]
    sizes: NDArray[np.float64]
    axes: str
    spacing: tuple[float, ...] | None
    unit: str
    class_names: tuple[str, ...]
    class_colors: tuple[str, ...]
    samples: int
    provenance: dict[str, Any]
    masks: SampleMasks | None = None
    probability: NDArray[np.float32] | None = None
    highest: NDArray[np.float32] | None = None
    ood: NDArray[np.float64] | None = None
    geometry: Geometry | None = None
    path: Path | None = None
    coarser: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def doubts(self) -> tuple[str, ...]:
        """Say in a sentence that the image is unlike those that the model was trained on; empty if it is not."""
        return ood_words(self.provenance)

    def levels(self, kind: Literal["labels", "sd"]) -> list[Any]:
        """Return labels or SD at all available pixel sizes, finest first. In memory there is only one."""
        return [self.labels if kind == "labels" else self.sd, *self.coarser.get(kind, ())]


def ood_words(provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """Say which frames of a result are unlike the images of training; empty if none is, or if it is not known."""
    scores, limits = provenance.get("ood_scores"), provenance.get("ood_limits")
    if not scores or not limits:
        return ()
    strange = [number for number, score in enumerate(scores) if score > limits[1]]
    if not strange:
        return ()
    if len(scores) == 1:
        what = f"This image looks unlike those that the model was trained on (score {scores[0]:.2f}"
    else:
        first = ", ".join(map(str, strange[:5])) + (" ..." if len(strange) > 5 else "")
        what = (
            f"{len(strange)} of {len(scores)} frames look unlike those that the model was trained on ({first}; score "
            f"up to {max(scores):.2f}"
        )
    return (f"{what}, limit {limits[1]:.2f}): do not trust the result. Check the view, or choose another model.",)


@dataclass(frozen=True)
class SegmentProgress(Progress):
    """The progress of a segmentation, yielded at least once per sampling step.

    Attributes
    ----------
    done, total : int
        Steps done and expected; ``total`` may shrink when ``samples="auto"`` settles early.
    text : str
        A few words for the user: "Embedding the image", "Sample 3 of 10", ...
    preview : Segmentation or None
        The result so far, set after every finished batch of samples.
    """

    preview: Segmentation | None = None
