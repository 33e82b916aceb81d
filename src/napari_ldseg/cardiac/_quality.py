"""Give a measurement one traffic light: are the frames that it rests on like those that the model knows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._measure import Cardiac, stretched

LIGHTS = GREEN, AMBER, RED = "green", "amber", "red"
UNKNOWN = "unknown"
_MEANING = {
    GREEN: "both frames are like those of training",
    AMBER: "look at the outlines of both frames before you trust the numbers",
    RED: "do not trust the numbers; is this an apical view, with the probe at the top?",
    UNKNOWN: "the model does not say how well it knows such frames",
}


@dataclass(frozen=True)
class Quality:
    """How far a measurement can be trusted.

    Attributes
    ----------
    light : {"green", "amber", "red", "unknown"}
        That of the worst frame of end-diastole and end-systole, in the worst view.
    scores : float array ``(T,)``
        Out-of-distribution score of each frame (``Segmentation.ood``), of the worse view; nan if unknown.
    """

    light: str
    scores: NDArray[np.float64]

    @property
    def words(self) -> str:
        """The light, and what it asks for."""
        return f"{self.light.capitalize()}: {_MEANING[self.light]}."


def light_of(score: float, limits: Sequence[float]) -> str:
    """Return the light of an out-of-distribution score: green up to the first limit, red above the second."""
    return RED if score > limits[1] else AMBER if score > limits[0] else GREEN


def judge(cardiac: Cardiac, *provenances: Mapping[str, Any]) -> Quality:
    """Return the light of a measurement.

    Parameters
    ----------
    cardiac : Cardiac
    provenances : mapping
        Of the labels of each view: scores and limits of their model, as :func:`napari_ldseg.segment` notes them.
    """
    views, lights = [], []
    for notes in provenances:
        scores, limits = np.atleast_1d(np.asarray(notes.get("ood_scores", ()), float)), notes.get("ood_limits")
        if limits is None or not len(scores) or (len(provenances) == 1 and len(scores) != cardiac.frames):
            views.append(np.full(cardiac.frames, math.nan))
            lights.append(UNKNOWN)
            continue
        views.append(scores[stretched(len(scores), cardiac.frames)])
        lights.append(light_of(max(views[-1][cardiac.ed], views[-1][cardiac.es]), limits))
    order = (GREEN, AMBER, UNKNOWN, RED)
    scores = np.max(views, axis=0) if views else np.full(cardiac.frames, math.nan)
    return Quality(max(lights, key=order.index, default=UNKNOWN), scores)
