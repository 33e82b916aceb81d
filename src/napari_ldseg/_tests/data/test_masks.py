"""Masks as people save them are read right, or refused in words."""

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageFilter
import pytest

from ...data import read_image, read_labels
from ...errors import InputError
from ..builders import make_disk, save_picture

MASK = make_disk(2, 64, 20.0)
WHITE = MASK * np.uint8(255)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_is_cut_at_half_and_that_is_said(tmp_path: Path, mode: str) -> None:
    PIL.Image.fromarray(WHITE).convert(mode).save(tmp_path / "a.jpg", quality=75)
    assert ((np.array(PIL.Image.open(tmp_path / "a.jpg").convert("L")) > 0) != MASK).sum() > 100  # what is to avoid
    labels = read_labels(tmp_path / "a.jpg")
    np.testing.assert_array_equal(labels.array, WHITE)
    assert "a JPEG" in labels.notes[0]


@pytest.mark.parametrize("array", [MASK, MASK * np.uint8(120)])
def test_classes_in_a_jpeg_are_refused(tmp_path: Path, array: Any) -> None:
    PIL.Image.fromarray(array).save(tmp_path / "a.jpg", quality=75)
    with pytest.raises(InputError, match="a JPEG, which does not keep labels"):
        read_labels(tmp_path / "a.jpg")


def test_soft_borders_are_cut_at_half_and_that_is_said(tmp_path: Path) -> None:
    soft = PIL.Image.fromarray(WHITE).filter(PIL.ImageFilter.GaussianBlur(1))
    soft.save(tmp_path / "a.png")
    labels = read_labels(tmp_path / "a.png")
    np.testing.assert_array_equal(labels.array, (np.array(soft) > 127) * 255)
    assert "soft borders" in labels.notes[0]


def test_a_photograph_is_no_mask(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).normal(120, 30, (64, 64)).clip(0, 255).astype(np.uint8)
    with pytest.raises(InputError, match="an image, no label mask"):
        read_labels(save_picture(tmp_path / "a.png", grey))


@pytest.mark.parametrize("values", [(0, 1), (0, 1, 2, 255), tuple(range(30))])
def test_classes_and_objects_stay_as_they_are(tmp_path: Path, values: tuple[int, ...]) -> None:
    labels = np.kron(np.resize(np.array(values, np.uint8), (6, 6)), np.ones((8, 8), np.uint8))
    found = read_labels(save_picture(tmp_path / "a.png", labels))
    np.testing.assert_array_equal(found.array, labels)
    assert not found.notes


def test_sixteen_bits_hold_many_objects(tmp_path: Path) -> None:
    labels = (np.arange(400).reshape(20, 20) * 100).astype(np.uint16)
    np.testing.assert_array_equal(read_labels(save_picture(tmp_path / "a.png", labels)).array, labels)


def test_what_is_not_transparent_is_the_mask(tmp_path: Path) -> None:
    for mode, colour in (("RGBA", (200, 0, 0)), ("LA", (0,))):
        layers = [np.full((64, 64), each, np.uint8) for each in colour]
        PIL.Image.fromarray(np.dstack([*layers, WHITE]), mode).save(tmp_path / "a.png")
        labels = read_labels(tmp_path / "a.png")
        np.testing.assert_array_equal(labels.array, MASK)
        assert "not transparent" in labels.notes[0]


def test_values_below_transparency_are_refused(tmp_path: Path) -> None:
    layers = [np.resize(np.array([1, 2], np.uint8), (64, 64))] * 3
    PIL.Image.fromarray(np.dstack([*layers, WHITE]), "RGBA").save(tmp_path / "a.png")
    with pytest.raises(InputError, match="hides values where it is transparent"):
        read_labels(tmp_path / "a.png")


def test_a_palette_that_starts_with_white(tmp_path: Path) -> None:
    picture = PIL.Image.fromarray((1 - MASK).astype(np.uint8), "P")  # 0 inside
    picture.putpalette([255, 255, 255, 0, 0, 0])
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png").array, WHITE)
    picture.putpalette([200, 0, 0, 0, 0, 0])
    picture.save(tmp_path / "b.png")
    with pytest.raises(InputError, match="black at 1 and not at 0"):
        read_labels(tmp_path / "b.png")


def test_colours_are_named(tmp_path: Path) -> None:
    red = np.stack([WHITE, 0 * WHITE, 0 * WHITE], axis=-1)
    with pytest.raises(InputError, match=r"3 different channels.* colours \(0, 0, 0\), \(255, 0, 0\)"):
        read_labels(save_picture(tmp_path / "a.png", red))


def test_colours_of_16_bits_are_no_mask(tmp_path: Path) -> None:
    png = make_png_of_16_bits(tmp_path / "a.png")
    with pytest.raises(InputError, match="colours of 16 bits"):
        read_labels(png)
    assert "read with 8 bits" in read_image(png).notes[0]


def make_png_of_16_bits(path: Path) -> Path:
    """Write what Pillow cannot, by hand."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + np.full((4, 3), 0x0102, ">u2").tobytes() for _ in range(4))
    head = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )
    return path


@pytest.mark.parametrize("read", [read_image, read_labels])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_exif_says_how_a_picture_is_shown(tmp_path: Path, suffix: str, read: Any) -> None:
    exif = PIL.Image.Exif()
    exif[274] = 6  # a quarter turn clockwise
    stored = np.zeros((40, 64), np.uint8)
    stored[:, :32] = 255  # left, so it is shown above
    PIL.Image.fromarray(stored).save(tmp_path / f"a.{suffix}", exif=exif)
    found = read(tmp_path / f"a.{suffix}")
    assert found.array.shape == (64, 40)
    assert found.array[:30].min() > 200
    assert found.array[34:].max() < 50
    assert any("turned" in note for note in found.notes)
