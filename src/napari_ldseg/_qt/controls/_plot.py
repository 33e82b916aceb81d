"""Make the dark plot for curves."""

from typing import Any

BACK, FRONT, AXIS = "#262930", "#c8ccd4", "#5a606c"


def still_plot() -> Any:
    """Return an empty dark pyqtgraph plot that does not follow the mouse."""
    import pyqtgraph

    plot = pyqtgraph.PlotWidget(background=BACK)
    item = plot.getPlotItem()
    item.setMenuEnabled(False)
    item.setMouseEnabled(x=False, y=False)
    item.hideButtons()
    for side in ("left", "bottom"):
        item.getAxis(side).setTextPen(FRONT)
        item.getAxis(side).setPen(AXIS)
    return plot
