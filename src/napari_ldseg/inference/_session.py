"""Session: an image, a model, what somebody said of it, and the samples given all that."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ..config import PartConfig, SegmentConfig
from ..data import Image
from ..errors import InputError
from ..measure import NOT_DRAWN, most_settling
from ..networks import LDSeg
from ..plan import MIN_AUTO, Plan, plan_image
from ..prompts import Prompt, box, labels, point
from ._kept import Kept
from ._result import Segmentation, SegmentProgress
from ._segment import Memory, SegmentRun
from ._session_canvas import STOPS, SessionCanvas

# Bytes at most of embedded images, and of latents: of the present prompts and of earlier ones, for undo.
MOST_CONDITIONS, MOST_LATENTS = 2**30, 2**28
# Megabytes of sample masks that a session keeps at least: suggestions are made of them.
LEAST_KEPT = 64
# Of the most uncertain frames so many are looked at for a suggestion.
FRAMES_ASKED = 4
# Cells of the latent's grid around a place, along each axis, in which an answer is expected to settle something.
REACH = 8


@dataclass(frozen=True)
class Suggestion:
    """Where the next prompt is expected to settle most.

    Attributes
    ----------
    position : tuple of float
        In pixels of the image, for all its axes but the channels.
    label : int
        The class in question: the likeliest one there but the background.
    other : int
        The likeliest class there besides.
    probability : float
        Of ``label``.
    gain : float
        Expected share (0 to 1) of the variance of the frame's samples that an answer takes away.
    """

    position: tuple[float, ...]
    label: int
    other: int
    probability: float
    gain: float


class Session:
    """An image that is segmented again and again, while somebody says what is true of it.

    The image is embedded once, and what was drawn is kept: only frames (or tiles) that a prompt touches are drawn
    again, with the noise that each sample had before.

    Parameters
    ----------
    model : LDSeg
        From :func:`load_model`. One that takes no prompts only has them painted; see :meth:`warnings`.
    image : Image or Plan
        As for :func:`segment`.
    config : SegmentConfig, optional
    part : PartConfig, optional

    Attributes
    ----------
    prompts : tuple of Prompt
        What was said, in this order; later prompts win.

    Raises
    ------
    InputError
        The image does not fit the model, or its result does not fit into memory.

    Examples
    --------
    >>> from napari_ldseg import SegmentConfig, Session, load_model
    >>> from napari_ldseg.phantoms import colon_gland
    >>> session = Session(load_model("glas"), colon_gland(), SegmentConfig(samples=8))  # doctest: +SKIP
    >>> *_, before = session.draw()  # doctest: +SKIP
    >>> session.add_point((120, 200), "gland")  # doctest: +SKIP
    >>> *_, after = session.draw()  # doctest: +SKIP
    """

    def __init__(
        self,
        model: LDSeg,
        image: Image | Plan,
        config: SegmentConfig | None = None,
        *,
        part: PartConfig | None = None,
    ) -> None:
        plan = image if isinstance(image, Plan) else plan_image(image, model.config, config, part)
        if plan.on_disk:
            raise InputError(
                f"{plan.image.name!r} is too large to be steered as a whole: its result does not fit into memory; take "
                "a region or some frames of it."
            )
        settings = plan.settings.replace(keep_mb=max(plan.settings.keep_mb, LEAST_KEPT))
        if plan.tiles and settings.samples == "auto":  # a number that differed from tile to tile would show
            settings = settings.replace(samples=MIN_AUTO)
        self._plan = replace(plan, settings=settings)
        self.prompts: tuple[Prompt, ...] = plan.said.prompts
        self._earlier: list[tuple[Prompt, ...]] = []
        self._later: list[tuple[Prompt, ...]] = []
        self._canvas = SessionCanvas(self._plan)
        memory = Memory(self._canvas, STOPS, Kept(MOST_CONDITIONS), Kept(MOST_LATENTS))
        self._run = SegmentRun(model, self._plan, memory=memory)
        self._marks: dict[int, int] = {}
        self._is_prepared = False

    @property
    def plan(self) -> Plan:
        """What is drawn: image, part, grid, settings and prompts."""
        return self._plan

    def warnings(self) -> list[str]:
        """Return what may spoil the result; of a model that takes no prompts, how to teach it to."""
        return self._plan.warnings()

    def add_point(self, position: ArrayLike, label: int | str, radius: float | None = None) -> None:
        """Say of which class a disk (ball) is.

        Parameters
        ----------
        position : numbers, one for each axis of the image but the channels
            In pixels; the centre of the first one is 0.
        label : int or str
            Number or name of a class.
        radius : float, optional
            In pixels along x; by default a quarter of a cell of the latent's grid.

        Raises
        ------
        InputError
            The position lies outside of the image, or the class is unknown. Nothing is changed then.
        """
        self.add(point(position, label, radius))

    def add_labels(self, array: ArrayLike) -> None:
        """Say of which class each pixel is: a map of the image's shape (without channels), 255 where nothing is said.

        Raises
        ------
        InputError
            The map is of another shape, or names a class that the model does not know.
        """
        self.add(labels(array))

    def add_box(self, start: ArrayLike, stop: ArrayLike, label: int | str) -> None:
        """Say of which class a box is, from one corner pixel to the opposite one, both with it.

        Raises
        ------
        InputError
            As for :meth:`add_point`.
        """
        self.add(box(start, stop, label))

    def add(self, *prompts: Prompt) -> None:
        """Say something more, made by :mod:`napari_ldseg.prompts`.

        Raises
        ------
        InputError
            As for :meth:`add_point`.
        """
        self.set((*self.prompts, *prompts))

    def set(self, prompts: Sequence[Prompt]) -> None:
        """Take these prompts in place of those so far; :meth:`undo` brings those back.

        Raises
        ------
        InputError
            As for :meth:`add_point`.
        """
        former = self.prompts
        self._take(tuple(prompts))
        self._earlier.append(former)
        self._later.clear()

    def clear(self) -> None:
        """Take all prompts back; :meth:`undo` brings them back."""
        if self.prompts:
            self.set(())

    def undo(self) -> bool:
        """Take the last change of the prompts back; return whether there was one. What it drew is kept."""
        return self._step(self._earlier, self._later)

    def redo(self) -> bool:
        """Make the change again that was taken back last; return whether there was one."""
        return self._step(self._later, self._earlier)

    def draw(self) -> Generator[SegmentProgress, None, Segmentation]:
        """Draw what the prompts since the last draw touch: everything at first, nothing if nothing else was said.

        Yields
        ------
        SegmentProgress
            As :func:`segment` does, with a preview after 1 sample, after 8, and then as often as it does. Previews of
            few samples are the earlier maps, moved by what changed in these samples. Closing the generator stops it;
            the next draw makes up for it.

        Returns
        -------
        Segmentation
            It shares its arrays with the session, which the next draw changes in place: copy what you keep.

        Raises
        ------
        InputError, EngineError
            As :func:`segment`.
        """
        run = self._run
        if not self._is_prepared:
            yield run.progress("reading the image")
            yield from run.prepare()
            self._is_prepared = True
        run.steer(self._plan, ())
        marks = {number: run.mark(number) for number in range(run.blocks)}
        changed = [number for number, mark in marks.items() if self._marks.get(number) != mark]
        changed.sort(key=lambda number: not marks[number])  # first where something was said
        run.steer(self._plan, changed)
        for number in changed:
            self._marks.pop(number, None)
            yield from run.segment_block(number)
            self._marks[number] = marks[number]
        return run.finish()

    def suggest(self, frame: tuple[int, ...] | None = None) -> Suggestion | None:
        """Return where the next prompt is expected to settle most, by the samples drawn so far.

        Of each place the samples are compared that are of one class there with those that are of another: the more
        they differ, near that place, the more an answer settles.

        Parameters
        ----------
        frame : tuple of int, optional
            Only in this frame of the result; by default in the most uncertain ones.

        Returns
        -------
        Suggestion or None
            None where the samples agree everywhere, and before there are four of them.
        """
        plan, canvas = self._plan, self._canvas
        uncertain = canvas.sd.reshape(plan.number, -1).mean(axis=1, dtype=float)
        order = np.argsort(-uncertain, kind="stable")[:FRAMES_ASKED].tolist()
        asked = [plan.frames.indices[number] for number in order] if frame is None else [frame]
        reach = REACH * getattr(plan.model.network, "factor", 1)
        found = []
        for index in asked:
            masks = canvas.masks[index]
            masks = masks[masks.reshape(len(masks), -1)[:, 0] != NOT_DRAWN]
            question = most_settling(masks, plan.model.network.classes, reach)
            if question is not None:
                found.append((question.settled, index, question))
        if not found:
            return None
        _, index, best = max(found, key=lambda each: each[0])
        place = plan.place_in_image(index, best.place)
        return Suggestion(place, best.label, best.other, best.probability, best.share)

    def _step(self, source: list[tuple[Prompt, ...]], target: list[tuple[Prompt, ...]]) -> bool:
        if not source:
            return False
        former = self.prompts
        self._take(source.pop())
        target.append(former)
        return True

    def _take(self, prompts: tuple[Prompt, ...]) -> None:
        self._plan = self._plan.told(prompts)
        self.prompts = prompts
