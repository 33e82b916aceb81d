"""A result as it crosses: its maps; all that the client knows itself stays there."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError
from ..inference import Segmentation
from ..measure import SampleMasks
from ..plan import Plan
from ._wire import pack

MAPS = ("labels", "mean", "sd", "sizes", "probability", "highest", "ood", "masks")


def pack_result(result: Segmentation) -> bytes:
    """Return a result as bytes. What the engine refines in place is copied by this."""
    maps: dict[str, Any] = {name: getattr(result, name) for name in MAPS if getattr(result, name) is not None}
    if result.masks is not None:
        maps["masks"] = result.masks.array
    if result.probability is result.mean:
        maps.pop("probability", None)
    return pack({"samples": result.samples, "provenance": result.provenance}, maps)


def result_of(plan: Plan, values: Any, maps: Mapping[str, NDArray[Any]], server: str) -> Segmentation:
    """Return the result of a plan from what the server sent.

    Raises
    ------
    EngineError
        It sent something else.
    """
    frames, classes = plan.frames, plan.model.network.classes
    shape = (*frames.leading, *frames.shape)
    with_classes = (*frames.leading, classes, *frames.shape)
    wanted = {"labels": shape, "sd": shape, "mean": with_classes, "probability": with_classes, "highest": shape}
    fits = all(name not in maps or maps[name].shape == side for name, side in wanted.items())
    if not (fits and isinstance(values, dict) and {"labels", "sd", "mean", "sizes"} <= maps.keys()):
        raise EngineError(f"The server at {server} answered with a result of another image; update it, and run again.")
    masks = maps.get("masks")
    return Segmentation(
        labels=maps["labels"],
        mean=maps["mean"],
        sd=maps["sd"],
        sizes=maps["sizes"],
        axes=frames.axes,
        spacing=frames.spacing,
        unit=plan.image.unit,
        class_names=plan.model.class_names,
        class_colors=plan.model.class_colors,
        samples=int(values["samples"]),
        provenance={**dict(values["provenance"]), "image": plan.image.name, "server": server},
        masks=None if masks is None or not np.size(masks) else SampleMasks(masks, frames.shape),
        probability=maps.get("probability", maps["mean"]),
        highest=maps.get("highest"),
        ood=maps.get("ood"),
        geometry=plan.image.geometry,
    )
