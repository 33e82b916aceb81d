"""The Segment folder widget, on tiny models and pictures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from ..._qt import FolderWidget, MeasureWidget
from ..._qt.folder._table import STATE, UNCERTAINTY
from ..._qt.viewer._file_layers import Opened, show_row
from ..._qt.viewer._from_layers import GEOMETRY, read_layer
from ..._qt.viewer._result_layers import ResultLayers, is_result
from ...checkpoints import save_model
from ...config import BatchConfig, SegmentConfig
from ...data import Geometry, Image, write_image
from ...errors import InputError
from ..builders import make_ramp, make_tiny_config, save_picture
from ..plan.test_tiles import make_spacing_model, noise_picture
from ..qt_fixtures import make_result, save_tiny

QUICK = SegmentConfig(samples=2, steps=1, device="cpu")


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    for index in range(4):
        save_picture(tmp_path / "slides" / f"{index}.png", make_ramp((24, 24 + index, 3)))
    return tmp_path / "slides"


def make_widget(slides: Path, tmp_path: Path) -> FolderWidget:
    made = FolderWidget(ViewerModel())
    made.model.setValue(save_tiny(tmp_path))
    made.settings.setValue(QUICK)
    made.set_inputs([slides])
    return made


@pytest.fixture
def widget(qtbot: QtBot, slides: Path, tmp_path: Path) -> FolderWidget:
    made = make_widget(slides, tmp_path)
    qtbot.addWidget(made)
    return made


def run_to_end(qtbot: QtBot, widget: FolderWidget) -> None:
    with qtbot.waitSignal(widget.run_finished, timeout=60_000):
        widget.start_button.click()


def shown(widget: FolderWidget, column: int) -> list[str]:
    rows = widget.table.rows
    return [rows.data(rows.index(line, column)) for line in range(rows.rowCount())]


def test_a_folder_is_segmented_and_sorted_by_uncertainty(qtbot: QtBot, widget: FolderWidget, slides: Path) -> None:
    (slides / "broken.png").write_bytes(b"no picture")
    run_to_end(qtbot, widget)
    assert shown(widget, STATE) == ["failed", "done", "done", "done", "done"]
    scores = [float(text) for text in shown(widget, UNCERTAINTY)[1:]]
    assert scores == sorted(scores, reverse=True)
    assert widget.message.text().startswith("Failed: broken.png: ")
    assert widget.progress.line.text().startswith("4 of 5 done")
    assert len(list((slides.parent / "slides_segmented").glob("*.tif"))) == 8
    widget.open_row(widget.table.rows.row_at(0))
    assert "broken.png: " in widget.message.text()


def test_it_says_beforehand_which_images_will_be_segmented(
    qtbot: QtBot, widget: FolderWidget, slides: Path, tmp_path: Path
) -> None:
    (slides / "notes.txt").write_text("no image")
    (slides / "0_labels.tif").write_bytes(b"a result")
    widget.set_inputs([slides])
    qtbot.waitUntil(lambda: widget.found.text() == "4 images: 0.png, 1.png, 2.png and 1 more")
    widget.set_inputs([slides / "2.png"])
    qtbot.waitUntil(lambda: widget.found.text() == "1 image: 2.png")
    (tmp_path / "empty").mkdir()
    widget.set_inputs([tmp_path / "empty"])
    qtbot.waitUntil(lambda: "No image was found" in widget.message.text())
    assert widget.found.text() == ""


def test_a_double_click_opens_image_labels_and_sd(qtbot: QtBot, widget: FolderWidget) -> None:
    run_to_end(qtbot, widget)
    for _ in range(2):  # opened again, its layers are replaced
        with qtbot.waitSignal(widget.opened, timeout=20_000):
            widget.table.doubleClicked.emit(widget.table.rows.index(widget.table.rows.line_of(2), 0))
    layers = widget._viewer.layers
    assert [layer.name for layer in layers] == ["2", "2 [tiny-2d] SD", "2 [tiny-2d] labels"]
    assert [is_result(layer) for layer in layers] == [False, True, True]
    assert layers[1].data.shape == layers[2].data.shape == (24, 26)
    assert layers[2].metadata["napari-ldseg"]["model"] == "tiny-2d"


def opened_row(folder: Path, labels: str = "a") -> Opened:
    """A gray picture of 4 x 5 pixels of 0.5 um, as if read from this folder."""
    image = Image(make_ramp((4, 5)), "yx", (0.5, 0.5), "micrometer", "slide")
    result = image.replace(array=np.ones((4, 5), np.uint8))
    files = {"image": folder / "slide.png", "labels": folder / labels, "SD": folder / f"{labels}_sd"}
    return Opened(image, result, image.replace(array=np.full((4, 5), 0.2, np.float32)), {}, files)


def test_opened_again_only_what_nobody_has_touched_is_replaced(tmp_path: Path) -> None:
    viewer, config = ViewerModel(), make_tiny_config()
    foreign = viewer.add_image(make_ramp((6, 6)), name="slide")
    _, sd, labels = show_row(viewer, opened_row(tmp_path), config)
    labels.paint((1, 1), 0)
    again = show_row(viewer, opened_row(tmp_path), config)
    assert list(viewer.layers) == [foreign, *again[:2], labels, again[2]]  # what was painted is not hidden
    assert labels.data[1, 1] == 0
    assert (again[2].name, again[1].name) == (f"{labels.name} [1]", sd.name)
    labels.undo()
    again[2].name = "mine"
    last = show_row(viewer, opened_row(tmp_path), config)
    assert {foreign, again[2], *last} == set(viewer.layers)


def test_layers_of_other_files_and_results_of_segment_stay(tmp_path: Path) -> None:
    viewer, config = ViewerModel(), make_tiny_config()
    first = show_row(viewer, opened_row(tmp_path / "one"), config)
    second = show_row(viewer, opened_row(tmp_path / "two"), config)
    assert len({*first, *second} & set(viewer.layers)) == 6
    source = read_layer(first[0], 2, "current", viewer.dims.point)
    run = ResultLayers(viewer, source, config.name)
    run.show(make_result("yx", source.image.array, 1))
    assert run.layers == (first[2], first[1])  # written over: they are as they were opened
    third = show_row(viewer, opened_row(tmp_path / "one"), config)
    assert {*first[1:], *second, *third} == set(viewer.layers)


def test_units_and_geometry_go_along(qtbot: QtBot, tmp_path: Path) -> None:
    viewer = ViewerModel()
    viewer.add_image(make_ramp((9, 9)), name="of unknown size")
    row = opened_row(tmp_path)
    geometry = Geometry(tuple(map(tuple, np.diag([0.5, 0.5, 1, 1]).tolist())), (1, 4, 5), "nifti")
    made = show_row(viewer, replace(row, image=row.image.replace(geometry=geometry)), make_tiny_config())
    assert [tuple(map(str, layer.units)) for layer in made] == [("micrometer", "micrometer")] * 3
    assert [layer.metadata[GEOMETRY] for layer in made] == [geometry] * 3
    for layer in made[1:]:
        np.testing.assert_allclose(layer.extent.world, made[0].extent.world)
    measure = MeasureWidget(viewer)
    qtbot.addWidget(measure)
    with qtbot.waitSignal(measure.measured, timeout=20_000):
        measure.measure_button.click()
    area = next(one for one in measure.model.columns if one.title == "Area (µm²)")
    assert area.values == [5.0]


def test_the_output_folder_follows_the_images_until_one_is_chosen(widget: FolderWidget, tmp_path: Path) -> None:
    assert widget.out_line.text() == str(tmp_path / "slides_segmented")
    for name in ("more", "v1.2"):
        (tmp_path / name).mkdir()
        widget.set_inputs([tmp_path / name])
        assert widget.out_line.text() == str(tmp_path / f"{name}_segmented")
    widget.out_line.setText(str(tmp_path / "mine"))
    widget.set_inputs([tmp_path / "more"])
    assert widget.out_line.text() == str(tmp_path / "mine")


def test_a_result_that_is_larger_than_memory_opens_from_disk(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_ldseg.plan._blocks.BLOCK_SIDE", {2: 64})
    monkeypatch.setattr("napari_ldseg.plan._plan.MAX_PLANE", 2000)
    monkeypatch.setattr("napari_ldseg.data.formats._ome_zarr.SMALLEST_LEVEL", 32)
    model = save_model(make_spacing_model(), tmp_path / "spaced.safetensors", "# Tiles\n")
    fine = noise_picture(300, 220)
    slide = fine.replace(spacing=(0.5, 0.5), unit="micrometer")
    write_image(tmp_path / "slide.zarr", slide.array, "yxc", spacing=slide.spacing, unit=slide.unit, metadata={})
    widget = FolderWidget(ViewerModel())
    qtbot.addWidget(widget)
    widget.model.setValue(model)
    widget.settings.setValue(QUICK)
    widget.set_inputs([tmp_path / "slide.zarr"])
    run_to_end(qtbot, widget)
    assert shown(widget, STATE) == ["done"]
    with qtbot.waitSignal(widget.opened, timeout=20_000):
        widget.open_row(0)
    image, sd, labels = widget._viewer.layers
    assert (image.name, labels.name) == ("slide", "slide [tiny-2d] labels")
    # What the model saw at 1 micrometer lies on the image, corner to corner, and says what made it.
    np.testing.assert_allclose(labels.extent.world, image.extent.world + np.array([[0.25, 0.25], [-0.25, -0.25]]))
    np.testing.assert_allclose(sd.extent.world, labels.extent.world)
    assert not labels.editable
    assert labels.metadata["napari-ldseg"]["model"] == "tiny-2d"


def test_pause_cancel_and_start_again(qtbot: QtBot, widget: FolderWidget) -> None:
    widget.settings.setValue(QUICK.replace(samples=30, steps=20))
    widget.start()
    qtbot.waitUntil(lambda: "done" in shown(widget, STATE), timeout=60_000)
    widget.pause()
    assert widget.pause_button.text() == "Go on"
    qtbot.wait(300)
    paused = shown(widget, STATE)
    qtbot.wait(300)
    assert shown(widget, STATE) == paused
    with qtbot.waitSignal(widget.run_finished, timeout=60_000):
        widget.cancel()
    finished = shown(widget, STATE).count("done")
    assert 1 <= finished < 4
    assert shown(widget, STATE).count("waiting") == 4 - finished
    assert widget.progress.line.text().startswith("Stopped.")
    run_to_end(qtbot, widget)
    assert sorted(shown(widget, STATE)) == ["done"] * (4 - finished) + ["done earlier"] * finished


def test_what_exists_is_not_replaced_unless_wanted(qtbot: QtBot, widget: FolderWidget) -> None:
    run_to_end(qtbot, widget)
    widget.settings.setValue(QUICK.replace(steps=2))
    run_to_end(qtbot, widget)
    assert "it was made with steps = 1 (now 2)" in widget.message.text()
    assert shown(widget, STATE) == ["exists"] * 4
    widget.more_outputs.setValue(BatchConfig(overwrite=True))
    run_to_end(qtbot, widget)
    assert shown(widget, STATE) == ["done"] * 4


def test_outputs_are_written_in_the_chosen_format(qtbot: QtBot, widget: FolderWidget, slides: Path) -> None:
    widget.outputs.setValue(BatchConfig(written="mha"))
    run_to_end(qtbot, widget)
    assert shown(widget, STATE) == ["done"] * 4
    made = sorted(path.name for path in Path(widget.out_line.text()).glob("*.mha"))
    assert made == sorted(f"{path.stem}_{kind}.mha" for path in slides.glob("*.png") for kind in ("labels", "sd"))


def test_what_is_missing_is_said(qtbot: QtBot, tmp_path: Path) -> None:
    widget = FolderWidget(ViewerModel())
    qtbot.addWidget(widget)
    with pytest.raises(InputError, match="No images are chosen"):
        widget._order()
    widget.start()
    assert "No images are chosen" in widget.message.text()
    assert not widget.is_running


def test_closing_the_widget_stops_the_run(qtbot: QtBot, slides: Path, tmp_path: Path) -> None:
    widget = make_widget(slides, tmp_path)
    widget.settings.setValue(QUICK.replace(samples=50, steps=50))
    widget.start()
    run = widget._run
    assert run is not None
    with qtbot.waitSignal(run.finished, timeout=60_000):
        widget.deleteLater()
    assert len(list((slides.parent / "slides_segmented").glob("*_labels.tif"))) < 4


@pytest.mark.parametrize(("axes", "shape", "ndim", "rgb"), [("yxc", (4, 5, 3), 2, True), ("tyx", (2, 4, 5), 3, False)])
def test_layers_lie_on_each_other(axes: str, shape: tuple[int, ...], ndim: int, rgb: bool) -> None:
    viewer = ViewerModel()
    image = Image(make_ramp(shape), axes, (0.5, 0.25), "micrometer", "slide")
    flat = Image(np.zeros([n for n, a in zip(shape, axes, strict=True) if a != "c"], np.uint8), axes.replace("c", ""))
    labels = flat.replace(spacing=(0.5, 0.25))
    shown = show_row(viewer, Opened(image, labels, labels.replace(array=labels.array * 0.5), {}), make_tiny_config())
    assert (shown[0].rgb, shown[0].ndim) == (rgb, ndim)
    assert [tuple(layer.scale[-2:]) for layer in shown] == [(0.5, 0.25)] * 3
