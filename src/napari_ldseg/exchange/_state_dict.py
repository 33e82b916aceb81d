"""Read weights of our own networks from a PyTorch file, always as data (``weights_only``)."""

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..checkpoints import AGAIN, MAX_PARAMETERS, Tensor, check_tensors, empty_model, fill_model
from ..config import ModelConfig
from ..errors import CheckpointError
from ..networks import LDSeg

SUFFIXES = (".pt", ".pth", ".ckpt")
# Where trainers keep the weights; an average of the weights (EMA) is what a model should be judged by.
NESTED = ("ema_state_dict", "model_ema", "ema_model", "ema", "state_dict", "model_state_dict", "model", "module")
MAX_PICKLE = 16 * 2**20
SHOWN = 10
_DTYPES = {torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32", torch.float64: "F64"}


def import_torch(path: str | Path, config: ModelConfig, card: str = "") -> LDSeg:
    """Read weights of our own networks that were saved by ``torch.save``, on any device.

    Averaged weights (EMA) are taken where the file has a complete set of them. Prefixes such as ``module.``,
    ``model.`` or ``ema_model.`` are taken off, and entries of a trainer that are no weights are left alone.

    Parameters
    ----------
    path : str or Path
        ``.pt``, ``.pth`` or ``.ckpt``: a ``state_dict``, or a dictionary of a trainer that holds one.
    config : ModelConfig
        What the file does not say: the settings that its networks were built from.
    card : str, optional
        The model card (Markdown).

    Returns
    -------
    LDSeg
        As from :func:`load_model`. Save it by :func:`save_model`.

    Raises
    ------
    CheckpointError
        The file is missing, damaged, of another kind, holds more than data, or its weights do not fit the settings:
        the message lists what is missing and what is unexpected.
    """
    path = Path(path)
    tables = _sets(_load(path))
    model = empty_model(config, str(path))
    expected = model.state_dict()
    tensors = _choose(tables, set(expected), path)
    check_tensors({name: _describe(tensor) for name, tensor in tensors.items()}, expected, str(path), SHOWN)
    fill_model(model, {name: tensor.detach().clone() for name, tensor in tensors.items()}, str(path))
    model.card = card
    return model


def _load(path: Path) -> object:
    """Read a file of ``torch.save`` without running anything in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no file {str(path)!r}.") from error
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise CheckpointError(
            f"{str(path)!r} is not a file of torch.save, or damaged: {error}. Files from before PyTorch 1.6 are not "
            "read; load such a file in the program that made it and save its state_dict again."
        ) from error
    if sum(entry.file_size for entry in entries) > size or any(entry.compress_type for entry in entries):
        raise CheckpointError(f"{str(path)!r} is compressed, which torch.save never does. {AGAIN}")
    if any(entry.filename.endswith(".pkl") and entry.file_size > MAX_PICKLE for entry in entries):
        raise CheckpointError(f"{str(path)!r} holds more than weights; save its state_dict alone.")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a border: a hostile file may make the unpickler raise anything
        raise CheckpointError(
            f"{str(path)!r} is damaged or holds more than weights, and code in a file is never run "
            f"({type(error).__name__}). Save the state_dict alone: torch.save(model.state_dict(), path)."
        ) from error


def _sets(loaded: object) -> list[dict[str, torch.Tensor]]:
    """Return the tables of tensors in a loaded object, averaged ones first."""
    if not isinstance(loaded, Mapping):
        return []
    nested = [loaded[key] for key in NESTED if isinstance(loaded.get(key), Mapping)]
    tables: list[Mapping[Any, Any]] = [*nested, loaded]
    return [
        {str(key): value for key, value in table.items() if isinstance(value, torch.Tensor)}
        for table in tables
        if len(table) < MAX_PICKLE
    ]


def _choose(tables: list[dict[str, torch.Tensor]], expected: set[str], path: Path) -> dict[str, torch.Tensor]:
    """Return the most complete set of weights, without its prefix; of equals an averaged one, or the first."""
    best: tuple[int, bool] = (0, False)
    chosen: dict[str, torch.Tensor] = {}
    for table in tables:
        prefixes = _prefixes(table, expected)
        for prefix, names in prefixes.items():
            rank = len(names), "ema" in prefix.lower()
            if rank > best:
                others = tuple(other for other in prefixes if other.startswith(prefix) and other != prefix)
                best = rank
                chosen = {
                    key.removeprefix(prefix): value
                    for key, value in table.items()
                    if key.startswith(prefix) and not (others and key.startswith(others))
                }
    if not chosen:
        found = [key for table in tables for key in table]
        seen = f"its tensors are {', '.join(key[:60] for key in found[:SHOWN])}" if found else "it holds no tensors"
        raise CheckpointError(
            f"{str(path)!r} holds no weights of LDSeg networks: {seen}. Only weights of napari-ldseg's own networks "
            "can be imported, whose names begin with mask_encoder, mask_decoder, image_encoder and denoiser."
        )
    return chosen


def _prefixes(table: Mapping[str, torch.Tensor], expected: set[str]) -> dict[str, set[str]]:
    """Return which expected names the table has under which prefix ("" if under none)."""
    found: dict[str, set[str]] = {}
    for key in table:
        parts = key.split(".")
        # The names begin with one of our four networks, so at most one place of the key can.
        for at, part in enumerate(parts[:8]):
            name = ".".join(parts[at:])
            if part in ("mask_encoder", "mask_decoder", "image_encoder", "denoiser") and name in expected:
                found.setdefault(key[: len(key) - len(name)], set()).add(name)
    return found


def _describe(tensor: torch.Tensor) -> Tensor:
    """Return type and shape. Anything but plain memory (sparse, quantised, without data) counts as no weight."""
    plain = tensor.layout is torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    small = math.prod(tensor.shape) <= MAX_PARAMETERS
    kind = _DTYPES.get(tensor.dtype, str(tensor.dtype)) if plain and small else "no plain numbers"
    return Tensor(kind, tuple(tensor.shape))
