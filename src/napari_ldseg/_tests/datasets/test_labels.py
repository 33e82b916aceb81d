"""Label masks: colours, fractions and negative numbers."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from ...data import read_labels, write_image
from ...errors import InputError
from ..builders import make_disk, make_ramp, save_picture


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colours_that_are_grey_become_labels(tmp_path: Path, suffix: str) -> None:
    mask = make_disk(2)
    rgb = np.repeat(mask[..., np.newaxis], 3, axis=-1)
    path = tmp_path / f"a{suffix}"
    tifffile.imwrite(path, rgb, photometric="rgb") if suffix == ".tif" else save_picture(path, rgb)
    labels = read_labels(path)
    assert labels.axes == "yx"
    np.testing.assert_array_equal(labels.array, mask)


def test_labels_whose_channel_stands_first_keep_their_pixels(tmp_path: Path) -> None:
    mask = make_disk(2)
    write_image(tmp_path / "a.zarr", mask[np.newaxis], "cyx", spacing=None, unit="pixel", metadata={})
    labels = read_labels(tmp_path / "a.zarr")
    assert labels.axes == "yx"
    np.testing.assert_array_equal(labels.array, mask)


def test_colours_are_refused_as_labels(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"3 different channels, so it is no label mask; save it as one channel"):
        read_labels(save_picture(tmp_path / "a.png", make_ramp((6, 9, 3))))


@pytest.mark.parametrize("ndim", [2, 3])
def test_whole_floats_become_integers(tmp_path: Path, ndim: int) -> None:
    tifffile.imwrite(tmp_path / "a.tif", make_disk(ndim).astype(np.float32), metadata={"axes": "ZYX"[-ndim:]})
    labels = read_labels(tmp_path / "a.tif")
    assert labels.array.dtype == np.int32
    np.testing.assert_array_equal(labels.array, make_disk(ndim))


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, 1e20])
def test_fractions_are_refused_as_labels(tmp_path: Path, value: float) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.full((4, 4), value, np.float32))
    with pytest.raises(InputError, match=r"holds fractions and is no label mask: save it with whole numbers"):
        read_labels(tmp_path / "a.tif")


def test_negative_labels_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.full((4, 4), -1, np.int16))
    with pytest.raises(InputError, match="negative"):
        read_labels(tmp_path / "a.tif")
