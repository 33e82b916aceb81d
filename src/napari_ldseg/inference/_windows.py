"""What the networks see at a time: whole frames, or the tiles of one frame, blended in probability."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..diffusion import Noise
from ..plan import Box, Tile
from ._noise import field_noise, mirror, stream_noise
from ._result import SegmentProgress
from ._runner import Runner


@dataclass(frozen=True, eq=False)
class Window:
    """One image for the networks.

    Attributes
    ----------
    frame : int
        Which of the frames that are computed together it belongs to.
    read : callable
        Returns its pixels (1, image_channels, *S).
    tile : Tile or None
        Its place on the frame; None for the whole frame.
    """

    frame: int
    read: Callable[[], Tensor]
    tile: Tile | None = None


@dataclass(frozen=True, eq=False)
class Known:
    """What was computed of windows before, for example to average it along time.

    Attributes
    ----------
    conditions : dict
        By number of the window and of the mirror image.
    guesses : dict
        By number of the frame, the first guess (C, *S) at each pixel size.
    """

    conditions: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    guesses: dict[int, list[Tensor]] = field(default_factory=dict)


class Windows:
    """The windows of some frames, embedded when they are first needed.

    One sample of a frame is one consistent picture: the tiles get their noise from one field over the whole plane,
    and it is each sample's own probabilities that are blended, so that the spread over the samples is that of blended
    pictures and not a blend of spreads.

    Parameters
    ----------
    runner : Runner
    windows : list of Window
        All of one shape.
    box : Box
        What of the networks' grid is wanted: all of it, or a block, of which the tiles may stand out.
    known : Known, optional
        What is known already of each window.
    """

    def __init__(self, runner: Runner, windows: list[Window], box: Box, known: "Known | None" = None) -> None:
        self._runner, self._windows, self._box = runner, windows, box
        self._frames = 1 + max(window.frame for window in windows)
        known = known or Known()
        self._conditions, self._known = known.conditions, known.guesses
        self._ndim = runner.model.config.network.ndim
        self._sums: list[Tensor] = []
        self._views: set[int] = set()

    def guesses(self, frame: int) -> list[Tensor]:
        """Return the first guess of a frame, (C, *box), at each pixel size: of all mirror images seen by now."""
        if self._known:
            return self._known[frame]
        return [total[frame] / (1 if place else len(self._views)) for place, total in enumerate(self._sums)]

    def at_once(self, samples: int) -> int:
        """How many windows are computed together with so many samples of each."""
        return 1 if self._runner.renormalizes else min(len(self._windows), max(1, self._runner.batch // samples))

    def draw(self, samples: range) -> Generator[SegmentProgress, None, Tensor]:
        """Draw samples of each frame; return probabilities (frames, len(samples), C, *box)."""
        runner, out = self._runner, torch.empty(0)
        views = [sample % runner.views for sample in samples]
        at_once = self.at_once(len(samples))
        for first in range(0, len(self._windows), at_once):
            chunk = range(first, min(first + at_once, len(self._windows)))
            for number in chunk:
                yield from self._embed(number, sorted(set(views)))
            condition = torch.cat([self._conditions[number, view] for number in chunk for view in views])
            drawn = yield from runner.draw(
                condition, self._noise(chunk, samples, views, condition), samples, len(chunk)
            )
            pictures = drawn.unflatten(0, (len(chunk), len(samples)))
            for number, picture in zip(chunk, pictures, strict=True):
                out = self._place(out, self._windows[number], self._unturned(picture, views))
        return out

    def _embed(self, number: int, views: Iterable[int]) -> Generator[SegmentProgress, None, None]:
        """Embed the mirror images of one window that are not embedded yet; its pixels are read once for all."""
        missing = [view for view in views if (number, view) not in self._conditions]
        pixels = self._windows[number].read() if missing else None
        for view in missing:
            assert pixels is not None
            self._conditions[number, view], guess = self._runner.embed(mirror(pixels, view, self._ndim))
            if guess is not None:
                self._views.add(view)
                self._add_guess(0, number, mirror(guess, view, self._ndim))
            self._runner.done += 1
            yield self._runner.progress("image embedded")
        if pixels is not None and 0 in missing:
            for place, scale in enumerate(self._runner.guess_scales, start=1):
                self._add_guess(place, number, self._runner.guess_at(pixels, scale))
                yield self._runner.progress("image seen at another scale")

    def _add_guess(self, place: int, number: int, guess: Tensor) -> None:
        """Add a window's guess (1, C, *S) at one pixel size to those of its frame."""
        if place == len(self._sums):
            self._sums.append(torch.zeros((self._frames, guess.shape[1], *(b - a for a, b in self._box))))
        window = self._windows[number]
        self._blend(self._sums[place][window.frame], window, guess[0])

    def _noise(self, chunk: range, samples: range, views: list[int], condition: Tensor) -> Noise:
        network, seed = self._runner.model.config.network, self._runner.config.seed
        tiles = [tile for number in chunk if (tile := self._windows[number].tile) is not None]
        if not tiles:
            shape = (network.latent_channels, *condition.shape[2:])
            return stream_noise(seed, samples, shape, len(chunk))
        boxes = [tuple((a // network.factor, b // network.factor) for a, b in tile.box) for tile in tiles]
        return field_noise(seed, samples, views, boxes, network.latent_channels)

    def _unturned(self, picture: Tensor, views: list[int]) -> Tensor:
        """Return the samples as the image lies, where they are of its mirror images."""
        if not any(views):
            return picture
        return torch.stack([mirror(each, view, self._ndim) for each, view in zip(picture, views, strict=True)])

    def _place(self, out: Tensor, window: Window, picture: Tensor) -> Tensor:
        """Add one window's samples (N, C, *S), under the weights of its tile, to what is there already."""
        if window.tile is None and self._frames == 1:
            return picture[None]
        if not out.numel():
            sides = [b - a for a, b in self._box]
            out = torch.zeros((self._frames, *picture.shape[:2], *sides))
        if window.tile is None:
            out[window.frame] = picture
            return out
        self._blend(out[window.frame], window, picture)
        return out

    def _blend(self, out: Tensor, window: Window, picture: Tensor) -> None:
        """Add maps (..., *S) of a window to those of its frame, (..., *box), under the weights of its tile."""
        if window.tile is None:
            out += picture
            return
        common = [(max(a, c), min(b, d)) for (a, b), (c, d) in zip(window.tile.box, self._box, strict=True)]
        inside = tuple(slice(a - s, b - s) for (a, b), s in zip(common, window.tile.start, strict=True))
        target = tuple(slice(a - s, b - s) for (a, b), (s, _) in zip(common, self._box, strict=True))
        weight = torch.from_numpy(window.tile.weight)[inside]
        source: Any = (..., *inside)
        place: Any = (..., *target)
        view = out[place]
        view += picture[source] * weight
