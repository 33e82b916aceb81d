"""Draw the tables of ``speed.py``."""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from ..evidence.figures import BLUE, DARK, GREEN, GREY, ORANGE, STYLE, distinct

COLORS = {"embed": BLUE, "sample": ORANGE, "decode": GREEN, "rest": GREY}


def plot_stages(rows: list[dict]) -> Figure:
    """Stack the seconds of the stages per sample, one bar for each N, with the most threads."""
    most = max(row["threads"] for row in rows)
    models = distinct(rows, "model")
    figure = Figure((2.6 * len(models), 3), layout="constrained")
    for axes, model in zip(figure.subplots(1, len(models), squeeze=False)[0], models, strict=True):
        shown = [row for row in rows if row["model"] == model and row["threads"] == most]
        names, below = [str(row["N"]) for row in shown], [0.0] * len(shown)
        for part, color in COLORS.items():
            heights = [row[part] / row["N"] for row in shown]
            axes.bar(names, heights, bottom=below, label=part, color=color)
            below = [a + b for a, b in zip(below, heights, strict=True)]
        axes.set(title=model, xlabel="N")
    figure.axes[0].set_ylabel(f"seconds / N, threads {most}")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper")
    return figure


def plot_scaling(rows: list[dict]) -> Figure:
    """Draw a panel for each quantity that grows."""
    kinds = distinct(rows, "what")
    figure = Figure((2.6 * len(kinds), 3), layout="constrained")
    for axes, kind in zip(figure.subplots(1, len(kinds), sharey=True), kinds, strict=True):
        shown = [row for row in rows if row["what"] == kind]
        values = [row["value"] for row in shown]
        for part, color in (("seconds", DARK), ("sampling", ORANGE)):
            axes.plot(values, [row[part] for row in shown], "o-", label=part, color=color)
        axes.set(xlabel=kind, xscale="log", yscale="log")
        axes.set_xticks(values, [f"{value:.3g}" if value < 100 else f"{value:.0f}" for value in values], rotation=45)
        axes.xaxis.minorticks_off()
    figure.axes[0].set_ylabel("seconds")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper")
    return figure


PLOTS = {"stages": plot_stages, "scaling": plot_scaling}


def plot(name: str, rows: list[dict], path: Path) -> None:
    """Draw the table of an experiment as SVG, if it has a plot."""
    if name in PLOTS:
        with matplotlib.rc_context(STYLE):
            PLOTS[name](rows).savefig(path, metadata={"Date": None})
