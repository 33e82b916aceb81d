"""Networks and samplers of the authors' release, imported, against what the release itself computed.

``pytest -m data -rP -k keras_parity`` prints the table of docs/keras.md.
"""

import sys

import pytest

from ..parity import parity_rows
from ..shared import SHARED, needs


@pytest.mark.parametrize(
    "folder", [pytest.param(name, marks=needs(f"reference/{name}")) for name in ("keras2d", "keras3d")]
)
def test_imported_networks_and_samplers_compute_what_the_release_does(folder: str) -> None:
    rows = list(parity_rows(SHARED / "reference" / folder))
    for row in rows:
        sys.stdout.write(f"| {folder} | {row.what} | {row.found:.1e} | {row.tolerance:.0e} |\n")
    assert len(rows) == 9
    assert [row for row in rows if not row.found <= row.tolerance] == []
