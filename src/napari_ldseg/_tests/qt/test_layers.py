"""Layers in and out: axes, geometry, names, colours, and nothing of the user's overwritten."""

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from ..._qt.viewer._from_layers import Frames, Source, read_layer
from ..._qt.viewer._result_layers import KEY, ResultLayers, is_result, sd_colormap
from ...config import ModelConfig
from ...errors import InputError
from ..builders import make_ramp, make_tiny_config
from ..qt_fixtures import make_result

PLACE: dict[str, Any] = {
    "scale": (0.25, 0.5),
    "translate": (3, -7),
    "rotate": 30,
    "shear": (0.2,),
    "affine": [[1, 0, 2], [0, 1, 5], [0, 0, 1]],
    "units": ("micrometer", "micrometer"),
    "axis_labels": ("y", "x"),
}


def make_layer(shape: tuple[int, ...], **options: Any) -> Image:
    return Image(make_ramp(shape), name="cells", **{"rgb": False, **options})


def show(
    layer: Image, frames: Frames = "current", ndim: int = 2, config: ModelConfig | None = None, **options: Any
) -> tuple[ViewerModel, Source]:
    viewer = ViewerModel()
    viewer.add_layer(layer)
    source = read_layer(layer, ndim, frames, viewer.dims.point, config=config)
    result = make_result(source.image.axes, source.image.array, 3, ndim=ndim)
    ResultLayers(viewer, source, "glas", **options).show(result)
    return viewer, source


@pytest.mark.parametrize(
    ("layer", "ndim", "frames", "axes", "shape"),
    [
        (make_layer((8, 9)), 2, "current", "yx", (8, 9)),
        (make_layer((8, 9, 3), rgb=True), 2, "current", "yxc", (8, 9)),
        (make_layer((8, 9, 4), rgb=True), 2, "all", "yxc", (8, 9)),
        (make_layer((5, 8, 9)), 2, "current", "yx", (1, 8, 9)),
        (make_layer((5, 8, 9)), 2, "all", "syx", (5, 8, 9)),
        (make_layer((5, 8, 9), axis_labels=("time", "y", "x")), 2, "all", "tyx", (5, 8, 9)),
        (make_layer((2, 5, 8, 9, 3), rgb=True), 2, "all", "tsyxc", (2, 5, 8, 9)),
        (make_layer((5, 8, 9)), 3, "current", "zyx", (5, 8, 9)),
        (make_layer((2, 5, 8, 9)), 3, "current", "zyx", (1, 5, 8, 9)),
        (make_layer((4, 8, 9), axis_labels=("c", "y", "x")), 2, "current", "cyx", (1, 8, 9)),
        (make_layer((2, 4, 8, 9), axis_labels=("t", "channel", "y", "x")), 2, "all", "tcyx", (2, 1, 8, 9)),
    ],
)
def test_axes_and_shape(layer: Image, ndim: int, frames: Frames, axes: str, shape: tuple[int, ...]) -> None:
    viewer, source = show(layer, frames, ndim)
    assert source.image.axes == axes
    sd, labels = viewer.layers[1:]
    assert labels.data.shape == sd.data.shape == shape
    assert labels.ndim == layer.ndim


def test_every_transform_is_copied() -> None:
    layer = make_layer((8, 9, 3), rgb=True, **PLACE)
    viewer, _ = show(layer, mean=True)
    assert len(viewer.layers) == 4
    for result in viewer.layers[1:]:
        for key in ("scale", "translate", "rotate", "shear"):
            np.testing.assert_allclose(getattr(result, key), getattr(layer, key))
        np.testing.assert_allclose(result.affine.affine_matrix, layer.affine.affine_matrix)
        assert result.units == layer.units
        assert result.axis_labels == layer.axis_labels
        np.testing.assert_allclose(result.extent.world, layer.extent.world)


def test_current_frame_lands_on_its_slice() -> None:
    layer = make_layer((5, 8, 9), scale=(2, 0.5, 0.5), translate=(10, 0, 0))
    viewer = ViewerModel()
    viewer.add_layer(layer)
    viewer.dims.set_point(0, 16)
    source = read_layer(layer, 2, "current", viewer.dims.point)
    np.testing.assert_array_equal(source.image.array, layer.data[3])
    np.testing.assert_allclose(source.place["translate"], (16, 0, 0))


def test_channels_give_one_result_that_shows_with_each() -> None:
    layer = make_layer((4, 8, 9), axis_labels=("c", "y", "x"))
    viewer, _ = show(layer)
    labels = viewer.layers[2]
    for channel in range(4):
        assert round(labels.world_to_data((channel, 0, 0))[0]) == 0


def test_coarse_level_of_a_pyramid_lies_on_the_image() -> None:
    data = [np.zeros((8192, 16), np.uint8), np.zeros((4096, 8), np.uint8), np.zeros((2048, 4), np.uint8)]
    layer = Image(data, multiscale=True, scale=(0.5, 0.5), name="slide")
    config = make_tiny_config(2, image_channels=1)
    config = config.replace(input=config.input.replace(shape=(4000, 8)).model_dump())
    viewer, source = show(layer, config=config)
    assert source.image.array.shape == (4096, 8)
    assert source.image.spacing == (1.0, 1.0)
    np.testing.assert_allclose(viewer.layers[1].scale, (1, 1))
    # Half a fine pixel further than the first fine pixel's centre.
    np.testing.assert_allclose(viewer.layers[1].translate, (0.25, 0.25))


@pytest.mark.parametrize(
    ("options", "spacing", "unit"),
    [
        ({}, None, "pixel"),
        ({"scale": (0.5, 0.25)}, (0.5, 0.25), "pixel"),
        ({"scale": (2, 0.5), "units": ("nm", "um")}, (0.002, 0.5), "micrometer"),
        ({"scale": (2, 2), "rotate": 30, "units": ("um", "um")}, (2, 2), "micrometer"),
        ({"affine": [[0, -3, 0], [3, 0, 0], [0, 0, 1]]}, (3, 3), "pixel"),
    ],
)
def test_pixel_size(options: dict[str, Any], spacing: tuple[float, ...] | None, unit: str) -> None:
    image = read_layer(make_layer((8, 9), **options), 2, "current", (0, 0)).image
    assert image.unit == unit
    assert image.spacing is None if spacing is None else image.spacing == pytest.approx(spacing)


@pytest.mark.parametrize(
    ("shape", "ndim", "match"), [((8, 9), 3, "has only 2 axes; choose a 2D model"), ((2,) * 4 + (8, 9), 2, "at most 3")]
)
def test_axes_that_do_not_fit_are_refused(shape: tuple[int, ...], ndim: int, match: str) -> None:
    with pytest.raises(InputError, match=match):
        read_layer(make_layer(shape), ndim, "all", (0,) * len(shape))


def test_names_colours_and_provenance() -> None:
    viewer, _ = show(make_layer((8, 9)), mean=True)
    assert [layer.name for layer in viewer.layers[1:]] == [f"cells [glas] {kind}" for kind in ("SD", "labels", "mean")]
    sd, labels, mean = viewer.layers[1:]
    assert isinstance(labels, Labels)
    assert labels.data.dtype == np.uint8
    np.testing.assert_allclose(labels.colormap.map(1), (0xE6 / 255, 0x9F / 255, 0, 1), atol=1e-6)
    assert labels.colormap.map(0)[3] == 0
    assert list(labels.features["class"]) == ["background", "gland"]
    dark = int((make_ramp((8, 9)) < make_ramp((8, 9)).mean()).sum())
    assert list(labels.features["area"]) == [72 - dark, dark]
    np.testing.assert_allclose(mean.data, labels.data)
    np.testing.assert_allclose(sd.data, 0.25)
    assert tuple(sd.contrast_limits) == (0, 0.5)
    assert all(is_result(layer) and layer.metadata[KEY]["device"] == "cpu" for layer in viewer.layers[1:])
    assert not is_result(viewer.layers[0])


def test_sd_of_zero_is_transparent() -> None:
    assert sd_colormap().map(np.array([0.0]))[0, 3] == 0
    assert sd_colormap().map(np.array([1.0]))[0, 3] == 1


def run_again(viewer: ViewerModel, source: Source, samples: int = 5, model: str = "glas") -> None:
    result = make_result(source.image.axes, source.image.array, samples)
    ResultLayers(viewer, source, model).show(result)


def test_untouched_layers_of_an_earlier_run_are_written_over() -> None:
    viewer, source = show(make_layer((8, 9)))
    before = list(viewer.layers)
    before[2].opacity = 0.9
    run_again(viewer, source)
    assert list(viewer.layers) == before
    np.testing.assert_allclose(viewer.layers[1].data, 1 / 6)
    assert viewer.layers[2].opacity == 0.9


def paint(layer: Labels) -> None:
    layer.paint((2, 3), 1 - layer.data[2, 3])


def set_data(layer: Labels) -> None:
    layer.data = np.zeros_like(layer.data)


def rename(layer: Labels) -> None:
    layer.name = "mine"


def move(layer: Labels) -> None:
    layer.translate = (5, 5)


@pytest.mark.parametrize("touch", [paint, set_data, rename, move])
def test_touched_labels_stay_and_new_ones_are_added(touch: Any) -> None:
    viewer, source = show(make_layer((8, 9)))
    labels = viewer.layers[2]
    touch(labels)
    kept = labels.data.copy()
    run_again(viewer, source)
    assert len(viewer.layers) == 4
    np.testing.assert_array_equal(labels.data, kept)
    assert viewer.layers[3].name.startswith("cells [glas] labels")


def test_painting_that_was_undone_is_no_touch() -> None:
    viewer, source = show(make_layer((8, 9)))
    paint(viewer.layers[2])
    viewer.layers[2].undo()
    run_again(viewer, source)
    assert len(viewer.layers) == 3


def test_another_model_gets_its_own_layers() -> None:
    viewer, source = show(make_layer((8, 9)))
    run_again(viewer, source, model="nuclei")
    assert [layer.name for layer in viewer.layers[3:]] == ["cells [nuclei] SD", "cells [nuclei] labels"]


def test_painting_during_a_run_is_kept_and_deleted_layers_stay_away() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(make_ramp((8, 9)), name="cells")
    source = read_layer(layer, 2, "current", viewer.dims.point)
    run = ResultLayers(viewer, source, "glas")
    run.show(make_result("yx", source.image.array, 1))
    sd, labels = viewer.layers[1:]
    paint(labels)
    kept = labels.data.copy()
    viewer.layers.remove(sd)
    run.show(make_result("yx", source.image.array, 2))
    run.show(make_result("yx", source.image.array, 3))
    np.testing.assert_array_equal(labels.data, kept)
    assert [one.name for one in viewer.layers] == ["cells", "cells [glas] labels", "cells [glas] labels [1]"]
    assert sd not in run.layers


def test_the_image_stays_selected() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(make_ramp((8, 9)), name="cells")
    source = read_layer(layer, 2, "current", viewer.dims.point)
    run_again(viewer, source)
    assert viewer.layers.selection == {layer}
