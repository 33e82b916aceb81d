"""Plot the curves of a training: the losses of both stages, and the validation scores.

pyqtgraph draws them in Qt itself, in milliseconds, while a matplotlib canvas takes 50 ms and more of the main thread
for each update. It needs only numpy and is maintained (0.14 of 2025).
"""

import math
from collections.abc import Sequence
from typing import Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

COLORS = {"autoencoder": "#56b4e9", "denoiser": "#e69f00", "validation": "#2fc48d"}
LOSSES = {"autoencoder": "autoencoder", "decoder": "autoencoder", "denoiser": "denoiser", "prompts": "denoiser"}
HEIGHT = 230
LEAST_RANGE = 0.05
WIDE = 1.2  # decades


class Curves(QWidget):
    """Two plots over the steps of both stages: the loss (logarithmic) and the validation DSC."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        import pyqtgraph

        self._points: dict[str, list[tuple[float, float]]] = {}
        self._offset = 0
        self._plots = pyqtgraph.GraphicsLayoutWidget()
        self._plots.setBackground(None)
        self._plots.setFixedHeight(HEIGHT)
        loss, score = self._plot(0, "Loss"), self._plot(1, "DSC")
        loss.setAxisItems({"left": _log_axis()})
        self._dress(loss, "Loss")
        loss.setLogMode(y=True)
        loss.getAxis("bottom").setStyle(showValues=False)
        score.setXLink(loss)
        score.setLabel("bottom", "Step")
        score.setLimits(minYRange=LEAST_RANGE)
        self._plots.setMinimumWidth(1)
        stages = (f'<span style="color: {COLORS[name]}">{name}</span>' for name in ("autoencoder", "denoiser"))
        loss.setTitle(" &nbsp; ".join(stages), size="8pt")
        self._lines = {}
        for name, color in COLORS.items():
            dotted = {"symbol": "o", "symbolSize": 5, "symbolBrush": color, "symbolPen": None}
            plot = score if name == "validation" else loss
            extra = dotted if name == "validation" else {}
            self._lines[name] = plot.plot(pen=pyqtgraph.mkPen(color, width=2), **extra)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plots)
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        self._points = {name: [] for name in COLORS}
        self._offset = 0
        for line in self._lines.values():
            line.setData([], [])

    def points(self, name: str) -> list[tuple[float, float]]:
        """Return steps and values of a curve: "autoencoder", "denoiser" or "validation"."""
        return list(self._points[name])

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add lines of the log. Steps that a resumed run repeats replace the earlier ones."""
        for row in rows:
            stage, step = str(row["stage"]), int(row["step"])
            if stage == "autoencoder":
                self._offset = max(self._offset, step)
            step += self._offset if stage == "denoiser" else 0
            if row.get("loss") is not None and row["loss"] > 0:
                self._put(LOSSES[stage], step, float(row["loss"]))
            score = row.get("validation")
            if stage != "autoencoder" and score is not None and math.isfinite(score):
                self._put("validation", step, float(score))
        for name, line in self._lines.items():
            steps, values = zip(*self._points[name], strict=True) if self._points[name] else ((), ())
            line.setData(list(steps), list(values))

    def _put(self, name: str, step: int, value: float) -> None:
        points = self._points[name]
        while points and points[-1][0] >= step:
            points.pop()
        points.append((step, value))

    def _plot(self, row: int, label: str) -> Any:
        plot = self._plots.addPlot(row=row, col=0)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(x=False, y=False)
        self._dress(plot, label)
        return plot

    def _dress(self, plot: Any, label: str) -> None:
        plot.setLabel("left", label)
        plot.getAxis("left").setWidth(54)
        plot.getAxis("left").enableAutoSIPrefix(False)
        plot.showGrid(x=False, y=True, alpha=0.15)


def _log_axis() -> Any:
    """Return a logarithmic axis with few labels per decade; pyqtgraph's own labels overlap."""
    import pyqtgraph

    class LogAxis(pyqtgraph.AxisItem):
        def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
            del size
            decades = range(math.floor(low), math.ceil(high) + 1)
            steps = (1, 2, 5) if high - low < WIDE else (1,)
            values = (decade + math.log10(step) for decade in decades for step in steps)
            return [(1.0, [value for value in values if low <= value <= high])]

        def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
            del scale, spacing
            return [f"{10**value:.2g}" for value in values]

    return LogAxis("left")
