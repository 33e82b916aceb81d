"""`napari-ldseg import` and `export` exchange models and annotations with other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ..config import ModelConfig
from ..errors import InputError
from ._common import border, not_none, read_json, refuse_existing, say
from ._train import ClassNames, names_of

if TYPE_CHECKING:
    from ..networks import LDSeg

Out = Annotated[Path, typer.Option("--out", "-o", help="Output: a folder, or a .safetensors file.")]
Name = Annotated[str | None, typer.Option("--name", help="Name of the model.", show_default=False)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing model.")]

imports = typer.Typer(no_args_is_help=True, help="Turn files of other programs into a model, or into labels.")


@imports.command("keras")
@border("Interrupted; nothing was written.")
def import_from_keras(
    folder: Annotated[Path, typer.Argument(help="Folder of labelEncoder*, labelDecoder*, imageEncoder*, denoiser*.")],
    out: Out,
    name: Name = None,
    overwrite: Overwrite = False,
) -> None:
    """Import a model of the LDSeg authors' TensorFlow release, 2D or 3D, from its four HDF5 files."""
    from ..checkpoints import file_to_write
    from ..exchange import import_keras

    refuse_existing([file_to_write(out)], overwrite)
    _save(import_keras(folder, name), out)


@imports.command("torch")
@border("Interrupted; nothing was written.")
def import_torch(
    file: Annotated[Path, typer.Argument(help="A .pt, .pth or .ckpt file with weights of napari-ldseg's networks.")],
    out: Out,
    settings: Annotated[Path | None, typer.Option("--config", help="JSON file with the model's settings.")] = None,
    like: Annotated[str | None, typer.Option("--like", help="Take the settings of this model.")] = None,
    name: Name = None,
    overwrite: Overwrite = False,
) -> None:
    """Import a PyTorch state_dict of napari-ldseg's own networks. Code in the file is never run."""
    from .. import exchange
    from ..checkpoints import file_to_write, find_model, read_header

    refuse_existing([file_to_write(out)], overwrite)
    if settings is not None and like is None:
        config = ModelConfig.parse(_model_settings(settings))
    elif like is not None and settings is None:
        config = read_header(find_model(like)).config
    else:
        raise InputError("Give the settings of the networks, either by --config FILE or by --like MODEL.")
    _save(exchange.import_torch(file, config.replace(**not_none(name=name))), out)


@border("Interrupted; the labels are not complete.")
def place(
    labels: Annotated[
        Path, typer.Argument(metavar="LABELS", help="A label mask, or a <stem>_ldseg.zarr of `segment`.")
    ],
    into: Annotated[Path, typer.Option("--into", help="The OME-Zarr of their image, on a disk.")],
    name: Annotated[str, typer.Option("--name", help="They become labels/<name>.")] = "ldseg",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace labels of this name.")] = False,
) -> None:
    """Put labels into the OME-Zarr of their own image, so that every viewer shows them on it."""
    from ..config import class_color
    from ..data import LABELS, put_labels, read_labels, read_notes

    notes = read_notes(labels)
    found = read_labels(labels / LABELS if (labels / LABELS).is_dir() else labels)
    names = [str(each) for each in notes.get("class_names", ())]
    grid: Any = notes.get("grid")
    colors = [class_color(label, ()) for label in range(len(names) or int(found.array.max()) + 1)]
    path = put_labels(
        into,
        found,
        name=name,
        origin=tuple(grid.get("start", ())) if isinstance(grid, dict) else (),
        class_names=names,
        colors=colors,
        metadata=notes,
        overwrite=overwrite,
    )
    say(f"The labels are {path}.")


@imports.command("annotations")
@border("Interrupted; nothing was written.")
def import_annotations(
    file: Annotated[Path, typer.Argument(help="GeoJSON (QuPath), ROIs (.roi, .zip of ImageJ) or COCO (.json).")],
    image: Annotated[Path, typer.Option("--image", help="The image that they were drawn on.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The label mask to write, for example a_labels.tif.")],
    class_names: ClassNames = None,
    unlabelled: Annotated[
        bool,
        typer.Option("--unlabelled/--background", help="What is outside of all annotations: 255, or background."),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Paint annotations of QuPath, ImageJ or COCO into a label mask on the image's grid."""
    from ..annotations import UNLABELLED, paint, read_drawn
    from ..data import read_image, write_image

    refuse_existing([out], overwrite)
    source = read_image(image)
    axes = source.axes.replace("c", "")
    shape = tuple(n for n, axis in zip(source.array.shape, source.axes, strict=True) if axis != "c")
    rest = UNLABELLED if unlabelled else 0
    found = paint(read_drawn(file, image.name), shape, axes, names_of(class_names), rest=rest)
    place: dict[str, Any] = {"spacing": source.spacing, "unit": source.unit, "geometry": source.geometry}
    metadata = {"image": image.name, "source": file.name, "class_names": list(found.class_names)}
    write_image(out, found.labels, axes, metadata=metadata, **place)
    for note in found.notes:
        say(note, "yellow")
    say(f"The labels are {out}; classes: {', '.join(found.class_names)}.")


def _model_settings(path: Path) -> dict[str, Any]:
    """Read a model's settings, alone or as ``{"model": {...}}`` in a file of `train`."""
    values = read_json(path)
    values = values.get("model", values) if isinstance(values, dict) else values
    if not isinstance(values, dict):
        raise InputError(f"The settings file {path} must hold a table: the model's settings.")
    return values


def _save(model: "LDSeg", out: Path) -> None:
    """Save an imported model, and say how to use it."""
    from ..checkpoints import save_model

    path = save_model(model, out)
    say(f"The model is {path}; use it with `napari-ldseg segment IN... --model {out}`.")


@border("Interrupted; the export is not complete.")
def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name of a model (see `models`), or its file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the networks and rdf.yaml.")],
    samples: Annotated[int, typer.Option("--samples", "-n", help="Samples that segmenter.pt draws.")] = 8,
    author: Annotated[list[str] | None, typer.Option("--author", help="For rdf.yaml; may be repeated.")] = None,
    license_id: Annotated[str | None, typer.Option("--license", help="SPDX identifier, for example CC-BY-4.0.")] = None,
    packed: Annotated[
        bool, typer.Option("--zip", help="Also pack it for bioimage.io: OUT/<name>.zip (extra bioimageio).")
    ] = False,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="Also write encoder, denoiser and decoder as ONNX (extra onnx).")
    ] = False,
) -> None:
    """Export a model as TorchScript with a bioimage.io description, and check that it computes the same."""
    from ..checkpoints import load_model
    from ..exchange import export_model, export_onnx, package

    loaded = load_model(model)
    written = export_model(loaded, out, samples=samples, authors=tuple(author or ()), license_id=license_id)
    written += export_onnx(loaded, out) if onnx else []
    if packed:
        say(f"The package is {package(out, out / f'{loaded.config.name}.zip')}.")
    table = Table("File", "Largest difference from the model")
    for file in written:
        table.add_row(file.path.name, f"{file.difference:.1e}")
    Console().print(table)
    say(f"{len(written)} networks and rdf.yaml are in {out}.")
