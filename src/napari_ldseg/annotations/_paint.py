"""Paint drawn annotations into a label mask."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from ..errors import InputError
from ._shape import Rings, Shape

UNLABELLED = 255
OBJECTS = "foreground"
LEFT_OUT = ("root", "tma_core")
MOST_CLASSES = 254


@dataclass(frozen=True, eq=False)
class Painted:
    """Labels that were painted from annotations.

    Attributes
    ----------
    labels : uint8 array
        Of the image's shape without channels: 0 is the background, and 255 what nobody annotated.
    class_names : tuple of str
        The background first.
    notes : tuple of str
        What was left out, in sentences.
    """

    labels: NDArray[np.uint8]
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def inside(areas: Rings, shape: tuple[int, int]) -> tuple[tuple[slice, slice], NDArray[np.bool_]] | None:
    """Return which pixels have their centre inside of an outline and outside of its holes.

    Parameters
    ----------
    areas : list of float arrays (vertices, 2)
        Outline and holes, y, x in pixels, where the centre of the first pixel is 0.
    shape : (Y, X)

    Returns
    -------
    (box, mask) or None
        Of the part inside of the image; None where there is none.
    """
    places = np.concatenate(areas)
    low, high = np.floor(places.min(axis=0)), np.ceil(places.max(axis=0)) + 1
    start = [min(max(int(a), 0), n) for a, n in zip(low, shape, strict=True)]
    stop = [min(max(int(b), s), n) for b, s, n in zip(high, start, shape, strict=True)]
    sides = (stop[0] - start[0], stop[1] - start[1])
    if not math.prod(sides):
        return None
    mask = np.zeros(sides, dtype=bool)
    for ring in areas:
        mask ^= polygon2mask(sides, ring - start)
    return (slice(start[0], stop[0]), slice(start[1], stop[1])), mask


def found_classes(shapes: Sequence[Shape]) -> tuple[str, ...]:
    """Return ``"background"`` and the classes of annotations in the order of their names."""
    names = {shape.name for shape in _objects(shapes) if not _is_region(shape, True) and not shape.is_ignored}
    named = sorted(names - {"", "background", "Background"}, key=str.casefold)
    return ("background", *(named or [OBJECTS]))


def paint(
    shapes: Sequence[Shape],
    shape: tuple[int, ...],
    axes: str,
    class_names: Sequence[str] | None = None,
    *,
    rest: int = 0,
    scale: tuple[float, float] = (1.0, 1.0),
) -> Painted:
    """Paint annotations into labels. Large areas come first, so that small ones on them are seen.

    Where annotations have classes, those without one, and those of QuPath's class ``Region*``, say where somebody
    looked: what lies in them, and in no other, is background. Other classes that end in a star, such as ``Ignore*``,
    are unlabelled (255). Where no annotation has a class, all are of one, ``foreground``.

    Parameters
    ----------
    shapes : sequence of Shape
    shape : tuple of int
        Of the image, without channels.
    axes : str
        Its letters: ``"yx"``, ``"zyx"``, ``"tyx"``, ... An annotation that names no slice or frame is in the first.
    class_names : sequence of str, optional
        The background first; by default those that are found.
    rest : {0, 255}
        What is outside of all annotations: background, or unlabelled.
    scale : (float, float)
        Pixels (y, x) of the full image, in which annotations are drawn, in one of these.

    Raises
    ------
    InputError
        An annotation has a class that is not among the names, or nothing lies on the image.
    """
    names = tuple(class_names or found_classes(shapes))
    if len(names) > MOST_CLASSES:
        raise InputError(f"There are {len(names)} classes in the annotations; at most {MOST_CLASSES} can be painted.")
    labels = np.full(shape, rest, np.uint8)
    objects = _objects(shapes)
    has_classes = any(one.name and not one.is_ignored for one in objects)
    painted, lines = 0, 0
    for one in sorted(objects, key=lambda one: (_turn(one, has_classes), -one.geometry.area)):
        value = _value(one, names, has_classes)
        for areas in one.areas():
            hit = inside([(ring[:, ::-1] / scale) - 0.5 for ring in areas], (shape[-2], shape[-1]))
            if hit is not None:
                box, mask = hit
                place: tuple[int | slice, ...] = (*_plane(one, shape, axes), *box)
                labels[place][mask] = value
                painted += int(mask.any())
        lines += not one.areas()
    if not painted:
        raise InputError(
            f"None of the {len(shapes)} annotations covers a pixel of the image ({' x '.join(map(str, shape))}); are "
            "they of another image, or only points and lines?"
        )
    notes = [f"{lines} points and lines were left out: they cover no area."] if lines else []
    return Painted(labels, names, tuple(notes))


def bounds(shapes: Sequence[Shape], shape: tuple[int, int], name: str) -> tuple[slice, slice]:
    """Return the box (y, x) of pixels that annotations reach into.

    Raises
    ------
    InputError
        They lie outside of the image, or there are none.
    """
    boxes = np.array([one.geometry.bounds for one in shapes if one.areas()]).reshape(-1, 4)
    if not len(boxes):
        raise InputError(f"{name} holds no area; draw one around the part to segment.")
    low, high = np.floor(boxes[:, :2].min(axis=0)), np.ceil(boxes[:, 2:].max(axis=0))
    start = [min(max(int(each), 0), n) for each, n in zip(low[::-1], shape, strict=True)]
    stop = [min(max(int(each), 0), n) for each, n in zip(high[::-1], shape, strict=True)]
    if start[0] >= stop[0] or start[1] >= stop[1]:
        raise InputError(f"The areas in {name} lie outside of the image ({shape[0]} x {shape[1]}).")
    return slice(start[0], stop[0]), slice(start[1], stop[1])


def _objects(shapes: Sequence[Shape]) -> list[Shape]:
    return [shape for shape in shapes if shape.kind not in LEFT_OUT]


def _is_region(shape: Shape, has_classes: bool) -> bool:
    return shape.is_region or (has_classes and not shape.name)


def _turn(shape: Shape, has_classes: bool) -> int:
    return 0 if _is_region(shape, has_classes) else 2 if shape.is_ignored else 1


def _value(shape: Shape, names: Sequence[str], has_classes: bool) -> int:
    if _is_region(shape, has_classes):
        return 0
    if shape.is_ignored:
        return UNLABELLED
    if not shape.name:
        return 1
    known = [number for number, name in enumerate(names) if name.casefold() == shape.name.casefold()]
    if known:
        return known[0]
    if shape.name.casefold() == "background":
        return 0
    raise InputError(
        f"An annotation is of the class {shape.name!r}; known are {', '.join(names)}. Rename it, or name its class."
    )


def _plane(one: Shape, shape: tuple[int, ...], axes: str) -> Iterator[int]:
    """Yield the index along each axis before y and x."""
    for axis, size in zip(axes[:-2], shape[:-2], strict=True):
        place = one.plane.get("t" if axis == "t" else "z", 0)
        if not 0 <= place < size:
            raise InputError(f"An annotation lies in {axis} = {place}, but the image has only {size} there.")
        yield place
