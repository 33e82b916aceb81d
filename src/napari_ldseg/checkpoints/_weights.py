"""Save and load models as safetensors, so that a file holds numbers and never code."""

import hashlib
import json
from pathlib import Path
from typing import Literal

import safetensors.torch
import torch
from safetensors import SafetensorError

from .._util import replacing
from .._version import __version__
from ..config import FORMAT_VERSION, Device
from ..errors import CheckpointError
from ..networks import LDSeg
from ._build import check_tensors, empty_model, fill_model, not_finite
from ._device import resolve_device
from ._header import AGAIN, CARD_FILE, FORMAT, file_to_write, read_header
from ._registry import find_model


def save_model(
    model: LDSeg,
    path: str | Path,
    card: str | None = None,
    *,
    dtype: Literal["float32", "float16"] = "float32",
) -> Path:
    """Write a model to one self-describing file.

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
        "napari_ldseg_version": __version__,
        "card": card,
    }
    kind = getattr(torch, dtype)
    tensors = {
        name: tensor.detach().to("cpu", kind if tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in model.state_dict().items()
    }
    if faulty := not_finite(tensors):
        raise CheckpointError(
            f"The model was not saved: {faulty} is not finite as {dtype}. "
            "Save as float32, or train again with a lower learning rate."
        )
    folder, path = path, file_to_write(path)
    if card and path != folder:
        with replacing(folder / CARD_FILE, CheckpointError) as partial:
            partial.write_bytes(card.encode())
    with replacing(path, CheckpointError) as partial:
        partial.write_bytes(_serialize(tensors, metadata))
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
    model = empty_model(header.config, str(header.path))
    check_tensors(header.tensors, model.state_dict(), str(header.path))
    try:
        data = header.path.read_bytes()
        stored = safetensors.torch.load(data)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{str(header.path)!r} cannot be read: {error}. {AGAIN}") from error
    fill_model(model, stored, str(header.path))
    model.card = header.card
    model.sha256 = hashlib.sha256(data).hexdigest()
    return model.to(target)


def _serialize(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> bytes:
    """Return safetensors bytes with the metadata in a fixed order (the library's order is random)."""
    plain = safetensors.torch.save(tensors)
    end = 8 + int.from_bytes(plain[:8], "little")
    entries = json.loads(plain[8:end])
    header = json.dumps({"__metadata__": metadata, **entries}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # the tensors start at a multiple of eight bytes
    return len(header).to_bytes(8, "little") + header + plain[end:]
