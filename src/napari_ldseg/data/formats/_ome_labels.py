"""Put labels into the OME-Zarr of their own image."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from .._image import SPATIAL, Image
from .._names import address_of
from ._ome_zarr import (
    Layout,
    attributes_of,
    create_pyramid,
    describe_group,
    open_group,
    read_ome_zarr,
    version_of,
    write_block,
)

NAME = "ldseg"
# A block is written at once; a multiple of two to the number of levels.
BLOCK = 2048


def put_labels(
    target: Path | str,
    labels: Image,
    *,
    name: str = NAME,
    origin: Sequence[float] = (),
    class_names: Sequence[str] = (),
    colors: Sequence[str],
    metadata: Mapping[str, Any],
    overwrite: bool = False,
) -> Path:
    """Write labels as ``labels/<name>`` into the OME-Zarr of their image, in the version that it follows.

    Viewers then show them on the image. ``image-label`` names the source, and the colour and the class of each value.

    Parameters
    ----------
    target : Path
        A folder on a disk.
    labels : Image
        Of the image, of a level of it, or of a region. The array may be lazy.
    name : str
    origin : sequence of float, optional
        First pixel ((Z), Y, X) of the labels, in pixels of the image's finest level; of a level that is not the finest
        the corner counts.
    class_names, colors : sequence of str
        Of each class, the background first; colours are "#rrggbb".
    metadata : mapping
        Provenance, everything JSON.
    overwrite : bool
        Replace labels of this name.

    Returns
    -------
    Path
        The group of the labels.

    Raises
    ------
    InputError
        The target is no OME-Zarr on a disk, has labels of this name, or the labels are of another image.
    """
    if address_of(target) is not None:
        raise InputError(
            f"{address_of(target)} cannot be written; copy the image to a disk, or write a file of its own."
        )
    target = Path(target)
    image = read_ome_zarr(target)
    layout = _layout(image, labels, origin)
    group = open_group(target, "r+")
    parent = _group(target / "labels", group)
    known = list(attributes_of(parent).get("labels", ()))
    if name in known and not overwrite:
        raise InputError(f"{target} has labels {name!r} already; choose another name, or replace them (--overwrite).")
    order = [labels.axes.index(axis) for axis in layout.axes]
    array = labels.array.transpose(order)
    if array.dtype.kind not in "bui" or array.dtype.itemsize > 4:
        array = array.astype(np.uint32)
    levels = create_pyramid(
        target / "labels" / name,
        array.shape,
        np.uint8 if array.dtype == bool else array.dtype,
        layout,
        name=name,
        metadata=metadata,
        block=BLOCK,
        colors=colors,
        version=version_of(group),
    )
    for start in np.ndindex(
        *(-(-n // BLOCK) if axis in SPATIAL else n for n, axis in zip(array.shape, layout.axes, strict=True))
    ):
        first = tuple(a * BLOCK if axis in SPATIAL else a for a, axis in zip(start, layout.axes, strict=True))
        box = tuple(slice(a, a + (BLOCK if axis in SPATIAL else 1)) for a, axis in zip(first, layout.axes, strict=True))
        write_block(levels, first, np.asarray(array[box]), layout.axes, nearest=True)
    made = open_group(target / "labels" / name, "r+")
    found = dict(attributes_of(made)["image-label"])
    found.pop("version", None)
    named = [{"label-value": value, "class": each} for value, each in enumerate(class_names)]
    found |= {"source": {"image": "../../"}, **({"properties": named} if named else {})}
    described = {"image-label": found}
    describe_group(made, described)
    describe_group(parent, {"labels": [*known, *([name] * (name not in known))]})
    return target / "labels" / name


def _group(folder: Path, like: Any) -> Any:
    """Open the group of all labels, or make it, in the version of its image."""
    import zarr

    return zarr.open_group(folder, mode="a", zarr_format=like.metadata.zarr_format)


def _layout(image: Image, labels: Image, origin: Sequence[float]) -> Layout:
    """Return axes, pixel size and place of the labels on their image."""
    wanted = image.axes.replace("c", "")
    if set(labels.axes) != set(wanted):
        raise InputError(f"The labels have the axes {labels.axes}, and the image {image.name!r} has {wanted}.")
    sizes = dict(zip(image.axes, np.shape(image.array), strict=True))
    for axis, n in zip(labels.axes, np.shape(labels.array), strict=True):
        if axis not in SPATIAL and n != sizes[axis]:
            raise InputError(
                f"The labels have {n} frames along {axis}, and the image {image.name!r} has {sizes[axis]}."
            )
    fine = image.spacing or (1.0,) * len(image.spatial)
    if labels.spacing is not None and image.spacing is not None:
        steps = labels.spacing
    else:
        whole = [n / m for n, m in zip(image.shape, labels.shape, strict=True)]
        steps = tuple(f * w for f, w in zip(fine, whole, strict=True)) if not any(origin) else fine
    start = [*(0.0 for _ in range(len(fine) - len(origin))), *origin]
    reach = [f * s + step * n for f, s, step, n in zip(fine, start, steps, labels.shape, strict=True)]
    if any(end > f * n + step for end, f, n, step in zip(reach, fine, image.shape, steps, strict=True)):
        raise InputError(
            f"Labels of {' x '.join(map(str, labels.shape))} pixels reach beyond {image.name!r} of "
            f"{' x '.join(map(str, image.shape))}; are they of another image?"
        )
    corner = tuple(f * s + (step - f) / 2 for f, s, step in zip(fine, start, steps, strict=True))
    return Layout(wanted, steps, image.unit, corner)
