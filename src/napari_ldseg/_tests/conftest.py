"""Fixtures for all rooms; `make_napari_viewer` comes from napari's own pytest plugin."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ..checkpoints import save_model
from ..cli import _app as cli
from ..networks import LDSeg
from .builders import make_tiny_model


@pytest.fixture(autouse=True)
def user_models(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty folders in place of the user's own, so that no test reads or writes those; returns that of the models."""
    folder = tmp_path_factory.mktemp("user_models")
    monkeypatch.setenv("NAPARI_LDSEG_MODELS", str(folder))
    for name in ("HUB", "RUNS", "REVIEWS", "RESULTS", "SETS", "SERVER", "COMPUTING"):
        monkeypatch.setenv(f"NAPARI_LDSEG_{name}", str(folder.parent / f"{folder.name}_{name.lower()}"))
    monkeypatch.delenv("NAPARI_LDSEG_INDEX", raising=False)
    return folder


@pytest.fixture
def tiny_model_2d() -> LDSeg:
    return make_tiny_model(2)


@pytest.fixture
def tiny_model_3d() -> LDSeg:
    return make_tiny_model(3)


@pytest.fixture(params=[2, 3], ids=["2d", "3d"])
def tiny_model(request: pytest.FixtureRequest) -> LDSeg:
    """The tiny model in two and in three dimensions: the test runs with each."""
    return make_tiny_model(request.param)


@pytest.fixture
def saved(tmp_path: Path, tiny_model_2d: LDSeg) -> Path:
    """The file of the tiny 2D model, with a card."""
    return save_model(tiny_model_2d, tmp_path / "tiny.safetensors", "# Tiny\n")


@pytest.fixture
def run() -> Callable[..., Result]:
    """The command line, called with these arguments."""

    def invoke(*arguments: object) -> Result:
        # A wide terminal, so that no line of a message is broken.
        return CliRunner(env={"COLUMNS": "400", "TERM": "dumb"}).invoke(cli.app, [str(each) for each in arguments])

    return invoke
