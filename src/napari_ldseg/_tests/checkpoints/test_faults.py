"""Whatever is wrong with a model file is said in words, and no file can do more harm than that."""

import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import safetensors.numpy
import torch

from ...checkpoints import load_model, read_header, save_model
from ...config import FORMAT_VERSION
from ...errors import CheckpointError
from ...networks import LDSeg
from ..builders import join_safetensors, split_safetensors

TENSOR = "mask_encoder.head.2.weight"


def _edit(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Write the file again with a changed header."""
    header, body = split_safetensors(path.read_bytes())
    change(header)
    path.write_bytes(join_safetensors(header, body))
    return path


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no model file, folder or name .*none\.safetensors"):
        load_model(tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError, match="no model file"):
        read_header(tmp_path / "none.safetensors")


def test_unknown_name_says_the_nearest(user_models: Path, tiny_model_2d: LDSeg) -> None:
    save_model(tiny_model_2d, user_models / "nuclei")
    with pytest.raises(CheckpointError, match=r"name 'nucle'\. Did you mean 'nuclei'\? Known models: .*nuclei"):
        load_model("nucle")


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_unusable_path(name: str) -> None:
    with pytest.raises(CheckpointError, match=r"not a usable path|no model file"):
        load_model(name)


def test_folder_without_model(saved: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no model\.safetensors; give one of .*tiny\.safetensors"):
        load_model(saved.parent)
    saved.unlink()
    with pytest.raises(CheckpointError, match=r"holds no model\.safetensors; choose"):
        load_model(saved.parent)


@pytest.mark.parametrize("kept", [9, 100, -1])
def test_truncated_file(saved: Path, kept: int) -> None:
    saved.write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"is cut short: it has \d+ bytes and should have \d+.*download"):
        load_model(saved)


def test_longer_file(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes() + b"abc")
    with pytest.raises(CheckpointError, match="3 bytes after its last tensor"):
        load_model(saved)


class _Trap:
    """Unpickled, it would make a file named ``sprung``."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def _write_kind(kind: str, path: Path) -> None:
    trap = _Trap(path.with_name("sprung"))
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "HDF5":
        with h5py.File(path, "w") as file:
            file["weights"] = np.zeros(3)
    elif kind == "ZIP":
        torch.save({"weights": torch.zeros(3), "trap": trap}, path)
        assert zipfile.is_zipfile(path)
    elif kind == "Git LFS":
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    elif kind == "web page":
        path.write_text("<!DOCTYPE html><html></html>")
    elif kind == "something else":
        path.write_bytes(b"\xff" * 200)
    else:
        path.write_bytes(pickle.dumps(trap, protocol=int(kind[-1])))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("empty", "is empty"),
        ("HDF5", "an HDF5 file"),
        ("ZIP", "a ZIP archive"),
        ("Git LFS", "git lfs pull"),
        ("web page", "a web page"),
        ("something else", "something else"),
        ("pickle 2", "a Python pickle.*never runs code"),
        ("pickle 4", "a Python pickle.*never runs code"),
    ],
)
def test_wrong_kind_of_file_is_named_and_never_run(tmp_path: Path, kind: str, said: str) -> None:
    path = tmp_path / "model.safetensors"
    _write_kind(kind, path)
    with pytest.raises(CheckpointError, match=said):
        load_model(path)
    assert os.listdir(tmp_path) == ["model.safetensors"]


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_safetensors_of_something_else(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.numpy.save_file({"a": np.zeros(2)}, path, metadata)
    with pytest.raises(CheckpointError, match=r"of another program.*Choose a file that napari-ldseg saved"):
        load_model(path)


def test_newer_format_version(saved: Path) -> None:
    newer = {"format_version": str(FORMAT_VERSION + 1), "config": "{}", "napari_ldseg_version": "9.1"}
    _edit(saved, lambda header: header["__metadata__"].update(newer))
    with pytest.raises(CheckpointError, match=rf"format version {FORMAT_VERSION + 1}.*update napari-ldseg .*9\.1"):
        load_model(saved)


@pytest.mark.parametrize("config", ["", "{", "[]", '{"colour": 1}', '{"steps": 0}', '{"network": {"ndim": 4}}'])
def test_config_that_does_not_parse(saved: Path, config: str) -> None:
    _edit(saved, lambda header: header["__metadata__"].update(config=config))
    with pytest.raises(CheckpointError, match=r"tiny\.safetensors' (is damaged|cannot be used: .*(colour|steps|ndim))"):
        load_model(saved)


def test_wrong_shapes_are_named_up_to_three(saved: Path, tiny_model_2d: LDSeg) -> None:
    config = tiny_model_2d.config
    wider = config.replace(network=config.network.replace(image_widths=(8, 12)))
    _edit(saved, lambda header: header["__metadata__"].update(config=wider.model_dump_json()))
    said = r"image_encoder\.\S+ should be \(12, 8, 3, 3\) and is \(8, 8, 3, 3\)(; image_encoder[^;]*){2}; \.\.\.\."
    with pytest.raises(CheckpointError, match=said):
        load_model(saved)


def test_shapes_are_checked_before_memory_is_taken(
    saved: Path, tiny_model_2d: LDSeg, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[LDSeg] = []

    def state_dict(self: LDSeg) -> dict[str, Any]:
        made.append(self)
        return torch.nn.Module.state_dict(self)

    monkeypatch.setattr(LDSeg, "state_dict", state_dict)
    config = tiny_model_2d.config
    widths = dict.fromkeys(("mask_widths", "decoder_widths", "image_widths"), (2048, 2048))
    huge = config.replace(network=config.network.replace(**widths))
    _edit(saved, lambda header: header["__metadata__"].update(config=huge.model_dump_json()))
    with pytest.raises(CheckpointError, match="tensors whose shape"):
        load_model(saved)
    assert all(parameter.is_meta for parameter in made[0].parameters())
    assert sum(parameter.numel() for parameter in made[0].parameters()) > 300e6


def test_missing_and_unexpected_tensors(saved: Path, tiny_model_2d: LDSeg) -> None:
    original = saved.read_bytes()
    _edit(saved, lambda header: header.update({"bias.of.nothing": header.pop(TENSOR)}))
    with pytest.raises(CheckpointError, match=rf"lacks 1 tensors \({TENSOR}\)"):
        load_model(saved)
    saved.write_bytes(original)
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    _edit(saved, lambda header: header.update({"bias.of.nothing": entry}))
    with pytest.raises(CheckpointError, match=r"has unknown 1 tensors \(bias\.of\.nothing\)"):
        load_model(saved)


def test_weights_of_another_type(saved: Path) -> None:
    _edit(saved, lambda header: header[TENSOR].update(dtype="I32"))
    with pytest.raises(CheckpointError, match=f"stores {TENSOR} as I32"):
        load_model(saved)


def test_weights_that_are_not_finite(saved: Path) -> None:
    header, body = split_safetensors(saved.read_bytes())
    begin = header[TENSOR]["data_offsets"][0]
    saved.write_bytes(join_safetensors(header, body[:begin] + struct.pack("<f", float("nan")) + body[begin + 4 :]))
    with pytest.raises(CheckpointError, match=f"{TENSOR} in .* is not finite"):
        load_model(saved)


def test_absurd_number_of_parameters(tmp_path: Path, saved: Path) -> None:
    header, _ = split_safetensors(saved.read_bytes())
    entry = {"dtype": "F32", "shape": [600_000_000], "data_offsets": [0, 2_400_000_000]}
    header = {"__metadata__": header["__metadata__"], "a": entry}
    path = tmp_path / "absurd.safetensors"
    path.write_bytes(join_safetensors(header, b""))
    os.truncate(path, path.stat().st_size + 2_400_000_000)  # a sparse file: no disk is used
    with pytest.raises(CheckpointError, match=r"6e\+08 parameters; models of up to 5e\+08"):
        load_model(path)


@pytest.mark.parametrize(
    "entry",
    [
        7,
        {},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": "1", "data_offsets": [0, 4]},
        {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
    ],
)
def test_damaged_tensor_entries(saved: Path, entry: object) -> None:
    _edit(saved, lambda header: header.update(extra=entry))
    with pytest.raises(CheckpointError, match=r"'extra' .* is damaged|overlap or leave gaps"):
        load_model(saved)


@pytest.mark.parametrize("text", [b"{" + b"[" * 100_000, b'{"a": 1', b'{"a": ' + b"9" * 10_000 + b"}"])
def test_damaged_header(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    with pytest.raises(CheckpointError, match=r"damaged \(not JSON\)"):
        load_model(path)
