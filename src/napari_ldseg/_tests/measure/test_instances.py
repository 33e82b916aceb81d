"""Objects from maps of classes and rims, counted by hand, and their numbers."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ..._util import follow
from ...config import MeasureConfig, ModelConfig, ObjectsConfig
from ...errors import InputError
from ...measure import (
    RIM,
    Measured,
    SampleMasks,
    count_objects,
    draw_rims,
    find_objects,
    find_regions,
    follow_objects,
    keep_numbers,
    match,
    split_objects,
)
from ...metrics import object_scores

Ids = NDArray[np.int32]


def touching(ndim: int = 2) -> Ids:
    """Two boxes of 8 x 6 pixels (and 8 planes deep) that touch along a side of 8."""
    ids = np.zeros((10, 10, 14)[3 - ndim :], np.int32)
    for number, first in ((1, 1), (2, 7)):
        ids[(*(slice(1, 9),) * (ndim - 1), slice(first, first + 6))] = number
    return ids


def test_a_rim_is_what_lies_near_something_else() -> None:
    rim = draw_rims(touching(), 2)
    assert (rim & (touching() == 1)).sum() == 8 * 6 - 4 * 2
    assert not rim[touching() == 0].any()
    # The edge of the image is no rim: three pixels of a row lie far enough from the background.
    assert draw_rims(np.array([[1, 1, 1, 1, 1, 0]]), 2).tolist() == [[False, False, False, True, True, False]]
    # Steps along the axes count, not diagonals.
    corner = np.ones((3, 3), np.int32)
    corner[2, 2] = 0
    assert draw_rims(corner, 1).tolist() == [[False] * 3, [False, False, True], [False, True, False]]


@pytest.mark.parametrize("ndim", [2, 3])
def test_rims_keep_touching_objects_apart(ndim: int) -> None:
    ids = touching(ndim)
    assert split_objects(ids > 0).max() == 1
    assert np.array_equal(split_objects(ids > 0, draw_rims(ids, 2), core=4), ids)


def test_what_is_all_rim_and_tiny_cores() -> None:
    mask = np.zeros((9, 20), bool)
    mask[1:3, 1:5] = True  # all rim: one object
    mask[1:8, 7:19] = True
    rim = mask.copy()
    rim[2:7, 8:12] = False  # two cores
    rim[2:7, 14:18] = False
    rim[7, 18] = False  # a hole in the rim
    assert split_objects(mask, rim, core=2).max() == 3
    assert split_objects(mask, rim, core=1).max() == 4
    assert np.array_equal(split_objects(mask, rim, core=2) > 0, mask)


def test_classes_frames_and_what_is_too_small() -> None:
    labels = np.zeros((2, 6, 12), np.uint8)
    labels[:, 1:5, 1:5], labels[:, 1:5, 5:9], labels[1, 5, 11] = 1, 2, 1
    assert [find_objects(labels, 2)[t].max() for t in (0, 1)] == [2, 3]
    assert find_objects(labels, 2, config=ObjectsConfig(smallest=2))[1].max() == 2
    assert np.array_equal(find_objects(labels, 2, config=ObjectsConfig(classes=(2,))) > 0, labels == 2)
    assert find_objects(np.zeros((3, 4), np.uint8), 2).max() == 0


def test_numbers_are_kept_by_overlap() -> None:
    before = np.array([[5, 5, 5, 0, 2, 2, 2, 0, 0]])
    now = np.array([[1, 1, 0, 0, 0, 2, 2, 0, 3]])
    assert keep_numbers(now, before).tolist() == [[5, 5, 0, 0, 0, 2, 2, 0, 6]]
    # Of two halves, the larger one keeps the number.
    assert keep_numbers(np.array([[1, 2, 2, 2]]), np.array([[7, 7, 7, 7]])).tolist() == [[8, 7, 7, 7]]
    # Of two that were merged, the larger one's number is kept.
    assert keep_numbers(np.array([[1, 1, 1, 1]]), np.array([[1, 2, 2, 2]])).tolist() == [[2, 2, 2, 2]]
    assert keep_numbers(np.zeros((1, 4), int), before[:, :4]).max() == 0


def test_an_object_keeps_its_number_along_time() -> None:
    """One object moves, one is missing in a frame, one comes later: numbers by hand."""
    frames = np.zeros((4, 1, 12), np.uint8)
    for t in range(4):
        frames[t, 0, t : t + 4] = 1
    frames[(0, 2, 3), 0, 10:12] = 1
    frames[3, 0, 8] = 1
    ids = follow_objects(find_objects(frames, 2), "t")
    assert ids[:, 0].tolist() == [
        [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 2, 2],
        [0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 2, 2],
        [0, 0, 0, 1, 1, 1, 1, 0, 3, 0, 2, 2],
    ]
    # Positions have nothing to do with each other.
    places = follow_objects(find_objects(frames[:2], 2), "p")
    assert [np.unique(one).tolist() for one in places] == [[0, 1, 2], [0, 3]]
    both = follow_objects(np.stack([find_objects(frames, 2)] * 2), "pt")
    assert np.array_equal(both[0], ids)
    assert np.array_equal(both[1], np.where(ids, ids + 3, 0))
    single = find_objects(frames[0], 2)
    assert np.array_equal(follow_objects(single, ""), single)


def drawn(*samples: Ids) -> SampleMasks:
    """Samples of one class that draw rims of 2 pixels."""
    masks = [(ids > 0).astype(np.uint8) + RIM * draw_rims(ids, 2).astype(np.uint8) for ids in samples]
    return SampleMasks(np.stack(masks), samples[0].shape, rims=True)


@pytest.mark.parametrize("ndim", [2, 3])
def test_samples_are_matched_object_by_object(ndim: int) -> None:
    """Of four samples two see two objects, one sees one, and one sees the first alone."""
    ids = touching(ndim)
    one, first = (ids > 0).astype(np.int32), np.where(ids == 1, ids, 0)
    masks = drawn(ids, ids, one, first)
    assert set(np.unique(masks.at(()))) == {0, 1}
    assert np.array_equal(masks.classes, masks.at(()))
    left, right = match(find_regions(one, ndim, objects=ids), masks, cover=0.1)
    assert left.exists.tolist() == [True] * 4
    assert right.exists.tolist() == [True, True, True, False]
    assert left.merged.tolist() == right.merged.tolist() == [False, False, True, False]
    # If the consensus is one object, two samples split it.
    (whole,) = match(find_regions(one, ndim), masks, cover=0.1)
    assert whole.split.tolist() == [True, True, False, False]


def test_the_consensus_is_drawn_on_the_labels() -> None:
    ids = touching()
    labels = (ids > 0).astype(np.uint8)
    share = np.mean([draw_rims(ids, 2), draw_rims(ids, 2), draw_rims(labels, 2), draw_rims(ids, 2)], axis=0)
    masks = drawn(ids, ids, labels.astype(np.int32), np.where(ids == 1, ids, 0))
    source = Measured(labels, 2, (0.5, 2.0), masks)
    found = follow(count_objects(source, ObjectsConfig(core=4), rim=share))
    assert np.array_equal(found.ids, ids)
    assert [one.region.object for one in found.measurements] == [1, 2]
    assert [one.existence for one in found.measurements] == [1, 0.75]
    assert [one.merge for one in found.measurements] == [0.25, 0.25]
    assert [one.values["area"].value for one in found.measurements] == [48, 48]
    assert found.measurements[1].values["area"].low == pytest.approx(np.quantile([48, 48, 48, 0], 0.025))
    # Where the rule wants more rim than there is, they stay one; and what too few samples have goes.
    assert follow(count_objects(source, ObjectsConfig(rim_share=0.9), rim=share)).ids.max() == 1
    sure = follow(count_objects(source, ObjectsConfig(existence=0.8), rim=share))
    assert np.array_equal(sure.ids, np.where(ids == 1, 1, 0))
    assert len(sure.measurements) == 1


def test_objects_without_samples_and_with_earlier_numbers() -> None:
    ids = touching()
    labels = (ids == 2).astype(np.uint8)
    found = follow(count_objects(Measured(labels, 2), before=ids))
    assert np.array_equal(found.ids, np.where(ids == 2, 2, 0))
    assert np.isnan(found.measurements[0].existence)
    assert found.measurements[0].region.pixels == 48
    assert len(follow(count_objects(Measured(labels, 2), config=MeasureConfig(smallest=49))).measurements) == 0
    with pytest.raises(InputError, match="objects of shape"):
        Measured(labels, 2, objects=ids[1:])


def test_object_scores_see_what_rims_keep_apart() -> None:
    ids = touching()
    parted = object_scores(split_objects(ids > 0, draw_rims(ids, 2)), ids)
    assert parted.f1 == parted.dice == 1
    assert object_scores(split_objects(ids > 0), ids).f1 == pytest.approx(2 / 3)


def test_a_model_states_its_objects() -> None:
    wanted = {"class_names": ("background", "gland"), "network": {"classes": 3}, "objects": {"classes": [1], "rim": 2}}
    model = ModelConfig.parse(wanted)
    assert model.classes == 2
    assert model.objects.rims == (1,)
    assert model.objects.enlarged((2.0, 1.5)).core == 12
    for faulty, words in (
        ({"classes": [1]}, "3 classes need"),
        ({"classes": [2], "rim": 2}, "objects.classes must be below 2"),
        ({"rim": 2}, "needs objects.classes"),
        ({"classes": [1, 1]}, "different classes"),
    ):
        with pytest.raises(InputError, match=words):
            ModelConfig.parse({**wanted, "objects": faulty})
