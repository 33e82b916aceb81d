"""Weights of our own networks from files of torch.save: as data, with any prefix, and never as code."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ...errors import CheckpointError
from ...exchange import import_torch
from ...networks import LDSeg
from ..checkpoints.test_faults import _Trap

State = dict[str, Tensor]


def prefixed(state: State, prefix: str) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


def check(path: Path, model: LDSeg, expected: State) -> None:
    loaded = import_torch(path, model.config).state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], tensor.float()) for name, tensor in expected.items())


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model.", "net._orig_mod."])
@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt"])
def test_state_dict_with_any_prefix(tmp_path: Path, tiny_model_2d: LDSeg, prefix: str, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    torch.save(prefixed(tiny_model_2d.state_dict(), prefix), path)
    check(path, tiny_model_2d, tiny_model_2d.state_dict())


@pytest.mark.parametrize(
    "layout",
    ["nested", "lightning", "ema nested", "ema prefix", "ema beside", "half"],
)
def test_trainers_layouts_and_averages(tmp_path: Path, tiny_model: LDSeg, layout: str) -> None:
    state = tiny_model.state_dict()
    average = {name: tensor + 1 for name, tensor in state.items()}
    layouts: dict[str, Any] = {
        "nested": {"epoch": 3, "state_dict": average, "optimizer": {"state": {}, "lr": [1e-3]}},
        "lightning": {"state_dict": prefixed(average, "model."), "global_step": 7},
        "ema nested": {"state_dict": state, "ema_state_dict": prefixed(average, "module.")},
        "ema prefix": {"state_dict": prefixed(state, "model.") | prefixed(average, "ema_model.")},
        "ema beside": prefixed(state, "online_model.") | prefixed(average, "ema_model.") | {"step": torch.tensor(3)},
        "half": {"model": {name: tensor.half() for name, tensor in average.items()}},
    }
    path = tmp_path / "checkpoint.ckpt"
    torch.save(layouts[layout], path)
    expected = {name: tensor.half() for name, tensor in average.items()} if layout == "half" else average
    check(path, tiny_model, expected)


def test_average_of_one_network_alone_is_not_taken_for_the_model(tmp_path: Path, tiny_model_2d: LDSeg) -> None:
    state = tiny_model_2d.state_dict()
    average = {name: tensor + 1 for name, tensor in state.items() if name.startswith("denoiser")}
    torch.save({"state_dict": state, "ema": average}, tmp_path / "a.pt")
    check(tmp_path / "a.pt", tiny_model_2d, state)


def test_missing_and_unexpected_weights_are_listed(tmp_path: Path, tiny_model_2d: LDSeg) -> None:
    state = tiny_model_2d.state_dict()
    gone = list(state)[:2]
    changed = {name: tensor for name, tensor in state.items() if name not in gone} | {"extra.bias": torch.zeros(2)}
    torch.save(prefixed(changed, "module."), tmp_path / "a.pt")
    said = rf"lacks 2 tensors \({gone[0]}, {gone[1]}\) and has unknown 1 tensors \(extra\.bias\)"
    with pytest.raises(CheckpointError, match=said):
        import_torch(tmp_path / "a.pt", tiny_model_2d.config)


def test_other_settings_are_named_by_shape(tmp_path: Path, tiny_model_2d: LDSeg) -> None:
    torch.save(tiny_model_2d.state_dict(), tmp_path / "a.pt")
    config = tiny_model_2d.config
    wider = config.replace(network=config.network.replace(image_widths=(8, 12)))
    with pytest.raises(CheckpointError, match=r"should be \(12, 8, 3, 3\) and is \(8, 8, 3, 3\)"):
        import_torch(tmp_path / "a.pt", wider)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensor: tensor.to_sparse(), "as no plain numbers"),
        (lambda tensor: tensor.to("meta"), "as no plain numbers"),
        (lambda tensor: tensor.int(), "as torch.int32"),
        (lambda tensor: tensor * float("nan"), "is not finite"),
    ],
)
def test_weights_that_are_no_plain_numbers(tmp_path: Path, tiny_model_2d: LDSeg, change: Any, said: str) -> None:
    state = tiny_model_2d.state_dict()
    name = next(iter(state))
    torch.save(state | {name: change(state[name])}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=said):
        import_torch(tmp_path / "a.pt", tiny_model_2d.config)


@pytest.mark.parametrize("saved", [[1, 2], {"a": 1}, {"a": torch.zeros(2)}, torch.zeros(3)])
def test_files_without_our_weights(tmp_path: Path, tiny_model_2d: LDSeg, saved: object) -> None:
    torch.save(saved, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"holds no weights of LDSeg networks: (its tensors are a\.|it holds no)"):
        import_torch(tmp_path / "a.pt", tiny_model_2d.config)


def test_code_in_a_file_is_never_run(tmp_path: Path, tiny_model_2d: LDSeg) -> None:
    path = tmp_path / "a.pt"
    torch.save({**tiny_model_2d.state_dict(), "trap": _Trap(tmp_path / "sprung")}, path)
    with pytest.raises(CheckpointError, match=r"code in a file is never run.*torch\.save\(model\.state_dict\(\)"):
        import_torch(path, tiny_model_2d.config)
    path.write_bytes(pickle.dumps(_Trap(tmp_path / "sprung")))
    with pytest.raises(CheckpointError, match=r"Files from before PyTorch 1\.6 are not read"):
        import_torch(path, tiny_model_2d.config)
    assert not (tmp_path / "sprung").exists()


def test_whole_model_is_refused(tmp_path: Path, tiny_model_2d: LDSeg) -> None:
    torch.save(tiny_model_2d, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="Save the state_dict alone"):
        import_torch(tmp_path / "a.pt", tiny_model_2d.config)


def test_compressed_file_is_refused(tmp_path: Path, tiny_model_2d: LDSeg) -> None:
    torch.save(tiny_model_2d.state_dict(), tmp_path / "a.pt")
    with (
        zipfile.ZipFile(tmp_path / "a.pt") as plain,
        zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for entry in plain.infolist():
            packed.writestr(entry.filename, plain.read(entry))
    with pytest.raises(CheckpointError, match="is compressed"):
        import_torch(tmp_path / "b.pt", tiny_model_2d.config)


def test_missing_file(tmp_path: Path, tiny_model_2d: LDSeg) -> None:
    with pytest.raises(CheckpointError, match="There is no file"):
        import_torch(tmp_path / "none.pt", tiny_model_2d.config)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_file_saved_on_a_gpu_loads_on_the_cpu(tmp_path: Path, tiny_model_2d: LDSeg) -> None:
    expected = {name: tensor.cpu() for name, tensor in tiny_model_2d.state_dict().items()}
    torch.save(tiny_model_2d.cuda().state_dict(), tmp_path / "a.pt")
    check(tmp_path / "a.pt", tiny_model_2d, expected)
