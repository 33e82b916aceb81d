"""Model files: what goes in comes out, and whatever is wrong with a file is said in words."""

import hashlib
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_ldseg.checkpoints import (
    find_model,
    list_models,
    load_model,
    read_header,
    released_folder,
    resolve_device,
    save_model,
)
from napari_ldseg.config import FORMAT_VERSION
from napari_ldseg.errors import CheckpointError, InputError
from napari_ldseg.networks import LDSeg

from .builders import make_tiny_model

Entries = dict[str, Any]
TENSOR = "mask_encoder.head.2.weight"


def _split(data: bytes) -> tuple[Entries, bytes]:
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def _join(header: object, body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def _edit(path: Path, change: Callable[[Entries], object]) -> Path:
    """Write the file again with a changed header."""
    header, body = _split(path.read_bytes())
    change(header)
    path.write_bytes(_join(header, body))
    return path


@pytest.fixture
def saved(tmp_path: Path, tiny_model_2d: LDSeg) -> Path:
    return save_model(tiny_model_2d, tmp_path / "tiny.safetensors", "# Tiny\n")


def test_round_trip_returns_the_same_model(tmp_path: Path, tiny_model: LDSeg) -> None:
    path = save_model(tiny_model, tmp_path / "deep" / "tiny.safetensors", "# Käse ✓")
    loaded = load_model(path)
    assert loaded.config == tiny_model.config
    assert loaded.card == "# Käse ✓"
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    state = tiny_model.state_dict()
    assert loaded.state_dict().keys() == state.keys()
    assert all(torch.equal(tensor, state[name]) for name, tensor in loaded.state_dict().items())
    net = tiny_model.config.network
    image = torch.rand(1, net.image_channels, *[16] * net.ndim)
    assert torch.equal(loaded.embed(image)[0], tiny_model.embed(image)[0])
    assert torch.equal(loaded.denoiser.time(torch.tensor([7.0])), tiny_model.denoiser.time(torch.tensor([7.0])))


def test_loading_costs_no_random_numbers(saved: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    load_model(saved)
    assert torch.equal(torch.rand(4), expected)


def test_folder_gets_weights_and_card(tmp_path: Path, tiny_model_2d: LDSeg) -> None:
    path = save_model(tiny_model_2d, tmp_path / "tiny", "# Tiny\n")
    assert path == tmp_path / "tiny" / "model.safetensors"
    assert sorted(os.listdir(tmp_path / "tiny")) == ["README.md", "model.safetensors"]
    assert (tmp_path / "tiny" / "README.md").read_text() == "# Tiny\n"
    again = load_model(tmp_path / "tiny")
    assert again.card == "# Tiny\n"
    assert read_header(save_model(again, tmp_path / "again")).card == "# Tiny\n"


def test_metadata_is_as_documented(saved: Path, tiny_model_2d: LDSeg) -> None:
    metadata = _split(saved.read_bytes())[0]["__metadata__"]
    assert list(metadata) == ["format", "format_version", "config", "napari_ldseg_version", "card"]
    assert metadata["format"] == "napari-ldseg"
    assert metadata["format_version"] == str(FORMAT_VERSION)
    assert json.loads(metadata["config"]) == tiny_model_2d.config.model_dump(mode="json")
    assert safetensors.numpy.load_file(saved)[TENSOR].shape == (1, 8, 1, 1)


def test_same_model_gives_the_same_bytes(saved: Path, tiny_model_2d: LDSeg) -> None:
    assert save_model(tiny_model_2d, saved.with_name("b.safetensors"), "# Tiny\n").read_bytes() == saved.read_bytes()


def test_float16_halves_the_weights_and_loads_as_float32(saved: Path, tiny_model_2d: LDSeg) -> None:
    half = save_model(tiny_model_2d, saved.with_name("half.safetensors"), "# Tiny\n", dtype="float16")
    assert 2 * len(_split(half.read_bytes())[1]) == len(_split(saved.read_bytes())[1])
    state = tiny_model_2d.state_dict()
    for name, tensor in load_model(half).state_dict().items():
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor, state[name], rtol=2**-11, atol=2**-25)


def test_bfloat16_loads_as_float32(saved: Path, tiny_model_2d: LDSeg) -> None:
    state = {name: tensor.bfloat16() for name, tensor in tiny_model_2d.state_dict().items()}
    metadata = _split(saved.read_bytes())[0]["__metadata__"]
    safetensors.torch.save_file(state, saved, metadata)
    loaded = load_model(saved).state_dict()
    assert torch.equal(loaded[TENSOR], state[TENSOR].float())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e5])
def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path, tiny_model_2d: LDSeg, value: float) -> None:
    tiny_model_2d.get_parameter(TENSOR).view(-1)[0] = value
    with pytest.raises(CheckpointError, match=rf"{TENSOR} is not finite as float16.*Save as float32"):
        save_model(tiny_model_2d, tmp_path / "tiny.safetensors", dtype="float16")
    assert os.listdir(tmp_path) == []


def test_failed_write_keeps_the_old_file(
    saved: Path, tiny_model_2d: LDSeg, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CheckpointError, match=r"No space left on device.*another place"):
        save_model(tiny_model_2d, saved, "another card")
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_saving_into_a_file_as_if_it_were_a_folder(tmp_path: Path, tiny_model_2d: LDSeg) -> None:
    (tmp_path / "model.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"cannot be written to .*model\.pt"):
        save_model(tiny_model_2d, tmp_path / "model.pt")


# What can be wrong with a file


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
    network = config.network.replace(mask_widths=(2048, 2048), decoder_widths=(2048, 2048), image_widths=(2048, 2048))
    huge = config.replace(network=network)
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
    header, body = _split(saved.read_bytes())
    begin = header[TENSOR]["data_offsets"][0]
    saved.write_bytes(_join(header, body[:begin] + struct.pack("<f", float("nan")) + body[begin + 4 :]))
    with pytest.raises(CheckpointError, match=f"{TENSOR} in .* is not finite"):
        load_model(saved)


def test_absurd_number_of_parameters(tmp_path: Path, saved: Path) -> None:
    header, _ = _split(saved.read_bytes())
    size = 4 * 600_000_000
    header = {"__metadata__": header["__metadata__"], "a": {"dtype": "F32", "shape": [600_000_000]}}
    header["a"]["data_offsets"] = [0, size]
    path = tmp_path / "absurd.safetensors"
    path.write_bytes(_join(header, b""))
    os.truncate(path, path.stat().st_size + size)  # a sparse file: no disk is used
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


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    path = tmp_path_factory.mktemp("fuzz") / "tiny.safetensors"
    return path, save_model(make_tiny_model(2), path).read_bytes()


def _loads_or_says_why(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with suppress(CheckpointError):
        assert isinstance(load_model(path), LDSeg)


FUZZ = settings(
    max_examples=150, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@FUZZ
@given(data=st.data())
def test_fuzzed_bytes(original: tuple[Path, bytes], data: st.DataObject) -> None:
    path, whole = original
    header_end = 8 + int.from_bytes(whole[:8], "little")
    ends = st.one_of(st.integers(0, header_end), st.integers(0, len(whole)))
    begin, end = sorted((data.draw(ends), data.draw(ends)))
    kind = data.draw(st.sampled_from(["truncate", "cut", "replace", "repeat"]))
    if kind == "truncate":
        _loads_or_says_why(path, whole[:end])
    elif kind == "cut":
        _loads_or_says_why(path, whole[:begin] + whole[end:])
    elif kind == "repeat":
        _loads_or_says_why(path, whole[:end] + whole[begin:])
    else:
        noise = data.draw(st.binary(min_size=1, max_size=8))
        _loads_or_says_why(path, whole[:begin] + noise + whole[begin + len(noise) :])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.integers(0, 40) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@FUZZ
@given(data=st.data())
def test_fuzzed_values(original: tuple[Path, bytes], data: st.DataObject) -> None:
    """Any one value of the header, or of the settings in it, is replaced by any other."""
    path, whole = original
    header, body = _split(whole)
    config = json.loads(header["__metadata__"]["config"])
    where = data.draw(
        st.sampled_from([header, header["__metadata__"], header[TENSOR], config, config["network"], config["input"]])
    )
    where[data.draw(st.sampled_from(sorted(where)))] = data.draw(VALUES)
    if isinstance(header.get("__metadata__"), dict) and data.draw(st.booleans()):
        header["__metadata__"]["config"] = json.dumps(config)
    _loads_or_says_why(path, _join(header, body))


# Names, lists, devices


def test_list_of_models(user_models: Path, tiny_model_2d: LDSeg, monkeypatch: pytest.MonkeyPatch) -> None:
    released = user_models / "released"
    monkeypatch.setattr("napari_ldseg.checkpoints._registry.released_folder", lambda: released)
    assert list_models() == []
    ours = save_model(tiny_model_2d, released / "glas")
    theirs = save_model(tiny_model_2d, user_models / "glas.safetensors", "mine")
    (user_models / "notes").mkdir()
    (user_models / "notes.txt").write_text("not a model")
    first, second = list_models()
    assert (first.name, first.path, first.bundled) == ("glas", ours, True)
    assert (second.name, second.path, second.bundled) == ("glas (user)", theirs, False)
    assert first.title == "Nothing: it is untrained"
    assert first.config == tiny_model_2d.config
    assert find_model("glas") == ours
    assert load_model("glas (user)").card == "mine"


def test_damaged_model_is_left_out_with_a_warning(user_models: Path, tiny_model_2d: LDSeg) -> None:
    save_model(tiny_model_2d, user_models / "good")
    (user_models / "bad.safetensors").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.warns(UserWarning, match="'bad' is left out of the list.*ZIP"):
        names = [entry.name for entry in list_models() if not entry.bundled]
    assert names == ["good"]


def test_name_comes_before_a_folder_of_that_name(
    user_models: Path, tiny_model_2d: LDSeg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_model(tiny_model_2d, user_models / "nuclei")
    (tmp_path / "nuclei").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_model("nuclei") == path
    with pytest.raises(CheckpointError, match="holds no"):
        find_model("./nuclei")


def test_released_models_are_sound() -> None:
    assert released_folder().is_dir()
    for entry in list_models():
        assert entry.name == entry.config.name
        assert entry.title
        assert entry.path.stat().st_size < 30e6
        assert load_model(entry.name).card == (entry.path.parent / "README.md").read_text(encoding="utf-8")


def test_listing_loads_no_torch() -> None:
    code = (
        "import sys; from napari_ldseg.checkpoints import list_models; list_models();"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_resolve_device(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, present in (("cuda", True), ("mps", True), ("cpu", None)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda name=name: name == "cuda")
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda present=present: bool(present))
        assert resolve_device("auto") == torch.device(name)
        assert resolve_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match=r"'cuda' is not available here.*Choose 'auto' or 'cpu'"):
        resolve_device("cuda")
    with pytest.raises(InputError, match="no device 'tpu'; choose one of auto, cpu, cuda, mps"):
        resolve_device("tpu")  # type: ignore[arg-type]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_model_saved_on_a_gpu_loads_on_the_cpu(tmp_path: Path, tiny_model_2d: LDSeg) -> None:
    on_cpu = save_model(tiny_model_2d, tmp_path / "a.safetensors").read_bytes()
    path = save_model(tiny_model_2d.cuda(), tmp_path / "b.safetensors")
    assert path.read_bytes() == on_cpu
    assert load_model(path, "cuda").get_parameter(TENSOR).device.type == "cuda"
    assert load_model(path).get_parameter(TENSOR).device.type == "cpu"
