"""`napari-ldseg segment --server` writes what it writes without."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import Result

from ...checkpoints import save_model
from ..builders import make_ramp, make_tiny_model, save_picture
from ..serving import Served, serving

Run = Callable[..., Result]
QUICK = ("--samples", 2, "--steps", 2, "--device", "cpu")


@pytest.fixture
def served(user_models: Path) -> Iterator[Served]:
    save_model(make_tiny_model(), user_models / "tiny" / "model.safetensors")
    with serving() as one:
        yield one


def test_files_are_the_same_as_those_of_a_local_run(served: Served, run: Run, tmp_path: Path) -> None:
    for number in range(2):
        save_picture(tmp_path / "in" / f"{number}.png", make_ramp((40, 48 + number, 3)))
    arguments = ("segment", tmp_path / "in", "--model", "tiny", *QUICK)
    far = run(*arguments, "--out", tmp_path / "far", "--server", served.address)
    assert far.exit_code == 0, far.output
    near = run(*arguments, "--out", tmp_path / "near")
    assert near.exit_code == 0, near.output
    for name in ("0_labels.tif", "1_labels.tif", "0_sd.tif", "1_sd.tif"):
        assert np.array_equal(tifffile.imread(tmp_path / "far" / name), tifffile.imread(tmp_path / "near" / name))
    again = run(*arguments, "--out", tmp_path / "far")  # the same model: nothing is done twice
    assert "2 of 2 images segmented into" in again.output
    assert "(2 of them earlier)" in again.output


def test_a_server_that_is_gone_ends_the_batch(
    run: Run, tmp_path: Path, user_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first image says so, and the others are not tried."""
    monkeypatch.setattr("napari_ldseg.remote._http.PATIENCE", 0.2)
    save_model(make_tiny_model(), user_models / "tiny" / "model.safetensors")
    save_picture(tmp_path / "in" / "0.png", make_ramp((40, 48, 3)))
    arguments = ("segment", tmp_path / "in", "--out", tmp_path / "out", "--model", "tiny", *QUICK)
    with serving() as one:
        address = one.address
    said = run(*arguments, "--server", address)
    assert said.exit_code == 2
    assert "does not answer" in said.output
    both = run(*arguments, "--server", address, "--workers", 2)
    assert both.exit_code == 2


def test_serve_says_what_is_wrong(run: Run, tmp_path: Path) -> None:
    with serving() as one:
        port = one.address.rpartition(":")[2]
        taken = run("serve", "--port", port)
        assert taken.exit_code == 2
        assert "choose another --port" in taken.output
    tokens = tmp_path / "tokens.txt"
    for text, reason in (("anna", "Line 1"), ("anna short", "it needs 16 to 512"), ("# nobody", "holds no token")):
        tokens.write_text(text)
        refused = run("serve", "--tokens", tokens, "--port", 0)
        assert refused.exit_code == 2
        assert reason in refused.output
