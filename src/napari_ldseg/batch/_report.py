"""The outcome of a batch, as tables that people and programs read; what needs a look comes first."""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from .._util import write_text
from .._version import __version__
from ._record import Summary

State = Literal["done", "earlier", "failed", "waiting"]
REPORTS = ("report.json", "report.csv")


@dataclass(frozen=True)
class Row:
    """One image in a report.

    Attributes
    ----------
    image : Path
    state : {"done", "earlier", "failed", "waiting"}
        Earlier: its outputs were there already. Waiting: the batch ended before it.
    reason : str
        Why it failed.
    summary : Summary or None
    outputs : dict of str to Path
        Kind and file; empty unless the image is done.
    """

    image: Path
    state: State
    reason: str = ""
    summary: Summary | None = None
    outputs: dict[str, Path] | None = None


@dataclass(frozen=True)
class BatchReport:
    """How each image of a batch ended: failed ones first, then by uncertainty, the highest first."""

    rows: tuple[Row, ...]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> "BatchReport":
        """Put the rows into order."""
        return cls(tuple(sorted(rows, key=_urgency)))

    def count(self, *states: State) -> int:
        """Return how many images are in one of these states."""
        return sum(row.state in states for row in self.rows)

    @property
    def failed(self) -> dict[Path, str]:
        """The images that failed, and why."""
        return {row.image: row.reason for row in self.rows if row.state == "failed"}

    def table(self) -> list[dict[str, Any]]:
        """Return flat rows, all with the same keys: for a data frame or a CSV file."""
        classes = {name: None for row in self.rows if row.summary for name in row.summary.sizes}
        return [_flat(row, list(classes)) for row in self.rows]

    def write(self, out: Path, **provenance: Any) -> None:
        """Write ``report.json`` and ``report.csv`` into a folder.

        Raises
        ------
        InputError
            If the disk refuses.
        """
        table = self.table()
        counts = {state: self.count(state) for state in ("done", "earlier", "failed", "waiting")}
        head = {"software": "napari-ldseg", "version": __version__, "date": datetime.now(UTC).isoformat("T", "seconds")}
        images = [_plain(row) for row in self.rows]
        text = json.dumps({**head, **provenance, "counts": counts, "images": images}, indent=1, allow_nan=False)
        write_text(out / REPORTS[0], text)
        lines = io.StringIO(newline="")
        writer = csv.DictWriter(lines, list(table[0]) if table else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: "" if value is None else value for key, value in row.items()} for row in table)
        write_text(out / REPORTS[1], lines.getvalue())


def _urgency(row: Row) -> tuple[int, float]:
    order = {"failed": 0, "waiting": 2}
    score = row.summary.uncertainty if row.summary else None
    return order.get(row.state, 1), 0.0 if score is None else -score


def _plain(row: Row) -> dict[str, Any]:
    """Return a row as JSON."""
    summary = asdict(row.summary) if row.summary is not None else None
    outputs = {kind: str(path) for kind, path in (row.outputs or {}).items()}
    return {"image": str(row.image), "state": row.state, "reason": row.reason, "outputs": outputs, "summary": summary}


def _flat(row: Row, classes: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {"image": str(row.image), "state": row.state}
    found = row.summary
    for name in ("uncertainty", "mean_sd", "seconds", "samples", "frames"):
        values[name] = getattr(found, name) if found else None
    for name in classes:
        values[f"size {name}"] = found.sizes.get(name) if found else None
        values[f"size {name} SD"] = found.sizes_sd.get(name) if found else None
    return {**values, "unit": found.unit if found else None, "reason": row.reason}
