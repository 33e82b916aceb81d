"""Show the preview of a training: a validation image with the outlines of segmentation and reference."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap, QResizeEvent
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from ._run import PREDICTED, REFERENCE

HIGHEST = 260


class Preview(QWidget):
    """A picture that fits its width, over a line that explains the outlines. It is hidden while empty."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pixmap: QPixmap | None = None
        self._picture = QLabel()
        self._picture.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._picture.setMinimumWidth(1)
        colors = ("#{:02x}{:02x}{:02x}".format(*color) for color in (PREDICTED, REFERENCE))
        square = "<span style='color:{}'>■</span>"
        legend = QLabel(f"{square} model &nbsp; {square} yours".format(*colors))
        legend.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        legend.setToolTip("A validation image at the last validation: the model's outline over that of the labels")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._picture)
        layout.addWidget(legend)
        self.hide()

    def show_picture(self, picture: NDArray[np.uint8] | None) -> None:
        """Show an RGB picture (Y, X, 3), or nothing."""
        self._pixmap = None
        if picture is not None:
            height, width = picture.shape[:2]
            data: Any = picture.data
            image = QImage(data, width, height, 3 * width, QImage.Format.Format_RGB888)
            self._pixmap = QPixmap.fromImage(image)  # a copy
        self.setVisible(self._pixmap is not None)
        self._fit()

    def shape(self) -> tuple[int, int] | None:
        """Return height and width of the picture, or None."""
        return None if self._pixmap is None else (self._pixmap.height(), self._pixmap.width())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Adapt the picture to the width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self._pixmap is not None:
            keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            self._picture.setPixmap(self._pixmap.scaled(max(self.width(), 1), HIGHEST, keep, smooth))
