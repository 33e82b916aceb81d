"""Turn measurements into a table, and the table into CSV."""

import csv
import io
import math
from dataclasses import dataclass

from ..measure import RANKINGS
from ._report import Report

Cell = str | int | float
SYMBOLS = {
    "nanometer": "nm",
    "micrometer": "\N{MICRO SIGN}m",
    "millimeter": "mm",
    "centimeter": "cm",
    "meter": "m",
    "pixel": "px",
}
POWERS = {"perimeter": 1, "area": 2, "surface": 2, "volume": 3}
SUPERSCRIPTS = {1: "", 2: "\N{SUPERSCRIPT TWO}", 3: "\N{SUPERSCRIPT THREE}"}


@dataclass(frozen=True)
class Table:
    """Columns and rows. Undefined numbers are nan."""

    columns: list[str]
    rows: list[list[Cell]]


def unit_symbol(unit: str, power: int = 1) -> str:
    """Return, for example, "µm²" for ("micrometer", 2)."""
    return SYMBOLS.get(unit, unit) + SUPERSCRIPTS[power]


def table(report: Report, *, symbols: bool = False) -> Table:
    """Return a row for each object: its place, its measurements with SD and interval, and its scores.

    The place is the object's pixel nearest to its centroid, in pixels. The column headers hold units, in plain letters
    (for files) or as ``symbols``.
    """
    source = report.source
    frames = [f"frame {i + 1}" for i in range(source.labels.ndim - source.ndim)]
    names = list(dict.fromkeys(name for one in report.measurements for name in one.values))
    sampled = source.masks is not None
    columns = ["object", "class", *["core"] * bool(report.cores), *frames, *"zyx"[-source.ndim :]]
    for name in names:
        columns.append(_head(name, report.unit, symbols))
        columns += [f"{name} SD", f"{name} low", f"{name} high"] if sampled else []
    scores = [name for name in RANKINGS if any(math.isfinite(one.scores[name]) for one in report.measurements)]
    # The score "existence" says how likely the object does *not* exist; its column holds the share itself.
    scores = [name for name in scores if name not in ("existence", "split or merge")]
    columns += ["existence", "split", "merge"] if sampled else []
    columns += [*scores, *["review"] * bool(report.states)]
    rows: list[list[Cell]] = []
    for one in report.measurements:
        region = one.region
        row: list[Cell] = [region.shown, report.class_name(region.label)]
        row += [report.cores.get(region.number, "")] * bool(report.cores)
        row += [*region.frame, *region.anchor]
        for name in names:
            spread = one.values[name]
            row += [spread.value, spread.sd, spread.low, spread.high] if sampled else [spread.value]
        row += [one.existence, one.split, one.merge] if sampled else []
        row += [one.scores[name] for name in scores]
        rows.append(row + [report.states.get(region.number, "to do")] * bool(report.states))
    return Table(columns, rows)


def csv_text(table: Table) -> str:
    """Return the table as CSV. Undefined numbers become empty fields."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    for row in table.rows:
        writer.writerow(["" if isinstance(cell, float) and not math.isfinite(cell) else _plain(cell) for cell in row])
    return out.getvalue()


def _head(name: str, unit: str, symbols: bool) -> str:
    power = POWERS.get(name)
    if symbols and power is not None:
        return f"{name} ({unit_symbol(unit, power)})"
    return name if power is None else f"{name} ({unit}{f'^{power}' if power > 1 else ''})"


def _plain(cell: Cell) -> Cell:
    """Round to six digits; more are noise."""
    return float(f"{cell:.6g}") if isinstance(cell, float) else cell
