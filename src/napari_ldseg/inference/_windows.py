"""Windows are what the networks see at a time: whole frames, or tiles that are blended in probability."""

from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..diffusion import Noise
from ..plan import Box, Tile
from ._kept import Kept
from ._noise import field_noise, mirror, stream_noise
from ._result import SegmentProgress
from ._runner import Runner
from ._said import Classes, force, prompt_map


@dataclass(frozen=True, eq=False)
class Window:
    """One image for the networks.

    Attributes
    ----------
    frame : int
        Its frame, as an index into those that are computed together.
    read : callable
        Returns its pixels (1, image_channels, *S).
    tile : Tile or None
        Its place on the frame; None for the whole frame.
    key : hashable
        What tells it from the other windows of an image.
    said : uint8 array, shape S, or None
        Classes that were said of its pixels, 255 where none was.
    """

    frame: int
    read: Callable[[], Tensor]
    tile: Tile | None = None
    key: Hashable = ()
    said: Classes | None = None


class Windows:
    """The windows of some frames. Each is embedded when it is first needed.

    Each sample of a frame is one consistent picture: its tiles take their noise from one field over the whole plane,
    and the probabilities of each sample are blended on their own. The SD is therefore that of blended pictures, not
    a blend of SDs.

    Parameters
    ----------
    runner : Runner
    windows : list of Window
        All of one shape.
    box : Box
        The part of the networks' grid that is wanted: all of it, or a block. Tiles may reach beyond a block.
    conditions : Kept, optional
        Known conditions, without prompts, by key of the window and number of the flip.
    said : sequence of uint8 arrays, optional
        Classes that were said of the pixels of the box, for each frame.
    latents : Kept, optional
        Where latents are kept. What was drawn once is not drawn again until somebody says something else.
    guesses : mapping, optional
        First guesses (C, *box) at each pixel size by number of the frame, where they are known already.
    """

    def __init__(
        self,
        runner: Runner,
        windows: list[Window],
        box: Box,
        conditions: Kept | None = None,
        said: Sequence[Classes | None] = (),
        latents: Kept | None = None,
        guesses: Mapping[int, list[Tensor]] | None = None,
    ) -> None:
        self._runner, self._windows, self._box = runner, windows, box
        self._frames = 1 + max(window.frame for window in windows)
        self._conditions = Kept() if conditions is None else conditions
        self._said, self._latents, self._known = said, latents, guesses or {}
        self._ndim = runner.model.config.network.ndim
        self._sums: list[Tensor] = []
        self._views: set[int] = set()

    def guesses(self, frame: int) -> list[Tensor]:
        """Return the first guess of a frame, (C, *box), at each pixel size: of all mirror images seen by now."""
        if self._known:
            return self._known[frame]
        return [total[frame] / (1 if place else len(self._views)) for place, total in enumerate(self._sums)]

    def at_once(self, samples: int) -> int:
        """How many windows are computed together if each has so many samples."""
        return 1 if self._runner.renormalizes else min(len(self._windows), max(1, self._runner.batch // samples))

    def draw(self, samples: range) -> Generator[SegmentProgress, None, Tensor]:
        """Draw samples of each frame; return probabilities (frames, len(samples), C, *box)."""
        runner, out = self._runner, torch.empty(0)
        views = [sample % runner.views for sample in samples]
        at_once = self.at_once(len(samples))
        for first in range(0, len(self._windows), at_once):
            chunk = range(first, min(first + at_once, len(self._windows)))
            latents = yield from self._sample(chunk, samples, views)
            pictures = runner.decode(latents, samples).unflatten(0, (len(chunk), len(samples)))
            for number, picture in zip(chunk, pictures, strict=True):
                out = self._place(out, self._windows[number], self._unturned(picture, views))
        for picture, said in zip(out, self._said, strict=False):
            force(picture, said)
        return out

    def _sample(self, chunk: range, samples: range, views: list[int]) -> Generator[SegmentProgress, None, Tensor]:
        """Draw the latents of some windows that are not kept, and return those of all of them."""
        keys = {number: self._key(number, samples) for number in chunk}
        found = {n: kept[0] for n, key in keys.items() if self._latents and (kept := self._latents.get(key))}
        missing = [number for number in chunk if number not in found]
        self._runner.done += (len(chunk) - len(missing)) * self._runner.steps
        if missing:
            told = []
            for number in missing:
                told += yield from self._conditions_of(number, views)
            condition = torch.cat(told)
            noise = self._noise(missing, samples, views, condition)
            drawn = yield from self._runner.sample(condition, noise, samples, len(missing))
            if self._latents is None:
                return drawn
            found |= dict(zip(missing, drawn.unflatten(0, (len(missing), len(samples))), strict=True))
            for number in missing:
                self._latents.put(keys[number], found[number].clone())
        return torch.cat([found[number] for number in chunk])

    def _key(self, number: int, samples: range) -> Hashable:
        """What the latents of a window depend on."""
        window = self._windows[number]
        told = b"" if window.said is None or self._runner.model.prompt_encoder is None else window.said.tobytes()
        return window.key, hash(told), samples.start, samples.stop

    def _conditions_of(self, number: int, views: list[int]) -> Generator[SegmentProgress, None, list[Tensor]]:
        """Return the condition of one window for each sample; its pixels are read once for all mirror images."""
        window, runner = self._windows[number], self._runner
        pixels: Tensor | None = None
        each: dict[int, Tensor] = {}
        for view in sorted(set(views)):
            kept = self._conditions.get((window.key, view))
            if kept is None:
                pixels = window.read() if pixels is None else pixels
                each[view], guess = runner.embed(mirror(pixels, view, self._ndim))
                if guess is not None:
                    self._add_guesses(number, view, mirror(guess, view, self._ndim), pixels)
                self._conditions.put((window.key, view), each[view])
                runner.done += 1
                yield runner.progress("image embedded")
            else:
                each[view] = kept[0]
            if window.said is not None:
                planes = prompt_map(window.said, runner.model.config.network.classes)
                each[view] = runner.tell(each[view], mirror(planes, view, self._ndim))
        return [each[view] for view in views]

    def _add_guesses(self, number: int, view: int, guess: Tensor, pixels: Tensor) -> None:
        """Add a window's guess (1, C, *S) to those of its frame; with that of the image itself, other pixel sizes."""
        window = self._windows[number]
        self._views.add(view)
        scales = self._runner.guess_scales if view == 0 else ()
        for place, each in enumerate([guess, *(self._runner.guess_at(pixels, scale) for scale in scales)]):
            if place == len(self._sums):
                self._sums.append(torch.zeros((self._frames, guess.shape[1], *(b - a for a, b in self._box))))
            self._blend(self._sums[place][window.frame], window, each[0])

    def _noise(self, chunk: Sequence[int], samples: range, views: list[int], condition: Tensor) -> Noise:
        network, seed = self._runner.model.config.network, self._runner.config.seed
        tiles = [tile for number in chunk if (tile := self._windows[number].tile) is not None]
        if not tiles:
            shape = (network.latent_channels, *condition.shape[2:])
            return stream_noise(seed, samples, shape, len(chunk))
        boxes = [tuple((a // network.factor, b // network.factor) for a, b in tile.box) for tile in tiles]
        return field_noise(seed, samples, views, boxes, network.latent_channels)

    def _unturned(self, picture: Tensor, views: list[int]) -> Tensor:
        """Flip the samples back to the orientation of the image."""
        if not any(views):
            return picture
        return torch.stack([mirror(each, view, self._ndim) for each, view in zip(picture, views, strict=True)])

    def _place(self, out: Tensor, window: Window, picture: Tensor) -> Tensor:
        """Add the samples (N, C, *S) of one window, weighted as its tile says, to what is there already."""
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
