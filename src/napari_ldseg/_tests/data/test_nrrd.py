"""NRRD, against ITK and pynrrd."""

from pathlib import Path

import nrrd
import numpy as np
import pytest
import SimpleITK

from ...data import read_image, read_labels, read_notes, write_image
from ...errors import InputError
from ..builders import make_ramp
from .medical_files import make_nifti, place_of


@pytest.mark.parametrize("shape", [(6, 9), (4, 6, 9)])
@pytest.mark.parametrize("compress", [False, True])
def test_nrrd_of_itk_and_back(tmp_path: Path, shape: tuple[int, ...], compress: bool) -> None:
    ndim = len(shape)
    source = SimpleITK.GetImageFromArray(make_ramp(shape, np.int16))
    turned = np.eye(ndim)
    turned[:2, :2] = [[0.6, -0.8], [0.8, 0.6]]
    source.SetSpacing((0.25, 0.5, 2.0)[:ndim])
    source.SetOrigin((1.5, -2.5, 30.0)[:ndim])
    source.SetDirection(turned.ravel())
    SimpleITK.WriteImage(source, str(tmp_path / "a.nrrd"), compress)
    image = read_image(tmp_path / "a.nrrd")
    np.testing.assert_array_equal(image.array, make_ramp(shape, np.int16))
    assert (image.spacing, image.unit) == ((2.0, 0.5, 0.25)[-ndim:], "millimeter")
    write_image(tmp_path / "b.nrrd", image.array, image.axes, metadata={"seed": 3}, **place_of(image))
    assert read_notes(tmp_path / "b.nrrd") == {"seed": 3}
    back = SimpleITK.ReadImage(str(tmp_path / "b.nrrd"))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(back), make_ramp(shape))
    np.testing.assert_allclose(back.GetSpacing(), source.GetSpacing())
    if ndim == 3:
        corner = [n - 1 for n in shape[::-1]]
        there, here = (each.TransformIndexToPhysicalPoint(corner) for each in (source, back))
        np.testing.assert_allclose(here, there, atol=1e-4)


def test_labels_of_a_nifti_lie_on_it_as_nrrd(tmp_path: Path) -> None:
    image = read_image(make_nifti(tmp_path / "a.nii.gz"))
    assert image.geometry is not None
    write_image(tmp_path / "a_labels.nrrd", image.array.astype(np.uint8), image.axes, metadata={}, **place_of(image))
    again = read_labels(tmp_path / "a_labels.nrrd")
    assert again.geometry is not None
    np.testing.assert_allclose(again.geometry.matrix, image.geometry.matrix, atol=1e-5)
    np.testing.assert_array_equal(again.array, image.array)


@pytest.mark.parametrize(
    ("axes", "shape"), [("tyx", (3, 5, 4)), ("yxc", (5, 4, 3)), ("tzyx", (2, 3, 5, 4)), ("pyx", (3, 5, 4))]
)
def test_frames_and_channels_come_back(tmp_path: Path, axes: str, shape: tuple[int, ...]) -> None:
    spacing = (2.0, 1.0, 0.5)[-axes.count("z") - 2 :]
    array = make_ramp(shape)
    write_image(tmp_path / "a.nrrd", array, axes, spacing=spacing, unit="micrometer", metadata={})
    again = read_image(tmp_path / "a.nrrd")
    assert again.axes == axes
    np.testing.assert_array_equal(again.array, array)
    assert again.spacing == pytest.approx([size / 1000 for size in spacing])


def test_channels_of_slicer_come_first_in_the_file(tmp_path: Path) -> None:
    array = make_ramp((3, 4, 5, 6))  # channels, x, y, z
    directions = np.array([[np.nan] * 3, [1.0, 0, 0], [0, 1.0, 0], [0, 0, 2.0]])
    header = {
        "kinds": ["RGB-color", "domain", "domain", "domain"],
        "space": "left-posterior-superior",
        "space directions": directions,
        "space origin": np.array([10.0, 20.0, 30.0]),
    }
    nrrd.write(str(tmp_path / "a.nrrd"), array, header)
    image = read_image(tmp_path / "a.nrrd")
    assert (image.axes, image.spacing) == ("zyxc", (2.0, 1.0, 1.0))
    np.testing.assert_array_equal(image.array, array.transpose(3, 2, 1, 0))
    assert image.geometry is not None
    assert image.geometry.matrix[:3, 3].tolist() == [-10, -20, 30]


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.nrrd"
    nrrd.write(str(path), make_ramp((4, 5, 6)), {"encoding": "raw"})
    whole = path.read_bytes()
    for content in (whole[:-30], b"NRRD0004\n", b"nothing", whole.replace(b"sizes: 4 5 6", b"sizes: 4 5 9999999")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"a\.nrrd"):
            read_image(path)
    (tmp_path / "b.nhdr").write_bytes(
        b"NRRD0004\ntype: uint8\ndimension: 2\nsizes: 4 5\nencoding: raw\ndata file: b.raw\n\n"
    )
    with pytest.raises(InputError, match=r"names b\.raw"):
        read_image(tmp_path / "b.nhdr")
