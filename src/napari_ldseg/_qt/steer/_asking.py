"""Ask where the next prompt is expected to settle most, and show it as a ring."""

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from ..threads._background import Done, Task
from ..viewer._navigate import show_place
from ..viewer._prompt_layer import PromptLayer, Ring
from ._conversation import Conversation

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from ...inference import Suggestion


class Asking(QObject):
    """The question that is open, if there is one.

    Attributes
    ----------
    changed : Signal
        There is another question, or none.
    """

    changed = Signal()

    def __init__(self, viewer: "ViewerModel", talk: Conversation, prompts: PromptLayer, parent: QObject) -> None:
        super().__init__(parent)
        self.question: Suggestion | None = None
        self.is_asked = False
        self._viewer, self._talk, self._prompts = viewer, talk, prompts
        self._ring, self._turn, self._follows = Ring(viewer, prompts), 0, False

    def forget(self, *, follow: bool = False) -> None:
        """Drop the question, because something else is drawn; go to the next one if ``follow``."""
        self._turn += 1
        self.question, self.is_asked, self._follows = None, False, follow
        self._ring.show(None)
        self.changed.emit()

    def ask(self) -> None:
        """Look for a question in a thread."""
        self._turn = turn = self._turn + 1
        task = Task(lambda: self._talk.suggest(lambda: turn == self._turn))
        task.inform(self, lambda done: self._on_answer(turn, done))
        task.start()

    def go(self) -> None:
        """Show the place in question."""
        if self.question is not None:
            show_place(self._viewer, self._prompts.layer, self._prompts.data(self.question.position))

    def close(self) -> None:
        """Remove the ring."""
        self._turn += 1
        self._ring.remove()

    def _on_answer(self, turn: int, done: Done) -> None:
        if turn != self._turn:
            return
        # A question is a help: where none can be found, steering goes on without.
        self.question, self.is_asked = done.value if done.error is None else None, True
        self._ring.show(None if self.question is None else self.question.position)
        if self._follows:
            self.go()
        self.changed.emit()
