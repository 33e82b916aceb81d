"""The commands that import and export models, on tiny files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from typer.testing import Result

from ...checkpoints import load_model, read_header, save_model
from ...networks import LDSeg
from ..builders import make_ramp, save_picture
from ..keras_builders import write_release

Run = Callable[..., Result]


def test_keras_folder_becomes_a_model_that_segments(run: Run, tmp_path: Path) -> None:
    result = run("import", "keras", write_release(tmp_path / "files", 2), "--out", tmp_path / "m", "--name", "theirs")
    assert result.exit_code == 0, result.output
    assert read_header(tmp_path / "m").config.name == "theirs"
    assert "labelEncoder.hdf5" in (tmp_path / "m" / "README.md").read_text()
    image = save_picture(tmp_path / "a.png", make_ramp((20, 30, 3)))
    result = run("segment", image, "-m", tmp_path / "m", "-n", 2, "--steps", 2, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "a_labels.tif").exists()


def test_keras_folder_without_files_is_one_message(run: Run, tmp_path: Path) -> None:
    result = run("import", "keras", tmp_path, "--out", tmp_path / "m")
    assert result.exit_code == 2
    assert "lacks labelEncoder*.hdf5" in result.output
    assert len(result.output.splitlines()) == 1
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("way", ["like", "config", "train config"])
def test_torch_file_becomes_a_model(
    run: Run, tmp_path: Path, tiny_model_2d: LDSeg, user_models: Path, way: str
) -> None:
    torch.save({"state_dict": tiny_model_2d.state_dict()}, tmp_path / "a.ckpt")
    save_model(tiny_model_2d, user_models / "known")
    values = tiny_model_2d.config.model_dump(mode="json")
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(values if way == "config" else {"model": values, "train": {}}))
    flags = ("--like", "known") if way == "like" else ("--config", settings)
    result = run("import", "torch", tmp_path / "a.ckpt", *flags, "--name", "mine", "--out", tmp_path / "m.safetensors")
    assert result.exit_code == 0, result.output
    loaded = load_model(tmp_path / "m.safetensors")
    assert loaded.config == tiny_model_2d.config.replace(name="mine")
    state = tiny_model_2d.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in loaded.state_dict().items())


def test_an_import_replaces_no_model_unless_asked_to(run: Run, tmp_path: Path, tiny_model_2d: LDSeg) -> None:
    torch.save(tiny_model_2d.state_dict(), tmp_path / "a.pt")
    like = save_model(tiny_model_2d, tmp_path / "there")
    before = like.read_bytes()
    command = ("import", "torch", tmp_path / "a.pt", "--like", like, "--name", "other", "--out", tmp_path / "there")
    refused = run(*command)
    assert refused.exit_code == 2
    assert "exists already; give --overwrite" in refused.output
    assert like.read_bytes() == before
    assert run(*command, "--overwrite").exit_code == 0
    assert read_header(like).config.name == "other"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "either by --config FILE or by --like MODEL"),
        (("--like", "nothing"), "There is no model file, folder or name 'nothing'"),
        (("--config", "{tmp}/bad.json"), "cannot be read"),
        (("--config", "{tmp}/list.json"), "must hold a table"),
        (("--config", "{tmp}/other.json"), "do not fit ModelConfig"),
    ],
)
def test_torch_import_without_settings(
    run: Run, tmp_path: Path, tiny_model_2d: LDSeg, flags: tuple[str, ...], said: str
) -> None:
    torch.save(tiny_model_2d.state_dict(), tmp_path / "a.pt")
    for name, text in (("bad", "{"), ("list", "[]"), ("other", '{"colour": 1}')):
        (tmp_path / f"{name}.json").write_text(text)
    given = [flag.format(tmp=tmp_path) for flag in flags]
    result = run("import", "torch", tmp_path / "a.pt", *given, "--out", tmp_path / "m")
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.slow
def test_export_prints_how_far_it_is_off(run: Run, tmp_path: Path, tiny_model_2d: LDSeg) -> None:
    path = save_model(tiny_model_2d, tmp_path / "tiny.safetensors")
    result = run("export", path, "--out", tmp_path / "out", "-n", 2, "--author", "A. Person", "--license", "MIT")
    assert result.exit_code == 0, result.output
    assert "segmenter.pt" in result.output
    description = yaml.safe_load((tmp_path / "out" / "rdf.yaml").read_text())
    assert description["license"] == "MIT"
    assert [author["name"] for author in description["authors"]] == ["A. Person"]
