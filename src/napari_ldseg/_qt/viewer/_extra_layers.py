"""Make layers other than results: errors, measured objects, and overlays for the review."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from ._from_layers import place_on
from ._result_layers import class_colormap

CONTOUR_COLORS = {0: "transparent", 1: "#56b4e9", 2: "white", 3: "#f0e442", None: "transparent"}
SAMPLE_COLOR = "#ff4fa3"


def errors_layer(labels: Labels, errors: NDArray[np.uint8], colors: Mapping[str, str]) -> Labels:
    """Return a layer of the errors in these labels; ``colors`` names and colours the kinds in order."""
    return Labels(
        errors,
        name=f"{labels.name} errors",
        colormap=class_colormap(tuple(colors), tuple(colors.values())),
        features={"index": range(len(colors)), "error": list(colors)},
        **place_on(labels),
    )


def objects_layer(
    labels: Labels, numbers: NDArray[np.int32], rows: Sequence[Sequence[Any]], columns: Sequence[str]
) -> Labels:
    """Return a layer that numbers the objects of these labels, with a table of all objects as its features."""
    import pandas as pd  # the import takes 0.3 s; no widget should wait for it

    features = pd.DataFrame(rows, columns=columns)
    features.insert(0, "index", features["object"])
    return Labels(numbers, name=f"{labels.name} objects", features=features, **place_on(labels))


def mean_layer(data: NDArray[np.float32], **options: Any) -> Image:
    """Return a map of mean probability."""
    style = {"colormap": "viridis", "contrast_limits": (0, 1), "blending": "translucent"}
    return Image(data, name="Mean probability", rgb=False, **style, **options)


def contour_layer(data: NDArray[np.uint8], **options: Any) -> Labels:
    """Return the lines between the four bands of probability, 0 to 3."""
    return _lines(data, "Confidence contours", CONTOUR_COLORS, opacity=0.9, **options)


def sample_layer(data: NDArray[Any], **options: Any) -> Labels:
    """Return the outlines of one sample."""
    return _lines(data, "Sample", {0: "transparent", None: SAMPLE_COLOR}, **options)


def outline_layer(data: NDArray[np.uint8], width: int, **options: Any) -> Labels:
    """Return a white line of this many pixels around an object."""
    return _lines(data, "Review outline", {0: "transparent", 1: "white", None: "transparent"}, width, **options)


def _lines(
    data: NDArray[Any], name: str, colors: Mapping[int | None, str], width: int = 1, opacity: float = 1, **options: Any
) -> Labels:
    colormap = DirectLabelColormap(color_dict=dict(colors))
    layer = Labels(data, name=name, opacity=opacity, colormap=colormap, **options)
    layer.contour = width
    return layer
