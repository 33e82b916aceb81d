"""Plan a batch: which images are done, which remain, and which files it must not touch."""

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .._util import Progress
from ..checkpoints import find_model, read_header
from ..config import PartConfig, SegmentConfig
from ..data import find_images, shortlist
from ..errors import CheckpointError, InputError
from ..remote import Server
from ._image import all_settings, large_path
from ._outputs import Task, plan_outputs
from ._record import RECORDS, Fingerprint, Record, record_path
from ._report import REPORTS


@dataclass(frozen=True)
class Item:
    """One image of a batch.

    Attributes
    ----------
    task : Task
        The image and its outputs.
    state : {"waiting", "done", "blocked"}
        Blocked: an output exists that this batch would not make the same.
    reason : str
        Why it is blocked.
    record : Record or None
        Of the earlier run, where its outputs are of the same input, model and settings.
    """

    task: Task
    state: Literal["waiting", "done", "blocked"]
    reason: str = ""
    record: Record | None = None


@dataclass(frozen=True)
class Batch:
    """Images, model, settings and output folder, compared with what that folder holds."""

    items: tuple[Item, ...]
    model: Path
    model_name: str
    model_sha256: str
    config: SegmentConfig
    out: Path
    overwrite: bool
    part: PartConfig = field(default_factory=PartConfig)
    server: str | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that determines the results, as JSON."""
        return all_settings(self.config, self.part)

    @property
    def waiting(self) -> list[int]:
        """The indices of the items that remain to be done."""
        return [index for index, item in enumerate(self.items) if item.state == "waiting"]

    def refuse_blocked(self) -> None:
        """Refuse to run if something would be lost.

        Raises
        ------
        InputError
            If outputs would be lost; the message names them, the reason and the remedy.
        """
        blocked = [item.reason for item in self.items if item.state == "blocked"]
        if blocked:
            raise InputError(
                f"{shortlist(blocked, 3)}; give --overwrite (in Python overwrite=True) to replace what exists, or "
                "another folder as --out."
            )


def plan_batch(
    inputs: Sequence[Path],
    model: str | Path,
    out: Path,
    config: SegmentConfig | None = None,
    kinds: tuple[str, ...] = ("labels", "sd"),
    *,
    part: PartConfig | None = None,
    written: str | None = None,
    prompts: Path | None = None,
    server: str | None = None,
    overwrite: bool = False,
) -> Generator[Progress, None, Batch]:
    """Find the images, and compare each with the output folder; needs no torch and computes nothing.

    An image is done where its record is of the same content, model file and settings, and all outputs are as they
    were written.

    Parameters
    ----------
    inputs : sequence of Path
        Files, folders and patterns, see :func:`napari_ldseg.data.find_images`.
    model : str or Path
        A model's name, file or folder.
    out : Path
        The folder of the outputs.
    config : SegmentConfig, optional
    kinds : tuple of str
        Which outputs are made of each image: ``"labels"``, ``"sd"``, ``"mean"``, ``"samples"``.
    part : PartConfig, optional
        Other axes, some frames or a region of each image.
    written : str, optional
        Format of the outputs (``"tif"``, ``"ome-tif"``, ``"nifti"``, ``"mha"``, ``"ome-zarr"``); by default each
        image's own.
    prompts : Path, optional
        What is true of some pixels: a file for one image, or a folder with a file for each; see
        :func:`napari_ldseg.prompts.find_prompts`.
    server : str, optional
        Address of another computer, whose model of this name is taken; see :class:`napari_ldseg.Server`.
    overwrite : bool
        Take images whose outputs were made otherwise as to do, not as blocked.

    Yields
    ------
    Progress
        After each image: comparing reads files where their time of change is not the one in the record.

    Raises
    ------
    InputError, CheckpointError
        If an input or the model is missing, or outputs would collide.
    """
    config, part, out = config or SegmentConfig(), part or PartConfig(), Path(out)
    if "samples" not in kinds:
        config = config.replace(keep_mb=0)  # nobody would see them
    path, name, digest = _model(model) if server is None else _model_of(server, str(model))
    tasks = plan_outputs(find_images(inputs), out, kinds, written, prompts)
    _refuse_reports(out, overwrite)
    items = []
    for done, task in enumerate(tasks, start=1):
        settings = {"prompts": None, **all_settings(config, part, task.prompts)}
        items.append(_compare(task, Record.read(record_path(out, task.image)), digest, settings, overwrite))
        yield Progress(done, len(tasks), "Comparing with what is done")
    return Batch(tuple(items), path, name, digest, config, out, overwrite, part, server)


def _model(model: str | Path) -> tuple[Path, str, str]:
    """Return file, name and hash of a model."""
    path = find_model(model).resolve()
    header = read_header(path)
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise CheckpointError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from error
    return path, header.config.name, digest


def _model_of(address: str, model: str) -> tuple[Path, str, str]:
    """Return what a server calls a model (in place of its file), its name and its hash."""
    with Server(address) as server:
        known = server.model(model)
    return Path(known.name), known.config.name, known.sha256


def _compare(task: Task, record: Record | None, model: str, settings: dict[str, object], overwrite: bool) -> Item:
    """Compare an image with the record of its outputs."""
    large = large_path(task)
    outputs = [large] if record is not None and large.name in record.outputs else list(task.outputs.values())
    there = [path for path in outputs if path.exists()]
    reason = _difference(task, record, model, settings)
    if record is not None and not reason:
        changed = [path for path in there if not _unchanged(record, path)]
        if not changed and len(there) == len(outputs):
            return Item(task, "done", record=record)
        reason = "it was changed after it was written, or is not ours" if changed else ""
        there = changed
        if not there:
            return Item(task, "waiting", record=record)
    if there and not overwrite:
        return Item(task, "blocked", f"{there[0]} exists already: {reason}")
    return Item(task, "waiting")


def _difference(task: Task, record: Record | None, model: str, settings: dict[str, object]) -> str:
    """Return how the record differs from this input, model and settings; empty if it does not."""
    if record is None:
        return "no record says how it was made"
    if record.model_sha256 != model:
        return f"it was made with another model, {record.model!r}"
    changed = [name for name in settings if record.settings.get(name) != settings[name]]
    if changed:
        return "it was made with " + ", ".join(
            f"{name} = {record.settings.get(name)} (now {settings[name]})" for name in changed
        )
    return "" if record.input.matches(task.image) else f"it was made of another image than {task.image}"


def _unchanged(record: Record, path: Path) -> bool:
    known: Fingerprint | None = record.outputs.get(path.name)
    return known is not None and known.matches(path)


def _refuse_reports(out: Path, overwrite: bool) -> None:
    """Refuse to replace a report that no batch wrote."""
    if not overwrite and not (out / RECORDS).is_dir():
        for name in REPORTS:
            if (out / name).exists():
                raise InputError(
                    f"{out / name} exists already and is not ours; give --overwrite to replace it, or another folder "
                    "as --out."
                )
