"""The pixel size of a TIFF: each axis by itself, converted, never a printer's; what is dropped is said."""

from pathlib import Path
from typing import Any

import pytest
import tifffile

from ...data import read_image
from ..builders import make_ramp

HALF = {"PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.25, "PhysicalSizeYUnit": "µm"}


def sizes(path: Path, **options: Any) -> tuple[Any, str, str]:
    """Write a stack of 4 slices and return spacing, unit and notes as they are read."""
    tifffile.imwrite(path, make_ramp((4, 6, 9)), **options)
    image = read_image(path)
    return image.spacing, image.unit, " ".join(image.notes)


@pytest.mark.parametrize(
    ("z", "spacing", "note"),
    [
        ({"PhysicalSizeZ": 500.0, "PhysicalSizeZUnit": "nm"}, (0.5, 0.25, 0.25), ""),
        ({"PhysicalSizeZ": -0.5, "PhysicalSizeZUnit": "µm"}, (0.5, 0.25, 0.25), ""),
        ({}, (0.25, 0.25, 0.25), "no distance of its slices"),
        (
            {"PhysicalSizeZ": 3.0, "PhysicalSizeZUnit": "reference frame"},
            (0.25, 0.25, 0.25),
            "no distance of its slices",
        ),
    ],
)
def test_x_and_y_are_kept_whatever_z_is(
    tmp_path: Path, z: dict[str, Any], spacing: tuple[float, ...], note: str
) -> None:
    found = sizes(tmp_path / "a.ome.tif", ome=True, metadata={"axes": "ZYX"} | HALF | z)
    assert found[:2] == (spacing, "micrometer")
    assert (note in found[2]) if note else not found[2]


def test_one_stated_side_is_both(tmp_path: Path) -> None:
    metadata = {"axes": "ZYX", "PhysicalSizeX": 0.25, "PhysicalSizeZ": 2.0}
    spacing, _, note = sizes(tmp_path / "a.ome.tif", ome=True, metadata=metadata)
    assert spacing == (2, 0.25, 0.25)
    assert "one axis only" in note


@pytest.mark.parametrize("metadata", [{"spacing": -0.5, "unit": "um"}, {"spacing": 500, "unit": "um", "zunit": "nm"}])
def test_imagej_z_is_positive_and_has_a_unit_of_its_own(tmp_path: Path, metadata: dict[str, Any]) -> None:
    found = sizes(tmp_path / "a.tif", imagej=True, resolution=(4, 4), metadata={"axes": "ZYX"} | metadata)
    assert found == ((0.5, 0.25, 0.25), "micrometer", "")


PRINTED: dict[str, dict[str, Any]] = {
    "Fiji": {"imagej": True, "resolution": (72, 72), "metadata": {"axes": "TYX", "unit": "inch"}},
    "Fiji in cm": {"imagej": True, "resolution": (72 / 2.54,) * 2, "metadata": {"axes": "TYX", "unit": "cm"}},
    "Bio-Formats": {
        "ome": True,
        "metadata": {"axes": "TYX", "PhysicalSizeX": 25_400 / 72, "PhysicalSizeY": 25_400 / 72},
    },
    "plain": {"resolution": (72, 72), "resolutionunit": "INCH", "metadata": None, "photometric": "minisblack"},
}


@pytest.mark.parametrize("program", PRINTED)
def test_a_printers_size_is_no_pixel_size_and_that_is_said(tmp_path: Path, program: str) -> None:
    name = "a.ome.tif" if program == "Bio-Formats" else "a.tif"
    spacing, unit, note = sizes(tmp_path / name, **PRINTED[program])
    assert (spacing, unit) == (None, "pixel")
    assert "72 dots per inch" in note
    assert "--pixel-size" in note


def test_a_scan_of_2400_dots_per_inch_is_kept(tmp_path: Path) -> None:
    options = {"imagej": True, "resolution": (2400, 2400), "metadata": {"axes": "TYX", "unit": "inch"}}
    spacing, unit, note = sizes(tmp_path / "a.tif", **options)
    assert (spacing, unit, note) == (pytest.approx((10.583, 10.583), rel=1e-3), "micrometer", "")


def test_aperio_states_micrometers_in_its_description(tmp_path: Path) -> None:
    text = "Aperio Image Library v11.2.1\r\n64x48 [0,0 64x48] (16x16) JPEG/RGB Q=30|AppMag = 20|MPP = 0.4990"
    pixels = make_ramp((48, 64, 3))
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(16, 16), photometric="rgb", description=text, metadata=None)
    image = read_image(tmp_path / "a.tif")
    assert (image.spacing, image.unit) == ((0.499, 0.499), "micrometer")
