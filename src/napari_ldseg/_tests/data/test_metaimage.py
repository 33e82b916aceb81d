"""MetaImage, against ITK."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from ...data import read_image, write_image
from ..builders import make_ramp
from .medical_files import place_of


@pytest.mark.parametrize("shape", [(6, 9), (4, 6, 9)])
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("suffix", [".mha", ".mhd"])
def test_metaimage_of_itk_and_back(tmp_path: Path, shape: tuple[int, ...], compress: bool, suffix: str) -> None:
    source = SimpleITK.GetImageFromArray(make_ramp(shape, np.int16))
    ndim = len(shape)
    turned = np.eye(ndim)
    turned[:2, :2] = [[0.6, -0.8], [0.8, 0.6]]
    source.SetSpacing((0.25, 0.5, 2.0)[:ndim])
    source.SetOrigin((1.5, -2.5, 30.0)[:ndim])
    source.SetDirection(turned.ravel())
    SimpleITK.WriteImage(source, str(tmp_path / f"a{suffix}"), compress)
    image = read_image(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(image.array, make_ramp(shape, np.int16))
    assert image.spacing == (2.0, 0.5, 0.25)[-ndim:]
    for name in ("b.mha", "c.nii"):
        place = place_of(image)
        write_image(tmp_path / name, image.array, image.axes, metadata={"note": "x" * 5000}, **place)
        back = SimpleITK.ReadImage(str(tmp_path / name))
        assert SimpleITK.GetArrayFromImage(back).squeeze().tolist() == make_ramp(shape).tolist()
        corner = [n - 1 for n in shape[::-1]]
        there = source.TransformIndexToPhysicalPoint(corner)
        here = back.TransformIndexToPhysicalPoint(corner + [0] * (back.GetDimension() - ndim))
        np.testing.assert_allclose(here[:ndim], there, atol=1e-4)
