"""The index of models that can be downloaded: a JSON file with addresses, hashes and licences. Needs no torch."""

import json
import os
import tempfile
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin

from pydantic import Field

from .._util import user_folder, write_text
from ..config import Config
from ..errors import CheckpointError, InputError

INDEX_FILE = "index.json"
ORIGIN_FILE = "origin.json"
WEB = ("http://", "https://")
TIMEOUT = 30  # seconds without an answer


class Offer(Config):
    """One model of an index."""

    name: str = Field(pattern=r"^\w[\w.+-]{0,79}$", description="What load_model() takes once it is here.")
    title: str = Field("", description="One line that says what the model segments.")
    score: str = Field("", description="Validation score in a few words.")
    address: str = Field("", description="Where its file is, absolute or from the index.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the file.")
    size: int = Field(gt=0, le=2**32, description="Bytes of the file.")
    license: str = Field(min_length=1, description="Licence or terms of the weights, in a few words.")
    commercial: bool = Field(description="Whether the terms allow commercial use.")

    @property
    def terms(self) -> str:
        """The licence in words, and whether commercial use is excluded."""
        return self.license if self.commercial else f"{self.license}: no commercial use"

    @property
    def megabytes(self) -> str:
        """The size in words: "16.6 MB"."""
        return f"{self.size / 1e6:.1f} MB"


class Index(Config):
    """The models that a place offers.

    Attributes
    ----------
    format : 1
    models : tuple of Offer
    """

    format: Literal[1] = 1
    models: tuple[Offer, ...] = ()

    def offer(self, name: str) -> Offer:
        """Return the model of this name.

        Raises
        ------
        CheckpointError
            There is none.
        """
        for offer in self.models:
            if offer.name == name:
                return offer
        names = ", ".join(offer.name for offer in self.models) or "none"
        raise CheckpointError(f"The index offers no model {name!r}; it has: {names}.")


def index_place(place: str | Path) -> str:
    """Return the address or file of an index; a folder means the ``index.json`` in it."""
    text = str(place)
    return text if text.startswith(WEB) or text.endswith(".json") else str(Path(text) / INDEX_FILE)


def own_index() -> str:
    """Return the place of the user's own index, from the environment; empty without one."""
    return os.environ.get("NAPARI_LDSEG_INDEX", "")


def read_index(place: str, *, ask: bool = True) -> Index:
    """Read an index.

    Parameters
    ----------
    place : str
        As :func:`index_place` returns it.
    ask : bool
        Whether an index in the web is asked for anew; otherwise its copy from the last time counts, if there is one.

    Raises
    ------
    CheckpointError
        The index is missing, cannot be reached, or is none.
    """
    copy = user_folder("hub") / INDEX_FILE
    try:
        if not place.startswith(WEB):
            return Index.parse(json.loads(Path(place).read_bytes()))
        if ask:
            write_text(copy, json.dumps({"place": place, "index": json.loads(_download(place))}))
        saved = json.loads(copy.read_bytes()) if copy.is_file() else {}
        return Index.parse(saved["index"]) if saved.get("place") == place else Index()
    except (OSError, ValueError, KeyError, RecursionError, InputError) as error:
        raise CheckpointError(f"The index of models {place!r} cannot be read: {error}") from error


def file_beside(place: str, offer: Offer) -> Path | None:
    """Return the file of a model that lies beside its index, as in a folder on a stick or in a checkout."""
    if place.startswith(WEB):
        return None
    folder = Path(place).parent
    known = (folder / offer.name / "model.safetensors", folder / f"{offer.name}.safetensors", folder / offer.address)
    return next((path for path in known if path.is_file()), None)


def address(place: str, offer: Offer) -> str:
    """Return the web address of a model.

    Raises
    ------
    CheckpointError
        The model has none.
    """
    found = urljoin(place, offer.address) if place.startswith(WEB) else offer.address
    if not offer.address or not found.startswith(WEB):
        raise CheckpointError(f"The file of {offer.name!r} is not beside {place!r}, and the index has no web address.")
    return found


def _download(place: str) -> bytes:
    import pooch

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, INDEX_FILE)
        pooch.HTTPDownloader(timeout=TIMEOUT)(place, str(file), None)
        return file.read_bytes()
