"""Pictures are read as written, what cannot be read is named, and an image knows its axes."""

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile

from ...data import Image, read_image, read_labels, write_image
from ...errors import InputError
from ..builders import make_ramp, save_picture


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".PNG"])
@pytest.mark.parametrize(("shape", "axes"), [((6, 9), "yx"), ((6, 9, 3), "yxc")])
def test_pictures_are_read_as_written(tmp_path: Path, suffix: str, shape: tuple[int, ...], axes: str) -> None:
    array = make_ramp(shape)
    image = read_image(save_picture(tmp_path / f"a{suffix}", array))
    assert (image.axes, image.name, image.spacing) == (axes, "a", None)
    np.testing.assert_array_equal(image.array, array)


def test_rgba_keeps_four_channels(tmp_path: Path) -> None:
    assert read_image(save_picture(tmp_path / "a.png", make_ramp((6, 9, 4)))).array.shape == (6, 9, 4)


def test_jpeg_is_close(tmp_path: Path) -> None:
    image = read_image(save_picture(tmp_path / "a.jpg", np.full((8, 8, 3), 100, np.uint8)))
    assert np.abs(image.array.astype(int) - 100).max() <= 2


@pytest.mark.parametrize(("array", "dtype"), [(make_ramp((6, 9), np.uint16) * 200, "uint16"), (np.eye(4) > 0, "bool")])
def test_png_keeps_its_type(tmp_path: Path, array: Any, dtype: str) -> None:
    image = read_image(save_picture(tmp_path / "a.png", array))
    assert image.array.dtype == dtype
    np.testing.assert_array_equal(image.array, array)


@pytest.mark.parametrize("suffix", [".png", ".gif", ".tif"])
def test_a_palette_is_colour_as_image_and_index_as_labels(tmp_path: Path, suffix: str) -> None:
    picture = PIL.Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), "L").convert("P")
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    picture.save(tmp_path / f"a{suffix}")
    image = read_image(tmp_path / f"a{suffix}")
    assert image.axes == "yxc"
    assert image.array.tolist() == [[[10, 20, 30], [40, 50, 60]], [[70, 80, 90], [40, 50, 60]]]
    assert read_labels(tmp_path / f"a{suffix}").array.tolist() == [[0, 1], [2, 1]]


def test_the_frames_of_a_gif_are_a_cine(tmp_path: Path) -> None:
    frames = [PIL.Image.new("L", (3, 2), value) for value in (0, 255)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    image = read_image(tmp_path / "a.gif")
    assert (image.axes, image.array.shape) == ("tyx", (2, 2, 3))
    assert [frame.max() for frame in image.array] == [0, 255]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.png does not exist; check the path"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.txt", "a"])
def test_unknown_kind_lists_what_can_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"1")
    with pytest.raises(InputError, match=r"\.tif, \.tiff, \.png.*\.nii\.gz.*one DICOM series"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_empty_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(InputError, match="is empty"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "a.gif", "a.bmp"])
def test_a_text_that_is_called_image(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("no picture at all" * 20)
    with pytest.raises(InputError, match=r"cannot be read .* not what its name says"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("kind", ["png", "jpg", "bmp", "gif", "plain.tif", "ome.tif", "imagej.tif", "ours.tif"])
def test_truncated_file_is_never_read_in_part(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    stack = make_ramp((3, 40, 50))
    if kind == "ours.tif":
        write_image(path, stack, "zyx", spacing=(1, 1, 1), unit="um", metadata={})
    elif kind.endswith("tif"):
        options: dict[str, Any] = {"imagej.tif": {"imagej": True}, "ome.tif": {"ome": True}}.get(kind, {})
        tifffile.imwrite(path, stack, photometric="minisblack", metadata={"axes": "ZYX"}, **options)
    else:
        save_picture(path, stack[0])
    whole, size = read_image(path), path.stat().st_size
    raw = path.read_bytes()
    refused = 0
    for part in (8, 60, size // 4, size // 2, size - 300, size - 100, size - 20):
        path.write_bytes(raw[:part])
        try:
            image = read_image(path)
        except InputError:
            refused += 1
            continue
        np.testing.assert_array_equal(image.array, whole.array)
        assert image.axes == whole.axes
    assert refused >= 4


@pytest.mark.parametrize(
    ("axes", "spacing", "message"),
    [
        ("yxc", None, "has 2 axes"),
        ("yy", None, "must be different letters"),
        ("xy", None, "y before x"),
        ("yx", (1.0,), "must be 2 positive numbers"),
        ("yx", (1.0, 0.0), "must be 2 positive numbers"),
    ],
)
def test_an_image_refuses_axes_that_do_not_fit(axes: str, spacing: tuple[float, ...] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Image(np.zeros((4, 4)), axes, spacing)


def test_an_image_tells_its_axes_apart() -> None:
    image = Image(np.zeros((2, 3, 4, 5, 6)), "tzyxc", (1, 1, 1))
    assert (image.spatial, image.frame_axes, image.shape, image.channels) == ("zyx", "t", (3, 4, 5), 6)
