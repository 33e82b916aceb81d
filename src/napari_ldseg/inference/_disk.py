"""Write a result to disk: the canvas is an OME-Zarr, written block by block, and a stopped run resumes."""

import hashlib
import json
import math
import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._util import partial_of, put_in_place, write_text
from ..config import class_color
from ..data import IDENTITY, LABELS, Layout, create_pyramid, name_labels, open_levels, write_block
from ..errors import InputError
from ..plan import MAX_PLANE, Block, Plan, block_places, block_side, block_starts, whole_box
from ._memory import count_classes, most_likely
from ._preprocess import crop_to_inner, restore
from ._resample import interpolate
from ._result import Segmentation
from ._runner import Runner
from ._said import force_maps
from ._statistics import RunningStatistics

DONE = "done"


class DiskCanvas:
    """A partly written folder. Any process may compute its blocks.

    Each block is written to ``partial_of(path)`` as soon as it is done; the folder is renamed at the end. A block
    depends only on model, settings and image, so no seams show and the order does not matter. A frame that the
    networks see in one pass is one block.

    Parameters
    ----------
    plan : Plan
    runner : Runner
        Made from the same plan.
    path : Path
        A folder ending in ``.zarr``.
    overwrite : bool
        Whether to replace another result, finished or partial.
    content : str
        Identifies the image; see :func:`segment`.

    Raises
    ------
    InputError
        Another result is in the way.
    """

    shows_first = False

    def __init__(self, plan: Plan, runner: Runner, path: Path, *, overwrite: bool, content: str) -> None:
        self.path, self.plan, self._grid, self._wanted = path, plan, plan.grid, plan.wanted
        self._side, self._layout = block_side(plan.grid), _layout(plan)
        starts = block_starts(plan.grid, self._side)
        if plan.tiles:
            boxes = [(start, block_places(plan.grid, start, self._side)[1]) for start in starts]
        else:
            boxes = [(starts[0], whole_box(plan.grid))]
        self.blocks = [Block((index,), *each) for index in plan.frames.indices for each in boxes]
        # A frame that was seen in one pass is also written at once if it fits into memory.
        self._at_once = not plan.tiles and math.prod(plan.grid.source) <= MAX_PLANE
        self._counts: dict[int, list[list[int]]] = {}
        self._identity = _identify(plan, runner) | ({"content": content} if content else {})
        self._folder, self._finished = partial_of(path), False
        self._open(runner.provenance(plan.image.name), overwrite)
        self._levels = {name: open_levels(folder, "r+") for name, folder in self._folders.items()}

    @property
    def _folders(self) -> dict[str, Path]:
        return {"labels": self._folder / LABELS, "sd": self._folder}

    def todo(self) -> list[int]:
        """Return the numbers of the blocks that no process has written yet."""
        if self._finished:
            return []
        done = {file.name for file in (self._folder / DONE).glob("*.json")}
        return [number for number in range(len(self.blocks)) if f"{number}.json" not in done]

    def part(self, number: int) -> str:
        """Name a block."""
        return f"Block {number + 1} of {len(self.blocks)}"

    def add(self, number: int, samples: range, statistics: Sequence[RunningStatistics], drawn: Tensor) -> None:
        """Count the pixels of each class in these samples."""
        del statistics
        counts = self._counts.setdefault(number, [])
        del counts[samples.start :]  # left by a run that stopped in the middle of the block
        counts += count_classes(most_likely(self._inner(drawn[0])), drawn.shape[2]).tolist()

    def close(self, number: int, statistics: Sequence[RunningStatistics]) -> None:
        """Write a block. It counts as done once all of it is on disk."""
        (index,), start = self.blocks[number].frames, self.blocks[number].start
        maps = torch.cat([statistics[0].shown, statistics[0].sd[None]])
        cells = math.prod(self._inner(maps).shape[1:])
        written = 0
        for first, values in self._restored(maps, start):
            box = tuple((a, a + n) for a, n in zip(first, values.shape[1:], strict=True))
            force_maps(values, self.plan.said_of_result(index, box))
            written += values[0].size
            lead = (None,) * len(index)
            labels = most_likely(torch.from_numpy(values[None, :-1]))[0]
            for name, block in (("sd", values[-1]), ("labels", labels)):
                write_block(self._levels[name], (*index, *first), block[lead], self._layout.axes)
        pixel = math.prod(self.plan.frames.spacing or (1.0,)) * written / cells
        sizes = (np.array(self._counts.pop(number)) * pixel).tolist()
        write_text(self._folder / DONE / f"{number}.json", json.dumps(sizes))

    def preview(self, provenance: dict[str, Any]) -> Segmentation:
        """Return what is on disk so far, without sizes. Missing blocks are empty."""
        plan = self.plan
        sizes = np.zeros((*plan.frames.leading, 0, plan.model.network.classes))
        return self._segmentation(provenance, sizes)

    def result(self, provenance: dict[str, Any]) -> Segmentation:
        """Move the folder into place and return the result. All blocks must be done.

        Raises
        ------
        InputError
            Some are not.
        """
        if not self._finished:
            missing = len(self.todo())
            if missing:
                raise InputError(f"{missing} blocks of {self.path} are not done yet; compute them first.")
            noted = {**provenance, "samples": self._wanted, "sizes": self._sizes().tolist()}
            shutil.rmtree(self._folder / DONE)
            note = json.loads((self._folder / IDENTITY).read_text())
            write_text(self._folder / IDENTITY, json.dumps({**note, "provenance": noted}, indent=1))
            put_in_place(self._folder, self.path)
            self._folder, self._finished = self.path, True
            self._levels = {name: open_levels(folder) for name, folder in self._folders.items()}
        known = json.loads((self.path / IDENTITY).read_text())["provenance"]
        return self._segmentation(known, np.array(known["sizes"]))

    def _segmentation(self, provenance: dict[str, Any], sizes: NDArray[np.float64]) -> Segmentation:
        plan = self.plan
        return Segmentation(
            labels=self._levels["labels"][0],
            mean=None,
            sd=self._levels["sd"][0],
            sizes=sizes,
            axes=plan.frames.axes,
            spacing=plan.frames.spacing,
            unit=plan.image.unit,
            geometry=plan.image.geometry,
            class_names=plan.model.class_names,
            class_colors=plan.model.class_colors,
            samples=self._wanted,
            provenance=provenance,
            path=self._folder,
            coarser={name: levels[1:] for name, levels in self._levels.items()},
        )

    def _inner(self, maps: Tensor) -> Tensor:
        """Cut off what lies beyond the image. Blocks of tiles never reach that far."""
        return maps if self.plan.tiles else crop_to_inner(maps, self._grid)

    def _restored(self, maps: Tensor, start: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], NDArray[np.float32]]]:
        """Bring shown map and SD (C + 1, *box) back to the image's grid, in pieces of one block at most."""
        if self._at_once:
            yield start, restore(maps[None], self._grid)[0].numpy()
            return
        for first in [start] if self.plan.tiles else block_starts(self._grid, self._side):
            places, box = block_places(self._grid, first, self._side)
            values = maps.numpy()
            if not self.plan.tiles:  # the maps cover the whole frame
                values = values[(slice(None), *(slice(*side) for side in box))]
            for axis, at in enumerate(places, start=1):
                values = interpolate(values, axis, at)
            yield first, values

    def _sizes(self) -> NDArray[np.float64]:
        """Add up the sizes that the blocks of each frame noted. The blocks of a frame have consecutive numbers."""
        done = self._folder / DONE
        noted = np.array([json.loads((done / f"{number}.json").read_text()) for number in range(len(self.blocks))])
        each: NDArray[np.float64] = noted.reshape(self.plan.number, -1, *noted.shape[1:]).sum(axis=1)
        return each.reshape(*self.plan.frames.leading, *each.shape[1:])

    def _open(self, note: dict[str, Any], overwrite: bool) -> None:
        """Find the finished or partial folder of this very run, or make a new one."""
        if self.path.exists():
            if _known(self.path) == self._identity:
                self._folder, self._finished = self.path, True
                return
            if not overwrite:
                raise InputError(f"{self.path} holds another result; remove it, or allow that it is overwritten.")
        if self._folder.exists():
            if _known(self._folder) == self._identity:
                return
            if not overwrite:
                raise InputError(
                    f"{self._folder} is the half-written result of other settings, another model or another image; "
                    "remove it, or allow that it is overwritten."
                )
            shutil.rmtree(self._folder)
        config, block = self.plan.model, None if self._at_once else self._side
        shape = (*self.plan.frames.leading, *self._grid.source)
        make = partial(create_pyramid, shape=shape, layout=self._layout, metadata=note, block=block)
        make(self._folder, dtype=np.float32, name="SD")
        colors = [class_color(label, config.class_colors) for label in range(len(config.class_names))]
        make(self._folder / LABELS, dtype=np.uint8, name="labels", colors=colors)
        name_labels(self._folder)
        write_text(self._folder / IDENTITY, json.dumps({"identity": self._identity}, indent=1))


def _layout(plan: Plan) -> Layout:
    """Return the axes for the OME-Zarr, and where its first pixel lies on the finest level."""
    frames = plan.frames
    letters = frames.letters
    if "z" in letters:  # The standard calls it a third spatial axis, though the model did not see it.
        letters = letters.replace("z", next(letter for letter in "spt" if letter not in letters))
    fine, origin = plan.asked.image.spacing, tuple[float, ...]()
    if frames.spacing is not None and fine is not None:
        steps = zip(frames.spacing, fine[-len(frames.spacing) :], plan.part.start, strict=True)
        origin = tuple((s - f) / 2 + s * start for s, f, start in steps)
    return Layout(letters + frames.axes[len(letters) :], frames.spacing, plan.image.unit, origin)


def _identify(plan: Plan, runner: Runner) -> dict[str, Any]:
    """Return everything that determines the output. A partial folder is resumed only if all of it matches."""
    model, image = runner.model, plan.image
    identity = {
        "model": model.sha256 or _hash(*(each.cpu().numpy().tobytes() for each in model.state_dict().values())),
        "samples": plan.wanted,
        "seed": plan.settings.seed,
        "sampler": runner.sampler,
        "steps": runner.steps,
        "views": runner.views,
        "precision": plan.settings.precision,
        "tile": plan.sides,
        "block": block_side(plan.grid),
        "grid": [plan.grid.source, plan.grid.inner],
        "image": [image.axes, image.array.shape, str(image.array.dtype), image.spacing, image.unit],
        "part": [plan.level, plan.part.start],
        "pixels": _hash(np.ascontiguousarray(plan.probed).tobytes()),
        **({"prompts": plan.said.notes()} if plan.said else {}),
    }
    if runner.guess_weight:  # folders of earlier versions go on
        identity |= {"guess_weight": runner.guess_weight, "guess_scales": runner.guess_scales}
    if runner.smoothing:
        identity |= {"denoising": runner.smoothing}
    plain: dict[str, Any] = json.loads(json.dumps(identity))
    return plain


def _known(folder: Path) -> Any:
    """Return the identity that a folder states, or None."""
    try:
        return json.loads((folder / IDENTITY).read_text())["identity"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _hash(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
