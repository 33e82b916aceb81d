"""Make a report from files: labels, and the files beside them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._util import follow
from ..config import MeasureConfig
from ..data import Image, beside, read_image, read_labels, read_notes
from ..errors import InputError
from ..measure import NOT_DRAWN, RIM, Measured, SampleMasks, measure_objects
from ._report import Report


def samples_beside(labels: Path) -> dict[str, Path]:
    """Return the SD map and the samples that ``napari-ldseg segment`` wrote beside ``<stem>_labels``."""
    found = {kind: beside(labels, kind) for kind in ("sd", "samples", "mean")}
    return {kind: path for kind, path in found.items() if path is not None}


def read_report(
    labels: Path,
    *,
    image: Path | None = None,
    sd: Path | None = None,
    samples: Path | None = None,
    config: MeasureConfig | None = None,
) -> Report:
    """Measure a file of labels.

    Parameters
    ----------
    labels : Path
        Class indices or instance numbers. Everything is measured in the unit of its pixel size.
    image : Path, optional
        Adds its intensities. It must have the same grid, or a level of it, or the region that was segmented.
    sd, samples : Path, optional
        By default the files that ``napari-ldseg segment`` wrote beside the labels.
    config : MeasureConfig, optional

    Raises
    ------
    InputError
        If a file cannot be read, or does not fit the labels' grid.
    """
    config = config or MeasureConfig()
    # An OME-Zarr is a dask array.
    found, notes = read_labels(labels), read_notes(labels)
    found = found.replace(array=np.asarray(found.array))
    ndim = len(found.spatial)
    maps = samples_beside(labels)
    picture = None
    if image is not None:
        picture, grid = _on_grid(read_image(image), found.shape, notes.get("grid"))
        notes = notes if grid is None else {**notes, "grid": grid}
    sd, samples = sd or maps.get("sd"), samples or maps.get("samples")
    source = Measured(
        labels=found.array,
        ndim=ndim,
        spacing=found.spacing,
        masks=None if samples is None else read_samples(samples, found),
        sd=None if sd is None else np.asarray(read_image(sd).array),
        mean=None if "mean" not in maps else _mean(read_image(maps["mean"]), ndim),
        image=None if picture is None else _pixels(picture),
    )
    measurements = follow(measure_objects(source, config))
    names = tuple(map(str, notes.get("class_names", ())))
    name = image.name if image is not None else str(notes.get("image", labels.name))
    return Report(source, measurements, config, name, found.unit, names, provenance=notes)


def _on_grid(image: Image, shape: tuple[int, ...], grid: Any) -> tuple[Image, dict[str, list[float]] | None]:
    """Return the level of an image, or the part of one, that labels of this shape lie on, and where that is."""
    for level in (image, *image.levels):
        steps = [n / m for n, m in zip(image.shape, level.shape, strict=True)]
        if level.shape == shape:
            return level, {"start": [0.0] * len(steps), "step": steps} if image.levels else None
        if not isinstance(grid, dict) or len(grid["start"]) > len(steps):
            continue
        ndim = len(grid["start"])
        first = [round(a / b) for a, b in zip(grid["start"], grid["step"], strict=True)]
        part = {axis: slice(a, a + n) for axis, a, n in zip(level.spatial[-ndim:], first, shape[-ndim:], strict=True)}
        cut = level.replace(array=level.array[tuple(part.get(axis, slice(None)) for axis in level.axes)], levels=())
        if np.allclose(grid["step"], steps[-ndim:], rtol=0.01) and cut.shape == shape:
            return cut, None
    return image.replace(levels=()), None


def _pixels(image: Image) -> NDArray[Any]:
    """Return the pixels with the channels last."""
    array = np.asarray(image.array)
    return np.moveaxis(array, image.axes.index("c"), -1) if "c" in image.axes else array[..., np.newaxis]


def _mean(image: Image, ndim: int) -> NDArray[Any]:
    """Return the mean map with the classes after the frames."""
    array = np.asarray(image.array)
    if "c" not in image.axes:
        return np.expand_dims(array, -ndim - 1)
    return np.moveaxis(array, image.axes.index("c"), -ndim - 1)


def read_samples(path: Path, labels: Image) -> SampleMasks:
    """Read samples. The axis before the spatial ones counts them."""
    image = read_labels(path)
    frames, ndim = labels.array.ndim - len(labels.spatial), len(labels.spatial)
    if image.array.ndim != labels.array.ndim + 1 or image.array.shape[:frames] != labels.array.shape[:frames]:
        raise InputError(
            f"{path} of shape {image.array.shape} does not hold samples of labels of shape {labels.array.shape}; "
            "choose the file that was written with the labels."
        )
    array = np.asarray(image.array).astype(np.uint8, copy=False)
    rims = bool(np.any((array > RIM) & (array != NOT_DRAWN)))
    return SampleMasks(array, labels.array.shape[-ndim:], rims)
