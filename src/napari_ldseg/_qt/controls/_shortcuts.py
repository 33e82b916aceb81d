"""Keys that a widget takes from the whole window while it is shown."""

from collections.abc import Callable
from contextlib import suppress

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QMainWindow, QWidget


class Shortcuts:
    """Keys of a widget. They belong to its window, so that they work while the user paints on the canvas."""

    def __init__(self, widget: QWidget) -> None:
        self._widget = widget
        self.by_name: dict[str, QShortcut] = {}
        shortcuts = self.by_name
        widget.destroyed.connect(lambda: _delete(shortcuts))

    def add(self, key: str, action: Callable[[], object], name: str = "") -> None:
        """Call ``action`` when the key is pressed."""
        made = self.by_name[name or key] = QShortcut(QKeySequence(key), self._widget)
        made.setContext(Qt.ShortcutContext.WindowShortcut)
        made.activated.connect(action)

    def take(self) -> None:
        """Take the keys while the main window has the focus, or the dock's own window if it floats."""
        window: QWidget | None = self._widget
        while window is not None and not isinstance(window, QMainWindow):
            window = window.parentWidget()
        for shortcut in self.by_name.values():
            shortcut.setParent(window or self._widget)
            shortcut.setEnabled(True)

    def release(self) -> None:
        """Release the keys."""
        for shortcut in self.by_name.values():
            shortcut.setEnabled(False)
            shortcut.setParent(self._widget)


def _delete(shortcuts: dict[str, QShortcut]) -> None:
    """Delete shortcuts that belong to another window by now."""
    for shortcut in shortcuts.values():
        with suppress(RuntimeError):  # deleted already
            shortcut.deleteLater()
