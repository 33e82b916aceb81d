"""What napari finds: the manifest, its commands, the sample data, and the demo."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.io
from napari.viewer import Viewer
from npe2 import PluginManifest
from pytestqt.qtbot import QtBot

import napari_ldseg

from ..._qt import SegmentWidget
from ..._qt.plugin._demo import released_model, require_display
from ...config import SegmentConfig
from ...errors import InputError
from ..qt_fixtures import run_to_end, save_tiny

MANIFEST = Path(napari_ldseg.__file__).with_name("napari.yaml")


@pytest.fixture
def manifest() -> PluginManifest:
    read: PluginManifest = PluginManifest.from_file(MANIFEST)
    return read


@pytest.mark.parametrize("name", ["segment", "folder", "review", "measure", "evaluate", "cardiac", "train"])
def test_each_widget_stands_in_its_menu(manifest: PluginManifest, name: str) -> None:
    menu = {"segment": "segment", "folder": "segment", "review": "annotate", "train": "annotate"}.get(name, "measure")
    entries = manifest.contributions.menus[f"napari/layers/{menu}"]
    assert f"napari-ldseg.{name}" in [getattr(entry, "command", None) for entry in entries]


def test_napari_opens_sample_and_widget(
    qtbot: QtBot, make_napari_viewer: Callable[..., Viewer], npe2pm: Any, manifest: PluginManifest, tmp_path: Path
) -> None:
    """As a user does: napari hands the widget a proxy of the viewer, so layers are tried through that, too."""
    with npe2pm.tmp_plugin(manifest=manifest):
        viewer = make_napari_viewer()
        (layer,) = viewer.open_sample("napari-ldseg", "colon_gland")
        assert (layer.data.shape, layer.data.dtype, layer.rgb) == ((512, 512, 3), np.uint8, True)
        _, widget = viewer.window.add_plugin_dock_widget("napari-ldseg", "Segment")
        assert isinstance(widget, SegmentWidget)
        assert widget.image.value() is viewer.layers[0]
        widget.model.setValue(save_tiny(tmp_path))
        widget.settings.setValue(SegmentConfig(samples=2, steps=2))
        for _ in range(2):
            assert run_to_end(qtbot, widget).error is None
            assert len(viewer.layers) == 3


@pytest.mark.parametrize(("key", "ndim"), [("echo_cine", 3), ("knee_volume", 3)])
def test_phantoms_open_with_their_truth_on_the_same_grid(
    key: str, ndim: int, make_napari_viewer: Callable[..., Viewer], npe2pm: Any, manifest: PluginManifest
) -> None:
    with npe2pm.tmp_plugin(manifest=manifest):
        image, truth = make_napari_viewer().open_sample("napari-ldseg", key)
    assert image.ndim == truth.ndim == ndim
    np.testing.assert_array_equal(image.extent.world, truth.extent.world)
    assert str(image.units[-1]) == "millimeter"
    assert image.axis_labels == (("t", "y", "x") if key == "echo_cine" else ("z", "y", "x"))


def test_the_demo_names_the_model_that_a_sample_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("napari_ldseg.checkpoints._registry.released_folder", lambda: tmp_path)
    with pytest.raises(InputError, match=r"sample .echo. is for the model .echo..*there are: none"):
        released_model("echo")


@pytest.mark.slow
def test_demo_saves_a_picture_of_the_result(tmp_path: Path, user_models: Path) -> None:
    save_tiny(user_models)
    picture = tmp_path / "demo.png"
    code = "import sys; from napari_ldseg._qt import demo; demo(sys.argv[1], samples=2, model='tiny')"
    done = subprocess.run(
        [sys.executable, "-c", code, str(picture)], env=os.environ, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    image = skimage.io.imread(picture)
    assert image.shape[0] >= 600
    assert image.shape[1] >= 900
    assert len(np.unique(image[..., :3].reshape(-1, 3), axis=0)) > 1000
    assert os.listdir(tmp_path) == ["demo.png"]


def test_without_a_display_the_demo_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="xvfb-run -a napari-ldseg demo"):
        require_display()
