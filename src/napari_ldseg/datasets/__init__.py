"""Annotated images come as pairs of image and mask, or as training sets with an index of provenance."""

from ._drawn import drawn_pairs as drawn_pairs, is_annotated as is_annotated
from ._import import import_pairs as import_pairs, open_or_create as open_or_create
from ._index import Entry as Entry
from ._labels import (
    UNLABELLED as UNLABELLED,
    check_classes as check_classes,
    check_shape as check_shape,
    judged_classes as judged_classes,
    merge_foreground as merge_foreground,
    whole_numbers as whole_numbers,
)
from ._nnunet import read_nnunet as read_nnunet, write_nnunet as write_nnunet
from ._pairs import Pair as Pair, find_pairs as find_pairs, match_masks as match_masks
from ._training_set import DuplicateError as DuplicateError, TrainingSet as TrainingSet
