"""fine_tune(): reports, bad input, stop, kill, several processes, upright images, the decoder alone."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import Result

from ...checkpoints import load_model, save_model
from ...config import TrainConfig
from ...data import Image
from ...datasets import UNLABELLED, Pair, TrainingSet
from ...errors import InputError
from ...training import _trainer as _loop, fine_tune, stop_training, train
from ...training._augment import draw_rated_batch
from ...training._precision import safe_precision
from ..builders import make_disk, make_ramp, make_tiny_config
from .pairs import QUICK, a_model, finish, some_pairs, write_case

Run = Callable[..., Result]


def test_reports_card_and_preview_say_what_happened(tmp_path: Path) -> None:
    pairs = some_pairs(tmp_path)
    seen, tuned = finish(fine_tune(a_model(), pairs, QUICK.replace(denoiser_steps=1, epochs=4), tmp_path / "run"))
    assert seen[-1].total == seen[-1].done == 4  # two training images, four times, two in a batch
    assert seen[-1].memory_mb > 50
    assert seen[-1].seconds_left == 0
    preview = np.load(seen[-1].preview)  # type: ignore[arg-type]
    assert {name: preview[name].shape for name in preview} == {
        "image": (32, 32, 3), "labels": (32, 32), "sd": (32, 32), "reference": (32, 32)
    }  # fmt: skip
    scores = [epoch.validation for epoch in seen if epoch.validation is not None]
    assert f"{scores[0]:.3f} before, {max(scores):.3f} after, on the same images" in tuned.card
    assert "| denoiser | 4 |" in tuned.card
    assert "Fine-tuned from `tiny-2d` (SHA-256 unknown)" in tuned.card
    assert "i0" in tuned.card
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert sum(bool(row["note"]) for row in rows) == 4


def test_time_is_a_budget_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = TrainConfig.for_fine_tuning(minutes=1, **QUICK.model_dump(include={"learn", "batch", "crop", "device"}))
    assert config.denoiser_steps == 1_000_000
    ticks = iter(range(0, 10**6, 10))
    monkeypatch.setattr(
        "napari_ldseg.training._trainer.Trainer.clock", staticmethod(lambda: next(ticks))
    )  # each step takes 10 s
    seen, _ = finish(fine_tune(a_model(), some_pairs(tmp_path), config, tmp_path / "run"))
    assert (seen[-1].done, seen[-1].total) == (6, 6)


def test_stop_keeps_the_best_so_far(tmp_path: Path) -> None:
    run = fine_tune(a_model(), some_pairs(tmp_path), QUICK.replace(denoiser_steps=1000), tmp_path / "run")
    for epoch in run:
        if epoch.done == 2:
            break
    stop_training(tmp_path / "run")
    seen, tuned = finish(run)
    assert seen[-1].done == 3
    assert seen[-1].validation is not None
    assert "validation image" in tuned.config.score
    assert not (tmp_path / "run" / "stop").exists()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((32, 32), np.uint8), r"they are empty: all is background \(0\)"),
        (np.ones((32, 32), np.uint8), "hold one class only, all pixels are class 1"),
        (np.full((32, 32), UNLABELLED, np.uint8), "No pixel of the 1 label masks is annotated"),
        (np.zeros((16, 32), np.uint8), r"bad_labels.ome.tif has shape \(16, 32\), but its image bad.ome.tif has"),
        (make_disk(3, 32), r"has shape \(32, 32, 32\).*The labels are 3D: choose the slice"),
        (np.full((32, 32), 0.5, np.float32), "holds fractions and is no label mask"),
        (np.full((32, 32), -1, np.int16), "holds negative values"),
        (make_disk(2, 32) * np.uint8(2), "holds label 2, but the model has 2 classes"),
        (np.arange(1024, dtype=np.int32).reshape(32, 32) * 98, r"1,024 different ones.*merge them with 'foreground'"),
        (make_disk(2, 32) * np.uint8(255), "nothing but 0 and 255.*black-and-white mask"),
    ],
)
def test_bad_labels_are_refused_before_anything_is_written(tmp_path: Path, labels: NDArray[Any], message: str) -> None:
    pair = write_case(tmp_path, "bad", labels)
    with pytest.raises(InputError, match=message):
        finish(fine_tune(a_model(), [pair], QUICK, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_ids_of_objects_are_merged_when_asked(tmp_path: Path) -> None:
    ids = (make_ramp((32, 32), np.int32) + 1) * make_disk(2, 32) * 98
    pairs = [write_case(tmp_path, name, ids) for name in ("a", "b")]
    _, tuned = finish(fine_tune(a_model(), pairs, QUICK.replace(foreground=True), tmp_path / "run"))
    assert tuned.config.network.classes == 2


@pytest.mark.slow
def test_a_full_disk_is_told_and_leaves_the_last_model_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = fine_tune(a_model(), some_pairs(tmp_path), QUICK.replace(denoiser_steps=50), tmp_path / "run")
    for epoch in run:
        if epoch.done == 2:
            break
    whole = {name: (tmp_path / "run" / name).read_bytes() for name in ("model.safetensors", "state.safetensors")}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_ldseg.training._state.save_file", full)
    monkeypatch.setattr("napari_ldseg.checkpoints._weights.Path.write_bytes", full)
    with pytest.raises(Exception, match="No space left on device"):
        finish(run)
    assert {name: (tmp_path / "run" / name).read_bytes() for name in whole} == whole
    monkeypatch.undo()
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(InputError, match="has 0 MB left, and this training needs"):
        finish(fine_tune(a_model(), some_pairs(tmp_path), QUICK, tmp_path / "other"))


def test_the_command_line_takes_a_set_and_names_a_parent_that_is_gone(run: Run, tmp_path: Path) -> None:
    found = TrainingSet.create(tmp_path / "set", ("background", "foreground"))
    for seed in range(2):
        pixels = np.random.default_rng(seed).integers(0, 255, (32, 32, 3), dtype=np.uint8)
        found.add(Image(pixels, "yxc", (1.0, 1.0), "micrometer"), make_disk(2, 32), source=f"{seed}")
    parent = save_model(a_model(), tmp_path / "parent.safetensors")
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"train": QUICK.model_dump(mode="json", exclude={"learn"})}))
    flags = ("--set", found.folder, "--out", tmp_path / "run", "--config", settings, "--learn", "denoiser")
    result = run("fine-tune", parent, *flags)
    assert result.exit_code == 0, result.output
    assert "1 images of 1 groups are trained on" in result.output
    assert (tmp_path / "run" / "model.safetensors").exists()
    parent.unlink()
    gone = run("fine-tune", parent, "--set", found.folder, "--out", tmp_path / "again")
    assert (gone.exit_code, (tmp_path / "again").exists()) == (2, False)
    assert "parent.safetensors" in gone.output
    assert "Say what to learn from" in run("train", "--out", tmp_path / "again").output
    both = run("fine-tune", parent, *flags, "--images", tmp_path)
    assert "leave --images, --labels, --groups and --foreground out" in both.output


SCRIPT = """
import sys, torch
from pathlib import Path
from napari_ldseg.config import TrainConfig
from napari_ldseg.checkpoints import load_model
from napari_ldseg.datasets import Pair
from napari_ldseg.training import fine_tune
folder = Path(sys.argv[1])
config = TrainConfig.model_validate_json((folder / "config.json").read_text())
pairs = [Pair(folder / f"i{n}.ome.tif", folder / f"i{n}_labels.ome.tif", f"i{n}") for n in range(4)]
for epoch in fine_tune(load_model(folder / "parent.safetensors"), pairs, config, Path(sys.argv[2])):
    print(epoch.done, flush=True)
"""


def prepare(folder: Path, config: TrainConfig) -> Path:
    some_pairs(folder, 4)
    save_model(a_model(), folder / "parent.safetensors")
    (folder / "config.json").write_text(config.model_dump_json())
    (folder / "script.py").write_text(SCRIPT)
    return folder / "script.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_run_that_was_killed_goes_on(tmp_path: Path) -> None:
    script = prepare(tmp_path, QUICK.replace(denoiser_steps=100_000, validate_every=1))
    process = subprocess.Popen([sys.executable, script, tmp_path, tmp_path / "run"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == 3:
            break
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    process.stdout.close()
    pairs = [Pair(tmp_path / f"i{n}.ome.tif", tmp_path / f"i{n}_labels.ome.tif", f"i{n}") for n in range(4)]
    config = QUICK.replace(denoiser_steps=8, validate_every=1)
    seen, tuned = finish(fine_tune(load_model(tmp_path / "parent.safetensors"), pairs, config, tmp_path / "run"))
    assert seen[0].done >= 3
    assert seen[-1].done >= 8
    assert " before, " in tuned.card


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="torchrun's rendezvous needs libuv there")
def test_two_processes_compute_what_one_does_with_twice_the_batch(tmp_path: Path) -> None:
    config = QUICK.replace(batch=2, denoiser_steps=3, validate_every=1, precision="float32")
    script = prepare(tmp_path, config)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [*command, script, tmp_path, tmp_path / "two"], env=environment, capture_output=True, text=True, timeout=240
    )
    assert result.returncode == 0, result.stderr[-2000:]
    (tmp_path / "config.json").write_text(config.replace(batch=4).model_dump_json())
    subprocess.run([sys.executable, script, tmp_path, tmp_path / "one"], env=environment, check=True, timeout=240)
    losses = {
        name: [json.loads(line)["loss"] for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    }
    assert [loss for loss in losses["one"] if loss] == pytest.approx([loss for loss in losses["two"] if loss], rel=1e-4)
    assert len([loss for loss in losses["two"] if loss]) == 3


@pytest.mark.parametrize(
    ("crop", "device", "expected"),
    [
        ((64, 64, 96), "cpu", "float32"),  # 64, 32, 16, 8, 4, and 2 in the denoiser
        ((96, 64, 64), "cpu", "auto"),  # 96, 48, 24, 12, 6, 3: planes 2 high or wide do no harm
        ((64, 64, 96), "cuda", "auto"),
    ],
)
def test_bfloat16_is_left_where_its_gradients_are_wrong(crop: tuple[int, ...], device: str, expected: str) -> None:
    sixteenth = {
        "mask_widths": (8,) * 4,
        "decoder_widths": (8,) * 4,
        "image_widths": (8,) * 4,
        "denoiser_widths": (8, 8),
    }
    network = make_tiny_config(3, **sixteenth).network
    assert safe_precision("auto", torch.device(device), crop, network) == expected
    flat = make_tiny_config(2, **sixteenth).network
    assert safe_precision("auto", torch.device(device), crop[:2], flat) == "auto"


@pytest.mark.slow
def test_a_model_of_upright_images_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An echo model that was turned upside down while it learnt forgot the patients whom it knew."""
    drawn: list[bool] = []

    def spy(*args: Any, rotate: bool, **rest: Any) -> Any:
        drawn.append(rotate)
        return draw_rated_batch(*args, rotate=rotate, **rest)

    monkeypatch.setattr(_loop, "draw_rated_batch", spy)
    parent, pairs = a_model(), some_pairs(tmp_path)
    _, turned = finish(fine_tune(parent, pairs, QUICK, tmp_path / "turned"))
    assert set(drawn) == {True}
    assert not turned.config.input.upright
    drawn.clear()
    _, upright = finish(fine_tune(parent, pairs, QUICK.replace(rotate=False), tmp_path / "upright"))
    assert upright.config.input.upright
    assert not parent.config.input.upright
    finish(fine_tune(upright, pairs, QUICK, tmp_path / "again"))
    assert set(drawn) == {False}


@pytest.mark.slow
def test_the_mask_decoder_can_learn_alone(tmp_path: Path) -> None:
    parent = a_model()
    pairs = some_pairs(tmp_path / "data", 4)
    config = QUICK.replace(learn="decoder", autoencoder_steps=30, autoencoder_learning_rate=0.01)
    seen, child = finish(fine_tune(parent, pairs, config, tmp_path / "run"))
    assert {epoch.stage for epoch in seen} == {"decoder"}
    assert "The mask decoder alone learns; it rebuilds these masks with DSC" in " ".join(epoch.text for epoch in seen)
    assert max(epoch.validation for epoch in seen if epoch.validation is not None) == pytest.approx(
        float(child.config.score.split()[1]), abs=5e-4
    )
    changed = {
        name.split(".")[0]
        for name, value in child.state_dict().items()
        if not torch.equal(value, parent.state_dict()[name])
    }
    assert changed <= {"mask_decoder"}
    losses = [epoch.loss for epoch in seen if epoch.loss == epoch.loss]
    assert losses[-1] < losses[0]


def test_a_decoder_alone_needs_a_trained_model_of_the_same_classes(tmp_path: Path) -> None:
    pairs = some_pairs(tmp_path / "data", 4)
    config = QUICK.replace(learn="decoder")
    with pytest.raises(InputError, match="goes on from a trained model"):
        finish(train(pairs, a_model().config, config, tmp_path / "run"))
    names = ("background", "cell", "other")
    with pytest.raises(InputError, match="its mask autoencoder must learn, too"):
        finish(fine_tune(a_model(), pairs, config, tmp_path / "run", class_names=names))
