"""Name the output files of a segmentation, and write them."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ..data import Geometry, output_suffix, stem, write_image
from ..errors import InputError
from ..prompts import find_prompts

if TYPE_CHECKING:
    from ..inference import Segmentation


@dataclass(frozen=True)
class Task:
    """One image, its output files, the file of its prompts, and the format of the outputs, where it was named."""

    image: Path
    outputs: dict[str, Path]
    prompts: Path | None = None
    written: str | None = None


@dataclass(frozen=True)
class _Place:
    """Pixel size and geometry of a map."""

    spacing: tuple[float, ...] | None
    unit: str
    geometry: Geometry | None

    def coarser(self, factors: tuple[float, ...], shape: tuple[int, ...]) -> "_Place":
        """Return the place of a grid of this shape whose pixels are ``factors`` of these."""
        spacing = None if self.spacing is None else tuple(s * f for s, f in zip(self.spacing, factors, strict=True))
        return _Place(spacing, self.unit, self.geometry and self.geometry.coarser(factors, shape))


def plan_outputs(
    images: list[Path], out: Path, kinds: tuple[str, ...], written: str | None = None, prompts: Path | None = None
) -> list[Task]:
    """Name all outputs, and refuse conflicts before anything is computed.

    They are written in the format ``written``, by default in that of each image (see :func:`output_suffix`).
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; give a folder as --out.")
    if written == "dicom-seg" and "samples" in kinds:
        raise InputError("Samples cannot be written as DICOM; leave out --masks, or choose another --format.")
    tasks, said = [], find_prompts(prompts, images) if prompts is not None else {}
    for image in images:
        suffix = output_suffix(image, written)
        outputs = {kind: out / f"{stem(image)}_{kind}{suffix}" for kind in kinds}
        if image in said:  # what was said lies beside the results
            outputs["prompts"] = out / f"{stem(image)}_prompts{said[image].suffix}"
        tasks.append(Task(image, outputs, said.get(image), written))
    taken: dict[str, Path] = {}
    inputs = {image.resolve() for image in [*images, *said.values()]}
    for task in tasks:
        # Two names that differ only in case are one file on Windows and macOS.
        twin = taken.setdefault(stem(task.image).casefold(), task.image)
        if twin != task.image:
            raise InputError(
                f"{twin} and {task.image} would both be written to {task.outputs['labels']}; "
                "rename one of them, or run them into two folders."
            )
        for output in task.outputs.values():
            if output.resolve() in inputs:
                raise InputError(f"{output} is one of the inputs; give another folder as --out.")
    return tasks


def write_outputs(result: "Segmentation", task: Task) -> None:
    """Write the maps of one image on its own grid."""
    frames, spatial = _axes(result)
    maps: dict[str, tuple[NDArray[Any], str]] = {
        "labels": (result.labels, frames + spatial),
        "sd": (result.sd, frames + spatial),
    }
    if result.mean is not None:
        maps["mean"] = (result.mean, f"{frames}c{spatial}")
    if result.masks is not None:
        sample_axis = next(letter for letter in "pst" if letter not in frames)
        maps["samples"] = (result.masks.array, f"{frames}{sample_axis}{spatial}")
    metadata = {
        **result.provenance,
        "image": task.image.name,
        "samples": result.samples,
        "class_names": list(result.class_names),
    }
    if task.written == "dicom-seg":
        metadata |= {"source": str(task.image), "class_colors": list(result.class_colors)}
    for kind, path in task.outputs.items():
        if kind == "prompts" and task.prompts is not None:
            copy = shutil.copytree if task.prompts.is_dir() else shutil.copyfile
            copy(task.prompts, path)
            continue
        if kind not in maps:
            raise InputError(
                f"{path.name} cannot be written: not one sample of this image fits into the memory that --keep-mb "
                "allows; raise it."
            )
        array, axes = maps[kind]
        place = _Place(result.spacing, result.unit, result.geometry)
        if result.geometry is not None and "z" in frames and result.spacing is not None:
            place = _Place(result.geometry.spacing, "millimeter", result.geometry)
        if kind == "samples" and result.masks is not None:
            slices = frames.count("z")
            sizes = [array.shape[axes.index("z")] for _ in range(slices)] + list(array.shape[-len(spatial) :])
            place = place.coarser((1.0,) * slices + tuple(result.masks.factors), tuple(sizes))
        write_image(path, array, axes, **vars(place), metadata=metadata, written=task.written)


def _axes(result: "Segmentation") -> tuple[str, str]:
    """Return frame axes and spatial axes.

    The slices that a 2D model saw one by one are frames (s), unless the geometry of the source says how thick they are.
    """
    number = result.sizes.ndim - 2
    frames, spatial = result.axes[:number], result.axes[number:]
    if result.geometry is not None:
        return frames, spatial
    return frames.replace("z", next(letter for letter in "spt" if letter not in frames)), spatial
