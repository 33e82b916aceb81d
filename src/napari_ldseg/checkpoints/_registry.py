"""Which models there are, and which file a name means; needs no torch."""

import difflib
import json
import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

from .._util import user_folder
from ..config import ModelConfig
from ..errors import CheckpointError, InputError
from ._header import MODEL_FILE, model_file, read_header
from ._index import ORIGIN_FILE, Offer, index_place, own_index, read_index


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
        Whether the model was released with napari-ldseg (and came with it, or was downloaded); otherwise it lies in
        the user's folder.
    terms : str
        Licence of a released model, and whether commercial use is excluded; empty where nothing is known.
    """

    name: str
    path: Path
    title: str
    score: str
    config: ModelConfig
    bundled: bool
    terms: str = ""

    @property
    def downloaded(self) -> bool:
        """Whether it is a released model that was downloaded."""
        return self.bundled and self.path.parent.parent == user_folder("hub")


def released_folder() -> Path:
    """Return the folder of the released models, which may be missing.

    An installed package carries it as ``napari_ldseg/_released`` with one small model (see ``setup.py``); in a
    checkout, and so in an editable install, it is the top-level folder ``models`` with all.
    """
    package = Path(__file__).resolve().parents[1]
    installed = package / "_released"
    return installed if installed.is_dir() else package.parents[1] / "models"


def hub_place(place: str | Path | None = None) -> str:
    """Return the place of the index: the given one, the user's own (``NAPARI_LDSEG_INDEX``), or the released one."""
    return index_place(place or own_index() or released_folder())


def list_models() -> list[ModelEntry]:
    """Return the released models, those that were downloaded, then the user's, each sorted by name.

    Only headers are read. A file that cannot be used is left out with a warning.
    """
    entries = []
    released, own = _released(), fetched()
    for name, (path, bundled) in _candidates().items():
        try:
            config = read_header(path).config
        except CheckpointError as error:
            warnings.warn(f"The model {name!r} is left out of the list. {error}", stacklevel=2)
            continue
        entry = ModelEntry(name, path, config.title, config.score, config, bundled)
        if bundled and (known := (own if entry.downloaded else released).get(name)):
            entry = replace(entry, terms=known.terms)
        entries.append(entry)
    return entries


def fetched() -> dict[str, Offer]:
    """Return what the index said of each model that was downloaded, by name."""
    found = {}
    for file in sorted(user_folder("hub").glob(f"*/{ORIGIN_FILE}")):
        try:
            offer = Offer.parse(json.loads(file.read_bytes()))
        except (OSError, ValueError, InputError):
            continue
        if offer.name == file.parent.name and (file.parent / MODEL_FILE).is_file():
            found[offer.name] = offer
    return found


def find_model(path_or_name: str | Path) -> Path:
    """Return the model file that a name, a file or a folder means.

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
    offered = _on_offer()
    if str(path_or_name) in offered:
        raise CheckpointError(
            f"The model {str(path_or_name)!r} is not on this computer yet; get it by: napari-ldseg models fetch "
            f"{path_or_name} ({offered[str(path_or_name)].megabytes}). Here are: {known}."
        )
    raise CheckpointError(
        f"There is no model file, folder or name {str(path_or_name)!r}.{hint} Known models: {known}. "
        f"Give one of these names or a path; your own models lie in {str(user_folder('models'))!r}."
    )


def released_names() -> set[str]:
    """Return the names of the released models that are on this computer; no file is read."""
    return {name for name, (_, bundled) in _candidates().items() if bundled}


def _candidates() -> dict[str, tuple[Path, bool]]:
    """Return file and kind (released or not) of each model by name, unread.

    A user's model with the name of a released one gets " (user)" after it, so that a released name always means
    the same weights.
    """
    found: dict[str, tuple[Path, bool]] = {}
    for folder, bundled in ((released_folder(), True), (user_folder("hub"), True), (user_folder("models"), False)):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name.startswith("."):
                continue
            if (path / MODEL_FILE).is_file():
                name, file = path.name, path / MODEL_FILE
            elif path.suffix == ".safetensors" and path.is_file():
                name, file = path.stem, path
            else:
                continue
            if not (bundled and name in found):
                found[name if name not in found else f"{name} (user)"] = file, bundled
    return found


def _released() -> dict[str, Offer]:
    """Return what the released index says of each model, by name; nothing where there is none."""
    place = index_place(released_folder())
    return {one.name: one for one in read_index(place).models} if Path(place).is_file() else {}


def _on_offer() -> dict[str, Offer]:
    """Return what can be downloaded, by name, without asking the network; nothing where the index is damaged."""
    try:
        return {one.name: one for one in read_index(hub_place(), ask=False).models}
    except CheckpointError:
        return {}
