"""Annotated images come as pairs of image and mask, or as training sets with an index of provenance."""

from ._import import import_pairs, open_or_create
from ._index import Entry
from ._labels import UNLABELLED, check_classes, check_shape, judged_classes, merge_foreground, whole_numbers
from ._pairs import Pair, find_pairs, match_masks
from ._training_set import DuplicateError, TrainingSet

__all__ = [
    "UNLABELLED",
    "DuplicateError",
    "Entry",
    "Pair",
    "TrainingSet",
    "check_classes",
    "check_shape",
    "find_pairs",
    "import_pairs",
    "judged_classes",
    "match_masks",
    "merge_foreground",
    "open_or_create",
    "whole_numbers",
]
