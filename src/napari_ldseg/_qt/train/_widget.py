"""The Train widget fine-tunes a model on corrected images and shows how it learns."""

import logging
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info
from qtpy.QtCore import Signal

from ..._util import Progress
from ...checkpoints import check_name
from ...errors import InputError, LDSegError
from ...training import TrainProcess, unfinished_runs
from .._tool import ToolWidget
from ..controls._message import error_text
from ..controls._progress import duration
from ..models._events import MODELS
from ..models._library_dialog import serve
from ..threads._background import Done, Task
from ._page import OFFER_STYLE, TrainPage
from ._run import Ended, Report, TrainRun

if TYPE_CHECKING:
    import napari

STAGES = {
    "autoencoder": "Mask autoencoder",
    "denoiser": "Image encoder and denoiser",
    "decoder": "Mask decoder",
    "prompts": "Denoiser and prompt encoder",
}
logger = logging.getLogger(__name__)


class TrainWidget(ToolWidget):
    """Fine-tune a model in a process of its own.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    NAME, DOING, SIZE, STYLE = "train", "training", (350, 760), OFFER_STYLE
    train_finished = Signal(object)
    looked = Signal()
    _run: TrainRun | None

    def __init__(self, napari_viewer: "napari.Viewer") -> None:
        super().__init__(napari_viewer)
        self._paused = False
        self._left: TrainProcess | None = None
        self._best: float | None = None
        self.page = page = TrainPage(self._viewer, self)
        page.start.clicked.connect(self.start)
        page.pause.clicked.connect(self.pause)
        page.stop.clicked.connect(self.stop)
        page.cancel.clicked.connect(self.cancel)
        page.offer.resume_requested.connect(self.resume)
        page.offer.discard_requested.connect(self.discard)
        page.model.changed.connect(self._on_model)
        serve(page.model, self)
        self.forget_on(page.model.changed)
        page.add.image.changed.connect(self._on_image)
        self._on_image()
        self._on_model()
        self._look()

    @property
    def process(self) -> TrainProcess | None:
        """The current training."""
        return self._run.process if self._run is not None else None

    def start(self) -> None:
        """Train with the form's settings, or show why that is not possible."""
        if self._run is not None:
            return
        try:
            if self.page.model.value() is None:
                raise InputError("There is no model to start from; choose one by Model > Open….")
            if not (self.page.dataset.value() / "index.jsonl").exists():
                raise InputError("The training set is empty; add at least one image with its labels.")
            job = self.page.job()
            check_name(job.name)
            process = TrainProcess.prepare(job)
        except LDSegError as error:
            self.show_error(error)
            return
        self._follow(process)

    def pause(self) -> None:
        """Pause, or continue."""
        if self._run is not None:
            self._paused = not self._paused
            self._run.process.tell("pause" if self._paused else "resume")
            self.page.show_running(True, self._paused)
            self.page.progress.say("Paused; the model and its state stay in memory." if self._paused else "Going on")

    def stop(self) -> None:
        """End the training and keep the best model so far."""
        if self._run is not None:
            self._paused = False
            self._run.process.tell("stop")
            self._ending("Stopping: the model is validated once more…")

    def cancel(self) -> None:
        """End the training and keep nothing."""
        if self._run is not None:
            self._run.cancel()
            self._ending("Cancelling…")

    def resume(self) -> None:
        """Resume the unfinished training."""
        if self._left is not None and self._run is None:
            self._follow(TrainProcess(self._left.folder))  # without its earlier orders

    def discard(self) -> None:
        """Delete the unfinished training."""
        if self._left is not None:
            task = Task(self._left.discard)
            task.inform(self, lambda _: self._look())
            self._left = None
            self.page.offer.hide()
            task.start()

    def _follow(self, process: TrainProcess) -> None:
        self._left, self._paused, self._best = None, False, None
        page = self.page
        page.offer.hide()
        page.message.clear()
        page.curves.clear()
        page.preview.show_picture(None)
        page.notes.setText("")
        page.curves.show()
        for section in (page.add_section, page.settings_section):
            section.button.setChecked(False)  # room for the curves
        page.progress.start()
        page.progress.say("Starting: the model and the images are read")
        page.show_running(True)
        run = TrainRun(process)
        run.progressed.connect(self._on_reported)
        self.follow(run, self._on_finished)  # once the thread stops, the process saves its state and ends

    def _ending(self, text: str) -> None:
        self.page.progress.say(text)
        for button in (self.page.pause, self.page.stop, self.page.cancel):
            button.setEnabled(False)

    def _on_reported(self, report: Report) -> None:
        if not report.rows:
            return
        page = self.page
        notes = [row["note"] for row in report.rows if row.get("note")]
        if notes:
            page.notes.setText("\n".join(filter(None, (page.notes.text(), *notes))))
        page.curves.add(report.rows)
        if report.picture is not None:
            page.preview.show_picture(report.picture)
        for row in report.rows:
            if row["stage"] != "autoencoder" and row.get("validation") is not None:
                self._best = max(self._best or 0.0, row["validation"])
        row = report.rows[-1]
        if not self._paused and page.pause.isEnabled() and not row.get("note"):
            page.progress.bar.show_progress(Progress(row["step"], row["total"]))
            page.progress.say(self._line(row))

    def _line(self, row: dict[str, float]) -> str:
        left = f"{duration(row['seconds_left'])} left" if row.get("seconds_left") else ""
        best = f"best DSC {self._best:.3f}" if self._best is not None else ""
        memory = f"{row['memory_mb'] / 1024:.1f} GB" if row.get("memory_mb") else ""
        stage = f"{STAGES[str(row['stage'])]}, step {row['step']} of {row['total']}"
        return " · ".join(part for part in (stage, left, best, memory) if part)

    def _on_finished(self, done: Done) -> None:
        assert self._run is not None
        text = error_text(done.error, self.DOING) if done.error is not None else ""
        ended: Ended = done.value or Ended("failed" if text else "saved", text)
        process, self._run, self._paused = self._run.process, None, False
        page = self.page
        page.show_running(False)
        page.settings_section.button.setChecked(True)
        page.progress.finish("")
        if ended.model is not None:
            MODELS.changed.emit()
            score = f" {ended.model.score}." if ended.model.score else ""
            page.progress.say(f"Done: the new model is {ended.model.name!r}, in every list of models.{score}")
            show_info(f"The model {ended.model.name!r} is trained.{score}")
            self._on_model()
        elif ended.state == "cancelled":
            page.progress.say(ended.text)
        elif ended.state != "saved":
            self._on_broken(process, ended)
        self.train_finished.emit(ended)

    def _on_broken(self, process: TrainProcess, ended: Ended) -> None:
        if ended.details:
            logger.error("the training process said:\n%s", ended.details)
        self.show_error(InputError(ended.text))
        if process.has_state():
            self._offer(process, "Your images, your labels and the last state of the training are safe.")
        elif ended.state == "failed":
            self._left = process
            self.discard()  # it never began
        else:
            self._offer(process, "It had no state yet, so Resume starts from the beginning.")

    def _look(self) -> None:
        """Look for unfinished trainings, in a thread."""
        task = Task(unfinished_runs)
        task.finished.connect(self._on_looked)
        task.start()

    def _on_looked(self, done: Done) -> None:
        runs: list[TrainProcess] = done.value or []
        if runs and self._run is None and self._left is None:
            try:
                name = runs[0].job().name
            except LDSegError:
                name = runs[0].folder.name
            self._offer(runs[0], f"The training of {name!r} was not finished.")
        self.looked.emit()

    def _offer(self, process: TrainProcess, text: str) -> None:
        self._left = process
        self.page.offer.show_text(text)

    def _on_image(self) -> None:
        self.page.model.suggest(self.page.add.image.value())

    def _on_model(self) -> None:
        """Propose a free name."""
        entry = self.page.model.value()
        if entry is None:
            return
        for number in range(1, 100):
            name = f"{entry.name.removesuffix(' (user)')}-tuned" + (f"-{number}" if number > 1 else "")
            try:
                check_name(name)
            except LDSegError:
                continue
            self.page.name.propose(name)
            return
