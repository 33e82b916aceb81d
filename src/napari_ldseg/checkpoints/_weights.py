"""A model to a file and back: safetensors, so that a file holds numbers and never code."""

import hashlib
import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch.overrides import TorchFunctionMode

from ..config import FORMAT_VERSION, Device
from ..errors import CheckpointError
from ..networks import LDSeg
from ._device import resolve_device
from ._header import AGAIN, CARD_FILE, FORMAT, MODEL_FILE, Header, read_header
from ._registry import find_model

FLOATS = {"F16", "BF16", "F32", "F64"}


def save_model(
    model: LDSeg,
    path: str | Path,
    card: str | None = None,
    *,
    dtype: Literal["float32", "float16"] = "float32",
) -> Path:
    """Write a model into one file that describes itself.

    The same model, card and version give the same bytes, so that the hash names the model. The file is written
    beside its place and renamed.

    Parameters
    ----------
    model : LDSeg
    path : str or Path
        A name that ends in ``.safetensors`` is the file. Any other name is a folder, which is made if need be
        and gets ``model.safetensors`` and, if there is a card, ``README.md``.
    card : str, optional
        The model card (Markdown); by default the card that the model already has.
    dtype : {"float32", "float16"}
        How weights are stored; ``"float16"`` halves the file and rounds each weight by up to 0.05 %.

    Returns
    -------
    Path
        The ``.safetensors`` file.

    Raises
    ------
    CheckpointError
        The place cannot be written, or a weight is not finite as ``dtype``.
    """
    path = Path(path)
    card = model.card if card is None else card
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "config": model.config.model_dump_json(),
        "napari_ldseg_version": version("napari-ldseg"),
        "card": card,
    }
    kind = getattr(torch, dtype)
    tensors = {
        name: tensor.detach().to("cpu", kind if tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in model.state_dict().items()
    }
    if faulty := _not_finite(tensors):
        raise CheckpointError(
            f"The model was not saved: {faulty} is not finite as {dtype}. "
            "Save as float32, or train again with a lower learning rate."
        )
    try:
        if path.suffix.lower() == ".safetensors" and not path.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
        else:
            path.mkdir(parents=True, exist_ok=True)
            if card:
                _write(path / CARD_FILE, card.encode())
            path = path / MODEL_FILE
        _write(path, _serialize(tensors, metadata))
    except OSError as error:
        raise CheckpointError(
            f"The model cannot be written to {str(path)!r}: {error.strerror or error}. Choose another place."
        ) from error
    return path


def load_model(path_or_name: str | Path, device: Device = "cpu") -> LDSeg:
    """Read a model, ready to segment: float32, evaluation mode, no gradients.

    Parameters
    ----------
    path_or_name : str or Path
        A file, the folder of a model, or the name of a released or own model (:func:`list_models`).
    device : {"cpu", "auto", "cuda", "mps"}
        Where the weights go, wherever they were when they were saved.

    Returns
    -------
    LDSeg
        With ``card`` and ``sha256`` (of the file) set.

    Raises
    ------
    CheckpointError
        The file is missing, damaged, of another kind, or does not fit its own settings or this version.
    InputError
        The device is not available.
    """
    target = resolve_device(device)
    header = read_header(find_model(path_or_name))
    model = _without_memory(header)
    _check_tensors(header, model.state_dict())
    try:
        data = header.path.read_bytes()
        stored = safetensors.torch.load(data)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{str(header.path)!r} cannot be read: {error}. {AGAIN}") from error
    state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in stored.items()}
    if faulty := _not_finite(state):
        raise CheckpointError(
            f"{faulty} in {str(header.path)!r} is not finite: the file is damaged or its training went astray. "
            "Copy the file again or choose another model."
        )
    model.load_state_dict(state, assign=True)
    model.card = header.card
    model.sha256 = hashlib.sha256(data).hexdigest()
    return model.eval().requires_grad_(False).to(target)


def _check_tensors(header: Header, expected: Mapping[str, torch.Tensor]) -> None:
    """Compare the file's tensors with those that its settings ask for, before any of them is allocated."""
    found, path = header.tensors, str(header.path)
    for problem, names in (
        ("lacks", [name for name in expected if name not in found]),
        ("has unknown", [name for name in found if name not in expected]),
    ):
        if names:
            raise CheckpointError(
                f"{path!r} {problem} {len(names)} tensors ({_some(names)}): its weights belong to other settings or "
                "another version. Update napari-ldseg, or save the model again."
            )
    wrong = [name for name, tensor in expected.items() if found[name].shape != tensor.shape]
    if wrong:
        shapes = [f"{name} should be {tuple(expected[name].shape)} and is {found[name].shape}" for name in wrong]
        raise CheckpointError(
            f"{path!r} has {len(wrong)} tensors whose shape does not fit its settings: {_some(shapes, '; ')}. "
            "Its settings were edited or belong to other weights; save the model again."
        )
    wrong = [name for name in expected if found[name].dtype not in FLOATS]
    if wrong:
        raise CheckpointError(
            f"{path!r} stores {_some(wrong)} as {found[wrong[0]].dtype}, and weights must be one of "
            f"{', '.join(sorted(FLOATS))}. Save the model again as float32 or float16."
        )


class _EmptyOnMeta(TorchFunctionMode):
    """Give weights, which modules make by ``torch.empty``, a shape but no memory and no random numbers.

    Unlike ``torch.device("meta")`` it leaves arithmetic alone: on meta tensors that first imports torch's
    decompositions, which takes two seconds, and it would lose the values of buffers that are not stored.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        return func(*args, **{**kwargs, "device": "meta"}) if func is torch.empty else func(*args, **kwargs)


def _without_memory(header: Header) -> LDSeg:
    """Return the model that the settings ask for, its weights still without memory."""
    try:
        with _EmptyOnMeta():
            return LDSeg(header.config)
    except (ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"No network can be built from the settings in {str(header.path)!r}: {error}. {AGAIN}"
        ) from error


def _some(words: list[str], between: str = ", ") -> str:
    """Join up to three words."""
    return between.join(words[:3]) + (f"{between}..." if len(words) > 3 else "")


def _not_finite(tensors: Mapping[str, torch.Tensor]) -> str | None:
    """Return the name of the first tensor with a NaN or an infinity."""
    return next((name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()), None)


def _serialize(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> bytes:
    """Return safetensors bytes with the metadata in a fixed order (the library's order is random)."""
    plain = safetensors.torch.save(tensors)
    end = 8 + int.from_bytes(plain[:8], "little")
    entries = json.loads(plain[8:end])
    header = json.dumps({"__metadata__": metadata, **entries}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # the tensors start at a multiple of eight bytes
    return len(header).to_bytes(8, "little") + header + plain[end:]


def _write(path: Path, data: bytes) -> None:
    """Write beside the place and rename, so that no reader ever sees half a file."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
