"""Which image of a TIFF file is read, as it is shown; what is left out is said."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile

from ...data import read_image
from ...errors import InputError
from ..builders import make_ramp

OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def planes_xml(uuid: str, files: dict[str, str], images: list[list[tuple[str, int]]]) -> str:
    """OME-XML of images whose time points each are (file, page)."""
    elements = []
    for number, places in enumerate(images):
        data = "".join(
            f'<TiffData FirstT="{t}" IFD="{page}" PlaneCount="1">'
            f'<UUID FileName="{file}">{files[file]}</UUID></TiffData>'
            for t, (file, page) in enumerate(places)
        )
        elements.append(
            f'<Image ID="Image:{number}"><Pixels ID="Pixels:{number}" DimensionOrder="XYZCT" Type="uint8" SizeX="9" '
            f'SizeY="6" SizeZ="1" SizeC="1" SizeT="{len(places)}" PhysicalSizeX="0.5" PhysicalSizeY="0.5">'
            f'<Channel ID="Channel:{number}:0" SamplesPerPixel="1"/>{data}</Pixels></Image>'
        )
    return f'<?xml version="1.0"?><OME xmlns="{OME}" UUID="{uuid}">{"".join(elements)}</OME>'


def save_pages(path: Path, pages: Any, xml: str) -> None:
    with tifffile.TiffWriter(path) as file:
        for number, page in enumerate(pages):
            file.write(page, description=None if number else xml, metadata=None, contiguous=False)


@pytest.mark.parametrize("split", ["positions", "times"])
def test_the_pixels_of_an_ome_tiff_are_those_that_lie_in_it(tmp_path: Path, split: str) -> None:
    files = {"a.ome.tif": "urn:uuid:1", "b.ome.tif": "urn:uuid:2"}
    pixels = make_ramp((2, 2, 6, 9))
    own = [[(name, 0), (name, 1)] for name in files]
    images = own if split == "positions" else [own[0] + own[1]]
    for name, pages in zip(files, pixels, strict=True):
        save_pages(tmp_path / name, pages, planes_xml(files[name], files, images))
    for name, pages in zip(files, pixels, strict=True):
        image = read_image(tmp_path / name)
        np.testing.assert_array_equal(image.array, pages)
        assert (image.axes, image.spacing, image.unit) == ("tyx", (0.5, 0.5), "micrometer")
        assert ("holds 2 of the 4 planes" in " ".join(image.notes)) == (split == "times")


def test_an_ome_tiff_that_was_renamed(tmp_path: Path) -> None:
    pixels = make_ramp((2, 6, 9))
    xml = planes_xml("", {"old.ome.tif": "urn:uuid:1"}, [[("old.ome.tif", 0), ("old.ome.tif", 1)]])
    save_pages(tmp_path / "new.ome.tif", pixels, xml.replace(' UUID=""', ""))
    np.testing.assert_array_equal(read_image(tmp_path / "new.ome.tif").array, pixels)


def test_the_largest_of_several_sizes_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for side in (4, 12, 8):
            file.write(np.full((side, side + 1), side, np.uint8), metadata=None, contiguous=False)
    image = read_image(tmp_path / "a.tif")
    assert image.array.shape == (12, 13)
    assert np.all(image.array == 12)
    (note,) = image.notes
    assert "holds 3 images" in note
    assert "4 x 5" in note
    assert "8 x 9" in note


def test_the_thumbnail_before_a_picture_is_not_the_picture(tmp_path: Path) -> None:
    picture = make_ramp((40, 48, 3))
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(picture[::8, ::8], photometric="rgb", subfiletype=1, metadata=None)
        file.write(picture, photometric="rgb", metadata=None)
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.array, picture)
    assert not image.notes


def test_the_second_of_two_images_is_named(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        file.write(make_ramp((6, 9)), metadata={"Name": "left"})
        file.write(make_ramp((6, 9)) + 1, metadata={"Name": "right"})
    image = read_image(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(image.array, make_ramp((6, 9)))
    assert "left out: 'right' of 6 x 9" in " ".join(image.notes)


# By the TIFF 6.0 specification: where the stored first row and first column are when it is shown.
TURNED = {
    1: [[1, 2, 3], [4, 5, 6]], 2: [[3, 2, 1], [6, 5, 4]], 3: [[6, 5, 4], [3, 2, 1]], 4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]], 6: [[4, 1], [5, 2], [6, 3]], 7: [[6, 3], [5, 2], [4, 1]], 8: [[3, 6], [2, 5], [1, 4]],
}  # fmt: skip


@pytest.mark.parametrize("turn", TURNED)
def test_a_picture_is_read_as_it_is_shown(tmp_path: Path, turn: int) -> None:
    stored = np.array(TURNED[1], np.uint8)
    options: Any = {"resolution": (20_000, 10_000), "resolutionunit": "CENTIMETER", "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", stored, extratags=[(274, "H", 1, turn, True)], **options)
    image = read_image(tmp_path / "a.tif")
    assert image.array.tolist() == TURNED[turn]
    assert image.spacing == pytest.approx((0.5, 1.0) if turn > 4 else (1.0, 0.5))
    assert bool(image.notes) == (turn > 1)


def save_slide(path: Path, sides: tuple[int, ...] = (64, 32, 16), *, subifds: bool = True) -> Any:
    """A pyramid of 0.5 micrometer; returns its finest level."""
    finest = make_ramp((sides[0], sides[0] + 16, 3))
    options: Any = {
        "tile": (16, 16),
        "photometric": "rgb",
        "resolution": (20_000, 20_000),
        "resolutionunit": "CENTIMETER",
    }
    with tifffile.TiffWriter(path) as file:
        file.write(finest, subifds=len(sides) - 1 if subifds else 0, metadata=None, **options)
        for side in sides[1:]:
            step = sides[0] // side
            file.write(finest[::step, ::step], subfiletype=1, metadata=None, **options)
    return finest


@pytest.mark.parametrize("subifds", [True, False])
def test_a_pyramid_has_its_levels(tmp_path: Path, subifds: bool) -> None:
    finest = save_slide(tmp_path / "a.tif", subifds=subifds)
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.array, finest)
    assert [level.shape for level in image.levels] == [(32, 40), (16, 20)]
    assert [level.spacing for level in image.levels] == [pytest.approx((1, 1)), pytest.approx((2, 2))]
    np.testing.assert_array_equal(image.levels[1].array, finest[::4, ::4])


def test_a_large_pyramid_is_read_where_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_ldseg.data.formats._tiff_read._LARGE_PYRAMID", 0)
    finest = save_slide(tmp_path / "a.tif")
    image = read_image(tmp_path / "a.tif")
    assert type(image.array).__name__ == "Array"
    np.testing.assert_array_equal(np.asarray(image.array[10:40, 20:70]), finest[10:40, 20:70])
    np.testing.assert_array_equal(np.asarray(image.levels[0].array), finest[::2, ::2])


def test_a_part_that_is_damaged_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_ldseg.data.formats._tiff_read._LARGE", 0)
    tifffile.imwrite(tmp_path / "a.tif", make_ramp((64, 64)), tile=(16, 16), compression="zlib", metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        start = file.pages.first.aspage().dataoffsets[-1]
    with (tmp_path / "a.tif").open("r+b") as raw:
        raw.seek(start)
        raw.write(b"x" * 8)
    image = read_image(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"A part of .*a\.tif cannot be read .* damaged"):
        np.asarray(image.array)


def test_what_memory_does_not_hold_is_not_just_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile.imwrite(tmp_path / "a.tif", make_ramp((64, 64)), metadata=None)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(InputError, match=r"64 x 64 pixels, which take 4\.1e-06 GB, and 1e-06 GB of memory are free"):
        read_image(tmp_path / "a.tif")
