"""List models, and find the file of a name; needs no torch."""

import difflib
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

from .._util import user_folder
from ..config import ModelConfig
from ..errors import CheckpointError
from ._header import MODEL_FILE, model_file, read_header


@dataclass(frozen=True)
class ModelEntry:
    """One model that can be loaded by its name.

    Attributes
    ----------
    name : str
        What :func:`load_model` takes: the name of the model's folder, or of its file without the suffix.
    path : Path
        The ``.safetensors`` file.
    title, score : str
        One line on what the model segments, and its validation score; either may be empty.
    config : ModelConfig
    bundled : bool
        Whether the model was released with napari-ldseg; otherwise it lies in the user's folder.
    """

    name: str
    path: Path
    title: str
    score: str
    config: ModelConfig
    bundled: bool


def released_folder() -> Path:
    """Return the folder of the released models, which may be missing.

    An installed package carries it as ``napari_ldseg/_released`` (see ``setup.py``); in a checkout, and so in an
    editable install, it is the top-level folder ``models``.
    """
    package = Path(__file__).resolve().parents[1]
    installed = package / "_released"
    return installed if installed.is_dir() else package.parents[1] / "models"


def list_models() -> list[ModelEntry]:
    """Return the released models, then the user's, each sorted by name.

    Only headers are read. A file that cannot be used is left out with a warning.
    """
    entries = []
    for name, (path, bundled) in _candidates().items():
        try:
            config = read_header(path).config
        except CheckpointError as error:
            warnings.warn(f"The model {name!r} is left out of the list. {error}", stacklevel=2)
            continue
        entries.append(ModelEntry(name, path, config.title, config.score, config, bundled))
    return entries


def find_model(path_or_name: str | Path) -> Path:
    """Return the model file for a name, a file or a folder.

    A string that is the name of a listed model means that model; write ``./name`` for a folder of the same name.

    Raises
    ------
    CheckpointError
        There is no such model; the message lists those that exist and the nearest name.
    """
    candidates = _candidates()
    if isinstance(path_or_name, str) and path_or_name in candidates:
        return candidates[path_or_name][0]
    path = Path(path_or_name)
    try:
        if os.path.lexists(path):
            return model_file(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{str(path_or_name)!r} is not a usable path: {error}.") from error
    near = difflib.get_close_matches(path.stem, candidates, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    known = ", ".join(candidates) or "none"
    raise CheckpointError(
        f"There is no model file, folder or name {str(path_or_name)!r}.{hint} Known models: {known}. "
        f"Give one of these names or a path; your own models lie in {str(user_folder('models'))!r}."
    )


def _candidates() -> dict[str, tuple[Path, bool]]:
    """Return file and kind (released or not) of each model by name, unread.

    A user's model with the name of a released one gets " (user)" after it, so that a released name always means
    the same weights.
    """
    found: dict[str, tuple[Path, bool]] = {}
    for folder, bundled in ((released_folder(), True), (user_folder("models"), False)):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name.startswith("."):
                continue
            if (path / MODEL_FILE).is_file():
                name, file = path.name, path / MODEL_FILE
            elif path.suffix == ".safetensors" and path.is_file():
                name, file = path.stem, path
            else:
                continue
            found[name if name not in found else f"{name} (user)"] = file, bundled
    return found
