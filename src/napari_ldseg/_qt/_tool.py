"""The base of all widgets: their frame, their messages, and work in a thread."""

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from napari.utils.notifications import show_error
from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QDockWidget, QLayout, QMainWindow, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from .._util import Progress
from .controls._message import Message, error_text
from .controls._progress import ProgressView
from .controls._style import Page, style
from .threads._background import Background, Done, Steps

if TYPE_CHECKING:
    import napari

T = TypeVar("T")


class ToolWidget(QWidget):
    """A widget that napari docks.

    Parameters
    ----------
    napari_viewer : napari.Viewer

    Attributes
    ----------
    NAME : str
        The object name is ``ldseg_<NAME>``.
    DOING : str
        Completes "unexpected error while ..." in the log.
    SIZE : (int, int)
        Width and height. napari makes the dock this wide, which leaves room for the canvas.
    STYLE : str
        A style sheet in addition to the common one.
    """

    NAME: ClassVar[str]
    DOING: ClassVar[str]
    SIZE: ClassVar[tuple[int, int]] = (320, 640)
    STYLE: ClassVar[str] = ""

    def __init__(self, napari_viewer: "napari.Viewer") -> None:
        super().__init__()
        # napari gives plugins a proxy that wraps each layer again at each access; here their identity counts.
        self._viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self._run: Any = None
        self._steps: Steps | None = None
        self._turn = 0
        self._joined = False
        self.progress, self.message = ProgressView(), Message()
        self.setObjectName(f"ldseg_{self.NAME}")
        self.setStyleSheet(style(self.objectName(), self.STYLE))

    def sizeHint(self) -> QSize:
        """Return the size."""
        return QSize(*self.SIZE)

    @property
    def is_running(self) -> bool:
        """Whether a run is in progress."""
        return self._run is not None

    def lay_out(self, *parts: QWidget | QLayout, main: QPushButton, grow: QWidget | None = None) -> None:
        """Put the parts on a page that scrolls, one below the other.

        Parameters
        ----------
        parts : widgets and layouts
        main : QPushButton
            The button that starts the work. It is coloured.
        grow : QWidget, optional
            The part that takes the remaining room.
        """
        main.setObjectName("main")
        page = Page(self)
        for part in parts:
            if isinstance(part, QWidget):
                page.column.addWidget(part, int(part is grow))
            else:
                page.column.addLayout(part)
        page.column.addStretch(int(grow is None))
        # Otherwise napari adds a stretch below, which takes room from the table.
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(page)

    def follow(self, run: Background, ended: Callable[[Any], object]) -> None:
        """Start a run and pass its outcome to ``ended``. Closing the dock or the viewer stops the run."""
        self._run = run
        run.inform(self, ended)
        run.start()

    def compute(
        self,
        make: Callable[[], Generator[Progress, None, T]],
        then: Callable[[T], object],
        text: str,
    ) -> None:
        """Run a generator in a thread, in place of the previous one, and pass what it returns to ``then``.

        Errors are shown. Nothing happens if the widget is gone by then, or something else was computed meanwhile.

        Parameters
        ----------
        make : callable
            Makes the generator, which yields its progress.
        then : callable
            Receives what the generator returned.
        text : str
            The first text of the progress line.
        """
        if self._steps is not None:
            self._steps.stop()
        self._steps = steps = Steps(make)
        self._turn = turn = self._turn + 1

        def end(done: Done) -> None:
            if turn != self._turn:
                return
            self._steps = None
            self.progress.finish("")
            if done.error is not None:
                self.show_error(done.error)
            elif done.value is not None:
                then(done.value)

        steps.progressed.connect(self.progress.show_progress)
        steps.inform(self, end)
        self.progress.start()
        self.progress.say(text)
        steps.start()

    def show_error(self, error: Exception) -> None:
        """Show an error here and as a notification of napari. Unexpected errors also go to the log."""
        text = error_text(error, self.DOING)
        self.message.show_error(text)
        show_error(text)

    def forget_on(self, *signals: Any) -> None:
        """Clear messages about an input when another one is chosen."""
        for signal in signals:
            signal.connect(self._on_other_input)

    def _on_other_input(self) -> None:
        self.message.clear()
        if self._run is None and self._steps is None:
            self.progress.finish("")

    def showEvent(self, event: QShowEvent) -> None:
        """When docked first, become a tab of this plugin's other docks: one above the other, each is too low."""
        super().showEvent(event)
        if not self._joined:
            self._joined = True
            QTimer.singleShot(0, self._join)

    def _join(self) -> None:
        parents = [self.parentWidget()]
        while parents[-1] is not None:
            parents.append(parents[-1].parentWidget())
        dock = next((one for one in parents if isinstance(one, QDockWidget)), None)
        window = next((one for one in parents if isinstance(one, QMainWindow)), None)
        if dock is None or window is None or dock.isFloating():
            return
        for other in window.findChildren(QDockWidget):
            is_ours = other is not dock and other.findChild(ToolWidget) is not None
            if is_ours and not other.isFloating() and other.toggleViewAction().isChecked():
                if other not in window.tabifiedDockWidgets(dock):
                    window.tabifyDockWidget(other, dock)
                dock.raise_()
                if dock.width() < self.SIZE[0]:
                    window.resizeDocks([dock], [self.SIZE[0]], Qt.Orientation.Horizontal)
                return
