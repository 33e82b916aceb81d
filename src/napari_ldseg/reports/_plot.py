"""Plot the scores of many cases."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .._util import optional
from ..metrics import Summary

POINT, MEAN = "#8aa1b8", "#12263a"
JITTER = 0.14
INCHES = 0.85


def plot_scores(rows: Iterable[Mapping[str, float]], summary: Mapping[str, Summary]) -> str:
    """Draw each score of each case as a point, and its mean with the 95 % interval, as SVG.

    Scores between 0 and 1 share the left axis, distances the right one.

    Parameters
    ----------
    rows : iterable of mapping
        The scores of each case, as :func:`napari_ldseg.measure.score_case` gives them.
    summary : mapping
        As :func:`napari_ldseg.measure.summarize` gives it.

    Raises
    ------
    InputError
        If matplotlib is missing; the message holds the command that installs it.
    """
    figure = _figure()
    cases = list(rows)
    values = {key: np.array([row.get(key, np.nan) for row in cases], dtype=float) for key in summary}
    known = {key: every for key, every in values.items() if np.isfinite(every).any()}
    lengths = [key for key in known if key.startswith(("hd95", "assd")) or key.endswith("hausdorff")]
    shares = [key for key in known if key not in lengths]
    panels = [(keys, name) for keys, name in ((shares, "Score"), (lengths, "Distance")) if keys]
    figure.set_size_inches(2 + INCHES * sum(len(keys) for keys, _ in panels), 4.2)
    axes = figure.subplots(1, max(len(panels), 1), squeeze=False, width_ratios=[len(k) for k, _ in panels] or None)[0]
    for axis, (keys, name) in zip(axes, panels, strict=False):
        _strips(axis, keys, known, summary)
        axis.set_ylabel(name)
    if shares:
        low = min(0.0, *(float(np.nanmin(known[key])) for key in shares))
        axes[0].set_ylim(low - 0.02, max(1.02, *(float(np.nanmax(known[key])) for key in shares)))
    picture = io.StringIO()
    figure.savefig(picture, format="svg", metadata={"Date": None})
    return picture.getvalue()


def _strips(axis: Any, keys: Sequence[str], values: Mapping[str, Any], summary: Mapping[str, Summary]) -> None:
    """Draw a strip of points for each score."""
    rng = np.random.default_rng(0)
    for place, key in enumerate(keys):
        points = values[key][np.isfinite(values[key])]
        axis.scatter(place + rng.uniform(-JITTER, JITTER, len(points)), points, s=14, color=POINT, linewidth=0)
        mean = summary[key]
        if np.isfinite([mean.low, mean.high]).all():
            axis.plot([place + 0.28] * 2, [mean.low, mean.high], color=MEAN, linewidth=1.6)
        axis.plot(place + 0.28, mean.mean, "o", color=MEAN, markersize=5)
    axis.set_xticks(range(len(keys)), [f"{key}\n{summary[key].mean:.3g}" for key in keys], rotation=30, ha="right")
    axis.set_xlim(-0.6, len(keys) - 0.4)
    axis.grid(axis="y", color="#e3e6ea")
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def _figure() -> Any:
    """Return an empty figure without a window and without pyplot's global state."""
    return optional("matplotlib.figure", "A plot", "plots").Figure(layout="constrained")
