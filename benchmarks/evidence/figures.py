"""Draw the tables of ``claims.py`` and ``compare.py``.

    python -m benchmarks.evidence.figures benchmarks/results/glas

draws an SVG beside each JSON of the folder, and beside ``compare_glas.json`` next to the folder. Both scripts do this
themselves when ``--out`` is given. ``uncertainty`` has no picture of its own; ``curves`` shows what it summarises.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

Rows = list[dict[str, object]]

# Okabe & Ito 2008: distinguishable with any kind of colour vision.
BLUE, ORANGE, GREEN, YELLOW = "#0072B2", "#D55E00", "#009E73", "#F0E442"
DARK, GREY = "#12263A", "#9AA5B1"
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelcolor": DARK,
    "axes.prop_cycle": matplotlib.cycler(color=[BLUE, ORANGE, GREEN]),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "font.size": 9,
    "grid.color": "#E3E6EA",
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "svg.fonttype": "path",
    "svg.hashsalt": "napari-ldseg",
    "xtick.color": DARK,
    "ytick.color": DARK,
}
LINES = {
    "mean of the samples": (BLUE, "-"),
    "one pass": (ORANGE, "-"),
    "SD of the samples": (BLUE, "-"),
    "1 - mean probability of the mean": (GREEN, "--"),
    "1 - probability of one pass": (ORANGE, "-"),
    "softmax of a Res-UNet": (DARK, "--"),
    "1 - softmax of a Res-UNet": (DARK, "--"),
    "mean SD": (BLUE, "-"),
    "1 - soft Dice confidence": (GREEN, "--"),
    "1 - mean pairwise Dice": (ORANGE, "-"),
    "oracle": (DARK, ":"),
    "random": (GREY, ":"),
}


def steps(rows: Rows) -> Figure:
    """Plot DSC and seconds against the number of steps (Fig. 3)."""
    figure = Figure((7, 3), layout="constrained")
    score, time = figure.subplots(1, 2, width_ratios=[2, 1])
    for name in distinct(rows, "sampler"):
        mine = [row for row in rows if row["sampler"] == name]
        counts = [row["K"] for row in mine]
        score.plot(counts, [row["DSC"] for row in mine], "o-", label=name)
        time.plot(counts, [row["seconds an image"] for row in mine], "o-")
    for axes, unit in ((score, "mean DSC of one sample"), (time, "seconds an image")):
        axes.set(xscale="log", xlabel="steps K", ylabel=unit)
        counts = distinct(rows, "K")[:: 1 if axes is score else 2]
        axes.set_xticks(counts, counts)
        axes.minorticks_off()
    time.set_ylim(0)
    score.legend()
    return figure


def noise(rows: Rows) -> Figure:
    """Plot the DSC of noisy and of otherwise corrupted images (Fig. 5)."""
    figure = Figure((9, 4), layout="constrained")
    noisy, others = figure.subplots(1, 2, width_ratios=[2, 3], sharey=True)
    ways = [("DSC, samples", "o-", "mean of samples"), ("DSC, first guess", "o--", "first guess")]
    if "DSC, Res-UNet" in rows[0]:
        ways.append(("DSC, Res-UNet", "s:", "Res-UNet"))
    for name, color in (("noise, clipped", BLUE), ("noise, rescaled", ORANGE)):
        mine = [row for row in rows if row["change"] == name]
        for column, line, label in ways:
            values = [row[column] for row in mine]
            noisy.plot([row["level"] for row in mine], values, line, color=color, label=f"{name[7:]}: {label}")
    start, places, levels = 0.0, [], []
    for name in (name for name in distinct(rows, "change") if not name.startswith("noise")):
        mine = [row for row in rows if row["change"] == name]
        x = start + np.arange(len(mine))
        for column, line, _ in ways:
            others.plot(x, [row[column] for row in mine], line, color=GREEN)
        others.text(x.mean(), 0.98, name, ha="center", va="top", transform=others.get_xaxis_transform())
        places, levels, start = [*places, *x], [*levels, *(f"{row['level']:g}" for row in mine)], x[-1] + 2
    for column, line, label in ways:
        others.axhline(rows[0][column], color=GREY, linestyle=line[1:], linewidth=1, label=f"unchanged: {label}")
    others.set_xticks(places, levels)
    noisy.set(xlabel="sigma of the noise (white = 1)", ylabel="mean DSC")
    others.set(xlabel="strength of the change")
    low, high = noisy.get_ylim()
    noisy.set_ylim(low, high + 0.1 * (high - low))
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.17), "fontsize": "small"}
    noisy.legend(ncols=2, **below)
    others.legend(**below)
    return figure


def codec(rows: Rows) -> Figure:
    """Plot the DSC of masks that went through each codec (Table V)."""
    figure = Figure((6, 1.8), layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    axes.plot([row["DSC"] for row in rows], places, "o", color=BLUE, label="mean")
    axes.plot([row["worst"] for row in rows], places, "o", color=BLUE, markerfacecolor="white", label="worst image")
    named(axes, [f"{row['codec']}\n{row['numbers a cell']}" for row in rows])
    axes.set(xlabel="DSC of a mask after encoding and decoding")
    return figure


def size(rows: Rows) -> Figure:
    """Plot seconds against the side of the image (Fig. 4b)."""
    figure = Figure((4.5, 3), layout="constrained")
    axes = figure.subplots()
    sides = [row["side"] for row in rows]
    for name in (name for name in rows[0] if name not in ("side", "ratio")):
        axes.plot(sides, [row[name] for row in rows], "o-", label=name)
    axes.set(xscale="log", yscale="log", xlabel="side of the image (pixels)", ylabel="seconds for one sample")
    axes.set_xticks(sides, sides)
    axes.minorticks_off()
    axes.legend()
    return figure


def curves(rows: Rows) -> Figure:
    """Plot calibration, error detection, and risk against coverage."""
    figure = Figure((10, 6.6), layout="constrained")
    panels = {
        "reliability": (
            "Calibration at the border (discs: pixels)",
            "probability of foreground",
            "share of foreground",
        ),
        "sparsification": ("Error left after removal", "share of the pixels removed", "share of errors in the rest"),
        "found": ("Errors found by review", "share of the pixels looked at", "share of the errors found"),
        "risk-coverage": ("Images to trust", "share of the images accepted", "their mean 1 - DSC"),
    }
    for axes, (name, (title, across, up)) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
        panel = [row for row in rows if row["figure"] == name]
        for curve in distinct(panel, "curve"):
            mine = [row for row in panel if row["curve"] == curve]
            color, line = LINES[curve]
            x, y = [row["x"] for row in mine], [row["y"] for row in mine]
            axes.plot(x, y, color=color, linestyle=line, label=curve)
            if name == "reliability":
                axes.scatter(x, y, [300 * row["share"] for row in mine], color=color, alpha=0.5, linewidth=0)
        if name == "reliability":
            axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="perfect")
        axes.set(title=title, xlabel=across, ylabel=up, xlim=(0, 1))
        axes.set_ylim(0)
        inside = name in ("reliability", "found")
        axes.legend(fontsize="small", **({} if inside else {"loc": "upper left", "bbox_to_anchor": (1, 1)}))
    return figure


def compare(rows: Rows) -> Figure:
    """Plot the DSC of each network: of one sample, and of the mean of several (Tables I to III, V)."""
    figure = Figure((7, 0.8 + 0.28 * len(rows)), layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    one, mean = [row["DSC"] for row in rows], [row["DSC of the mean"] for row in rows]
    axes.hlines(places, one, mean, color=GREY)
    axes.plot(one, places, "o", color=BLUE, markerfacecolor="white", label="one answer")
    axes.plot(mean, places, "o", color=BLUE, label="mean of the answers")
    named(axes, [row[""] for row in rows])
    axes.set(xlabel="mean DSC")
    return figure


def distinct(rows: Rows, key: str) -> list:
    """Return the values of a column, each once, in their order."""
    return list(dict.fromkeys(row[key] for row in rows))


def named(axes: Axes, names: list[str]) -> None:
    """Label the rows, the first on top, and put the legend to the right."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))


FIGURES = {"steps": steps, "noise": noise, "codec": codec, "size": size, "curves": curves, "compare": compare}


def draw(path: Path) -> None:
    """Draw the SVG beside a JSON, if this experiment has one (``compare_glas.json`` is ``compare``)."""
    make = FIGURES.get(path.stem.split("_")[0])
    if make is None:
        return
    with matplotlib.rc_context(STYLE):
        figure = make(json.loads(path.read_text())["rows"])
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})


class Picture(NamedTuple):
    """Hold one row of :func:`draw_maps`: planes of the same shape."""

    title: str
    image: np.ndarray
    reference: np.ndarray
    labels: np.ndarray
    mean: np.ndarray
    sd: np.ndarray


def draw_maps(path: Path, pictures: Iterable[Picture]) -> None:
    """Draw a row per image as PNG: reference outline, mean map, SD map, errors of the mean map (Fig. 7)."""
    pictures = list(pictures)
    height, width = pictures[0].reference.shape
    errors = {"missed": ORANGE, "too much": BLUE, "another class": YELLOW}
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure((10, 0.9 + len(pictures) * 2.45 * height / width), layout="constrained")
        grid = figure.subplots(len(pictures), 4, squeeze=False)
        for row, picture in zip(grid, pictures, strict=True):
            row[0].imshow(picture.image, cmap="gray")
            for label in range(1, picture.reference.max() + 1):
                row[0].contour(picture.reference == label, [0.5], colors=[YELLOW], linewidths=1)
            mean = row[1].imshow(picture.mean, cmap="gray", vmin=0, vmax=1)
            sd = row[2].imshow(picture.sd, cmap="magma", vmin=0, vmax=0.5)
            row[3].imshow(error_colors(picture.labels, picture.reference, list(errors.values())))
            row[0].set_ylabel(picture.title)
            for axes in row:
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
        for axes, title in zip(grid[0], ("image, reference", "mean", "SD", "errors of the mean map"), strict=True):
            axes.set_title(title)
        for axes, shown, unit in zip(grid[-1, 1:3], (mean, sd), ("foreground", "SD"), strict=True):
            scale = axes.inset_axes((0.05, -0.12, 0.9, 0.05))
            figure.colorbar(shown, cax=scale, orientation="horizontal", label=f"{unit} (probability)")
        many = max(picture.reference.max() for picture in pictures) > 1
        handles = [Patch(color=color, label=name) for name, color in list(errors.items())[: 3 if many else 2]]
        grid[-1, 3].legend(handles=handles, loc="upper left", bbox_to_anchor=(0, 0))
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110, bbox_inches="tight", metadata={"Software": None})


def error_colors(labels: np.ndarray, reference: np.ndarray, colors: list[str]) -> np.ndarray:
    """Return RGBA: light where the label is right, else the colour of a miss, a false alarm or a wrong class."""
    kinds = np.select([labels == reference, labels == 0, reference == 0], [0, 1, 2], 3)
    return matplotlib.colors.to_rgba_array(["#F2F4F6", *colors])[kinds]


def main() -> None:
    """Draw every JSON of a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for path in sorted([*folder.glob("*.json"), *folder.parent.glob(f"compare_{folder.name}.json")]):
        draw(path)


if __name__ == "__main__":
    main()
