"""A result lies exactly on its image, whatever the layer's axes, transforms, units, pyramid, region and frames."""

from collections.abc import Sequence
from itertools import product
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from napari.components import ViewerModel
from napari.layers import Image, Labels
from numpy.typing import NDArray

from ..._qt.viewer._from_layers import Source, automatic_roles, read_layer
from ..._qt.viewer._result_layers import ResultLayers
from ...inference import Segmentation
from ...plan import _grid, frames
from ..builders import make_tiny_config

DTYPES = (np.uint8, np.uint16, np.int16, np.float32, np.float64, np.bool_)
UNITS = ("pixel", "um", "mm", "nm")
SIDES = (8, 9, 10)


def threshold(source: Source, ndim: int) -> Segmentation:
    """A stand-in for the engine: class 1 wherever a channel is bright; axes as the real one orders them."""
    config = make_tiny_config(ndim)
    image = source.image.replace(array=np.asarray(source.image.array))
    found = {index: pixels.max(axis=0) > 0 for index, pixels in frames(image, config)}
    leading = tuple(1 + max(index[i] for index in found) for i in range(len(next(iter(found)))))
    labels = np.zeros((*leading, *next(iter(found.values())).shape), np.uint8)
    for index, bright in found.items():
        labels[index] = bright
    letters = "".join(axis for axis in image.axes if axis in "tps") + image.spatial
    sizes = np.ones((*leading, 1, 2))
    mean = np.stack([1 - labels, labels], axis=len(leading)).astype(np.float32)
    return Segmentation(
        labels, mean, labels * np.float32(0.3), sizes, letters, None, "pixel", ("a", "b"), (), 1, {"seed": 0}
    )  # fmt: skip


def channels_of(layer: Image, roles: Sequence[str]) -> int:
    """How many channels a model of any channels must have for a layer."""
    return (
        3
        if layer.rgb
        else dict(zip(roles, np.shape(layer.data[0] if layer.multiscale else layer.data), strict=False)).get(
            "channels", 1
        )
    )


@st.composite
def transforms(draw: st.DrawFn, ndim: int) -> dict[str, Any]:
    """Any scale, translate, shear, affine and rotation, units and labels of the axes."""
    number = st.floats(0.1, 9, allow_subnormal=False)
    signed = st.floats(-20, 20, allow_subnormal=False)
    rotation = np.linalg.qr(np.array(draw(st.lists(signed, min_size=ndim**2, max_size=ndim**2))).reshape(ndim, ndim)
                            + 50 * np.eye(ndim))[0]  # fmt: skip
    affine = np.eye(ndim + 1)
    affine[:-1, -1] = draw(st.lists(signed, min_size=ndim, max_size=ndim))
    affine[0, 1] = draw(st.floats(-0.5, 0.5))
    return {
        "scale": draw(st.lists(number, min_size=ndim, max_size=ndim)),
        "translate": draw(st.lists(signed, min_size=ndim, max_size=ndim)),
        "rotate": rotation,
        "shear": draw(st.lists(st.floats(-0.5, 0.5), min_size=ndim * (ndim - 1) // 2, max_size=ndim * (ndim - 1) // 2)),
        "affine": affine,
        "units": draw(st.lists(st.sampled_from(UNITS), min_size=ndim, max_size=ndim)),
    }


@st.composite
def cases(draw: st.DrawFn) -> tuple[Image, int, dict[str, Any], NDArray[Any]]:
    """A layer of random bright pixels, a model's dimensions, a choice of what to read, and where it is bright."""
    ndim = draw(st.sampled_from((2, 3)))
    extra = draw(st.integers(0, 2 if ndim == 2 else 1))
    axes = ndim + extra
    shape = tuple(draw(st.sampled_from((2, 3) if i < extra else SIDES)) for i in range(axes))
    pyramid, rgb = draw(st.booleans()), draw(st.booleans())
    labels = draw(st.sampled_from((None, *(["c", "t"][:extra],) * bool(extra))))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    dtype = draw(st.sampled_from(DTYPES[:5] if rgb else DTYPES))
    data = (rng.random((*shape, 3) if rgb else shape) < 0.3).astype(dtype)
    blocks = np.array([2] * axes + [1] * rgb) if pyramid else np.ones(data.ndim, int)
    fine = np.kron(data, np.ones(tuple(blocks), dtype)) if pyramid else data
    options = draw(transforms(axes))
    if labels is not None and not rgb:
        options["axis_labels"] = [*labels, *"zyx"[-ndim:]]
    layer = Image(
        [fine, data] if pyramid else fine, rgb=rgb, multiscale=pyramid, name="cells", contrast_limits=(0, 1), **options
    )
    order = draw(st.permutations(range(axes)))
    roles = automatic_roles(layer, ndim, order)
    leading = [axis for axis, role in enumerate(roles) if role == "frames"]
    choice: dict[str, Any] = {"roles": roles, "frames": draw(st.sampled_from(("current", "all", "range")))}
    grid = fine.shape[:axes]
    choice["point"] = layer.data_to_world([draw(st.integers(0, side - 1)) for side in grid])
    choice["ranges"] = [tuple(sorted((draw(st.integers(0, 1)), draw(st.integers(0, 1))))) for _ in leading]
    if draw(st.booleans()):
        low = np.array([draw(st.floats(-3, side - 2)) for side in grid])
        # Pixel 0 ends at 0.5: a region that ends before it holds nothing, and is refused.
        high = np.maximum(low + [draw(st.floats(0.5, side)) for side in grid], 0.6)
        choice["region"] = np.array([low, high])
    return layer, ndim, choice, np.asarray(fine.max(axis=-1) if rgb else fine) > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_a_result_lies_on_its_image(case: tuple[Image, int, dict[str, Any], NDArray[Any]]) -> None:
    layer, ndim, choice, bright = case
    # A model of whole images takes the coarse level where that is large enough for it.
    coarse = layer.multiscale and max(layer.data[1].shape) % 2 == 0
    config = make_tiny_config(ndim, image_channels=channels_of(layer, choice["roles"]))
    config = config.replace(input=config.input.replace(shape=(1 if coarse else 99,) * ndim).model_dump())
    with mock.patch.object(_grid, "MIN_SIDE", 1):
        source = read_layer(layer, ndim, **choice, config=config)
    assert source.plan is not None
    assert source.plan.level == int(coarse)
    viewer = ViewerModel()
    viewer.add_layer(layer)
    ResultLayers(viewer, source, "fake").show(threshold(source, ndim))
    labels = next(each for each in viewer.layers if isinstance(each, Labels))
    assert labels.units == layer.units
    assert labels.axis_labels == layer.axis_labels
    channel = choice["roles"].index("channels") if "channels" in choice["roles"] else None
    if channel is not None:
        bright = bright.max(axis=channel, keepdims=True)

    corners = np.array(list(product(*((0, side - 1) for side in labels.data.shape))))
    rng = np.random.default_rng(0)
    inside = rng.integers(0, labels.data.shape, (20, labels.ndim))
    for voxel in (*corners, *inside):
        position = np.asarray(layer.world_to_data(labels.data_to_world(voxel)))
        position -= coarse / 2  # the middle of a block of two
        if channel is not None:
            position[channel] = 0
        np.testing.assert_allclose(position, np.round(position), atol=1e-6)
        assert labels.data[tuple(voxel)] == bright[tuple(np.round(position).astype(int))]
