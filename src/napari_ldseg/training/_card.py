"""Write the card of a trained model: its data, its scores and its settings."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..checkpoints import load_model, save_model
from ..networks import LDSeg
from ._dataset import Case
from ._distributed import rank
from ._run_folder import LOG, MODEL
from ._trainer import Trainer

MOST_NAMES = 60


def finished(trainer: Trainer, model: LDSeg, parent: str) -> LDSeg:
    """Write the card into the model of a finished training, and return the model as it is in the file.

    Parameters
    ----------
    trainer : Trainer
    model : LDSeg
        The best one.
    parent : str
        A paragraph on the parent, and its card; empty where there is none.
    """
    path = trainer.folder / MODEL
    if rank() == 0:
        save_model(model, path, card(trainer, model, parent))
    return load_model(path, trainer.config.device)


def card(trainer: Trainer, model: LDSeg, parent: str) -> str:
    """Return the card (Markdown)."""
    rows = validations(trainer.folder)
    best = trainer.stages[-1].best
    scores = "none: no image was held out"
    if trainer.validation and best >= 0:
        by_more = trainer.config.learn == "prompts" or trainer.config.select == "likelihood"
        scores = model.config.score if by_more else f"{best:.3f}"
    if trainer.before is not None and not math.isnan(trainer.before):
        scores = f"{trainer.before:.3f} before, {scores} after, on the same images"
    parts = [
        f"# {model.config.name}",
        parent.partition("\n\n---\n\n")[0],
        f"Validation DSC (mean foreground DSC per image, {trainer.config.validation_samples} samples): {scores}.",
        "## Data",
        f"{_names(trainer.training)} trained on; {_names(trainer.validation)} held out for validation, in whole groups "
        f"(seed {trainer.config.seed}).",
        *(["## Curve", _table(rows)] if rows else []),
        "## Settings",
        f"Crops {trainer.crop}, batch {trainer.batch}, peak learning rate {trainer.stages[-1].learning_rate:g}; "
        f"`{trainer.config.model_dump_json()}`",
    ]
    text = "\n\n".join(part for part in parts if part) + "\n"
    inherited = parent.partition("\n\n---\n\n")[2]
    return text + (f"\n---\n\nThe parent's card; its scores are the parent's.\n\n{inherited}" if inherited else "")


def validations(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's log that hold a validation score."""
    rows = []
    for line in (folder / LOG).read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:  # cut short by a kill
            continue
        if row.get("validation") is not None:
            rows.append(row)
    return rows


def _names(cases: Sequence[Case]) -> str:
    names = [case.name for case in cases]
    partial = sum(case.partial for case in cases)
    listed = ", ".join(names[:MOST_NAMES]) + (", ..." if len(names) > MOST_NAMES else "")
    number = f"{len(names)} image{'s' * (len(names) != 1)}"
    return f"{number}{f', {partial} of them annotated in part,' if partial else ''} ({listed or 'none'})"


def _table(rows: Sequence[dict[str, Any]]) -> str:
    lines = ["| stage | step | seconds | loss | validation DSC |", "|---|---|---|---|---|"]
    for row in rows:
        loss = "" if row["loss"] is None else f"{row['loss']:.4f}"
        lines.append(f"| {row['stage']} | {row['step']} | {row['elapsed']:.0f} | {loss} | {row['validation']:.3f} |")
    return "\n".join(lines)
