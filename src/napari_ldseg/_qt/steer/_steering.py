"""Hold what is said of one image: its layer, its history, and the samples that follow."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import QObject, QTimer, Signal

from ...errors import LDSegError
from ...plan import Plan
from ...prompts import Prompt, point
from ..controls._progress import duration
from ..threads._segmentation import Job, Outcome, Run
from ..viewer._from_layers import Source
from ..viewer._prompt_layer import PromptLayer
from ..viewer._result_layers import ResultLayers
from ..viewer._writing import Writing
from ._asking import Asking
from ._conversation import Conversations
from ._history import History
from ._mouse import Gesture, Mouse, Tool
from ._places import is_inside, is_steered, prompt_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

# Milliseconds after an edit of the layer until it counts: napari tells of each step of a drag.
WAIT = 60
# The same for the image, which is embedded again then.
MOVING = 200
PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "data", "set_data")


@dataclass(frozen=True)
class Request:
    """What is to be steered: a part of an image layer, all of that layer, and the layers that follow."""

    image: Image
    whole: Source
    job: Job
    results: ResultLayers


class Steering(QObject):
    """What is said of an image, and the layers that follow.

    Parameters
    ----------
    viewer : ViewerModel
    request : Request
    talks : Conversations
    like : Steering, optional
        What was steered so far: the same image, of which another part is steered now.

    Attributes
    ----------
    progressed : Signal
        Carries a SegmentProgress or Loading.
    finished : Signal
        Carries the Outcome of a draw, unless another one took its place.
    changed : Signal
        Something was said, or taken back.
    failed : Signal
        Carries words about a prompt that cannot be used; empty when all can.
    ended : Signal
        Carries words about why it cannot go on.
    taken : Signal
        Another layer was selected, see ``is_taken``.
    left : Signal
        Carries prompts that were said of another part of the image; none if the image itself was moved or changed.
    """

    progressed = Signal(object)
    finished = Signal(object)
    changed = Signal()
    failed = Signal(str)
    ended = Signal(str)
    taken = Signal()
    left = Signal(tuple)

    def __init__(
        self,
        viewer: "ViewerModel",
        request: Request,
        talks: Conversations,
        like: "Steering | None" = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.plan: Plan = request.job.plan
        self._viewer, self._request, self._image = viewer, request, request.image
        names, colors = self.plan.model.class_names, self.plan.model.class_colors
        self.label: int = like.label if like else min(1, len(names) - 1)
        self._talks, self._talk = talks, talks.about(request.image.data, request.job)
        self._run: Run | None = None
        self._begun = time.monotonic()
        self._turn, self._follows, self._pixels = 0, False, request.image.data
        self._writing = Writing(self)
        self._writing.finished.connect(self._on_written)
        self.prompts = PromptLayer(viewer, request.image, request.whole, names, colors)
        self.history: History = like.history if like else History(self._read() or ())
        self.asking = Asking(viewer, self._talk, self.prompts, self)
        self._moving = _timer(self, MOVING, self._on_moved)
        self._noticing = _timer(self, WAIT, self._on_edited)
        self._events = [getattr(self._image.events, name) for name in PLACE]
        self._follow()
        if like is not None:
            self.tool = like.tool
        self._show()
        self.draw()

    @property
    def radius(self) -> float:
        """Of points and strokes, in pixels of the image along x."""
        return round(self.plan.prompt_radius, 1)

    @property
    def is_taken(self) -> bool:
        """Whether the layer of prompts is the selected one, so that mouse and keys are its own."""
        return self._viewer.layers.selection.active is self.prompts.layer

    @property
    def tool(self) -> Tool:
        """What a drag of the mouse says."""
        return self._mouse.tool

    @tool.setter
    def tool(self, tool: Tool) -> None:
        self._mouse.tool = tool

    @property
    def is_drawing(self) -> bool:
        """Whether samples are being drawn."""
        return self._run is not None

    def choose(self, label: int) -> None:
        """Say this class from now on."""
        self.label = label
        self._show()
        self._take_up()

    def say(self, *prompts: Prompt) -> None:
        """Say something more."""
        if self.history.put((*self.history.present, *prompts)):
            self._on_history()

    def answer(self, *, yes: bool) -> None:
        """Answer the open question, and go to the next one."""
        asked = self.asking.question
        if asked is not None:
            label = self.plan.model.class_names[asked.label if yes else asked.other]
            self._follows = True
            self.say(point(asked.position, label, self.radius))

    def undo(self) -> None:
        """Take the last change back, and the picture with it."""
        if self.history.undo():
            self._on_history()

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        if self.history.redo():
            self._on_history()

    def clear(self) -> None:
        """Take everything back; undo brings it back."""
        if self.history.put(()):
            self._on_history()

    def draw(self) -> None:
        """Draw the samples given what was said, in place of the draw that is going on."""
        self._turn += 1
        self.asking.forget(follow=self._follows)
        self._follows = False
        if self._run is not None:
            self._run.stop()
        self._begun = time.monotonic()
        run = self._run = Run(partial(self._steps, self.history.present), self._request.job)
        run.progressed.connect(partial(self._on_progressed, self._turn))
        run.inform(self, partial(self._on_drawn, self._turn))
        run.start()

    def summary(self, outcome: Outcome) -> str:
        """Say what was drawn, and how long it took since the last word."""
        if outcome.result is None:
            return ""
        number, said = outcome.result.samples, len(outcome.result.provenance.get("prompts", ()))
        given = f" given {said} prompt{'s' if said > 1 else ''}" if said else ""
        return f"{number} sample{'s' if number > 1 else ''}{given}, {duration(time.monotonic() - self._begun)}."

    def stop(self) -> None:
        """End; all layers stay."""
        self._turn += 1
        if self._run is not None:
            self._run.stop()
            self._run = None
        self._noticing.stop()
        self._moving.stop()
        for event in self._events:
            event.disconnect(self._on_place)
        self.asking.close()
        self._mouse.release()
        self.prompts.layer.events.data.disconnect(self._on_data)
        self.prompts.layer.events.features.disconnect(self._on_data)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._viewer.layers.selection.events.active.disconnect(self._on_active)

    def _steps(self, prompts: Sequence[Prompt], job: Job) -> Any:
        del job
        return self._talk.draw(prompts)

    def _follow(self) -> None:
        self._mouse = Mouse(self._viewer, self.prompts.layer, self.on_gesture)
        self.prompts.layer.events.data.connect(self._on_data)
        self.prompts.layer.events.features.connect(self._on_data)
        self._viewer.layers.events.removed.connect(self._on_removed)
        self._viewer.layers.selection.events.active.connect(self._on_active)
        for event in self._events:
            event.connect(self._on_place)
        self._take_up()

    def _take_up(self) -> None:
        if self.prompts.exists:
            self.prompts.layer.mode = "pan_zoom"
            self._viewer.layers.selection.active = self.prompts.layer

    def _on_active(self, event: Any = None) -> None:
        self.taken.emit()

    def on_gesture(self, gesture: Gesture) -> None:
        """Say what the mouse did; show it while it does."""
        if self._viewer.dims.ndisplay != 2:
            if gesture.is_over:
                self.failed.emit("A click in 3D has no depth; switch to 2D, go to the slice, and say it there.")
            return
        places = [self.prompts.position(place) for place in gesture.places]
        label = self.plan.model.class_names[0 if gesture.is_background else self.label]
        said = prompt_of(places, gesture.tool, label, self.radius)
        if not gesture.is_over:
            self._show(said)
            return
        if not is_inside(self.plan, places):
            self._show()
            self.failed.emit(f"That lies outside of {self._image.name!r}; click into the image.")
        elif not is_steered(self.plan, said):
            self._show()
            self.left.emit((said,))
        else:
            self.failed.emit("")
            self.say(said)

    def _show(self, *more: Prompt) -> None:
        names = self.plan.model.class_names
        if self.prompts.exists:
            self.prompts.show([*self.history.present, *more], names[self.label], self.radius)

    def _read(self) -> list[Prompt] | None:
        try:
            return self.prompts.read()
        except LDSegError as error:
            self.failed.emit(str(error))
            return None

    def _on_history(self) -> None:
        self._show()
        self.draw()
        self.changed.emit()

    def _on_data(self, event: Any = None) -> None:
        if not self.prompts.is_writing:
            self._noticing.start()

    def _on_edited(self) -> None:
        """Take what somebody did to the layer by napari's own tools as one more change."""
        found = self._read()
        if found is not None and self.history.put(found):
            self.failed.emit("")
            self._on_history()

    def _on_removed(self, event: Any = None) -> None:
        if self._image not in self._viewer.layers or not self.prompts.exists:
            self.ended.emit(self.last_words())

    def last_words(self) -> str:
        """Say why it has ended."""
        if self._image not in self._viewer.layers:
            return "The image was removed, so steering has ended. What was said is kept in its layer."
        if not self.prompts.exists:
            return "The layer of prompts was removed, so steering has ended; press Steer to begin anew."
        return "Another image or model was chosen, so steering has ended. What was said is kept in its layer."

    def _on_place(self, event: Any = None) -> None:
        """React to an image that is moved or changed, but not to one that is only shown anew."""
        if event.type != "set_data" or self._image.data is not self._pixels:
            self._moving.start()

    def _on_moved(self) -> None:
        if self._image.data is not self._pixels:
            self._talks.forget()
        self.left.emit(())

    def _on_progressed(self, turn: int, progress: Any) -> None:
        if turn != self._turn:
            return
        self.progressed.emit(progress)
        if getattr(progress, "preview", None) is not None:
            self._writing.write(self._shown(progress.preview))

    def _on_drawn(self, turn: int, outcome: Outcome) -> None:
        if turn != self._turn:
            return
        self._run = None
        self._writing.write(iter(()) if outcome.result is None else self._shown(outcome.result), outcome)

    def _shown(self, result: Any) -> Iterator[None]:
        """Write the layers of a result one by one, below what was said."""
        yield from self._request.results.steps(result)
        self.prompts.lift()

    def _on_written(self, outcome: Outcome) -> None:
        if self._run is not None:  # something was said meanwhile
            return
        if self._talk.faults:
            number = len(self._talk.faults)
            more = f" (and {number - 1} more)" if number > 1 else ""
            self.failed.emit(f"{self._talk.faults[0]}{more} It is left out.")
        if outcome.result is not None and not outcome.stopped:
            self.asking.ask()
        self.finished.emit(outcome)


def _timer(parent: QObject, milliseconds: int, call: Callable[[], None]) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(call)
    return timer
