"""A table of many rows. numpy sorts ten thousand rows in a few milliseconds."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
STYLE = """
QTableView { selection-background-color: rgba(86, 114, 216, 130); }
QTableView::item { padding: 0px 3px; }
QHeaderView::section { padding: 2px 3px; border: none; }
QHeaderView::up-arrow, QHeaderView::down-arrow { width: 7px; height: 7px; subcontrol-position: top center; }
"""
SQUARE, PADDING, MEASURED = 10, 13, 200
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


@dataclass
class Column:
    """One column.

    Attributes
    ----------
    title : str
    values : list
        One for each row: all numbers, or all texts.
    text : callable
        Turns a value into the text of its cell.
    color, swatch : callable, optional
        The colour (#rrggbb) of a cell's text, and of a square before it.
    tip : str
    widest : str
        The widest text that must fit.
    left : bool
        Whether numbers are aligned to the left.
    """

    title: str
    values: list[Any]
    text: Callable[[Any], str] = str
    color: Callable[[Any], str] | None = None
    swatch: Callable[[Any], str] | None = None
    tip: str = ""
    widest: str = ""
    left: bool = False

    @property
    def numeric(self) -> bool:
        """Whether it holds numbers, which are aligned to the right and sorted by size."""
        return not self.left and bool(self.values) and isinstance(self.values[0], int | float)


def number(value: float) -> str:
    """Return three digits of a number; nothing for nan."""
    if not math.isfinite(value):
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


class RowModel(QAbstractTableModel):
    """Columns of equal length. A click on a header changes their order.

    A *row* is a position in the given order, a *line* one in the current order.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.columns: list[Column] = []
        self._lines: NDArray[np.intp] = np.zeros(0, np.intp)  # row on each line
        self._places: NDArray[np.intp] = np.zeros(0, np.intp)  # line of each row

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show other rows, in the given order."""
        self.beginResetModel()
        self.columns = list(columns)
        self._arrange(np.arange(len(self.columns[0].values) if self.columns else 0))
        self.endResetModel()

    def row_at(self, line: int) -> int:
        """Return the row on a line."""
        return int(self._lines[line])

    def line_of(self, row: int) -> int:
        """Return the line of a row."""
        return int(self._places[row])

    def set_value(self, row: int, column: int, value: Any) -> None:
        """Change one value. The row stays on its line until the table is sorted again."""
        self.columns[column].values[row] = value
        index = self.index(self.line_of(row), column)
        self.dataChanged.emit(index, index)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008  Qt's own signature
        """Rows."""
        return 0 if parent.isValid() else len(self._lines)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """Columns."""
        return 0 if parent.isValid() else len(self.columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell's text, alignment or colours."""
        if not index.isValid():
            return None
        column = self.columns[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return RIGHT if column.numeric else LEFT
        value = column.values[self._lines[index.row()]]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(value)
        if column.swatch is not None and role == Qt.ItemDataRole.DecorationRole:
            return QColor(column.swatch(value))
        if column.color is not None and role == Qt.ItemDataRole.ForegroundRole:
            return QColor(column.color(value))
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the headers."""
        if orientation != Qt.Orientation.Horizontal or section >= len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return RIGHT if column.numeric else LEFT
        found = {Qt.ItemDataRole.DisplayRole: column.title, Qt.ItemDataRole.ToolTipRole: column.tip or None}
        return found.get(Qt.ItemDataRole(role))

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column. Equal values keep their order, and nan always comes last."""
        if not 0 <= column < len(self.columns):
            return
        descending = order == Qt.SortOrder.DescendingOrder
        values = np.array(self.columns[column].values)
        if values.dtype.kind == "U":
            values = np.unique(values, return_inverse=True)[1]
        keys = -values.astype(float) if descending else values.astype(float)
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        rows = [self.row_at(index.row()) for index in before]
        self._arrange(np.argsort(keys, kind="stable"))
        after = [self.index(self.line_of(row), index.column()) for row, index in zip(rows, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _arrange(self, lines: NDArray[np.intp]) -> None:
        self._lines = lines
        self._places = np.empty_like(lines)
        self._places[lines] = np.arange(len(lines))


class RowView(QTableView):
    """The table. Whole rows are selected, one at a time; a click on a header sorts."""

    HEIGHT = 24

    def __init__(self, model: RowModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setModel(model)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setAlternatingRowColors(False)
        rows, heads = self.verticalHeader(), self.horizontalHeader()
        rows.hide()
        # All rows have one height, so Qt need not ask each of them.
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(self.HEIGHT)
        heads.setHighlightSections(False)
        heads.setStretchLastSection(True)
        heads.setResizeContentsPrecision(0)
        heads.setSectionsClickable(True)
        self.setStyleSheet(STYLE)
        self.setIconSize(QSize(SQUARE, SQUARE))
        self.setSortingEnabled(True)
        heads.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)

    def fit(self) -> None:
        """Make each column as wide as its header and its first rows need, and no wider: docks are narrow."""
        model = self.model()
        metrics = self.fontMetrics()
        for index, column in enumerate(model.columns):
            texts = [column.title, column.widest, *(column.text(value) for value in column.values[:MEASURED])]
            width = max(metrics.horizontalAdvance(text) for text in texts)
            self.setColumnWidth(index, width + PADDING + (SQUARE + 6 if column.swatch is not None else 0))
