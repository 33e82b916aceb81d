"""Objects, their form, and what the samples make of them: numbers that can be counted."""

import math
from typing import Any

import numpy as np
import pytest

from ..._util import follow
from ...config import MeasureConfig
from ...errors import InputError
from ...measure import Measured, SampleMasks, boundary, find_regions, match, measure_frames
from ...measure._components import grown
from ...measure._shape import form, intensity, size
from ..builders import make_disk, make_row, make_two_boxes, measured_to_end

PLAIN = MeasureConfig(smallest=1)


def make_samples(*changes: tuple[tuple[slice, slice], int] | None) -> SampleMasks:
    """Copies of the row, each with another value in a box, or as it is, on its own grid."""
    copies = []
    for change in changes:
        copies.append(make_row())
        if change is not None:
            copies[-1][change[0]] = change[1]
    return SampleMasks(np.stack(copies), (12, 20))


# --- regions ------------------------------------------------------------------------------------------------------


def test_regions_are_connected_pixels_of_one_class() -> None:
    found = find_regions(make_row(), 2)
    assert [(one.number, one.label, one.pixels) for one in found] == [(1, 1, 16), (2, 1, 24), (3, 2, 1)]
    assert found[1].box == (slice(2, 6), slice(10, 16))
    assert found[2].anchor == (9, 9)
    assert [one.label for one in find_regions(make_row(), 2, smallest=20)] == [1]


def test_pixels_that_touch_by_a_corner_are_two_objects() -> None:
    assert len(find_regions(np.eye(3, dtype=np.uint8), 2)) == 3


def test_frames_have_their_own_objects_and_volumes_are_whole() -> None:
    stack = np.stack([make_row(), make_row()])
    assert [one.frame for one in find_regions(stack, 2)] == [(0,)] * 3 + [(1,)] * 3
    assert [one.pixels for one in find_regions(stack, 3)] == [32, 48, 2]


def test_an_anchor_lies_inside_its_object() -> None:
    ring = make_disk(2, radius=6) - make_disk(2, radius=3)
    (region,) = find_regions(ring, 2)
    assert ring[region.anchor] == 1


def test_growing_stops_at_the_edge() -> None:
    region = find_regions(make_row(), 2)[0]
    box, mask = grown(region, 3, (12, 20))
    assert box == (slice(0, 9), slice(0, 9))
    assert mask[5, 5]
    assert not mask[8, 8]


# --- form ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [10.0, 25.0])
def test_perimeter_of_a_disk_is_that_of_a_circle(radius: float) -> None:
    disk = make_disk(2, side=64, radius=radius).astype(bool)
    assert boundary(disk, (0.5, 0.5)) == pytest.approx(2 * math.pi * radius * 0.5, rel=0.02)


@pytest.mark.parametrize("radius", [8.0, 14.0])
def test_surface_of_a_ball_is_that_of_a_sphere(radius: float) -> None:
    ball = make_disk(3, side=32, radius=radius).astype(bool)
    assert boundary(ball, (2.0, 2.0, 2.0)) == pytest.approx(4 * math.pi * (2 * radius) ** 2, rel=0.03)


@pytest.mark.parametrize(("ndim", "rel"), [(2, 0.03), (3, 0.05)])
def test_boundary_does_not_depend_on_the_pixels_proportions(ndim: int, rel: float) -> None:
    spacing = (0.5, *(1.0,) * (ndim - 1))
    grid = np.meshgrid(
        *((np.arange(n) - (n - 1) / 2) * s for n, s in zip((80, 40, 40), spacing, strict=False)), indexing="ij"
    )
    ball = sum(axis**2 for axis in grid) <= 15**2
    exact = 2 * math.pi * 15 if ndim == 2 else 4 * math.pi * 15**2
    assert boundary(np.asarray(ball), spacing) == pytest.approx(exact, rel=rel)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_box_is_solid_and_its_size_is_counted_in_units(ndim: int) -> None:
    box = make_two_boxes(ndim)[0].astype(bool)
    assert size(box, (0.5,) * ndim) == 2.0**ndim
    assert form(box, (0.5,) * ndim)["solidity"] == 1
    flat = np.zeros((5,) * ndim, bool)
    flat[2, 1:4] = True
    assert form(flat, (0.5,) * ndim)["solidity"] == 1


def test_pixels_twice_as_wide_make_a_disk_eccentric() -> None:
    disk = make_disk(2, side=64, radius=20).astype(bool)
    assert form(disk, (1.0, 1.0))["eccentricity"] < 0.1
    assert form(disk, (1.0, 2.0))["eccentricity"] == pytest.approx(math.sqrt(3) / 2, abs=0.01)


def test_intensity_of_each_channel() -> None:
    mask = np.array([[True, False], [True, False]])
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert intensity(mask, image) == {"red": 3, "green": 4, "blue": 5}
    assert intensity(mask, image[..., :1]) == {"intensity": 3}


def test_an_empty_mask_has_no_form() -> None:
    empty = np.zeros((4, 4), bool)
    assert boundary(empty, (1.0, 1.0)) == 0
    assert all(math.isnan(value) for value in form(empty, (1.0, 1.0)).values())


# --- samples ------------------------------------------------------------------------------------------------------


def test_samples_on_the_images_own_grid_come_back_as_they_are() -> None:
    samples = make_samples(None, ((slice(2, 4), slice(2, 6)), 0))
    for index in range(2):
        np.testing.assert_array_equal(samples.labels((), index), samples.array[index])
    box = (slice(1, 7), slice(8, 18))
    np.testing.assert_array_equal(samples.labels((), 1, box), samples.array[1][box])


def test_samples_of_a_coarser_grid_keep_their_place_and_size() -> None:
    grid = np.zeros((1, 10, 10), np.uint8)
    grid[0, 2:6, 4:8] = 3
    fine = SampleMasks(grid, (40, 20)).labels((), 0)
    assert set(np.unique(fine)) == {0, 3}
    assert np.count_nonzero(fine) == pytest.approx(16 * 8, rel=0.1)
    assert np.argwhere(fine).mean(axis=0).tolist() == [15.5, 11.5]


def test_a_box_of_a_sample_is_cut_out_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    samples = SampleMasks(rng.integers(0, 3, (1, 7, 9), np.uint8), (20, 33))
    box = (slice(3, 17), slice(11, 30))
    np.testing.assert_array_equal(samples.labels((), 0, box), samples.labels((), 0)[box])


def test_samples_that_were_not_drawn_are_left_out() -> None:
    array = np.zeros((2, 3, 4, 4), np.uint8)
    array[1, 2] = 255
    samples = SampleMasks(array, (8, 8))
    assert (samples.count, len(samples.at((0,))), len(samples.at((1,)))) == (3, 3, 2)
    with pytest.raises(InputError, match="need the axes"):
        SampleMasks(np.zeros((4, 4), np.uint8), (4, 4))


# --- matching -----------------------------------------------------------------------------------------------------


def test_existence_split_and_merge_are_counted_over_the_samples() -> None:
    left, bridge, cut = (slice(2, 6), slice(2, 6)), (slice(3, 5), slice(6, 10)), (slice(0, 12), slice(12, 14))
    samples = make_samples(None, (left, 0), (bridge, 1), (cut, 0))
    first, second, dot = match(find_regions(make_row(), 2), samples, cover=0.1)
    assert first.exists.tolist() == [True, False, True, True]
    assert first.merged.tolist() == second.merged.tolist() == [False, False, True, False]
    assert second.split.tolist() == [False, False, False, True]
    assert dot.exists.all()
    # the bridge is shared out by nearness: two of its four columns to each
    assert first.masks.sum(axis=(1, 2)).tolist() == [16, 0, 20, 16]
    assert second.masks.sum(axis=(1, 2)).tolist() == [24, 24, 28, 16]


def test_a_piece_far_away_is_no_part_of_an_object() -> None:
    samples = make_samples(((slice(9, 11), slice(15, 19)), 1))
    assert [one.masks.sum() for one in match(find_regions(make_row(), 2), samples, cover=0.1)] == [16, 24, 1]


def test_an_object_smaller_than_a_pixel_of_the_grid_is_not_lost() -> None:
    samples = SampleMasks(np.ones((2, 3, 5), np.uint8), (12, 20))
    assert [one.own.any() for one in match(find_regions(make_row(), 2), samples, cover=0.1)] == [True] * 3


def test_two_objects_in_one_pixel_of_the_grid_are_both_listed() -> None:
    labels = np.zeros((12, 20), np.uint8)
    labels[0, [0, 2]] = 1
    samples = SampleMasks(np.ones((2, 3, 5), np.uint8), (12, 20))
    found = list(match(find_regions(labels, 2), samples, cover=0.1))
    assert [one.own.any() for one in found] == [True, False]
    assert len(measured_to_end(Measured(labels, 2, None, samples), PLAIN)) == 2


# --- measurements -------------------------------------------------------------------------------------------------


def test_areas_carry_the_spread_of_the_samples() -> None:
    top = (slice(2, 3), slice(2, 6))
    samples = make_samples(None, None, (top, 0), (top, 0))
    one, two, _ = measured_to_end(Measured(make_row(), 2, (0.5, 2.0), samples), PLAIN)
    area = one.values["area"]
    assert area.value == 16
    assert area.sd == pytest.approx(math.sqrt(16 / 3))
    assert (area.low, area.high) == (12, 16)
    assert (two.values["area"].value, two.values["area"].sd, two.existence) == (24, 0, 1)
    assert one.scores["expected loss"] == pytest.approx(0.5 * (1 - 24 / 28))
    assert one.scores["sample Dice"] == pytest.approx(4 / 6 * (1 - 24 / 28))
    assert one.scores["size variation"] == pytest.approx(math.sqrt(16 / 3) / 14)
    assert two.scores["expected loss"] == 0


def test_without_shapes_the_area_is_the_same() -> None:
    samples = SampleMasks(make_samples(None, ((slice(2, 4), slice(2, 6)), 0)).array[:, ::2, ::2].copy(), (12, 20))
    quick = measured_to_end(Measured(make_row(), 2, None, samples), PLAIN.replace(shapes=False))
    assert list(quick[0].values) == ["area"]
    assert quick[0].values["area"].low == pytest.approx(8.2)
    assert quick[0].values["area"].high == pytest.approx(15.8)


@pytest.mark.parametrize("ndim", [2, 3])
def test_all_numbers_of_a_disk_or_ball(ndim: int) -> None:
    disk = make_disk(ndim, side=24, radius=8)
    smaller = make_disk(ndim, side=24, radius=6)
    samples = SampleMasks(np.stack([disk, smaller]), disk.shape)
    image = np.full((*disk.shape, 1), 7, np.uint8)
    (one,) = measured_to_end(Measured(disk, ndim, None, samples, image=image), PLAIN)
    names = ["area", "perimeter", "eccentricity", "solidity"] if ndim == 2 else ["volume", "surface", "solidity"]
    assert list(one.values) == [*names, "intensity"]
    assert one.values["intensity"].value == 7
    edge = one.values[names[1]]
    assert edge.low < edge.high <= edge.value
    assert one.values[names[0]].value == disk.sum()


def test_scores_of_the_maps() -> None:
    labels = make_row()
    sd = np.where(labels == 1, np.float32(0.5), 0)
    mean = np.stack([labels == 0, labels == 1, labels == 2]).astype(np.float32) * 0.8 + 0.1 * (labels != 0)
    one, _, dot = measured_to_end(Measured(labels, 2, sd=sd, mean=mean), PLAIN)
    assert math.isnan(one.scores["expected loss"])
    assert one.scores["max softmax"] == pytest.approx(0.1)
    assert one.scores["mean SD"] > dot.scores["mean SD"] == 0
    assert one.scores["SD per boundary"] == pytest.approx(16 * 0.5 / boundary(np.ones((4, 4), bool), (1, 1)))
    assert 0 < one.scores["soft Dice"] < 1


def test_frames_and_slices_are_measured_whole() -> None:
    stack = np.stack([make_row(), np.zeros_like(make_row())])
    masks = np.stack([stack, np.zeros_like(stack)])
    frames = follow(measure_frames(Measured(stack, 2, masks=SampleMasks(np.moveaxis(masks, 0, 1), (12, 20)))))
    slices = follow(measure_frames(Measured(stack, 3, (3.0, 1.0, 1.0), SampleMasks(masks, (2, 12, 20)))))
    for found in (frames, slices):
        assert [one.region.frame for one in found] == [(0,), (1,)]
        assert [one.values["area"].value for one in found] == [41, 0]
        assert [one.existence for one in found] == [0.5, 0]
        assert found[0].scores["expected loss"] == 0.5
        assert found[1].scores["expected loss"] == 0


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"sd": np.zeros((3, 4))}, "The SD map of shape .3, 4. does not lie on the grid"),
        ({"masks": SampleMasks(np.zeros((2, 4, 4), np.uint8), (8, 8))}, "The samples of shape"),
        ({"spacing": (1.0,)}, "must be 2 numbers"),
    ],
)
def test_pictures_of_other_grids_are_refused(change: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        Measured(make_row(), 2, **change)
