"""Windows are what the networks see at a time: whole frames, or tiles that are blended in probability."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass

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
        Its frame, as an index into those that are computed together.
    read : callable
        Returns its pixels (1, image_channels, *S).
    tile : Tile or None
        Its place on the frame; None for the whole frame.
    """

    frame: int
    read: Callable[[], Tensor]
    tile: Tile | None = None


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
    conditions : dict, optional
        Known conditions, by number of the window and of the flip.
    """

    def __init__(
        self, runner: Runner, windows: list[Window], box: Box, conditions: dict[tuple[int, int], Tensor] | None = None
    ) -> None:
        self._runner, self._windows, self._box = runner, windows, box
        self._frames = 1 + max(window.frame for window in windows)
        self._conditions = {} if conditions is None else conditions
        self._ndim = runner.model.config.network.ndim

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
        """Embed the flips of one window that are not embedded yet. Its pixels are read only once."""
        missing = [view for view in views if (number, view) not in self._conditions]
        pixels = self._windows[number].read() if missing else None
        for view in missing:
            assert pixels is not None
            self._conditions[number, view] = self._runner.embed(mirror(pixels, view, self._ndim))
            self._runner.done += 1
            yield self._runner.progress("image embedded")

    def _noise(self, chunk: range, samples: range, views: list[int], condition: Tensor) -> Noise:
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
        common = [(max(a, c), min(b, d)) for (a, b), (c, d) in zip(window.tile.box, self._box, strict=True)]
        inside = tuple(slice(a - s, b - s) for (a, b), s in zip(common, window.tile.start, strict=True))
        target = tuple(slice(a - s, b - s) for (a, b), (s, _) in zip(common, self._box, strict=True))
        weight = torch.from_numpy(window.tile.weight)[inside]
        view = out[window.frame][:, :, *target]
        view += picture[:, :, *inside] * weight
        return out
