"""Hold what is said of one image: its layer, its history, and the samples that follow."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from ...errors import LDSegError
from ...plan import Plan
from ...prompts import Prompt, box, line, point
from ..threads._segmentation import Job, Outcome, Run
from ..viewer._from_layers import Source
from ..viewer._prompt_layer import PromptLayer
from ..viewer._result_layers import ResultLayers
from ..viewer._writing import Writing
from ._conversation import Conversation
from ._history import History
from ._mouse import Gesture, Mouse

if TYPE_CHECKING:
    from napari.components import ViewerModel

# Milliseconds after an edit of the layer until it counts: napari tells of each step of a drag.
WAIT = 60


class Steering(QObject):
    """What is said of an image, and the layers that follow.

    Parameters
    ----------
    viewer : ViewerModel
    image : Image layer
    whole : Source
        All of it.
    job : Job
        Which part of it, and by which model.
    results : ResultLayers
        The layers that follow.

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
    """

    progressed = Signal(object)
    finished = Signal(object)
    changed = Signal()
    failed = Signal(str)
    ended = Signal(str)
    taken = Signal()

    def __init__(
        self,
        viewer: "ViewerModel",
        image: Image,
        whole: Source,
        job: Job,
        results: ResultLayers,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.plan: Plan = job.plan
        self.label = min(1, len(self.plan.model.class_names) - 1)
        self._viewer, self._image, self._job = viewer, image, job
        self._talk, self._run, self._turn = Conversation(job), None, 0
        self._results = results
        self._writing = Writing(self)
        self._writing.finished.connect(self._on_written)
        names = self.plan.model.class_names
        self.prompts = PromptLayer(viewer, image, whole, names, self.plan.model.class_colors)
        self.history = History(self._read() or ())
        self._noticing = QTimer(self)
        self._noticing.setSingleShot(True)
        self._noticing.setInterval(WAIT)
        self._noticing.timeout.connect(self._on_edited)
        self._follow()
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
        if self._run is not None:
            self._run.stop()
        run = self._run = Run(partial(self._steps, self.history.present), self._job)
        run.progressed.connect(partial(self._on_progressed, self._turn))
        run.inform(self, partial(self._on_drawn, self._turn))
        run.start()

    def stop(self) -> None:
        """End; all layers stay."""
        self._turn += 1
        if self._run is not None:
            self._run.stop()
            self._run = None
        self._noticing.stop()
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
        said = self._said(places, gesture.tool, label)
        if not gesture.is_over:
            self._show(said)
            return
        fault = self._fault(places)
        self.failed.emit(fault)
        if fault:
            self._show()
        else:
            self.say(said)

    def _said(self, places: list[NDArray[np.float64]], tool: str, label: str) -> Prompt:
        if len(places) == 1:
            return point(places[0], label, self.radius)
        if tool == "box":
            return box(np.round(places[0]), np.round(places[-1]), label)
        return line(_dense(places, max(self.radius, 1)), label, self.radius)

    def _fault(self, places: list[NDArray[np.float64]]) -> str:
        """Return why nothing can be said there; empty if it can."""
        part = self.plan.asked
        axes = [axis for axis in part.image.axes if axis != "c"]
        sizes = np.array([part.size(axis) for axis in axes])
        low, high = np.min(places, axis=0), np.max(places, axis=0)
        if (high < -0.5).any() or (low >= sizes - 0.5).any():
            return f"That lies outside of {self._image.name!r}; click into the image."
        for axis, least, most in zip(axes, low, high, strict=True):
            extent = part.extent(axis)
            start, stop = (extent.start, extent.stop) if isinstance(extent, slice) else (extent, extent + 1)
            if most < start - 0.5 or least >= stop - 0.5:
                what = "frame" if axis in part.frame_axes else "part"
                return (
                    f"This {what} of {self._image.name!r} is not steered now; choose it above, and press Steer again."
                )
        return ""

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

    def _on_progressed(self, turn: int, progress: Any) -> None:
        if turn != self._turn:
            return
        self.progressed.emit(progress)
        if getattr(progress, "preview", None) is not None:
            self._writing.write(self._results.steps(progress.preview))

    def _on_drawn(self, turn: int, outcome: Outcome) -> None:
        if turn != self._turn:
            return
        self._run = None
        steps = iter(()) if outcome.result is None else self._results.steps(outcome.result)
        self._writing.write(steps, outcome)

    def _on_written(self, outcome: Outcome) -> None:
        if self._run is not None:  # something was said meanwhile
            return
        if self._talk.faults:
            number = len(self._talk.faults)
            more = f" (and {number - 1} more)" if number > 1 else ""
            self.failed.emit(f"{self._talk.faults[0]}{more} It is left out.")
        self.finished.emit(outcome)


def _dense(places: list[NDArray[np.float64]], step: float) -> NDArray[np.float64]:
    """Return a line with a vertex at each step at least, and none much closer to another."""
    kept = [places[0]]
    for place in places[1:]:
        way = float(np.abs(place - kept[-1]).max())
        if way < step / 2:
            continue
        number = int(np.ceil(way / step))
        kept += list(np.linspace(kept[-1], place, number + 1)[1:])
    return np.stack(kept)
