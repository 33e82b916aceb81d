"""The command line, on tiny untrained models."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import Result

from ... import inference, load_model, save_model
from ..._version import __version__
from ...cli import _app as cli
from ...data import read_image, write_image
from ...networks import LDSeg
from ..builders import make_disk, make_ramp, save_picture

Run = Callable[..., Result]


@pytest.fixture
def model(tmp_path: Path, tiny_model_2d: LDSeg) -> Path:
    return save_model(tiny_model_2d, tmp_path / "model.safetensors")


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    folder = tmp_path / "slides"
    save_picture(folder / "a.png", make_ramp((20, 30, 3)))
    write_image(folder / "b.tif", make_ramp((24, 18)), "yx", spacing=(0.5, 0.25), unit="micrometer", metadata={})
    return folder


def test_version(run: Run) -> None:
    assert run("--version").output.strip() == f"napari-ldseg {__version__}"


def test_segment_writes_labels_and_sd_on_each_grid(run: Run, model: Path, slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("segment", slides, "--model", model, "--samples", 3, "--steps", 2, "--device", "cpu", "--out", out)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.glob("*.tif")) == ["a_labels.tif", "a_sd.tif", "b_labels.tif", "b_sd.tif"]
    for stem, shape in (("a", (20, 30)), ("b", (24, 18))):
        labels, sd = tifffile.imread(out / f"{stem}_labels.tif"), tifffile.imread(out / f"{stem}_sd.tif")
        assert labels.shape == sd.shape == shape
        assert (str(labels.dtype), str(sd.dtype)) == ("uint8", "float32")
        assert labels.max() <= 1
        assert 0 < sd.max() <= 0.5
    written = read_image(out / "b_labels.tif")
    assert (written.spacing, written.unit) == ((0.5, 0.25), "micrometer")
    assert "2 of 2 images" in result.output


def test_same_seed_same_file_and_another_seed_another(run: Run, model: Path, slides: Path, tmp_path: Path) -> None:
    maps = []
    for index, seed in enumerate((7, 7, 8)):
        out = tmp_path / str(index)
        result = run("segment", slides / "a.png", "-m", model, "-n", 2, "--steps", 1, "--seed", seed, "--out", out)
        assert result.exit_code == 0, result.output
        maps.append(tifffile.imread(out / "a_sd.tif"))
    np.testing.assert_array_equal(maps[0], maps[1])
    assert np.any(maps[0] != maps[2])


def test_mean_has_a_channel_for_each_class_and_sums_to_one(run: Run, model: Path, slides: Path, tmp_path: Path) -> None:
    result = run("segment", slides / "a.png", "-m", model, "-n", 1, "--steps", 1, "--out", tmp_path, "--mean")
    assert result.exit_code == 0, result.output
    mean = read_image(tmp_path / "a_mean.tif")
    assert sorted(mean.axes) == ["c", "x", "y"]
    assert mean.array.size == 2 * 20 * 30
    np.testing.assert_allclose(mean.array.sum(axis=mean.axes.index("c")), 1, atol=1e-5)


def test_a_damaged_file_is_reported_and_the_rest_goes_on(run: Run, model: Path, slides: Path, tmp_path: Path) -> None:
    (slides / "aa.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    result = run("segment", slides, "--model", model, "--samples", 1, "--steps", 1, "--out", out)
    assert result.exit_code == 1
    assert "2 of 3 images" in result.output
    assert f"Failed: {slides / 'aa.png'}: " in result.output
    assert sorted(path.name for path in out.glob("*.tif")) == ["a_labels.tif", "a_sd.tif", "b_labels.tif", "b_sd.tif"]


def test_nothing_is_computed_for_two_images_of_one_stem(run: Run, model: Path, slides: Path, tmp_path: Path) -> None:
    save_picture(slides / "A.jpg", make_ramp((20, 30, 3)))
    result = run("segment", slides, "--model", model, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "rename one of them" in result.output
    assert not (tmp_path / "out").exists()


def test_existing_outputs_stay_unless_overwrite(run: Run, model: Path, slides: Path, tmp_path: Path) -> None:
    old = tmp_path / "b_sd.tif"
    old.write_bytes(b"precious")
    command = ("segment", slides, "--model", model, "--samples", 1, "--steps", 1, "--out", tmp_path)
    result = run(*command)
    assert result.exit_code == 2
    assert "give --overwrite" in result.output
    assert old.read_bytes() == b"precious"
    assert not (tmp_path / "a_labels.tif").exists()
    assert run(*command, "--overwrite").exit_code == 0
    assert tifffile.imread(old).shape == (24, 18)


def test_an_image_is_never_its_own_output(run: Run, model: Path, slides: Path) -> None:
    save_picture(slides / "a_sd.tif", make_ramp((20, 30, 3)))
    result = run("segment", slides / "a.png", slides / "a_sd.tif", "-m", model, "--out", slides, "--overwrite")
    assert result.exit_code == 2
    assert "is one of the inputs" in result.output


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--samples", "many"), "samples"),
        (("--steps", "0"), "steps: Input should be greater than or equal to 1"),
        (("--model", "nowhere"), "There is no model file, folder or name 'nowhere'"),
    ],
)
def test_wrong_use_is_one_message(
    run: Run, model: Path, slides: Path, tmp_path: Path, flags: tuple[str, ...], message: str
) -> None:
    result = run("segment", slides, "--model", model, "--out", tmp_path / "out", *flags)
    assert result.exit_code == 2
    assert message in result.output
    assert len(result.output.splitlines()) == 1


def test_an_interrupt_leaves_no_half_file(
    run: Run, model: Path, slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(inference, "segment", interrupted)
    result = run("segment", slides, "--model", model, "--out", tmp_path / "out")
    assert result.exit_code == 130
    assert "Interrupted" in result.output
    assert sorted(path.name for path in tmp_path.glob("out/[!.]*")) == ["report.csv", "report.json"]


def test_models_lists_the_users_models_and_names_a_damaged_one(
    run: Run, tiny_model_2d: LDSeg, user_models: Path
) -> None:
    save_model(tiny_model_2d, user_models / "mine", card="A card.")
    (user_models / "broken.safetensors").write_bytes(b"nothing")
    result = run("models")
    assert result.exit_code == 0
    assert "mine" in result.output
    assert tiny_model_2d.config.title in result.output
    assert "'broken' is left out" in result.output


@pytest.mark.slow
def test_train_makes_a_model_that_segments(run: Run, tmp_path: Path, tiny_model_2d: LDSeg) -> None:
    disk = make_disk(2, side=32, radius=9)
    for index in range(4):
        save_picture(tmp_path / "images" / f"{index}.png", np.stack([255 - 200 * disk] * 3, axis=-1).astype(np.uint8))
        save_picture(tmp_path / "labels" / f"{index}.png", disk)
    settings = tmp_path / "settings.json"
    training = {"autoencoder_steps": 2, "denoiser_steps": 2, "batch": 2, "validate_every": 2, "device": "cpu"}
    settings.write_text(json.dumps({"model": tiny_model_2d.config.model_dump(mode="json"), "train": training}))
    folders = ("--images", tmp_path / "images", "--labels", tmp_path / "labels", "--out", tmp_path / "run")
    result = run("train", *folders, "--config", settings, "--name", "disks", "--validation", 0.25)
    assert result.exit_code == 0, result.output
    result = run("segment", tmp_path / "images" / "0.png", "-m", tmp_path / "run", "-n", 1, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    with tifffile.TiffFile(tmp_path / "out" / "0_labels.tif") as written:
        assert "disks" in json.dumps(written.imagej_metadata)
    folders = ("--images", tmp_path / "images", "--labels", tmp_path / "labels", "--out", tmp_path / "tuned")
    changed = {"model": {"input": {"shape": [16, 16]}}, "train": {"denoiser_steps": 2, "batch": 2, "device": "cpu"}}
    settings.write_text(json.dumps(changed))
    result = run("fine-tune", tmp_path / "run", *folders, "--config", settings, "--validation", 0.25)
    assert result.exit_code == 0, result.output
    tuned = load_model(tmp_path / "tuned").config
    assert (tuned.name, tuned.input.shape) == ("disks-tuned", (16, 16))
    settings.write_text(json.dumps({"model": {"steps": 3}}))
    assert "can be changed, not steps" in run("fine-tune", tmp_path / "run", *folders, "--config", settings).output


@pytest.mark.parametrize("text", ["no json", "[1]", '{"net": {}}', '{"model": 3}'])
def test_a_settings_file_that_does_not_fit_is_refused(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.json").write_text(text)
    folders = ("--images", tmp_path, "--labels", tmp_path, "--out", tmp_path / "run")
    result = run("train", *folders, "--config", tmp_path / "settings.json")
    assert result.exit_code == 2
    assert "The settings file" in result.output


def test_demo_without_qt_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "QT_BINDINGS", ())
    result = run("demo")
    assert result.exit_code == 2
    assert "pip install 'napari-ldseg[all]'" in result.output
