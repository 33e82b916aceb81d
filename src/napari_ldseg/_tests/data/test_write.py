"""Writing images: what other programs find, and what a full disk leaves."""

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from ..._util import write_text
from ...data import read_image, read_labels, write_image
from ...errors import InputError
from ..builders import make_disk, make_ramp


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(
    ("axes", "shape", "spacing"),
    [
        ("yx", (6, 9), (0.5, 0.3)),
        ("zyx", (4, 6, 9), (2.0, 0.5, 0.3)),
        ("tyx", (4, 6, 9), (0.5, 0.3)),
        ("tzyx", (2, 4, 6, 9), (2.0, 0.5, 0.3)),
        ("ptyx", (3, 2, 6, 9), (0.5, 0.3)),
        ("tzyx", (1, 1, 6, 9), (2.0, 0.5, 0.3)),
        ("yx", (6, 9), None),
    ],
)
def test_written_is_read_back(
    tmp_path: Path, dtype: Any, axes: str, shape: tuple[int, ...], spacing: tuple[float, ...] | None
) -> None:
    array = make_ramp(shape, dtype)
    path = tmp_path / "new" / "x_labels.tif"
    write_image(path, array, axes, spacing=spacing, unit="µm", metadata={"seed": 3})
    image = read_image(path)
    assert (image.axes, image.array.dtype, image.name) == (axes, dtype, "x_labels")
    np.testing.assert_array_equal(image.array, array)
    assert image.spacing == (None if spacing is None else pytest.approx(spacing, rel=1e-6))
    assert image.unit == ("pixel" if spacing is None else "micrometer")
    assert [p.name for p in path.parent.iterdir()] == ["x_labels.tif"]


def test_what_imagej_and_tifffile_find(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    array = make_ramp((2, 4, 60, 90))
    write_image(
        path, array, "tzyx", spacing=(2, 0.5, 0.25), unit="micrometer", metadata={"model": "glas", "µ": Path("x")}
    )
    assert path.stat().st_size < array.nbytes / 2
    with tifffile.TiffFile(path) as tiff:
        found = tiff.imagej_metadata
        assert found is not None
        assert tiff.series[0].axes == "TZYX"
        assert (found["unit"], found["spacing"], found["frames"], found["slices"]) == ("micron", 2, 2, 4)
        assert [tiff.pages.first.tags[f"{a}Resolution"].value for a in "XY"] == [(4, 1), (2, 1)]
        note = json.loads(found["Info"])
    assert (note["model"], note["µ"]) == ("glas", "x")


def test_a_file_that_was_turned_in_fiji_keeps_its_new_shape(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_image(path, make_ramp((6, 9)), "yx", spacing=None, unit="pixel", metadata={})
    with tifffile.TiffFile(path) as tiff:
        info = (tiff.imagej_metadata or {})["Info"]
    turned = make_ramp((6, 9)).T.copy()
    tifffile.imwrite(path, turned, imagej=True, metadata={"Info": info})
    np.testing.assert_array_equal(read_image(path).array, turned)


def test_a_mask_is_written_as_uint8_and_int64_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "a.tif", make_disk(2) > 0, "yx", spacing=None, unit="pixel", metadata={})
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif").array, make_disk(2))
    with pytest.raises(InputError, match="cannot hold int64 values; convert to uint8"):
        write_image(tmp_path / "b.tif", np.zeros((4, 4), np.int64), "yx", spacing=None, unit="pixel", metadata={})


def test_a_full_disk_leaves_the_old_file_and_no_half_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(b"old")

    def fill(partial: Path, *_: object, **__: object) -> None:
        partial.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", fill)
    with pytest.raises(InputError, match=r"a\.tif cannot be written \(No space left on device\); .*make room"):
        write_image(path, make_disk(2), "yx", spacing=None, unit="pixel", metadata={})
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]
    assert path.read_bytes() == b"old"


def test_a_name_that_is_not_utf_8_is_written_with_a_backslash(tmp_path: Path) -> None:
    write_text(tmp_path / "a.csv", "M\udcfcller,M\xfcller\n")
    assert (tmp_path / "a.csv").read_bytes() == b"M\\udcfcller,M\xc3\xbcller\n"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written .*choose another folder"):
        write_image(tmp_path / "file" / "a.tif", make_disk(2), "yx", spacing=None, unit="pixel", metadata={})
