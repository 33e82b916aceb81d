"""The Segment widget with a layer that is too large for memory."""

import re
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
from napari.layers import Image as ImageLayer
from napari.layers._source import Source
from pytestqt.qtbot import QtBot

from ..._qt.threads._segmentation import engine
from ..._qt.viewer import _disk_layers as large
from ..._util import partial_of
from ...checkpoints import save_model
from ...config import SegmentConfig
from ...data import LABELS, open_levels
from ...plan import _blocks, _plan
from ..plan.test_tiles import make_spacing_model, noise_picture
from ..qt_fixtures import open_widget, run_to_end


@pytest.fixture(autouse=True)
def small_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_plan, "MAX_PLANE", 5000)
    monkeypatch.setattr(_blocks, "BLOCK_SIDE", {2: 64})
    monkeypatch.setenv("NAPARI_LDSEG_RESULTS", str(tmp_path / "data" / "results"))


def test_result_folders_have_names_that_every_system_takes(tmp_path: Path) -> None:
    layer = ImageLayer(np.zeros((9, 9)), name="a/b: c")
    assert re.fullmatch(r"a_b_c_glas_[0-9a-f]{12}\.zarr", large.result_folder(layer, "glas").name)
    assert large.result_folder(layer, "glas").parent == tmp_path / "data" / "results"
    layer.name = "very long " * 40
    assert len(large.result_folder(layer, "glas").name) < 120


def test_each_image_has_its_own_result_folder(tmp_path: Path) -> None:
    pixels = noise_picture(160, 120).array

    def folder(data: Any = pixels, path: Path | None = None, **options: Any) -> Path:
        layer = ImageLayer(data, name="0", rgb=True, **options)
        layer._set_source(Source(path=str(path) if path else None))
        return large.result_folder(layer, "glas")

    assert folder() == folder(dask.array.from_array(pixels, chunks=50))  # the same picture, opened otherwise
    changed = pixels.copy()
    changed[-1, -1] += 1
    others = [
        folder(),
        folder(changed),
        folder(pixels[:-1]),
        folder(path=tmp_path / "a.tif"),
        folder(path=tmp_path / "b.tif"),
        folder(scale=(0.5, 0.5)),
        folder([pixels, pixels[::2, ::2]], multiscale=True),
    ]
    assert len(set(others)) == len(others)


def test_another_image_of_the_same_name_leaves_a_result_alone(qtbot: QtBot, tmp_path: Path) -> None:
    save_model(make_spacing_model(), tmp_path / "spaced.safetensors", "# Tiny\n")
    made = []
    for pixels in (noise_picture(160, 120).array, noise_picture(140, 128).array):
        viewer, widget = open_widget(qtbot, tmp_path, engine)
        widget.model.setValue(tmp_path / "spaced.safetensors")
        widget.settings.setValue(SegmentConfig(samples=1, steps=1, device="cpu"))
        viewer.add_image(pixels, name="0", scale=(0.5, 0.5), units=("um", "um"))
        run_to_end(qtbot, widget)
        labels = next(layer for layer in viewer.layers if "labels" in layer.name)
        made.append((labels, np.asarray(labels.data)))
    for labels, data in made:
        assert np.array_equal(np.asarray(labels.data), data)
    assert len({labels.metadata["napari-ldseg"]["folder"] for labels, _ in made}) == 2


@pytest.mark.parametrize("shape", [(160, 120, 3), (3, 60, 50), (160, 3, 120)])
def test_only_what_is_too_large_is_segmented_on_disk(qtbot: QtBot, tmp_path: Path, shape: tuple[int, ...]) -> None:
    """A plane, a sequence and channels (here between the axes of a plane) by one rule."""
    viewer, widget = open_widget(qtbot, tmp_path, engine)
    save_model(make_spacing_model(), tmp_path / "spaced.safetensors", "# Tiny\n")
    widget.model.setValue(tmp_path / "spaced.safetensors")
    widget.settings.setValue(SegmentConfig(samples=1, steps=1, device="cpu"))
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    labels = ("y", "c", "x") if shape[1] == 3 else ("t", "y", "x") if shape[0] == 3 else ("y", "x")
    for data in (pixels, pixels[:1] if shape[0] == 3 else pixels[:40]):
        viewer.add_image(data, name="cells", rgb=shape[-1] == 3, axis_labels=labels)
        widget.reading.frames.setCurrentIndex(1)
        assert run_to_end(qtbot, widget).error is None
    large, small = (layer for layer in viewer.layers if "labels" in layer.name)
    assert ("folder" in large.metadata["napari-ldseg"], "folder" in small.metadata["napari-ldseg"]) == (True, False)
    shown = tuple(1 if label == "c" else side for label, side in zip(labels, shape, strict=False))
    assert large.data.shape == shown
    path = Path(large.metadata["napari-ldseg"]["folder"])
    assert np.array_equal(np.asarray(large.data).squeeze(), np.asarray(open_levels(path / LABELS)[0]))


def test_a_large_layer_is_segmented_into_a_folder_that_its_layers_show(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_widget(qtbot, tmp_path, engine)
    save_model(make_spacing_model(), tmp_path / "spaced.safetensors", "# Tiny\n")
    widget.model.setValue(tmp_path / "spaced.safetensors")
    pixels = noise_picture(300, 120).array
    levels = [pixels, pixels[::2, ::2]]
    layer = viewer.add_image(
        levels, scale=(0.5, 0.5), translate=(3, 4), units=("um", "um"), name="slide", multiscale=True
    )
    viewer.layers.selection.active = layer
    widget.settings.setValue(SegmentConfig(samples=2, steps=1, device="cpu"))
    widget.segment()
    entry = widget.model.value()
    assert entry is not None
    plan = widget.reading.value().plan
    assert plan is not None
    folder = large.result_folder(layer, entry.name, plan.part)
    with qtbot.waitSignal(widget.run_finished, timeout=60_000):
        qtbot.waitUntil(lambda: "slide [" in viewer.layers[-1].name, timeout=60_000)
        assert partial_of(folder).exists()
        widget.cancel()
    assert "kept on disk; press Segment to go on" in widget.progress.line.text()
    run_to_end(qtbot, widget)
    assert not partial_of(folder).exists()
    sd, labels = viewer.layers[-2:]
    # The coarser level has the model's pixel size, 1 micrometer: its grid, and the image's corner.
    assert labels.data.shape == (150, 60)
    assert np.allclose(labels.scale, 1.0)
    assert np.allclose(labels.translate, (3.25, 4.25))
    assert np.array_equal(np.asarray(labels.data), open_levels(folder / "labels" / "segmentation")[0][:])
    assert np.asarray(sd.data).max() > 0
    assert widget.image.value() is layer
