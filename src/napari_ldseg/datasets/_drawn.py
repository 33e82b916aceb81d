"""Pairs of images and of annotations that were drawn in QuPath, ImageJ or a COCO program."""

from collections.abc import Sequence
from pathlib import Path

from ..annotations import Shape, drawn_stem, found_classes, holds_drawn, paint, read_drawn
from ..data import Image, is_one_picture, match_name, picture_files, read_image, stem, write_image
from ..errors import InputError
from ._labels import UNLABELLED
from ._pairs import Pair, read_groups


def is_annotated(labels: Path) -> bool:
    """Whether what should hold label masks is a file of drawn annotations, or a folder of them."""
    if labels.is_dir():
        return not is_one_picture(labels) and any(map(holds_drawn, sorted(labels.iterdir())))
    return holds_drawn(labels)


def drawn_pairs(
    images: Path,
    drawn: Path,
    masks: Path,
    *,
    groups: Path | None = None,
    class_names: Sequence[str] | None = None,
) -> tuple[list[Pair], tuple[str, ...]]:
    """Paint annotations into label masks, in which 255 marks what nobody annotated.

    Parameters
    ----------
    images : Path
        A folder of images, or one.
    drawn : Path
        A folder of annotations with the images' names, or one file: of one image, or COCO's of several.
    masks : Path
        The folder that gets the masks.
    groups : Path, optional
        As for :func:`find_pairs`.
    class_names : sequence of str, optional
        The background first; by default those of all annotations.

    Returns
    -------
    list of Pair
        Images without annotations are left out.
    tuple of str
        The class names.

    Raises
    ------
    InputError
        No image has annotations, or some cannot be read or painted.
    """
    pictures = picture_files(images)
    files = sorted(filter(holds_drawn, drawn.iterdir())) if drawn.is_dir() else [drawn]
    named = {match_name(drawn_stem(file)): file for file in files}
    shared = files[0] if len(files) == 1 and (len(pictures) == 1 or drawn.is_file()) else None
    found: dict[Path, list[Shape]] = {}
    reasons = []
    for picture in pictures:
        file = named.get(match_name(stem(picture)), shared)
        if file is None:
            continue
        try:
            found[picture] = read_drawn(file, picture.name)
        except InputError as error:
            if file is not shared or len(pictures) == 1:
                raise
            reasons.append(str(error))
    if not found:
        raise InputError(
            f"No image in {images} has annotations in {drawn}. {reasons[0] if reasons else 'They need the same name.'}"
        )
    names = tuple(class_names or found_classes([shape for shapes in found.values() for shape in shapes]))
    group_of = read_groups(groups, [stem(picture) for picture in found]) if groups is not None else {}
    pairs = []
    for picture, shapes in found.items():
        path = masks / f"{stem(picture)}.ome.tif"
        _paint(read_image(picture), shapes, names, path)
        pairs.append(Pair(picture, path, group_of.get(stem(picture), stem(picture))))
    return pairs, names


def _paint(image: Image, shapes: Sequence[Shape], names: Sequence[str], path: Path) -> None:
    axes = image.axes.replace("c", "")
    shape = tuple(n for n, axis in zip(image.array.shape, image.axes, strict=True) if axis != "c")
    labels = paint(shapes, shape, axes, names, rest=UNLABELLED).labels
    write_image(path, labels, axes, spacing=image.spacing, unit=image.unit, metadata={})
