"""NIfTI: axes, units, geometry, and results that lie on their source."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import Result

from ... import save_model
from ...data import read_image, read_labels, read_notes, write_image
from ...errors import InputError
from ..builders import make_ramp, make_tiny_model
from .medical_files import SHEARED, load, make_nifti, place_of

FIELDS = ("sform_code", "qform_code", "srow_x", "srow_y", "srow_z", "quatern_b", "qoffset_z", "pixdim", "xyzt_units")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_labels_lie_on_a_sheared_nifti(tmp_path: Path, suffix: str) -> None:
    path = make_nifti(tmp_path / f"a{suffix}")
    image = read_image(path)
    assert (image.name, image.axes, image.array.shape, image.unit) == ("a", "zyx", (7, 6, 5), "millimeter")
    assert image.spacing == pytest.approx(np.linalg.norm(SHEARED[:3, :3], axis=0)[::-1])
    source = load(path)
    np.testing.assert_array_equal(image.array, np.asarray(source.dataobj).T)
    out = tmp_path / f"a_labels{suffix}"
    labels = (image.array % 3).astype(np.uint8)
    place = place_of(image)
    write_image(out, labels, "zyx", metadata={"seed": 3}, **place)
    written = load(out)
    np.testing.assert_array_equal(written.affine, source.affine)
    for field in FIELDS:
        np.testing.assert_array_equal(written.header[field], source.header[field], field)
    np.testing.assert_array_equal(np.asarray(written.dataobj), np.asarray(source.dataobj) % 3)
    assert read_notes(out) == {"seed": 3}
    assert read_labels(out).array.dtype == np.uint8


@pytest.mark.parametrize(
    ("shape", "axes"), [((5, 6), "yx"), ((5, 6, 1), "yx"), ((5, 6, 7, 3), "tzyx"), ((5, 6, 1, 3), "tyx")]
)
def test_axes_of_nifti(tmp_path: Path, shape: tuple[int, ...], axes: str) -> None:
    image = read_image(make_nifti(tmp_path / "a.nii", shape))
    assert image.axes == axes
    assert image.array.size == np.prod(shape)
    np.testing.assert_array_equal(image.array.ravel(), make_ramp(shape).T.ravel())


def test_microns_are_kept_and_an_unscaled_header_states_none(tmp_path: Path) -> None:
    image = read_image(make_nifti(tmp_path / "a.nii", unit="micron"))
    assert image.unit == "micrometer"
    assert image.geometry is not None
    np.testing.assert_allclose(image.geometry.matrix[:3], SHEARED[:3] / 1000, rtol=1e-6)
    nibabel.Nifti1Image(make_ramp((4, 5, 6)), None).to_filename(tmp_path / "b.nii")
    assert read_image(tmp_path / "b.nii").spacing is None


@pytest.mark.parametrize("source", [False, True])
def test_many_frames_make_nifti_2(tmp_path: Path, source: bool) -> None:
    """400 times 100 samples are 40000 along one axis, and NIfTI-1 ends at 32767."""
    place: dict[str, Any] = {"spacing": None, "unit": "pixel", "geometry": None}
    if source:
        place = place_of(read_image(make_nifti(tmp_path / "a.nii", (3, 2, 1))))
    array = make_ramp((400, 100, 2, 3))
    write_image(tmp_path / "a_samples.nii.gz", array, "tpyx", metadata={"seed": 3}, **place)
    written, image = load(tmp_path / "a_samples.nii.gz"), read_image(tmp_path / "a_samples.nii.gz")
    assert type(written) is nibabel.Nifti2Image
    assert image.axes == "tpyx"
    np.testing.assert_array_equal(image.array, array)
    assert read_notes(tmp_path / "a_samples.nii.gz") == {"seed": 3}
    if source:
        kept = load(tmp_path / "a.nii")
        np.testing.assert_array_equal(written.affine, kept.affine)
        for field in ("sform_code", "qform_code", "xyzt_units"):
            assert written.header[field] == kept.header[field]


def test_a_header_that_promises_terabytes(tmp_path: Path) -> None:
    path = make_nifti(tmp_path / "a.nii")
    raw = bytearray(path.read_bytes())
    raw[42:48] = np.array([30000] * 3, "<i2").tobytes()
    path.write_bytes(raw)
    with pytest.raises(InputError, match="truncated: the header promises 54000000000000 bytes"):
        read_image(path)


def test_values_of_a_2d_model_on_a_volume_lie_on_it(run: Callable[..., Result], tmp_path: Path) -> None:
    model = save_model(make_tiny_model(2, image_channels=1), tmp_path / "flat.safetensors")
    source = make_nifti(tmp_path / "x.nii", (18, 17, 3))
    result = run("segment", source, "-m", model, "-n", 1, "--steps", 1, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    written: Any = load(tmp_path / "out" / "x_sd.nii")
    assert written.shape == (18, 17, 3)
    np.testing.assert_array_equal(written.affine, load(source).affine)


def sheared_points(geometry: Any, index: tuple[int, ...]) -> NDArray[np.float64]:
    return np.asarray(geometry.matrix @ [*index, 1.0])


def test_a_coarser_grid_begins_at_the_same_corner(tmp_path: Path) -> None:
    geometry = read_image(make_nifti(tmp_path / "a.nii", (6, 6, 6))).geometry
    assert geometry is not None
    coarse = geometry.coarser((3.0, 2.0, 2.0), (2, 3, 3))
    corner = sheared_points(coarse, (0, 0, 0)) - coarse.matrix @ [0.5, 0.5, 0.5, 0]
    np.testing.assert_allclose(corner, SHEARED @ [-0.5, -0.5, -0.5, 1], atol=1e-5)
