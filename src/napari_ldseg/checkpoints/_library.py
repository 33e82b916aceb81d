"""The user's own models: take in, rename, delete, hand out. Needs no torch."""

import shutil
from pathlib import Path

from .._util import replacing, user_folder
from ..config import ModelConfig
from ..errors import CheckpointError
from ._header import CARD_FILE, MODEL_FILE, read_header
from ._registry import ModelEntry, list_models


def install_model(path: Path, name: str | None = None) -> ModelEntry:
    """Copy a model file into the user's folder, with its card; return it as it is listed.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file, or the folder of a model.
    name : str, optional
        By default its own name; where that is taken, with a number.

    Raises
    ------
    CheckpointError
        The file is no model, the name that was asked for is taken, or the disk refuses.
    """
    header = read_header(path)
    wanted = name or header.config.name
    place = _free(wanted) if name is None else _place(wanted)
    with replacing(place, CheckpointError) as partial:
        partial.mkdir()
        shutil.copyfile(header.path, partial / MODEL_FILE)
        if header.card:
            (partial / CARD_FILE).write_text(header.card, encoding="utf-8", errors="backslashreplace", newline="")
    config = header.config
    return ModelEntry(place.name, place / MODEL_FILE, config.title, config.score, config, bundled=False)


def rename_model(entry: ModelEntry, name: str) -> Path:
    """Give one of the user's models another name; return its new file.

    Raises
    ------
    CheckpointError
        The model came with napari-ldseg, or the name is taken or cannot be one.
    """
    own = _own(entry, "renamed")
    place = _place(name)
    try:
        if own.is_dir():
            return Path(shutil.move(own, place)) / MODEL_FILE
        return Path(shutil.move(own, place.with_name(f"{name}.safetensors")))
    except OSError as error:
        raise CheckpointError(f"{entry.name!r} cannot be renamed ({error.strerror or error}).") from error


def delete_model(entry: ModelEntry) -> None:
    """Delete one of the user's models, or one that was downloaded.

    Raises
    ------
    CheckpointError
        The model came with napari-ldseg, lies outside the user's folder, or the disk refuses.
    """
    own = _own(entry, "deleted")
    try:
        if own.is_dir():
            shutil.rmtree(own)
        else:
            own.unlink()
    except OSError as error:
        raise CheckpointError(f"{entry.name!r} cannot be deleted ({error.strerror or error}).") from error


def export_model(entry: ModelEntry, path: Path) -> Path:
    """Copy a model, any, into one file that others can take in; return it.

    Raises
    ------
    CheckpointError
        The disk refuses.
    """
    path = path if path.suffix == ".safetensors" else path.with_name(f"{path.name}.safetensors")
    with replacing(path, CheckpointError) as partial:
        shutil.copyfile(entry.path, partial)
    return path


def check_name(name: str) -> None:
    """Refuse a name that cannot be a model's, or that one has already.

    Raises
    ------
    CheckpointError
    """
    _place(name)


def _own(entry: ModelEntry, done: str) -> Path:
    """Return the folder or file of one of the user's own models, or of one that was downloaded."""
    if done == "deleted" and entry.downloaded:
        return entry.path.parent
    if entry.bundled:
        raise CheckpointError(f"{entry.name!r} came with napari-ldseg and cannot be {done}; your own models can.")
    folder = user_folder("models").resolve()
    path = entry.path.resolve()
    if not path.is_relative_to(folder):
        raise CheckpointError(
            f"{entry.name!r} lies in {str(path.parent)!r}, outside your models folder, and is not {done} from here."
        )
    return path if path.parent == folder else path.parent


def _place(name: str) -> Path:
    """Return the folder of a new model."""
    try:
        ModelConfig(name=name)
    except ValueError as error:
        raise CheckpointError(
            f"{name!r} cannot be a model's name: letters, digits, spaces and . _ + - only, at most 80."
        ) from error
    taken = {entry.name.lower() for entry in list_models()}
    place = user_folder("models") / name
    if name.lower() in taken or place.exists():
        raise CheckpointError(f"There is a model named {name!r} already; choose another name.")
    return place


def _free(name: str) -> Path:
    """Return the folder of a new model of this name, or with a number after it."""
    taken = {entry.name.lower() for entry in list_models()}
    for candidate in (name, *(f"{name}-{number}" for number in range(2, 100))):
        if candidate.lower() not in taken and not (user_folder("models") / candidate).exists():
            return user_folder("models") / candidate
    raise CheckpointError(f"There are too many models named {name!r}; rename some.")
