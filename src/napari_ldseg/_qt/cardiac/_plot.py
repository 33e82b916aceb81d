"""Plot a curve over the frames of a cine, with its interval, the current frame, ED and ES."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ...cardiac import Cardiac, Curve
from ..controls._plot import BACK, FRONT, still_plot

HEIGHT = 230
LV, ATRIUM, NOW = "#e8636b", "#5a9bd4", "#d8d8d8"


class CurvePlot(QWidget):
    """Draw curves, and emit signals when the plot is clicked or a line is dragged.

    Signals
    -------
    frame_requested (int)
        The plot was clicked, or the frame's line was dragged.
    phases_requested (int, int)
        A line of end-diastole or end-systole was dragged there.
    """

    frame_requested = Signal(int)
    phases_requested = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        import pyqtgraph

        self._make = pyqtgraph
        self._frames, self._phases = 1, (0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.plot = still_plot()
        self.plot.setMinimumHeight(HEIGHT)
        item = self.plot.getPlotItem()
        item.setLabel("bottom", "Frame", color=FRONT)
        self.legend = item.addLegend(offset=(-8, 4), labelTextColor=FRONT, colCount=2)
        self.now = self._line(0, NOW, "", self._on_now)
        self.ed = self._line(0, "#f0c75e", "ED", self._on_phases)
        self.es = self._line(0, "#7fd1a0", "ES", self._on_phases)
        self.plot.scene().sigMouseClicked.connect(self._on_click)
        layout.addWidget(self.plot)

    def show_curves(self, found: Cardiac, kind: str) -> None:
        """Draw the areas of both chambers (``"Area"``) or the volume of the LV (``"Volume"``)."""
        item = self.plot.getPlotItem()
        item.clear()
        self._frames = found.frames
        area, volume = ("cm²", "ml") if found.calibrated else ("px²", "px³")
        if kind == "Volume":
            self._draw(found.volume, "LV volume", LV)
            item.setLabel("left", f"Volume ({volume})", color=FRONT)
        else:
            self._draw(found.lv_area, "LV area", LV)
            self._draw(found.atrium_area, "LA area", ATRIUM)
            item.setLabel("left", f"Area ({area})", color=FRONT)
        for line in (self.now, self.ed, self.es):
            line.setBounds((0, found.frames - 1))
            item.addItem(line)
        item.setXRange(0, max(found.frames - 1, 1), padding=0.04)
        low, high = item.getViewBox().childrenBounds()[1] or (0, 1)
        # The legend and the names of the lines need room at the top.
        item.setYRange(max(0.0, low - 0.1 * (high - low)), high + 0.3 * (high - low), padding=0)
        self.show_phases(found.ed, found.es)

    def show_frame(self, frame: int) -> None:
        """Move the line of the current frame."""
        self._place(self.now, frame)

    def show_phases(self, ed: int, es: int) -> None:
        """Move the lines of end-diastole and end-systole."""
        self._phases = (ed, es)
        self._place(self.ed, ed)
        self._place(self.es, es)

    def click_at(self, x: float) -> None:
        """Ask for the frame nearest to a place on the axis."""
        self.frame_requested.emit(self._nearest(x))

    def _draw(self, curve: Curve, name: str, color: str) -> None:
        frames = np.arange(len(curve.values))
        pen = self._make.mkPen(color, width=2)
        if np.isfinite(curve.low).any():
            edges = [self._make.PlotCurveItem(frames, edge, pen=None) for edge in (curve.low, curve.high)]
            fill = self._make.mkColor(color)
            fill.setAlpha(80)
            for part in (*edges, self._make.FillBetweenItem(*edges, brush=fill)):
                self.plot.addItem(part)
        self.plot.plot(frames, curve.values, pen=pen, name=name, symbol="o", symbolSize=4, symbolBrush=color)

    def _line(self, at: int, color: str, name: str, moved: Callable[[Any], None]) -> Any:
        style = Qt.PenStyle.DashLine if name else Qt.PenStyle.SolidLine
        options = {"position": 0.94, "color": color, "fill": BACK, "movable": False}
        line = self._make.InfiniteLine(
            at,
            angle=90,
            movable=True,
            pen=self._make.mkPen(color, width=1.5, style=style),
            hoverPen=self._make.mkPen(color, width=3),
            label=name or None,
            labelOpts=options if name else None,
        )
        line.sigPositionChangeFinished.connect(partial(_call, moved))
        return line

    def _place(self, line: Any, frame: int) -> None:
        line.blockSignals(True)
        line.setValue(frame)
        line.blockSignals(False)
        if hasattr(line, "label"):
            line.label.updatePosition()

    def _nearest(self, x: float) -> int:
        return int(np.clip(round(x), 0, self._frames - 1))

    def _on_now(self, line: Any) -> None:
        self.frame_requested.emit(self._nearest(line.value()))

    def _on_phases(self, line: Any) -> None:
        del line
        ed, es = self._nearest(self.ed.value()), self._nearest(self.es.value())
        if (ed, es) != self._phases:
            self.phases_requested.emit(ed, es)
        else:
            self.show_phases(ed, es)

    def _on_click(self, event: Any) -> None:
        box = self.plot.getPlotItem().getViewBox()
        if event.button() == Qt.MouseButton.LeftButton and box.sceneBoundingRect().contains(event.scenePos()):
            self.click_at(float(box.mapSceneToView(event.scenePos()).x()))


def _call(function: Callable[[Any], None], line: Any) -> None:
    function(line)
