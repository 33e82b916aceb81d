"""The doors compared: widget, command line, batch, Dask and Python plan one image alike, and make the same labels."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from napari.layers import Image as ImageLayer
from pytestqt.qtbot import QtBot
from typer.testing import Result

from ... import segment_folder
from ..._qt.segment._input_form import ReadingForm
from ..._qt.threads._segmentation import engine
from ..._util import follow
from ...batch import Task, _dask_worker, _image, plan_batch
from ...checkpoints import load_model, save_model
from ...config import ModelConfig, PartConfig, SegmentConfig
from ...data import Image, read_image
from ...inference import segment
from ...plan import Plan, _blocks, _plan, plan_image
from ..builders import make_tiny_config, make_tiny_model
from ..plan.test_tiles import make_spacing_model
from ..qt_fixtures import open_widget, run_to_end

SETTINGS = SegmentConfig(samples=2, steps=1, device="cpu", tile=32, overlap=8)
Table = tuple[tuple[int, ...], int, str, str, str, dict[str, str]]
# Shape of the finest level, levels, axes, unit, mode, part.
CASES: dict[str, Table] = {
    "plane": ((96, 80), 1, "yx", "micrometer", "spacing", {}),
    "no unit": ((96, 80), 1, "yx", "", "spacing", {}),
    "large at its pixel size": ((96, 80), 1, "yx", "millimeter", "spacing", {}),
    "colours": ((3, 96, 80), 1, "cyx", "micrometer", "spacing", {}),
    "pyramid": ((160, 128), 4, "yx", "micrometer", "spacing", {}),
    "pyramid without unit": ((160, 128), 4, "yx", "", "spacing", {}),
    "odd pyramid": ((161, 131), 3, "yx", "", "spacing", {}),
    "pyramid of a whole-image model": ((160, 128), 4, "yx", "", "fit", {}),
    "region of a pyramid": ((160, 128), 4, "yx", "micrometer", "spacing", {"region": "15:121,8:100"}),
    "region, whole-image model": ((160, 128), 4, "yx", "", "fit", {"region": "15:121,8:100"}),
    "sequence": ((5, 48, 40), 1, "tyx", "micrometer", "spacing", {}),
    "some frames of a pyramid": ((5, 96, 80), 3, "tyx", "", "spacing", {"frames": "1:4"}),
    "one frame": ((5, 48, 40), 1, "tyx", "", "fit", {"frames": "3"}),
    "large plane": ((320, 320), 1, "yx", "micrometer", "spacing", {}),
    "large sequence": ((30, 64, 64), 1, "tyx", "", "fit", {}),
    "large channels": ((3, 320, 320), 1, "cyx", "micrometer", "spacing", {}),
    "volume": ((24, 40, 32), 2, "zyx", "micrometer", "spacing", {}),
    "volumes": ((2, 24, 40, 32), 1, "tzyx", "", "fit", {"region": "2:20"}),
}


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_plan, "MAX_PLANE", 90_000)
    monkeypatch.setattr(_blocks, "BLOCK_SIDE", {2: 64, 3: 16})
    monkeypatch.setattr(_dask_worker, "_share_cores", lambda _: None)


def write(path: Path, case: Table) -> Path:
    """An OME-Zarr whose levels halve the pixels along y and x."""
    shape, levels, axes, unit, _, _ = case
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    group, datasets = zarr.open_group(path, mode="w", zarr_format=2), []
    for level in range(levels):
        step = 2**level
        group.create_array(str(level), data=pixels[..., ::step, ::step])
        scale = [step if axis in "yx" else 1.0 for axis in axes]
        datasets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    kinds = {"t": "time", "c": "channel"}
    names: list[dict[str, str]] = [{"name": axis, "type": kinds.get(axis, "space")} for axis in axes]
    for name in names:
        if unit and name["type"] == "space":
            name["unit"] = unit
    entry: Any = [{"version": "0.4", "axes": names, "datasets": datasets}]
    group.attrs["multiscales"] = entry
    return path


def add_layer(viewer: Any, image: Image) -> ImageLayer:
    """The image as a viewer shows it: its levels, pixel size, units and axis labels."""
    levels = [image.array, *(level.array for level in image.levels)]
    sizes = dict(zip(image.spatial, image.spacing or (), strict=False))
    layer: ImageLayer = viewer.add_image(
        levels if image.levels else levels[0],
        multiscale=bool(image.levels),
        rgb=False,
        name=image.name,
        axis_labels=tuple(image.axes),
        scale=[sizes.get(axis, 1.0) for axis in image.axes],
        units=[image.unit if axis in sizes else "pixel" for axis in image.axes],
    )
    return layer


def choose(form: ReadingForm, viewer: Any, layer: ImageLayer, part: dict[str, str]) -> None:
    """Say in the widget what a part says: a range of frames, or a rectangle."""
    form.frames.setCurrentIndex(1)
    if "frames" in part:
        first, _, stop = part["frames"].partition(":")
        form.frames.setCurrentIndex(2 if stop else 0)
        if stop:
            form.ranges[0][0].setValue(int(first))
            form.ranges[0][1].setValue(int(stop) - 1)
        else:
            viewer.dims.set_point(0, layer.data_to_world((int(first),) + (0,) * (layer.ndim - 1))[0])
    if "region" in part and part["region"].count(",") == 1:
        (top, bottom), (left, right) = (map(int, side.split(":")) for side in part["region"].split(","))
        corners = np.array([[top, left], [top, right], [bottom, right], [bottom, left]]) - 0.5
        shapes = viewer.add_shapes([corners], name="box", scale=layer.scale, units=layer.units)
        form.region.setCurrentIndex(form.region.findText(f"Rectangle in {shapes.name}"))


def model_of(case: Table) -> Any:
    shape, _, axes, _, mode, _ = case
    ndim, channels = 3 if "z" in axes else 2, shape[axes.index("c")] if "c" in axes else 1
    if mode == "fit":
        return make_tiny_model(ndim, image_channels=channels)
    model = make_spacing_model(ndim, 1.6, image_channels=channels)
    given = {**model.config.input.model_dump(), "source_spacing": (1.0,) * ndim}
    model.config = model.config.replace(input=given)
    return model


def facts(plan: Plan) -> dict[str, Any]:
    return {
        "level": plan.level,
        "pixel size": np.round(plan.pixel_size or (), 6).tolist(),
        "frames": (plan.frames.leading, plan.frames.shape, plan.frames.axes),
        "pixels": np.asarray(plan.frames.array).tobytes(),
        "grid": plan.grid,
        "tiles": [[start for start, _ in line] for line in plan.tiles.lines],
        "sides": plan.sides,
        "on disk": plan.on_disk,
        "peak": plan.peak_bytes,
        "intensities": plan.intensities,
        "sentence": plan.sentence(),
        "warnings": plan.warnings(),
    }


def from_worker(path: Path, model: Path, part: PartConfig, out: Path, monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """What a Dask worker plans of a file; it stops there."""
    seen: list[Plan] = []

    def stop(*arguments: Any) -> Plan:
        seen.append(plan_image(*arguments))
        raise RuntimeError("seen")

    batch = follow(plan_batch([path], model, out, SETTINGS, part=part))
    task = Task(path, batch.items[0].task.outputs)
    with monkeypatch.context() as patch:
        patch.setattr(_image, "plan_image", stop)
        job = _dask_worker.Job(task, out, batch.model, batch.model_sha256, SETTINGS, part, False, {}, "first", "one")
        assert "seen" in str(_dask_worker.segment_remotely(job))
    return seen


@pytest.mark.parametrize("name", CASES)
def test_all_doors_plan_the_same(qtbot: QtBot, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    path, model = write(tmp_path / "cells.zarr", case), model_of(case)
    saved = save_model(model, tmp_path / "m.safetensors", "# Tiny\n")
    image, part = read_image(path), PartConfig.parse(case[-1])
    expected = facts(plan_image(image, model.config, SETTINGS, part))
    assert facts(_image.plan_file(model.config, path, SETTINGS, part)) == expected
    (seen,) = from_worker(path, saved, part, tmp_path / "out", monkeypatch)
    assert facts(seen) == expected
    viewer, widget = open_widget(qtbot, tmp_path)
    widget.model.setValue(saved)
    monkeypatch.setattr(widget.reading, "_settings", lambda: SETTINGS)
    layer = add_layer(viewer, image)
    widget.image.setValue(layer)
    choose(widget.reading, viewer, layer, case[-1])
    if "region" in case[-1] and "z" in case[2]:
        return  # a box of slices has no shape in the viewer
    source = widget.reading.value()
    assert source.plan is not None
    assert facts(source.plan) == expected
    assert ("large" in name) == source.plan.on_disk


def test_a_slide_without_unit_is_seen_at_one_size_at_every_door() -> None:
    """8000, 4000, 2000, 1000 pixels: the pixel size that `glas` assumes is that of the finest level, 0.62 um."""
    import dask.array as da

    config = ModelConfig.parse(
        {
            **make_tiny_config(2).model_dump(),
            "input": {"mode": "spacing", "spacing": (1.0, 1.0), "source_spacing": (0.62, 0.62), "shape": (256, 256)},
        }
    )
    sides = (8000, 4000, 2000, 1000)
    levels = [Image(da.zeros((side, side, 3), dtype=np.uint8, chunks=1000), "yxc") for side in sides]
    plan = plan_image(levels[0].replace(levels=tuple(levels[1:])), config)
    assert (plan.level, plan.pixel_size, plan.grid.inner) == (1, (1.24, 1.24), (4960, 4960))
    assert "taken as 1.24 um, seen at 1 um" in plan.sentence()


@pytest.mark.parametrize("name", ["pyramid without unit", "some frames of a pyramid", "colours", "large plane"])
def test_all_doors_make_the_same_labels(
    qtbot: QtBot, tmp_path: Path, name: str, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    case, settings = CASES[name], SegmentConfig(samples=2, steps=1, device="cpu")
    path, out = write(tmp_path / "cells.zarr", case), tmp_path / "out"
    saved = save_model(model_of(case), tmp_path / "m.safetensors", "# Tiny\n")
    model, part = load_model(saved, "cpu"), PartConfig.parse(case[-1])
    plan = plan_image(read_image(path), model.config, settings, part)
    into = tmp_path / "python.zarr" if plan.on_disk else None
    expected = np.asarray(follow(segment(model, plan, into=into)).labels)
    assert 0 < expected.mean() < 1
    found = {}

    def output(folder: str) -> Any:
        large = out / folder / "cells_ldseg.zarr" / "labels" / "segmentation"
        return np.asarray(read_image(large if large.exists() else out / folder / "cells_labels.ome.zarr").array)

    assert segment_folder(path, out / "batch", saved, settings, part=part).failed == {}
    found["batch"] = output("batch")
    flags = [word for key, value in case[-1].items() for word in (f"--{key}", value)]
    options = ["-n", 2, "--steps", 1, "--device", "cpu", *flags]
    done = run("segment", path, "-m", saved, "-o", out / "cli", *options)
    assert done.exit_code == 0, done.output
    found["command line"] = output("cli")
    batch = follow(plan_batch([path], saved, out / "dask", settings, part=part))
    whole = _dask_worker.Job(
        batch.items[0].task, out / "dask", batch.model, batch.model_sha256, settings, part, False, {}, "first", "two"
    )
    answer = _dask_worker.segment_remotely(whole)
    if isinstance(answer, _dask_worker.Blocks):
        assert len(answer.numbers) > 1
        pieces: list[_dask_worker.Piece] = [*reversed(answer.numbers), "rest"]
        for piece in pieces:
            job = replace(whole, piece=piece, image_sha256=answer.image_sha256)
            assert not isinstance(_dask_worker.segment_remotely(job), str)
    assert not isinstance(answer, str), answer
    found["Dask"] = output("dask")
    monkeypatch.setenv("NAPARI_LDSEG_RESULTS", str(tmp_path / "data"))
    viewer, widget = open_widget(qtbot, tmp_path, engine)
    widget.model.setValue(saved)
    widget.settings.setValue(settings)
    layer = add_layer(viewer, read_image(path))
    widget.image.setValue(layer)
    choose(widget.reading, viewer, layer, case[-1])
    assert run_to_end(qtbot, widget).error is None
    labels = next(each for each in viewer.layers if "labels" in each.name)
    found["widget"] = np.asarray(labels.data[0] if labels.multiscale else labels.data)
    for door, array in found.items():
        assert np.array_equal(array.squeeze(), expected.squeeze()), door
