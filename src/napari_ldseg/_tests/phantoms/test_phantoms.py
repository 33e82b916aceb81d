"""Phantoms: that what they claim to know is what they draw."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from ...errors import InputError
from ...phantoms import EchoPhantom, echo_cine, volume_phantom
from ...phantoms._heart import Tissue, bulge, bulge_area, bulge_volume, cycle, volume_curve


@pytest.fixture(scope="module")
def phantom() -> EchoPhantom:
    return echo_cine(3, frames=8)


@pytest.mark.parametrize("widest", [0.0, 0.36, 0.45])
def test_area_and_volume_of_a_chamber_are_the_integrals_of_its_outline(widest: float) -> None:
    def outline(s: float) -> float:
        return float(bulge(np.array(s), widest))

    assert bulge_area(widest) == pytest.approx(quad(outline, 0, 1)[0], abs=1e-5)
    assert bulge_volume(widest) == pytest.approx(quad(lambda s: outline(s) ** 2, 0, 1)[0], abs=1e-5)


def test_half_an_ellipsoid_has_the_volume_that_every_table_gives() -> None:
    assert math.pi * 20**2 * 80 * bulge_volume(0.0) == pytest.approx(2 / 3 * math.pi * 20**2 * 80)


def test_labels_have_the_areas_that_are_given(phantom: EchoPhantom) -> None:
    assert phantom.image.spacing is not None
    pixel = math.prod(phantom.image.spacing) / 100
    inside = phantom.labels[:, 1:-1, 1:-1]
    np.testing.assert_allclose((phantom.labels == 1).sum((1, 2)) * pixel, phantom.lv_areas, rtol=0.01)
    np.testing.assert_allclose((inside == 3).sum((1, 2)) * pixel, phantom.atrium_areas, rtol=0.02)


def test_the_ejection_fraction_is_that_of_the_volumes(phantom: EchoPhantom) -> None:
    volumes = phantom.lv_volumes
    assert (int(volumes.argmax()), int(volumes.argmin())) == (phantom.ed, phantom.es) == (0, 3)
    assert 1 - volumes[phantom.es] / volumes[phantom.ed] == pytest.approx(phantom.ejection_fraction)


def test_the_wall_keeps_its_volume_and_thickens(phantom: EchoPhantom) -> None:
    heart, volume = phantom.heart, []
    for ejected in (0.0, 1.0):
        pose = heart.pose(ejected)
        volume.append((pose.outer_width**2 - pose.width**2) * pose.length)
    assert volume[1] == pytest.approx(volume[0])
    assert heart.pose(1).outer_width - heart.pose(1).width > heart.wall


def test_both_views_are_of_one_heart() -> None:
    four, two = (echo_cine(3, frames=2, view=view) for view in ("4ch", "2ch"))
    np.testing.assert_allclose(four.lv_volumes, two.lv_volumes)
    assert four.heart.length == two.heart.length
    assert two.heart.width == pytest.approx(four.heart.width * four.heart.roundness)


def test_tissue_that_moves_stays_on_its_side_of_each_border(phantom: EchoPhantom) -> None:
    heart, rng = phantom.heart, np.random.default_rng(0)
    start, end = heart.pose(0), heart.pose(1)
    depth, right = rng.uniform(0, 150, 4000), rng.uniform(-60, 60, 4000)
    tissue = Tissue(heart, start, *heart.to_heart(depth, right, start))
    before = heart.labels(depth, right, start)
    after = heart.labels(*heart.from_heart(*tissue.at(end), end), end)
    assert np.mean(before == after) > 0.995
    np.testing.assert_allclose(heart.from_heart(*tissue.at(start), start), (depth, right), atol=1e-9)


def test_blood_is_dark_and_the_sector_is_all_that_is_not_black(phantom: EchoPhantom) -> None:
    picture, labels = phantom.image.array, phantom.labels
    assert picture.dtype == np.uint8
    assert picture[labels == 1].mean() < 0.75 * picture[(labels == 0) & (picture > 0)].mean()
    middle = picture.shape[2] // 2
    assert (picture[:, 1:-1, middle] > 0).all()
    assert (picture[:, :20, :20] == 0).all()


def test_speckle_widens_with_depth_and_stays_in_still_tissue() -> None:
    phantom = echo_cine(5, frames=8)
    picture = phantom.image.array.astype(float)
    moving, rows = phantom.labels > 0, picture.shape[1]
    first, second = picture[:2, : rows // 4, :].reshape(2, -1)
    still = (first > 0) & ~moving[:2, : rows // 4].any(0).ravel()
    assert np.corrcoef(first[still], second[still])[0, 1] > 0.5

    def likeness(part: slice) -> float:
        strip = np.diff(picture[0, part, 150:200], axis=1)
        return float(np.corrcoef(strip[:, 1:].ravel(), strip[:, :-1].ravel())[0, 1])

    assert likeness(slice(rows * 3 // 4, rows - 40)) > likeness(slice(50, rows // 3))


def test_seeds_repeat_and_differ_and_shapes_are_met() -> None:
    one, again, other = (echo_cine(seed, frames=1, shape=(64, 96)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.image.array, again.image.array)
    assert one.image.array.shape == one.labels.shape == (1, 64, 96)
    assert (one.image.array != other.image.array).any()


def test_the_volume_returns_in_early_filling_and_with_the_atrium() -> None:
    assert volume_curve(np.array([0, 0.2, 0.4, 0.67, 1]), 0.4) == pytest.approx([0, 0.5, 1, 0.3, 0])
    assert [cycle(n, 0.4)[1] for n in (1, 2, 10)] == [0, 1, 4]


def test_a_knee_has_two_bones_and_bright_cartilage_between_them() -> None:
    image, labels = volume_phantom(0, (60, 26, 40))
    assert (image.axes, image.spacing) == ("zyx", (4.0, 4.0, 4.0))
    assert image.array.dtype == np.uint16
    heights = [np.nonzero(labels == bone)[1].mean() for bone in (1, 2)]
    assert heights[0] < heights[1] - 5
    assert (np.bincount(labels.ravel(), minlength=3) > 2500).all()
    between = [column for column in labels[30].T if {1, 2} <= set(column)]
    assert between
    gap = np.concatenate(
        [image.array[30].T[i][np.nonzero(c == 1)[0].max() + 1 : np.nonzero(c == 2)[0].min()]
         for i, c in enumerate(labels[30].T) if {1, 2} <= set(c)]
    )  # fmt: skip
    assert gap.mean() > 2 * image.array[labels > 0].mean()


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1 frame"):
        echo_cine(0, frames=0)
    with pytest.raises(InputError, match="two sides of at least 32"):
        echo_cine(0, shape=(16, 64))
    with pytest.raises(InputError, match="three sides of at least 16"):
        volume_phantom(0, (64, 64))
