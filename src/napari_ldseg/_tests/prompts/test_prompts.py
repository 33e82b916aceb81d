"""Prompts as pixels: of the image, and of coarser and finer grids."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from ...data import Image
from ...errors import InputError
from ...plan import plan_image
from ...prompts import NOTHING, Prompt, Said, box, labels, line, point, polygon, say
from ..builders import make_tiny_config

NAMES = ("background", "gland")


def said(*prompts: Prompt, shape: tuple[int, ...] = (20, 30), ndim: int = 2, ratio: float = 1.0) -> Said:
    ratios = (ratio,) * (ndim - 1) + (1.0,)
    return say(prompts, shape, ndim, NAMES, ratio=ratios, radius=1.0, name="slide")


def pixels(found: Said, shape: tuple[int, ...] = (20, 30), frame: tuple[int, ...] = ()) -> NDArray[np.uint8]:
    ndim = len(shape)
    values = found.on(frame, [(0, n) for n in shape], (0.0,) * ndim, (1.0,) * ndim)
    assert values is not None
    return values


def test_a_point_is_a_disk_around_a_pixel() -> None:
    values = pixels(said(point((5, 7), "gland", 2)))
    assert np.count_nonzero(values == 1) == 13  # all within two pixels of one
    assert values[5, 5:10].tolist() == [1] * 5
    assert np.count_nonzero(values == NOTHING) == 600 - 13
    assert np.count_nonzero(pixels(said(point((5.4, 6.6), 1, 0))) == 1) == 1  # radius 0 is the pixel it lies in


def test_a_ball_is_as_flat_as_the_pixels_are_thick() -> None:
    thick = said(point((5, 10, 10), 1, 3), shape=(20, 20, 20), ndim=3, ratio=3.0)
    values = pixels(thick, (20, 20, 20))
    assert np.flatnonzero((values == 1).any(axis=(1, 2))).tolist() == [4, 5, 6]
    assert np.flatnonzero((values == 1).any(axis=(0, 1))).tolist() == [7, 8, 9, 10, 11, 12, 13]


def test_lines_have_no_holes_however_long_and_thin() -> None:
    values = pixels(said(line([(0, 0), (19, 29)], 0, 0)))
    assert (values == 0).any(axis=0).all()
    assert (values == 0).any(axis=1).all()
    long = said(line([(3, 0), (3, 999)], 1, 1), shape=(8, 1000))
    assert np.count_nonzero(pixels(long, (8, 1000)) == 1) == 3 * 1000  # rows 2, 3, 4; it is cut off at the border
    assert max(patch.values.size for patch in long.frames[()]) < 1000  # in pieces


def test_boxes_and_polygons_with_holes() -> None:
    assert np.count_nonzero(pixels(said(box((2, 3), (5, 9), 1))) == 1) == 4 * 7
    assert np.count_nonzero(pixels(said(box((5, 9), (2, 3), 1))) == 1) == 4 * 7
    outline = [(1.5, 1.5), (1.5, 11.5), (11.5, 11.5), (11.5, 1.5)]
    hole = [(3.5, 3.5), (3.5, 6.5), (6.5, 6.5), (6.5, 3.5)]
    values = pixels(said(polygon([outline, hole], 1)))
    assert np.count_nonzero(values == 1) == 10 * 10 - 3 * 3
    assert (values[4:7, 4:7] == NOTHING).all()


def test_later_prompts_win() -> None:
    both = said(box((0, 0), (9, 9), 1), box((5, 5), (9, 9), 0))
    assert np.count_nonzero(pixels(both) == 1) == 75
    assert np.count_nonzero(pixels(both) == 0) == 25
    array = np.full((20, 30), 255)
    array[0, :4] = (0, 1, 1, 255)
    assert pixels(said(box((0, 0), (9, 9), 1), labels(array)))[0, :5].tolist() == [0, 1, 1, 1, 1]


def test_prompts_lie_in_their_frame() -> None:
    found = said(point((3, 5, 5), 1, 0), box((7, 0, 0), (8, 1, 1), 0), shape=(10, 20, 30))
    assert set(found.frames) == {(3,), (7,), (8,)}
    array = np.full((10, 20, 30), 255)
    array[4, 6:8, 9] = 1
    assert [patch.frame for patch in said(labels(array), shape=(10, 20, 30)).frames[4,]] == [(4,)]


def test_a_coarse_pixel_is_of_a_class_where_a_part_of_it_is() -> None:
    found = said(point((5, 7), 1, 0), point((11, 20), 0, 0))
    coarse = found.on((), [(0, 5), (0, 8)], (0, 0), (4, 4))
    assert coarse is not None
    assert np.argwhere(coarse != NOTHING).tolist() == [[1, 1], [2, 5]]
    fine = found.on((), [(0, 60), (0, 90)], (0, 0), (1 / 3, 1 / 3))
    assert fine is not None
    assert np.argwhere(fine == 1).tolist() == [[y, x] for y in (15, 16, 17) for x in (21, 22, 23)]
    assert found.on((), [(0, 3), (0, 3)], (0, 0), (1, 1)) is None
    part = found.on((), [(0, 4), (0, 4)], (4, 6), (1, 1))
    assert part is not None
    assert np.argwhere(part == 1).tolist() == [[1, 1]]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: point((25, 3), 1), "25, 3 lies outside of 'slide' .20 x 30.; is it of another image"),
        (lambda: point((-3, 3), 1), "lies outside"),
        (lambda: point((3, 3), 2), "of the class 2; the model knows 0 background, 1 gland"),
        (lambda: point((3, 3), "lumen"), "of the class 'lumen'; the model knows"),
        (lambda: point((1, 3, 3), 1), "has 3 coordinates, and 'slide' 2 axes"),
        (lambda: point((np.nan, 3), 1), "finite numbers"),
        (lambda: point(("a", 3), 1), "no numbers"),
        (lambda: point((3, 3), 1, -1), "must be 0 .one pixel. or more"),
        (lambda: labels(np.zeros((20, 31), int)), "20 x 31 pixels and 'slide' 20 x 30: it is of another image"),
        (lambda: labels(np.full((20, 30), 7)), "name the class 7; the model knows"),
        (lambda: labels(np.full((20, 30), 0.5)), "holds the classes 0, 1, 2"),
        (lambda: labels(np.full((20, 30), -1)), "holds the classes 0, 1, 2"),
        (lambda: polygon([[(0, 0), (1, 1)]], 1), "at least 3 places"),
    ],
)
def test_bad_prompts_are_refused_in_words(make: Callable[[], Prompt], words: str) -> None:
    with pytest.raises(InputError, match=words):
        said(make())


def test_lines_and_polygons_stay_in_one_frame_and_slice() -> None:
    with pytest.raises(InputError, match="lies in one frame"):
        said(line([(0, 1, 1), (1, 5, 5)], 1), shape=(4, 20, 30))
    with pytest.raises(InputError, match="in one slice"):
        said(polygon([[(0, 1, 1), (1, 5, 5), (0, 5, 1)]], 1), shape=(4, 20, 30), ndim=3)


def test_a_plan_brings_prompts_onto_its_grids() -> None:
    image = Image(np.zeros((4, 64, 64, 3), np.uint8), "tyxc", name="cine")
    plan = plan_image(image, make_tiny_config(), prompts=[box((2, 0, 0), (2, 7, 7), 1)])
    grid = plan.said_of_grid((2,), ((0, 32), (0, 32)))
    assert grid is not None
    assert plan.said_of_grid((1,), ((0, 32), (0, 32))) is None
    assert np.count_nonzero(grid == 1) == 16  # 64 pixels are seen as 32
    result = plan.said_of_result((2,))
    assert result is not None
    assert np.count_nonzero(result == 1) == 64
    assert plan.sentence().endswith("steered by 1 prompt")
    assert "takes no prompts" in plan.warnings()[-1]
    assert plan.place_in_image((2,), (0, 31)) == (2.0, 0.5, 62.5)
