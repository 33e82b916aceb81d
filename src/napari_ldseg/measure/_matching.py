"""Match objects with samples: find the part of each sample that corresponds to an object."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..config import ObjectsConfig
from ._components import Region
from ._instances import split_objects
from ._samples import Box, SampleMasks, resample


@dataclass(frozen=True)
class Versions:
    """One object in each of the N samples, on the grid of the samples.

    Attributes
    ----------
    region : Region
    box : tuple of slice
        The part of the grid that holds the object and all its versions.
    own : bool array of the box's shape
        The object itself, on the grid.
    masks : bool array, shape ``(N, *box)``
        Each sample's version; empty if the sample lacks the object.
    exists, split, merged : bool arrays, shape ``(N,)``
        Whether the sample has the object, has it in several pieces, or joined with another object.
    """

    region: Region
    box: Box
    own: NDArray[np.bool_]
    masks: NDArray[np.bool_]
    exists: NDArray[np.bool_]
    split: NDArray[np.bool_]
    merged: NDArray[np.bool_]

    def on_image(self, sample: int, masks: SampleMasks) -> tuple[Box, NDArray[np.bool_]]:
        """Return one version on the image's own grid, with a smooth outline: its place and its mask."""
        return enlarge(self.masks[sample], self.box, masks)


def match(regions: list[Region], masks: SampleMasks, cover: float) -> Iterator[Versions]:
    """Find each object in each sample.

    A piece of a sample is what is connected or, where the samples draw rims, an object that the rims keep apart. It
    belongs to an object of its class if it covers at least the share ``cover`` of the object's pixels. The sample's
    version of the object consists of those pixels of its pieces that are nearer to this object than to any other of its
    class, so that an object does not swallow a neighbour that a sample merges with it.
    A sample without such a piece lacks the object. With two or more pieces it splits the object, and with a piece that
    also belongs to another object it merges the two.

    Parameters
    ----------
    regions : list of Region
        From :func:`find_regions`, in its order.
    masks : SampleMasks
    cover : float
        0 to 1.
    """
    for frame, in_frame in groupby(regions, key=lambda region: region.frame):
        samples, rims = masks.at(frame), masks.rims_at(frame)
        by_class = sorted(in_frame, key=lambda region: region.label)
        for label, group in groupby(by_class, key=lambda region: region.label):
            yield from _match_class(list(group), samples == label, rims, masks, cover)


def _match_class(
    regions: list[Region],
    samples: NDArray[np.bool_],
    rims: NDArray[np.bool_] | None,
    masks: SampleMasks,
    cover: float,
) -> Iterator[Versions]:
    """Match the objects of one class in one frame; ``samples`` and ``rims`` have the shape (N, *grid)."""
    own = _on_grid(regions, masks)
    nearest = ndimage.distance_transform_edt(
        own == 0, sampling=masks.factors, return_distances=False, return_indices=True
    )
    territory = own[tuple(nearest)]
    pixels = np.maximum(np.bincount(own.ravel(), minlength=len(regions) + 1), 1)
    keys = territory.astype(np.int64)
    kept = np.zeros(samples.shape, bool)
    pieces = np.zeros((len(samples), len(regions) + 1), np.intp)
    merged = np.zeros(pieces.shape, bool)
    for i, sample in enumerate(samples):
        parts = split_objects(sample, None if rims is None else rims[i], ObjectsConfig().core).astype(np.int64)
        count = int(parts.max()) + 1
        both = (own > 0) & (parts > 0)
        pairs, overlap = np.unique(own[both] * count + parts[both], return_counts=True)
        objects, of_part = np.divmod(pairs, count)
        enough = overlap >= cover * pixels[objects]
        objects, of_part = objects[enough], of_part[enough]
        pieces[i] = np.bincount(objects, minlength=len(regions) + 1)
        shared = np.bincount(of_part, minlength=count) > 1
        np.logical_or.at(merged[i], objects, shared[of_part])
        kept[i] = np.isin(keys * count + parts, pairs[enough])
    boxes = ndimage.find_objects(territory, max_label=len(regions))
    for index, (region, box) in enumerate(zip(regions, boxes, strict=True), start=1):
        # Tiny objects may share their only pixel of the grid with another object.
        box = box or tuple(slice(n, n + 1) for n in _cell(region, masks))
        here = territory[box] == index
        versions = kept[(slice(None), *box)] & here
        core = (own[box] == index) | versions.any(axis=0)
        tight = (ndimage.find_objects(core.astype(np.uint8)) or [(slice(None),) * core.ndim])[0]
        yield Versions(
            region=region,
            box=tuple(
                slice(b.start + t.indices(b.stop - b.start)[0], b.start + t.indices(b.stop - b.start)[1])
                for b, t in zip(box, tight, strict=True)
            ),
            own=own[box][tight] == index,
            masks=versions[(slice(None), *tight)].copy(),
            exists=pieces[:, index] > 0,
            split=pieces[:, index] > 1,
            merged=merged[:, index],
        )


def _on_grid(regions: list[Region], masks: SampleMasks) -> NDArray[np.int32]:
    """Paint the regions on the grid as 1, 2, ... Even the smallest keeps a pixel."""
    image = np.zeros(masks.shape, np.int32)
    for index, region in enumerate(regions, start=1):
        image[region.box][region.mask] = index
    places = [((np.arange(g) + 0.5) * f).astype(np.intp) for g, f in zip(masks.grid, masks.factors, strict=True)]
    grid = np.asarray(image[np.ix_(*places)])
    seen = np.bincount(grid.ravel(), minlength=len(regions) + 1) > 0
    for index in (np.flatnonzero(~seen[1:]) + 1).tolist():
        cell = _cell(regions[index - 1], masks)
        grid[cell] = grid[cell] or index
    return grid


def _cell(region: Region, masks: SampleMasks) -> tuple[int, ...]:
    """Return the pixel of the grid that holds the middle of a region."""
    return tuple(int((a + 0.5) / f) for a, f in zip(region.anchor, masks.factors, strict=True))


def enlarge(mask: NDArray[np.bool_], box: Box, masks: SampleMasks) -> tuple[Box, NDArray[np.bool_]]:
    """Resample a mask in a box of the grid to the image's grid: interpolate linearly, then cut at one half."""
    around = tuple(slice(max(b.start - 1, 0), min(b.stop + 1, n)) for b, n in zip(box, masks.grid, strict=True))
    padded = np.pad(mask, [(b.start - a.start, a.stop - b.stop) for a, b in zip(around, box, strict=True)])
    factors = masks.factors
    target = tuple(
        slice(int(np.floor(a.start * f)), min(int(np.ceil(a.stop * f)), n))
        for a, f, n in zip(around, factors, masks.shape, strict=True)
    )
    return target, resample(padded, masks.shape, target, masks.grid, around) >= 0.5
