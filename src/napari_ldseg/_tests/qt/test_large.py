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
from ...data import open_levels
from ..plan.test_tiles import make_spacing_model, noise_picture
from ..qt_fixtures import open_widget, run_to_end


@pytest.fixture(autouse=True)
def small_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "LARGE", 5000)
    monkeypatch.setattr(large, "REFRESH", 0.0)
    monkeypatch.setattr("napari_ldseg.inference._disk.BLOCK_SIDE", {2: 64})
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


def test_only_what_is_too_large_is_segmented_on_disk(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, _ = open_widget(qtbot, tmp_path)
    config = make_spacing_model().config
    pixels = noise_picture(160, 120).array
    layer = viewer.add_image([pixels, pixels[::2, ::2]], scale=(0.5, 0.25), units=("um", "um"), multiscale=True)
    image = large.large_image(layer, config)
    assert image is not None
    assert (image.axes, image.spacing, image.levels[0].spacing) == ("yxc", (0.5, 0.25), (1.0, 0.5))
    assert image.unit == "micrometer"
    assert large.large_image(viewer.add_image(pixels[:70, :70]), config) is None
    assert large.large_image(viewer.add_image(np.stack([pixels, pixels])), config) is None


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
    folder = large.result_folder(layer, entry.name)
    with qtbot.waitSignal(widget.run_finished, timeout=60_000):
        qtbot.waitUntil(lambda: "slide [" in viewer.layers[-1].name, timeout=60_000)
        assert partial_of(folder).exists()
        widget.cancel()
    assert "kept on disk; press Segment to go on" in widget.progress.line.text()
    run_to_end(qtbot, widget)
    assert not partial_of(folder).exists()
    labels, sd = viewer.layers[-2:]
    # The coarser level has the model's pixel size, 1 micrometer: its grid, and the image's corner.
    assert labels.data.shape == (150, 60)
    assert np.allclose(labels.scale, 1.0)
    assert np.allclose(labels.translate, (3.25, 4.25))
    assert np.array_equal(np.asarray(labels.data), open_levels(folder / "labels" / "segmentation")[0][:])
    assert np.asarray(sd.data).max() > 0
    assert widget.image.value() is layer
