"""Count the objects of a segmentation: numbers that stay, and what the samples say of each."""

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .._util import Progress
from ..config import MeasureConfig, ObjectsConfig
from ._instances import Ids, find_objects, follow_objects, keep_numbers
from ._objects import Measured, Measurement, measure_objects


@dataclass(frozen=True)
class Objects:
    """The objects of a segmentation.

    Attributes
    ----------
    ids : int32 array, shape ``(*frames, (Z), Y, X)``
        The number of each pixel's object; 0 where there is none.
    measurements : list of Measurement
        One for each object in each frame: its area, existence, and how often the samples split or merge it.
    """

    ids: Ids
    measurements: list[Measurement]


def count_objects(
    source: Measured,
    rule: ObjectsConfig | None = None,
    config: MeasureConfig | None = None,
    *,
    rim: NDArray[np.floating] | None = None,
    letters: str = "",
    before: NDArray[np.integer] | None = None,
) -> Generator[Progress, None, Objects]:
    """Tell the objects of a segmentation apart, measure them, and leave out what the rule calls too small or unlikely.

    The consensus is drawn on the labels, so that objects and classes never contradict each other: a pixel separates
    two objects where the share of rim in the map is large enough. Each sample is told apart in the same way, by its own
    rims, and matched with the consensus object by object (:func:`match`).

    Parameters
    ----------
    source : Measured
        Its ``objects`` are not looked at.
    rule : ObjectsConfig, optional
        That of the model; its sizes count pixels of the labels.
    config : MeasureConfig, optional
        By default every object counts, however small, and only sizes are measured.
    rim : float array like the labels, optional
        Share of rim in the map, 0 to 1.
    letters : str
        One letter for each axis of the frames (:func:`follow_objects`).
    before : integer array like the labels, optional
        Earlier numbers, which are kept where the objects are the same (:func:`keep_numbers`).

    Yields
    ------
    Progress
        The number of objects measured.
    """
    rule, config = rule or ObjectsConfig(), config or MeasureConfig(smallest=1, shapes=False)
    between = None if rim is None else np.asarray(rim) >= rule.rim_share
    ids = follow_objects(find_objects(source.labels, source.ndim, between, rule), letters)
    if before is not None:
        ids = keep_numbers(ids, before)
    found = yield from measure_objects(replace(source, objects=ids), config)
    kept = []
    for one in found:
        if one.existence < rule.existence:  # never where there are no samples: nan
            ids[one.region.frame][one.region.box][one.region.mask] = 0
        else:
            kept.append(one)
    return Objects(ids, kept)
