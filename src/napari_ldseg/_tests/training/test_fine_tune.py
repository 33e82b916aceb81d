"""fine_tune(): other classes and scales, partly annotated images, bad input, stop, kill, several processes."""

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
from ...config import InputConfig, TrainConfig
from ...data import Image, write_ome
from ...datasets import UNLABELLED, Pair, TrainingSet
from ...errors import InputError
from ...networks import LDSeg
from ...training import TrainProgress, fine_tune, stop_training, train
from ...training import _trainer as _loop
from ...training._adapt import match_classes, with_classes
from ...training._augment import draw_batch
from ...training._dataset import Case, Frame, soft_masks, split_groups
from ...training._losses import Batch, annotated, cross_entropy, denoiser_loss, dice_loss
from ...training._partial import fill_nearest, fill_predicted, is_partial
from ...training._precision import safe_precision
from ...training._scale import fit_scale, object_width
from ..builders import make_disk, make_ramp, make_tiny_config, make_tiny_model

Run = Callable[..., Result]
QUICK = TrainConfig.for_fine_tuning(
    learn="denoiser", denoiser_steps=4, autoencoder_steps=3, batch=2, crop=(16, 16), validate_every=2,
    validation_samples=1, validation=0.3, device="cpu",
)  # fmt: skip


def a_model(ndim: int = 2, **network: object) -> LDSeg:
    """A tiny model that sees a pixel of 1 micrometer."""
    model = make_tiny_model(ndim, **network)
    side = model.config.input.shape
    seen = InputConfig(mode="spacing", shape=side, spacing=(1.0,) * ndim, source_spacing=(1.0,) * ndim)
    model.config = model.config.replace(input=seen.model_dump())
    return model


def write_case(folder: Path, name: str, labels: NDArray[Any], *, ndim: int = 2) -> Pair:
    """An image of noise, as large as ``labels``, beside them."""
    seed = sum(map(ord, name))
    pixels = np.random.default_rng(seed).integers(0, 255, (*(32,) * ndim, 3), dtype=np.uint8)
    write_ome(folder / f"{name}.ome.tif", Image(pixels, "zyxc"[-1 - ndim :], (1.0,) * ndim, "micrometer"))
    letters = "zyx"[-labels.ndim :]
    write_ome(folder / f"{name}_labels.ome.tif", Image(labels, letters, (1.0,) * labels.ndim, "micrometer"))
    return Pair(folder / f"{name}.ome.tif", folder / f"{name}_labels.ome.tif", name)


def some_pairs(folder: Path, count: int = 3, high: int = 1) -> list[Pair]:
    return [write_case(folder, f"i{n}", make_disk(2, 32, 6 + n) * np.uint8(high)) for n in range(count)]


def finish(run: Any) -> tuple[list[TrainProgress], LDSeg]:
    seen: list[TrainProgress] = []
    while True:
        try:
            seen.append(next(run))
        except StopIteration as stop:
            return seen, stop.value


# --- partly annotated ---------------------------------------------------------------------------------------------


def test_soft_masks_sum_to_the_annotated_share() -> None:
    labels = np.full((4, 4), UNLABELLED, np.uint8)
    labels[:2, :3], labels[0, 0] = 1, 0
    masks = soft_masks(labels, 2, (2, 2))
    assert masks[1].tolist() == [[0.75, 0.5], [0, 0]]
    assert annotated(masks[None])[0, 0].tolist() == [[1, 0.5], [0, 0]]


def test_losses_do_not_see_what_nobody_annotated() -> None:
    generator = torch.Generator().manual_seed(0)
    masks = soft_masks(np.array([[0, 1, 255, 255]], np.uint8), 2, (1, 4))[None]
    logits = torch.randn(1, 2, 1, 4, generator=generator)
    other = torch.cat([logits[..., :2], torch.randn(1, 2, 1, 2, generator=generator)], dim=-1)
    for loss in (cross_entropy, dice_loss):
        assert loss(logits, masks).item() == pytest.approx(loss(other, masks).item())
        assert loss(logits, masks).item() == pytest.approx(loss(logits[..., :2], masks[..., :2]).item())


def test_the_denoiser_learns_nothing_from_cells_that_nobody_annotated(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the right half unlabelled, no gradient flows into the latent's right half."""
    model = a_model().requires_grad_(True)
    masks = soft_masks(np.pad(make_disk(2, 16), ((0, 0), (0, 16)), constant_values=UNLABELLED), 2, (16, 32))[None]
    outputs = []
    predict = model.predict

    def watched(*given: Any) -> torch.Tensor:
        outputs.append(predict(*given))
        outputs[-1].retain_grad()
        return outputs[-1]

    monkeypatch.setattr(model, "predict", watched)
    batch = Batch(torch.rand(1, 3, 16, 32), masks, fill_nearest(masks))
    denoiser_loss(model, batch, TrainConfig(), torch.Generator().manual_seed(0)).backward()
    gradient = outputs[0].grad
    assert gradient is not None
    assert gradient[..., :4].abs().min() > 0
    assert gradient[..., 4:].abs().max() == 0


def test_the_rest_is_filled_from_the_nearest_pixel_or_the_model() -> None:
    masks = soft_masks(np.array([[0, 255, 255, 1]] * 4, np.uint8), 2, (4, 4))[None]
    assert is_partial(masks)
    filled = fill_nearest(masks)
    assert filled[0, 1].tolist() == [[0, 0, 1, 1]] * 4
    for guess in (True, False):
        filled = fill_predicted(
            a_model(guess=guess), torch.rand(1, 3, 4, 4).repeat(1, 1, 4, 4), masks.repeat(1, 1, 4, 4)
        )
        assert torch.allclose(filled.sum(dim=1), torch.ones(1, 16, 16), atol=1e-5)
        assert torch.equal(filled[0, 1, :, 0], torch.zeros(16))
        assert 0 < float(filled[0, 1, 0, 1]) < 1
    nothing = fill_nearest(torch.zeros(1, 2, 4, 4))
    assert torch.equal(nothing, torch.full((1, 2, 4, 4), 0.5))


@pytest.mark.parametrize("ndim", [2, 3])
def test_crops_of_partly_annotated_images_carry_the_gap_along_and_hold_annotation(ndim: int) -> None:
    labels = np.full((32,) * ndim, UNLABELLED, np.uint8)
    labels[(slice(0, 5),) * ndim] = 1
    image = torch.zeros(1, *labels.shape)
    case = Case(image, soft_masks(labels, 2, labels.shape), Image(labels, "zyx"[-ndim:]), labels, "a", "a")
    generator = torch.Generator().manual_seed(0)
    _, masks = draw_batch([case] * 6, (8,) * ndim, augment=True, rotate=True, generator=generator)
    weights = annotated(masks)
    assert (weights.flatten(1).amax(dim=1) > 0.9).all()
    assert (weights.flatten(1).mean(dim=1) < 0.95).all()
    assert masks[:, 0].max() < 1e-6


# --- classes, scale, split ----------------------------------------------------------------------------------------


def test_classes_are_matched_by_name_then_by_what_is_left() -> None:
    old = ("background", "gland", "stroma")
    assert match_classes(old, ("background", "stroma", "gland")) == [0, 2, 1]
    assert match_classes(old, ("none", "nucleus", "gland", "fat", "x")) == [0, 2, 1, None, None]


@pytest.mark.parametrize("ndim", [2, 3])
def test_weights_of_a_class_go_with_its_name(ndim: int) -> None:
    parent = a_model(ndim, classes=3, guess=True)
    parent.config = parent.config.replace(class_names=("background", "a", "b"))
    image, latent = torch.rand(1, 3, *[16] * ndim), torch.randn(1, 1, *[4] * ndim)
    moved = with_classes(parent, ("background", "b", "a"))
    assert torch.allclose(moved.decode(latent)[:, [0, 2, 1]], parent.decode(latent), atol=1e-6)
    (_, guess), (_, expected) = moved.embed(image), parent.embed(image)
    assert guess is not None
    assert expected is not None
    assert torch.allclose(guess[:, [0, 2, 1]], expected, atol=1e-6)
    more = with_classes(parent, ("background", "a", "b", "c"))
    assert torch.allclose(more.decode(latent)[:, :3], parent.decode(latent), atol=1e-6)
    assert more.config.network.classes == 4
    fewer = with_classes(parent, ("background", "b"))
    assert torch.allclose(fewer.decode(latent), parent.decode(latent)[:, [0, 2]], atol=1e-6)


@pytest.mark.slow
def test_more_classes_train_the_autoencoder_too(tmp_path: Path) -> None:
    pairs = some_pairs(tmp_path, high=2)
    names = ("background", "foreground", "nucleus")
    with pytest.raises(InputError, match="have 3 classes and the model 2, so its mask autoencoder must learn"):
        finish(fine_tune(a_model(), pairs, QUICK, tmp_path / "no", class_names=names))
    seen, tuned = finish(fine_tune(a_model(), pairs, QUICK.replace(learn="auto"), tmp_path / "run", class_names=names))
    assert [epoch.stage for epoch in seen if epoch.validation is not None][1] == "autoencoder"
    assert tuned.config.class_names == names
    assert any("The mask autoencoder learns, too (the classes are new)" in epoch.text for epoch in seen)


def test_shapes_that_the_autoencoder_cannot_draw_train_it_too(tmp_path: Path) -> None:
    seen, _ = finish(fine_tune(a_model(), some_pairs(tmp_path), QUICK.replace(learn="auto"), tmp_path / "run"))
    assert any("rebuilds these masks with DSC" in epoch.text and "learns, too" in epoch.text for epoch in seen)


def test_from_scratch_nothing_of_the_parent_is_left(tmp_path: Path) -> None:
    parent = a_model()
    seen, tuned = finish(fine_tune(parent, some_pairs(tmp_path), QUICK.replace(learn="scratch"), tmp_path / "run"))
    assert {epoch.stage for epoch in seen if epoch.done} == {"autoencoder", "denoiser"}
    assert "Trained from scratch with the networks of `tiny-2d`" in tuned.card
    moved = [
        float((a - b).abs().mean())
        for a, b in zip(parent.image_encoder.parameters(), tuned.image_encoder.parameters(), strict=True)
    ]
    assert max(moved) > 0.05


def test_width_of_disks_and_balls() -> None:
    assert object_width(make_disk(2, 101, 40)) == pytest.approx(80, rel=0.01)
    assert object_width(make_disk(3, 41, 16)) == pytest.approx(32, rel=0.01)
    assert object_width(np.zeros((8, 8), np.uint8)) is None


@pytest.mark.parametrize(
    ("side", "radius", "spacing", "expected"),
    [
        (64, 12, None, 1.0),  # 24 pixels are 6 cells of 4: kept
        (64, 12, (1.0, 1.0), 1.0),
        (64, 3, None, 0.5),  # 6 pixels are 1.5 cells: enlarged, but no more than twice
        (400, 120, None, 7.14),  # objects of 240 pixels: a whole image becomes as large as a crop, 56 pixels
        (64, 12, (0.25, 0.25), 0.286),  # 16 pixels a side at the model's pixel size: brought to 56
    ],
)
def test_scale_fits_the_objects(side: int, radius: float, spacing: tuple[float, ...] | None, expected: float) -> None:
    labels = make_disk(2, side, radius)
    config = a_model().config
    config = config.replace(input=config.input.replace(shape=(64, 64)).model_dump())
    frame = Frame(Image(labels, "yx", spacing, "micrometer"), labels, "a", "a")
    fitted, words = fit_scale([frame], config)
    assert list(fitted.input.spacing or ()) == pytest.approx([expected] * 2, rel=0.01)
    assert ("kept" in words) == (expected == 1)


def test_two_groups_are_enough_to_validate_and_one_says_what_happens(tmp_path: Path) -> None:
    pairs = some_pairs(tmp_path, 2)
    seen, tuned = finish(fine_tune(a_model(), pairs, QUICK, tmp_path / "two"))
    assert "on 1 validation image" in tuned.config.score
    seen, tuned = finish(fine_tune(a_model(), pairs[:1], QUICK, tmp_path / "one"))
    assert any("there is only one source image" in epoch.text for epoch in seen)
    assert all(epoch.validation is None for epoch in seen)
    assert tuned.config.score == ""
    assert "no image was held out" in tuned.card
    assert split_groups([], 0.2, 0) == ([], [])


# --- reports ------------------------------------------------------------------------------------------------------


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


# --- bad input ----------------------------------------------------------------------------------------------------


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


# --- killed, and several processes --------------------------------------------------------------------------------

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
        return draw_batch(*args, rotate=rotate, **rest)

    monkeypatch.setattr(_loop, "draw_batch", spy)
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
