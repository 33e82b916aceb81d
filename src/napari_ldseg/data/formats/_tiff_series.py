"""Which of the images in a TIFF file is read, and what is left out."""

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import Any

import numpy as np
import tifffile

from .._names import shortlist

# Small pictures that a scanner adds to a slide.
_ASSOCIATED = ("thumbnail", "label", "macro", "overview", "map")
Found = tuple[tifffile.TiffPageSeries, list[str]]


def find_series(tiff: tifffile.TiffFile) -> Found:
    """Return the largest image that lies in the file itself, and notes on what is left out.

    An OME-TIFF may name planes that lie in other files; those are read from there.
    """
    if (own := _own_planes(tiff)) is not None:
        return own
    every = [series for series in tiff.series if series.size and not _is_elsewhere(tiff, series)]
    if not every:
        raise ValueError("it holds no image")
    best = max(every, key=lambda series: series.size)
    others = [series for series in every if series is not best and not _is_associated(series)]
    if not others:
        return best, []
    left = shortlist(_describe(series) for series in others)
    return best, [
        f"The file holds {len(others) + 1} images. Only {_describe(best)} is read; left out: {left}. Save those that "
        "matter as files of their own."
    ]


def ome_pixels(tiff: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Any:
    """Return the element ``Pixels`` of the OME-XML that describes a series; None where there is none."""
    if not (tiff.is_ome and tiff.ome_metadata):
        return None
    every = list(_elements(ElementTree.fromstring(tiff.ome_metadata), "Pixels"))
    size = (series.keyframe.imagewidth, series.keyframe.imagelength)
    fitting = [each for each in every if (each.get("SizeX"), each.get("SizeY")) == tuple(map(str, size))]
    index = next((number for number, each in enumerate(tiff.series) if each is series), 0)
    if index < len(every) and every[index] in fitting:
        return every[index]
    return next(iter(fitting or every), None)


def _elements(node: Any, name: str) -> Iterator[Any]:
    """Yield the elements of a name, whatever their version of OME."""
    return (each for each in node.iter() if each.tag.rpartition("}")[2] == name)


def _is_elsewhere(tiff: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> bool:
    return any(page is not None and page.parent is not tiff for page in series.pages)


def _is_associated(series: tifffile.TiffPageSeries) -> bool:
    return series.keyframe.is_reduced or series.name.strip().lower() in _ASSOCIATED


def _describe(series: tifffile.TiffPageSeries) -> str:
    name = f"{series.name!r} of " if series.name else ""
    return f"{name}{' x '.join(map(str, series.shape))} ({series.axes})"


def _own_planes(tiff: tifffile.TiffFile) -> Found | None:
    """Return the planes in this file of an OME-TIFF that spreads over several files; None for all other files."""
    if not (tiff.is_ome and tiff.ome_metadata):
        return None
    root = ElementTree.fromstring(tiff.ome_metadata)
    known = {each.text: each.get("FileName", "") for each in _elements(root, "UUID")}
    mine = root.get("UUID")
    own = {uuid for uuid, name in known.items() if uuid == mine or (not mine and name.lower() == tiff.filename.lower())}
    if set(known) <= own:
        return None
    if not own and len(known) == 1:  # the file was renamed
        own = set(known)
    images = [_places(pixels, own, len(tiff.pages)) for pixels in _elements(root, "Pixels")]
    axes, places, planes = max(images, key=lambda each: len(each[1]), default=("", {}, 0))
    files = len(known)
    if not places:
        note = "The file is one of several of an acquisition, but its metadata do not say which planes it holds."
        return _stack(tiff, list(range(len(tiff.pages))), "I", (len(tiff.pages),)), [note]
    steps = [sorted(set(column)) for column in zip(*places, strict=True)]
    shape = tuple(map(len, steps))
    order = sorted(places)
    if math.prod(shape) != len(order):
        axes, shape = "I", (len(order),)
    note = (
        f"The file is one of {files} of an acquisition, and holds {len(order)} of the {planes} planes of its image; "
        "the others are read from their own files."
    )
    other = f" It also holds planes of {sum(bool(each[1]) for each in images) - 1} other images, which are left out."
    more = other if sum(bool(each[1]) for each in images) > 1 else ""
    notes = [note + more] if len(order) < planes or more else []
    return _stack(tiff, [places[place] for place in order], axes, shape), notes


def _places(pixels: Any, own: set[str | None], pages: int) -> tuple[str, dict[tuple[int, ...], int], int]:
    """Return axes, the page of each plane of an image that lies in this file, and how many planes the image has."""
    axes = pixels.get("DimensionOrder", "XYZCT")[:1:-1]
    colours = max((int(each.get("SamplesPerPixel", 1)) for each in _elements(pixels, "Channel")), default=1)
    sizes = tuple(int(pixels.get(f"Size{a}", 1)) // (colours if a == "C" else 1) or 1 for a in axes)
    found: dict[tuple[int, ...], int] = {}
    for data in _elements(pixels, "TiffData"):
        uuid = next(_elements(data, "UUID"), None)
        if uuid is not None and uuid.text not in own:
            continue
        page = int(data.get("IFD", 0))
        count = int(data.get("PlaneCount", data.get("NumPlanes", 1 if "IFD" in data.attrib else pages)))
        first = int(np.ravel_multi_index([int(data.get(f"First{a}", 0)) for a in axes], sizes))
        for step in range(min(count, pages - page, math.prod(sizes) - first)):
            found[tuple(map(int, np.unravel_index(first + step, sizes)))] = page + step
    return axes, found, math.prod(sizes)


def _stack(tiff: tifffile.TiffFile, pages: list[int], axes: str, shape: tuple[int, ...]) -> tifffile.TiffPageSeries:
    """Return pages as one image."""
    chosen = [tiff.pages[index] for index in pages]
    page = chosen[0].aspage()
    if any(each.aspage().shape != page.shape for each in chosen):
        raise ValueError("its planes have different sizes")
    return tifffile.TiffPageSeries(
        [each.aspage() for each in chosen], (*shape, *page.shape), page.dtype, axes + page.axes, parent=tiff, kind="ome"
    )
