"""The folders of the user: models, downloads (hub), runs, reviews, results, sets, marks of runs, a server."""

import os
from pathlib import Path
from typing import Literal

import platformdirs

Kind = Literal["models", "hub", "runs", "reviews", "results", "sets", "computing", "server"]
NAME = "napari-ldseg"


def user_folder(kind: Kind) -> Path:
    """Return a folder of the user, which may be missing.

    Training sets go among the documents, all else into the folder of the operating system for the data of programs.
    The environment variable ``NAPARI_LDSEG_`` and the kind in capitals, for example ``NAPARI_LDSEG_MODELS``, overrides
    it.
    """
    override = os.environ.get(f"NAPARI_LDSEG_{kind.upper()}")
    if override:
        return Path(override)
    if kind == "sets":
        return Path(platformdirs.user_documents_dir()) / NAME
    return Path(platformdirs.user_data_dir(NAME, appauthor=False)) / kind
