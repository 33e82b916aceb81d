"""Read and check the header of a model file, without torch and without its weights.

A safetensors file is eight bytes (the length N of the header, little-endian), N bytes of JSON, then the tensors.
The JSON names each tensor with dtype, shape and place; ``__metadata__`` holds strings.
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..config import FORMAT_VERSION, ModelConfig
from ..errors import CheckpointError, InputError

FORMAT = "napari-ldseg"
MODEL_FILE = "model.safetensors"
CARD_FILE = "README.md"
MAX_HEADER = 16 * 2**20
MAX_PARAMETERS = 500_000_000
AGAIN = "Copy or download it again."

# Kinds of file that are taken for a model, by their first bytes. They are named, never opened.
_KINDS = (
    (b"PK\x03\x04", "a ZIP archive, as PyTorch's .pt and Keras' .keras files are (see napari-ldseg import torch)"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras' .h5 files are (see napari-ldseg import keras)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself (run 'git lfs pull')"),
    (b"<", "a web page or XML file, not the download itself"),
    *((b"\x80" + bytes([protocol]), "a Python pickle, as old PyTorch .pt files are") for protocol in range(2, 6)),
)
_WIDTHS = {"BOOL": 1, "U8": 1, "I8": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4, "U32": 4, "F32": 4}
_WIDTHS |= {"I64": 8, "U64": 8, "F64": 8}


class Tensor(NamedTuple):
    """Kind and shape of one stored tensor, for example ``Tensor("F16", (32, 3, 3, 3))``."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Header:
    """Everything in a model file except its weights.

    Attributes
    ----------
    path : Path
        The ``.safetensors`` file.
    config : ModelConfig
    card : str
        The model card (Markdown); may be empty.
    version : str
        The version of napari-ldseg that wrote the file.
    tensors : mapping of str to Tensor
    """

    path: Path
    config: ModelConfig
    card: str
    version: str
    tensors: Mapping[str, Tensor]


def read_header(path: str | Path) -> Header:
    """Read and check everything but the weights of a model file, or of the model in a folder.

    Raises
    ------
    CheckpointError
        The file is missing, cut short, damaged, of another kind, too large, or written by a newer version.
    """
    path = model_file(Path(path))
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(64)
            length = int.from_bytes(start[:8], "little")
            if start[8:9] != b"{" or length > MAX_HEADER:
                raise CheckpointError(_wrong_kind(path, start))
            if 8 + length > size:
                raise _truncated(path, size, 8 + length)
            file.seek(8)
            raw = file.read(length)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no model file {str(path)!r}.") from error
    except OSError as error:
        raise CheckpointError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from error
    entries = _json(raw, path)
    metadata = _metadata(entries.pop("__metadata__", None), path)
    tensors, end = _tensors(entries, path)
    if size < 8 + length + end:
        raise _truncated(path, size, 8 + length + end)
    if size > 8 + length + end:
        raise CheckpointError(
            f"{str(path)!r} is damaged: it has {size - 8 - length - end} bytes after its last tensor. {AGAIN}"
        )
    return Header(
        path, _config(metadata, path), metadata.get("card", ""), metadata.get("napari_ldseg_version", ""), tensors
    )


def model_file(path: Path) -> Path:
    """Return the model file that a path means: the file itself, or the one in a folder."""
    if not path.is_dir():
        return path
    if (path / MODEL_FILE).is_file():
        return path / MODEL_FILE
    others = sorted(file.name for file in path.glob("*.safetensors"))
    hint = f"give one of the files in it: {', '.join(others[:5])}" if others else "choose a model's own folder or file"
    if not others and any(path.glob("*.hdf5")):
        hint = f"its Keras files become a model by: napari-ldseg import keras {path} --out MODEL"
    raise CheckpointError(f"The folder {str(path)!r} holds no {MODEL_FILE}; {hint}.")


def file_to_write(path: Path) -> Path:
    """Return the file that a model is saved to: the path itself where it ends so, else one in the folder."""
    return path if path.suffix.lower() == ".safetensors" and not path.is_dir() else path / MODEL_FILE


def _wrong_kind(path: Path, start: bytes) -> str:
    if not start:
        return f"{str(path)!r} is empty. {AGAIN}"
    kind = next((kind for magic, kind in _KINDS if start.startswith(magic)), "something else, or damaged")
    return (
        f"{str(path)!r} is not a safetensors file: it is {kind}. napari-ldseg loads only .safetensors files that "
        "it saved itself, and never runs code out of a file; choose such a file, import it, or train the model anew."
    )


def _truncated(path: Path, size: int, expected: int) -> CheckpointError:
    return CheckpointError(
        f"{str(path)!r} is cut short: it has {size} bytes and should have {expected} or more. {AGAIN}"
    )


def _json(raw: bytes | str, path: Path) -> dict[str, Any]:
    try:
        values = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"The header of {str(path)!r} is damaged (not JSON). {AGAIN}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"The header of {str(path)!r} is damaged (not a table). {AGAIN}")
    return values


def _metadata(values: object, path: Path) -> dict[str, str]:
    metadata = values if isinstance(values, dict) else {}
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{str(path)!r} is a safetensors file of another program: it does not say that it is a {FORMAT} model. "
            "Choose a file that napari-ldseg saved."
        )
    if not all(isinstance(value, str) for value in metadata.values()):
        raise CheckpointError(f"The header of {str(path)!r} is damaged (metadata that is not text). {AGAIN}")
    version = metadata.get("format_version", "")
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise CheckpointError(f"The header of {str(path)!r} is damaged (format version {version[:20]!r}). {AGAIN}")
    if int(version) > FORMAT_VERSION:
        raise CheckpointError(
            f"{str(path)!r} has format version {version}, and this napari-ldseg reads up to {FORMAT_VERSION}: "
            "update napari-ldseg (the file was written by "
            f"version {metadata.get('napari_ldseg_version', 'unknown')[:40]})."
        )
    return metadata


def _config(metadata: dict[str, str], path: Path) -> ModelConfig:
    try:
        return ModelConfig.parse(_json(metadata.get("config", ""), path))
    except InputError as error:
        raise CheckpointError(
            f"The settings in {str(path)!r} cannot be used: {str(error)[:2000]} "
            "Copy the file again, or update napari-ldseg."
        ) from error


def _tensors(entries: dict[str, Any], path: Path) -> tuple[dict[str, Tensor], int]:
    """Return the stored tensors and where the last one ends; they must lie end to end, in any order."""
    tensors, places = {}, []
    for name, entry in entries.items():
        try:
            dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
            width = _WIDTHS[dtype]
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"The entry of tensor {name[:80]!r} in {str(path)!r} is damaged. {AGAIN}") from error
        numbers = [begin, end, *shape] if isinstance(shape, list) else [None]
        if not all(type(n) is int and 0 <= n < 2**63 for n in numbers) or end - begin != width * math.prod(shape):
            raise CheckpointError(f"The entry of tensor {name[:80]!r} in {str(path)!r} is damaged. {AGAIN}")
        tensors[name] = Tensor(dtype, tuple(shape))
        places.append((begin, end))
    places.sort()
    if [begin for begin, _ in places] != [0, *(end for _, end in places)][: len(places)]:
        raise CheckpointError(f"The tensors in {str(path)!r} overlap or leave gaps. {AGAIN}")
    if (count := sum(math.prod(tensor.shape) for tensor in tensors.values())) > MAX_PARAMETERS:
        raise CheckpointError(
            f"{str(path)!r} has {count:.3g} parameters; models of up to {MAX_PARAMETERS:.0e} are supported."
        )
    return tensors, places[-1][1] if places else 0
