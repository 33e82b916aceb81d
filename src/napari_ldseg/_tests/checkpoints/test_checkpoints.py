"""Model files and their names: what goes in comes out."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.numpy
import safetensors.torch
import torch

from ...checkpoints import find_model, list_models, load_model, read_header, released_folder, resolve_device, save_model
from ...config import FORMAT_VERSION
from ...errors import CheckpointError, InputError
from ...networks import LDSeg
from ..builders import split_safetensors

TENSOR = "mask_encoder.head.2.weight"


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
    metadata = split_safetensors(saved.read_bytes())[0]["__metadata__"]
    assert list(metadata) == ["format", "format_version", "config", "napari_ldseg_version", "card"]
    assert metadata["format"] == "napari-ldseg"
    assert metadata["format_version"] == str(FORMAT_VERSION)
    assert json.loads(metadata["config"]) == tiny_model_2d.config.model_dump(mode="json")
    assert safetensors.numpy.load_file(saved)[TENSOR].shape == (1, 8, 1, 1)


def test_same_model_gives_the_same_bytes(saved: Path, tiny_model_2d: LDSeg) -> None:
    assert save_model(tiny_model_2d, saved.with_name("b.safetensors"), "# Tiny\n").read_bytes() == saved.read_bytes()


def test_float16_halves_the_weights_and_loads_as_float32(saved: Path, tiny_model_2d: LDSeg) -> None:
    half = save_model(tiny_model_2d, saved.with_name("half.safetensors"), "# Tiny\n", dtype="float16")
    assert 2 * len(split_safetensors(half.read_bytes())[1]) == len(split_safetensors(saved.read_bytes())[1])
    state = tiny_model_2d.state_dict()
    for name, tensor in load_model(half).state_dict().items():
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor, state[name], rtol=2**-11, atol=2**-25)


def test_bfloat16_loads_as_float32(saved: Path, tiny_model_2d: LDSeg) -> None:
    state = {name: tensor.bfloat16() for name, tensor in tiny_model_2d.state_dict().items()}
    metadata = split_safetensors(saved.read_bytes())[0]["__metadata__"]
    safetensors.torch.save_file(state, saved, metadata)
    loaded = load_model(saved).state_dict()
    assert torch.equal(loaded[TENSOR], state[TENSOR].float())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e5])
def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path, tiny_model_2d: LDSeg, value: float) -> None:
    tiny_model_2d.get_parameter(TENSOR).view(-1)[0] = value
    with pytest.raises(CheckpointError, match=rf"{TENSOR} is not finite as float16.*Save as float32"):
        save_model(tiny_model_2d, tmp_path / "tiny.safetensors", dtype="float16")
    assert os.listdir(tmp_path) == []


def test_failed_write_keeps_the_old_file(saved: Path, tiny_model_2d: LDSeg, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CheckpointError, match=r"No space left on device.*another folder"):
        save_model(tiny_model_2d, saved, "another card")
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_saving_into_a_file_as_if_it_were_a_folder(tmp_path: Path, tiny_model_2d: LDSeg) -> None:
    (tmp_path / "model.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"model\.pt.* cannot be written"):
        save_model(tiny_model_2d, tmp_path / "model.pt")


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
        readme = (entry.path.parent / "README.md").read_text(encoding="utf-8")
        scores = re.findall(r"\d\.\d{3}", readme)
        assert scores
        assert re.findall(r"\d\.\d{3}", load_model(entry.name).card) == scores  # words may change, numbers not


def test_listing_loads_no_torch() -> None:
    code = (
        "import sys; from napari_ldseg.checkpoints import list_models; list_models();sys.exit('torch' in sys.modules)"
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
