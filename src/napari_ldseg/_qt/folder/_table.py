"""Show the images of a batch in a table: their state and their numbers."""

import math
from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from ...batch import Batch, Record, Summary, Update
from ..controls._table import Column, RowModel, RowView, number

STATES = {"waiting": "waiting", "done": "done earlier", "blocked": "exists"}
COLORS = {"failed": "#d9534f", "exists": "#e69f00"}
STATE, UNCERTAINTY, MEAN_SD, SECONDS, SIZES = 1, 2, 3, 4, 5
# Failures sort before every score.
FAILED = math.inf


class FolderTable(RowView):
    """One line for each image of a batch."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self.rows = RowModel()
        super().__init__(self.rows, parent)
        self.rows.setParent(self)
        self._classes: tuple[str, ...] = ()

    def show_batch(self, batch: Batch, classes: Sequence[str]) -> None:
        """Show the images of a batch, in its order."""
        self._classes = tuple(classes)
        number_of = len(batch.items)
        nothing = [math.nan] * number_of
        columns = [
            Column("Image", [item.task.image.name for item in batch.items]),
            Column(
                "State",
                [STATES[item.state] for item in batch.items],
                color=lambda text: COLORS.get(text, "#009e73" if text.startswith("done") else "#999999"),
                widest="done earlier",
            ),
            Column("Uncertainty", list(nothing), _score, tip="1 - soft Dice confidence; check images with high values"),
            Column("Mean SD", list(nothing), number, tip="Mean of the SD map", widest="0.00123"),
            Column("Seconds", list(nothing), number, widest="1,234"),
        ]
        for name in classes:
            tip = f"Area or volume of {name} in a frame"
            columns.append(Column(name, list(nothing), number, tip=f"{tip}, mean over the samples", widest="123,456"))
            columns.append(Column(f"{name} SD", list(nothing), number, tip=f"{tip}, SD over the samples"))
        self.rows.set_columns(columns)
        for row, item in enumerate(batch.items):
            if item.record is not None and item.state == "done":
                self._fill(row, item.record.summary)
        self.fit()

    def show_update(self, update: Update) -> None:
        """Show how far one image is."""
        if update.state == "running":
            self.rows.set_value(update.index, STATE, f"{update.share:.0%}")
        else:
            self.rows.set_value(update.index, STATE, update.state)
            if update.state == "failed":
                self.rows.set_value(update.index, UNCERTAINTY, FAILED)
        if isinstance(update.record, Record):
            self._fill(update.index, update.record.summary)

    def back_to_waiting(self) -> None:
        """Set images that were in work when the run stopped back to waiting."""
        if self.rows.columns:
            for row, text in enumerate(self.rows.columns[STATE].values):
                if text.endswith("%"):
                    self.rows.set_value(row, STATE, "waiting")

    def sort_by_urgency(self) -> None:
        """Sort by urgency, the most uncertain first."""
        self.sortByColumn(UNCERTAINTY, Qt.SortOrder.DescendingOrder)

    def _fill(self, row: int, summary: Summary) -> None:
        score = math.nan if summary.uncertainty is None else summary.uncertainty
        values = {UNCERTAINTY: score, MEAN_SD: summary.mean_sd, SECONDS: summary.seconds}
        for index, name in enumerate(self._classes):
            spread = summary.sizes_sd.get(name)
            values[SIZES + 2 * index] = summary.sizes.get(name, math.nan)
            values[SIZES + 2 * index + 1] = math.nan if spread is None else spread
        for column, value in values.items():
            self.rows.set_value(row, column, value)


def _score(value: float) -> str:
    return "" if not math.isfinite(value) else f"{value:.3f}"
