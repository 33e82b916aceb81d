"""The desk between requests and the worker: it takes orders, knows all runs, and forgets old ones."""

import logging
import time
from collections.abc import Generator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from .._util import Progress
from ..checkpoints import ModelEntry
from ..config import ServeConfig
from ..errors import InputError
from ..plan import MEGABYTE, Plan
from ..remote import Order, pack_result, plan_of
from ._images import Images
from ._ink import refuse_ink
from ._models import Models
from ._queue import GONE, Worker
from ._refusal import RefusalError
from ._run import Run

LOG = logging.getLogger("napari_ldseg.server")
Maps = Mapping[str, NDArray[Any]]
TIDY = 2.0


class Desk:
    """All that a server knows.

    Parameters
    ----------
    config : ServeConfig
    folder : Path
        For images and results; what lies in it is removed.
    """

    def __init__(self, config: ServeConfig, folder: Path) -> None:
        self.config = config
        folder.mkdir(parents=True, exist_ok=True)
        for old in (*folder.glob("image-*"), *folder.glob("result-*")):
            old.unlink(missing_ok=True)
        self._idle = 60 * config.idle_minutes
        room = config.kept_mb * MEGABYTE
        self.images = Images(folder, min(config.image_mb * MEGABYTE, room // 2), room, self._idle)
        self.models = Models()
        self.worker = Worker(folder, config.minutes, self.tidy)
        half = psutil.virtual_memory().total // 2
        self.memory = half if config.memory_mb is None else config.memory_mb * MEGABYTE
        self._runs: dict[str, Run] = {}
        self._tidied = 0.0

    def order(self, owner: str, client: str, order: Order, maps: Maps) -> Run:
        """Take an order to segment an image.

        Raises
        ------
        RefusalError
            There are too many runs, or no such model or image.
        """
        self._refuse_many(owner)
        entry = self.models.entry(order.model)
        pixels = self.images.hold(owner, order.image)
        what = f"{entry.name}, {pixels.dtype} {' x '.join(map(str, pixels.shape))}"
        run = Run(
            owner,
            client,
            what,
            lambda: self._segment(entry, order, pixels, maps),
            lambda: self.images.release(owner, order.image),
        )
        self._runs[run.id] = run
        self.worker.queue.put(run)
        return run

    def run(self, owner: str, name: str) -> Run:
        """Return a run of this owner.

        Raises
        ------
        RefusalError
            There is none.
        """
        run = self._runs.get(name)
        if run is None or run.owner != owner:
            raise RefusalError(
                HTTPStatus.NOT_FOUND, "The server does not know this run (any more); it may have been started anew."
            )
        run.seen = time.monotonic()
        return run

    def news(self, run: Run) -> dict[str, Any]:
        """Return how far a run is."""
        return {**run.news(), "place": self.worker.queue.place(run) if run.state == "waiting" else 0}

    def forget(self, run: Run) -> None:
        """Stop a run if it goes on, and forget it."""
        self.worker.cancel(run)
        if run.is_over:
            self._remove(run)

    def tidy(self) -> None:
        """Forget what nobody asked for, now and then."""
        now = time.monotonic()
        if now - self._tidied < TIDY:
            return
        self._tidied = now
        for run in list(self._runs.values()):
            if run.state == "waiting" and now - run.seen > GONE:
                self.worker.cancel(run)
            if run.is_over and (run.stop.is_set() or now - run.seen > self._idle):
                self._remove(run)
        self.images.sweep()

    def close(self) -> None:
        """Remove all images and results."""
        self.images.clear()
        for run in list(self._runs.values()):
            self._remove(run)

    def _remove(self, run: Run) -> None:
        self._runs.pop(run.id, None)
        if run.result is not None:
            run.result.unlink(missing_ok=True)

    def _refuse_many(self, owner: str) -> None:
        open_runs = sum(run.owner == owner and not run.is_over for run in list(self._runs.values()))
        if open_runs >= self.config.runs:
            raise RefusalError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{open_runs} runs of this token wait or go on, the most that this server allows; wait, or cancel one.",
            )

    def _segment(
        self, entry: ModelEntry, order: Order, pixels: NDArray[Any], maps: Maps
    ) -> Generator[Progress, None, bytes]:
        from ..inference import segment

        yield Progress(text="Loading the model")
        plan = self.plan(entry, order, pixels, maps)
        model = self.models.load(entry, plan.settings.device)
        result = yield from segment(model, plan)
        return pack_result(result)

    def plan(self, entry: ModelEntry, order: Order, pixels: NDArray[Any], maps: Maps) -> Plan:
        """Plan an order.

        Raises
        ------
        InputError
            It does not fit, or needs more memory than a run may have.
        """
        refuse_ink(order)
        plan = plan_of(order, entry.config, np.asarray(pixels), maps)
        if plan.on_disk or plan.peak_bytes > self.memory:
            raise InputError(
                f"This needs about {plan.peak_bytes / 1e9:.2g} GB of the server's memory, and a run may have "
                f"{self.memory / 1e9:.2g} GB; take a region or some frames, or keep fewer samples."
            )
        return plan
