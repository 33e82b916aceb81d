"""The sample image and phantoms of glands."""

import numpy as np
import pytest

from ...errors import InputError
from ...phantoms import colon_gland, phantom


def test_colon_gland_is_a_colour_picture() -> None:
    image = colon_gland()
    assert (image.axes, image.array.shape, image.array.dtype.name, image.spacing) == (
        "yxc",
        (512, 512, 3),
        "uint8",
        (0.36, 0.36),
    )


@pytest.mark.parametrize(
    ("shape", "axes", "channels"), [((32, 48), "yxc", 3), ((24, 32, 40), "zyx", 1)], ids=["2d", "3d"]
)
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_phantom(shape: tuple[int, ...], axes: str, channels: int, classes: int) -> None:
    image, labels = phantom(shape, seed=1, classes=classes)
    again, same = phantom(shape, seed=1, classes=classes)
    other, _ = phantom(shape, seed=2, classes=classes)
    assert (image.axes, image.channels, image.shape, image.array.dtype.name) == (axes, channels, shape, "uint8")
    assert np.unique(labels).tolist() == list(range(classes))
    np.testing.assert_array_equal(image.array, again.array)
    np.testing.assert_array_equal(labels, same)
    assert np.any(image.array != other.array)


@pytest.mark.parametrize("shape", [(64, 64), (24, 32, 32)])
def test_phantom_walls_are_dark_and_lumens_bright(shape: tuple[int, ...]) -> None:
    image, labels = phantom(shape, seed=0, classes=3, colour=False)
    background, wall, lumen = (image.array[labels == k].mean() for k in range(3))
    assert wall + 20 < background < lumen - 20
    assert 0.1 < np.mean(labels > 0) < 0.5


@pytest.mark.parametrize(("shape", "classes"), [((4, 4), 2), ((32,), 2), ((32, 32), 1)])
def test_phantom_refuses(shape: tuple[int, ...], classes: int) -> None:
    with pytest.raises(InputError, match="cannot be drawn; give"):
        phantom(shape, seed=0, classes=classes)
