"""Public data sets and the authors' files, which lie beside the checkout and not in it.

A test that reads them has a small stand-in of its own as well, so that it runs everywhere.
"""

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("NAPARI_LDSEG_SHARED") or Path(__file__).parents[4] / "shared")


def needs(*folders: str) -> list[pytest.MarkDecorator]:
    """Mark what reads these folders of ``SHARED``, and is skipped where one of them is missing."""
    missing = [folder for folder in folders if not (SHARED / folder).is_dir()]
    return [pytest.mark.data, pytest.mark.skipif(bool(missing), reason=f"needs ../shared/{', '.join(missing)}")]
