"""The session behind the viewer: it is made, told and drawn in threads, by one of them at a time."""

import threading
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...plan import Plan
from ...prompts import Prompt
from ..threads._import_torch import import_torch
from ..threads._segmentation import Job, Loading, load_once

if TYPE_CHECKING:
    from ...inference import Segmentation, SegmentProgress, Session, Suggestion

# Conversations (frames, regions) that are kept.
MOST = 6


class Conversation:
    """An image, a model, and the samples given what was said.

    Parameters
    ----------
    job : Job
        Its plan holds no prompts yet.

    Attributes
    ----------
    faults : list of str
        Why some of the last prompts do not count.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._lock = threading.Lock()
        self._session: Session | None = None
        self.faults: list[str] = []

    def draw(self, prompts: Sequence[Prompt]) -> "Generator[SegmentProgress | Loading, None, Segmentation]":
        """Draw the samples given these prompts; what other prompts drew is kept. It waits for a draw that is stopping.

        Raises
        ------
        InputError, EngineError
            As :meth:`napari_ldseg.Session.draw`. Prompts that cannot be used are left out, see ``faults``.
        """
        with self._lock:
            if self._session is None:
                yield Loading(text="Loading the model")
                import_torch()
                from ...inference import Session

                yield Loading(text="Loading the model")
                self._session = Session(load_once(self._job), self._job.plan)
            usable, self.faults = sift(self._job.plan, prompts)
            self._session.set(usable)
            return (yield from self._session.draw())

    def suggest(self, is_wanted: Callable[[], bool]) -> "Suggestion | None":
        """Return where the next prompt is expected to settle most; None too if nobody wants to know any more."""
        with self._lock:
            if self._session is None or not is_wanted():
                return None
            return self._session.suggest()


class Conversations:
    """The conversations of some parts of an image, so that each is embedded once."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Any, ...], tuple[Any, Conversation]] = {}

    def about(self, pixels: Any, job: Job) -> Conversation:
        """Return the conversation about a part of these pixels, by this model and with these settings."""
        plan = job.plan
        key = (
            id(pixels),
            job.model,
            str(plan.asked.box),
            plan.asked.image.axes,
            plan.asked.image.spacing,
            plan.settings,
        )
        kept = self._kept.pop(key, None) or (pixels, Conversation(job))
        self._kept[key] = kept
        while len(self._kept) > MOST:
            self._kept.pop(next(iter(self._kept)))
        return kept[1]

    def forget(self) -> None:
        """Forget all of them: the pixels have changed."""
        self._kept.clear()


def sift(plan: Plan, prompts: Sequence[Prompt]) -> tuple[list[Prompt], list[str]]:
    """Return the prompts that can be used, and why the others cannot."""
    try:
        plan.told(prompts)
    except InputError:
        usable, faults = [], []
        for prompt in prompts:
            try:
                plan.told([prompt])
            except InputError as error:
                faults.append(str(error))
            else:
                usable.append(prompt)
        return usable, faults
    return list(prompts), []
