"""Plot how many of the errors lie where the SD is highest."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..controls._plot import FRONT, still_plot

HEIGHT = 210
FOUND, ORACLE, RANDOM = "#2fc48d", "#c8ccd4", "#7b828f"


class FoundPlot(QWidget):
    """Plot the share of errors found against the share of pixels reviewed, the most uncertain first.

    The dashed line is an oracle that knows the errors; the dotted one is a random order.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        import pyqtgraph

        self._make = pyqtgraph
        self.plot = still_plot()
        self.plot.setFixedHeight(HEIGHT)
        item = self.plot.getPlotItem()
        item.setLabel("bottom", "Pixels reviewed, highest SD first (%)", color=FRONT)
        item.setLabel("left", "Errors found (%)", color=FRONT)
        item.setRange(xRange=(0, 100), yRange=(0, 103), padding=0.01)
        item.addLegend(offset=(-10, -10), labelTextColor=FRONT)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)

    def show_curve(self, shares: NDArray[Any], found: NDArray[Any], wrong: float) -> None:
        """Draw the share found (0 to 1) after each share of the pixels; ``wrong`` is the share of wrong pixels."""
        item = self.plot.getPlotItem()
        item.clear()
        best = np.minimum(shares / max(wrong, 1e-12), 1)
        for values, name, color, style in (
            (found, "by SD", FOUND, Qt.PenStyle.SolidLine),
            (best, "oracle", ORACLE, Qt.PenStyle.DashLine),
            (shares, "random", RANDOM, Qt.PenStyle.DotLine),
        ):
            pen = self._make.mkPen(color, width=2, style=style)
            self.plot.plot(100 * shares, 100 * values, pen=pen, name=name)
