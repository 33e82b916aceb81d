"""TIFF, OME-TIFF and ImageJ: axes, pixel sizes, compression."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from ...data import read_image, read_labels
from ..builders import make_ramp


@pytest.mark.parametrize(
    ("written", "shape", "axes", "read_shape"),
    [
        ("YX", (6, 9), "yx", (6, 9)),
        ("ZYX", (4, 6, 9), "zyx", (4, 6, 9)),
        ("TYX", (4, 6, 9), "tyx", (4, 6, 9)),
        ("CYX", (4, 6, 9), "yxc", (6, 9, 4)),
        ("YXS", (6, 9, 3), "yxc", (6, 9, 3)),
        ("TZCYX", (2, 3, 4, 6, 9), "tzyxc", (2, 3, 6, 9, 4)),
    ],
)
def test_ome_axes_and_pixel_size(
    tmp_path: Path, written: str, shape: tuple[int, ...], axes: str, read_shape: tuple[int, ...]
) -> None:
    array = make_ramp(shape)
    sizes = {"Z": 2.0, "Y": 0.5, "X": 0.25}
    metadata = {f"PhysicalSize{a}": s for a, s in sizes.items()} | {f"PhysicalSize{a}Unit": "mm" for a in sizes}
    tifffile.imwrite(tmp_path / "a.ome.tif", array, metadata={"axes": written, **metadata})
    image = read_image(tmp_path / "a.ome.tif")
    assert (image.axes, image.array.shape, image.name) == (axes, read_shape, "a")
    assert (image.spacing, image.unit) == ((2.0, 0.5, 0.25)[-len(image.spatial) :], "millimeter")
    np.testing.assert_array_equal(image.array, np.moveaxis(array, written.find("C"), -1) if "C" in written else array)


def test_imagej_pixel_size(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        make_ramp((4, 6, 9)),
        imagej=True,
        resolution=(4, 2),
        metadata={"axes": "ZYX", "unit": "um", "spacing": 3.0},
    )
    image = read_image(tmp_path / "a.tif")
    assert (image.axes, image.spacing, image.unit) == ("zyx", (3.0, 0.5, 0.25), "micrometer")


def test_imagej_without_calibration_states_none(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", make_ramp((6, 9)), imagej=True)
    assert read_image(tmp_path / "a.tif").spacing is None


@pytest.mark.parametrize(
    ("resolution", "unit", "spacing"),
    [
        ((20_000, 10_000), "CENTIMETER", (1.0, 0.5)),
        ((25_400, 25_400), "INCH", (1.0, 1.0)),
        ((72, 72), "INCH", None),
        ((1, 1), "NONE", None),
    ],
)
def test_plain_resolution_tags_unless_they_are_a_printers(
    tmp_path: Path, resolution: tuple[int, int], unit: str, spacing: tuple[float, float] | None
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", make_ramp((6, 9)), resolution=resolution, resolutionunit=unit, metadata=None)
    image = read_image(tmp_path / "a.tif")
    assert image.spacing == (None if spacing is None else pytest.approx(spacing))
    assert image.unit == ("pixel" if spacing is None else "micrometer")


def test_a_stack_of_unknown_meaning_is_positions(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", make_ramp((4, 6, 9)), metadata=None, photometric="minisblack")
    assert read_image(tmp_path / "a.tif").axes == "pyx"


@pytest.mark.parametrize("pages", [1, 3])
def test_lzw_is_read_without_imagecodecs(tmp_path: Path, pages: int) -> None:
    array = make_ramp((pages, 6, 9))
    first, *more = [PIL.Image.fromarray(page) for page in array]
    first.save(tmp_path / "a.tif", compression="tiff_lzw", save_all=True, append_images=more)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").array, array if pages > 1 else array[0])


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("dtype", ["uint8", "bool", "uint16"])
def test_where_0_is_white_an_image_is_inverted_and_labels_of_one_bit(
    tmp_path: Path, compression: str, dtype: str
) -> None:
    black = np.array([[0, 0, 1], [1, 1, 0]], dtype) * np.array({"uint8": 200, "uint16": 9, "bool": 1}[dtype], dtype)
    # Pillow inverts what it writes, but not 16 bits.
    picture = PIL.Image.fromarray(black if dtype != "uint16" else 65535 - black)
    picture.save(tmp_path / "a.tif", compression=compression, tiffinfo={262: 0})
    image, labels = read_image(tmp_path / "a.tif").array, read_labels(tmp_path / "a.tif").array
    assert image.dtype == labels.dtype == dtype
    np.testing.assert_array_equal(image, black)
    # Faxes and Pillow mean what is shown, ImageJ what is stored.
    np.testing.assert_array_equal(labels, black if dtype == "bool" else ~black)
