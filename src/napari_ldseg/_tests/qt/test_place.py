"""Labels into the OME-Zarr of their image, by napari's menu."""

from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image as ImageLayer
from napari.layers._source import layer_source

from ..._qt.plugin._place import chosen, put
from ...data import read_labels, write_image
from ...errors import InputError
from ..builders import make_ramp


def opened(viewer: ViewerModel, path: Path) -> ImageLayer:
    """An image as napari opens it."""
    write_image(path, make_ramp((20, 24), np.uint8), "yx", spacing=(0.5, 0.5), unit="micrometer", metadata={})
    with layer_source(path=str(path)):
        return viewer.add_image(make_ramp((20, 24), np.uint8), name=path.name)


def test_labels_lie_in_the_zarr_of_their_image(tmp_path: Path) -> None:
    viewer = ViewerModel()
    opened(viewer, tmp_path / "a.ome.zarr")
    drawn = np.zeros((20, 24), np.uint8)
    drawn[3:9, 4:20] = 1
    viewer.layers.selection.active = viewer.add_labels(drawn, name="mine, drawn")
    layer, target = chosen(viewer)
    path = put(layer, target, "mine")
    assert path == tmp_path / "a.ome.zarr" / "labels" / "mine"
    found = read_labels(path)
    np.testing.assert_array_equal(np.asarray(found.array), drawn)
    assert (found.spacing, found.unit) == ((0.5, 0.5), "micrometer")
    drawn[:] = 2
    np.testing.assert_array_equal(np.asarray(read_labels(put(layer, target, "mine")).array), 2)


def test_what_belongs_to_no_zarr_is_refused(tmp_path: Path) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(make_ramp((20, 24)))
    viewer.layers.selection.active = image
    with pytest.raises(InputError, match="Select the labels layer"):
        chosen(viewer)
    labels = viewer.add_labels(np.zeros((20, 24), np.uint8))
    viewer.layers.selection.active = labels
    with pytest.raises(InputError, match="None of the images"):
        chosen(viewer)
    for name in ("a.ome.zarr", "b.ome.zarr"):
        opened(viewer, tmp_path / name)
    viewer.layers.selection.active = labels
    with pytest.raises(InputError, match="Several images"):
        chosen(viewer)
    small = viewer.add_labels(np.zeros((5, 6), np.uint8))
    with pytest.raises(InputError, match=r"no level of a\.ome\.zarr"):
        put(small, tmp_path / "a.ome.zarr", "ldseg")
