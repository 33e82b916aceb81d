"""Exported models: what a program without napari-ldseg computes from them, and their description."""

import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from ... import SegmentConfig, segment
from ...config import SamplerName
from ...data import Image
from ...errors import EngineError, InputError
from ...exchange import _torchscript as _export, export_model, export_onnx, package
from ...exchange._torchscript import Exported
from ...networks import LDSeg
from ..builders import make_tiny_model, mean_of

pytestmark = pytest.mark.slow

FILES = ["mask_encoder.pt", "mask_decoder.pt", "image_encoder.pt", "denoiser.pt", "segmenter.pt"]


def load(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.load(str(path))


@pytest.fixture(scope="module", params=[2, 3], ids=["2D", "3D"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Exported]:
    """What one export wrote; its words are those that YAML could misread."""
    model = make_tiny_model(request.param)
    model.config = model.config.replace(title="a: b # c, and 'd'")
    model.card = "# Tiny\n"
    out = tmp_path_factory.mktemp("export") / "out"
    return export_model(model, out, samples=2, authors=("A: B",), license_id="CC-BY-4.0")


def test_four_networks_and_the_segmenter_are_checked_as_they_are_written(written: list[Exported]) -> None:
    assert [file.path.name for file in written] == FILES
    assert max(file.difference for file in written) < 1e-5
    assert not list(written[0].path.parent.glob(".*"))


@pytest.mark.parametrize("sampler", ["ddpm", "dpm-solver++", "ldseg-release"])
def test_segmenter_returns_what_segment_does(tmp_path: Path, sampler: SamplerName) -> None:
    model = make_tiny_model(2, guess=True)
    model.config = model.config.replace(sampler=sampler, steps=3)
    export_model(model, tmp_path, samples=1, seed=5)
    pixels = np.random.default_rng(0).random((32, 32, 3), np.float32)
    mean, sd = load(tmp_path / "segmenter.pt")(torch.from_numpy(pixels).movedim(-1, 0)[None])
    *_, last = segment(model, Image(pixels, "yxc"), SegmentConfig(precision="float32", samples=1, seed=5, device="cpu"))
    assert last.preview is not None
    np.testing.assert_allclose(mean[0].numpy(), mean_of(last.preview), atol=1e-5)
    assert mean.shape == (1, 2, 32, 32)
    assert sd.shape == (1, 1, 32, 32)


def test_description_is_a_valid_bioimage_io_model(written: list[Exported]) -> None:
    spec = pytest.importorskip("bioimageio.spec", reason="needs the extra `testing`")
    folder = written[0].path.parent
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = spec.load_description(folder / "rdf.yaml", perform_io_checks=True)
    assert found.validation_summary.status in ("valid-format", "passed"), found.validation_summary.format()
    assert found.name.startswith("LDSeg tiny-")
    assert [str(each.id) for each in found.outputs] == ["mean", "sd"]
    assert found.license == "CC-BY-4.0"
    assert (folder / "README.md").read_text().startswith("# Tiny\n")


def test_the_description_reads_as_it_was_meant(written: list[Exported]) -> None:
    found = yaml.safe_load((written[0].path.parent / "rdf.yaml").read_text(encoding="utf-8"))
    assert found["description"] == "a: b # c, and 'd'"
    assert found["authors"] == [{"name": "A: B"}]
    assert found["inputs"][0]["axes"][0] == {"type": "batch", "size": 1}


def test_test_tensors_are_what_the_segmenter_computes(written: list[Exported]) -> None:
    folder = written[0].path.parent
    image, mean, sd = (torch.from_numpy(np.load(folder / f"test_{name}.npy")) for name in ("image", "mean", "sd"))
    found = load(folder / "segmenter.pt")(image)
    torch.testing.assert_close(found, (mean, sd), atol=1e-5, rtol=0)
    assert sd.max() > 0


def test_export_that_computes_something_else_is_not_written(
    tmp_path: Path, tiny_model_2d: LDSeg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_export, "difference_of", lambda *_: 0.5)
    with pytest.raises(EngineError, match=r"mask_encoder\.pt differs from the model by 5\.0e-01"):
        export_model(tiny_model_2d, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_folder_that_cannot_be_written(tmp_path: Path, tiny_model_2d: LDSeg) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be written"):
        export_model(tiny_model_2d, tmp_path / "file")
    with pytest.raises(InputError, match="between 1 and 256"):
        export_model(tiny_model_2d, tmp_path / "out", samples=0)


def test_each_file_holds_the_weights_that_it_needs(written: list[Exported]) -> None:
    model = make_tiny_model(3 if len(np.load(written[0].path.parent / "test_image.npy").shape) == 5 else 2)
    for name in FILES[:4]:
        own = getattr(model, name.removesuffix(".pt")).state_dict()
        held = load(written[0].path.parent / name).state_dict()
        # The frequencies of the time embedding are a buffer that a model file does not hold.
        assert 0 <= sum(each.numel() for each in held.values()) - sum(each.numel() for each in own.values()) <= 64


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # bioimageio.spec leaves it open
def test_the_package_is_what_bioimage_io_reads(written: list[Exported], tmp_path: Path) -> None:
    spec = pytest.importorskip("bioimageio.spec", reason="needs the extra `testing`")
    path = package(written[0].path.parent, tmp_path / "a.zip")
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    assert {"segmenter.pt", "cover.png", "test_image.npy", "sample_mean.tif", "README.md"} <= names
    assert "denoiser.pt" not in names
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = spec.load_model_description(path, perform_io_checks=True)
    assert found.validation_summary.status in ("valid-format", "passed"), found.validation_summary.format()
    assert found.inputs[0].sample_tensor is not None


@pytest.mark.parametrize("changes", [{}, {"guess": True}])
def test_onnx_computes_what_the_model_does(tmp_path: Path, changes: dict[str, Any]) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the extra `testing`")
    found = export_onnx(make_tiny_model(2, **changes), tmp_path)
    assert [file.path.name for file in found] == ["mask_decoder.onnx", "image_encoder.onnx", "denoiser.onnx"]
    assert max(file.difference for file in found) < 1e-4
    for file in found:
        onnx.checker.check_model(onnx.load(file.path))
    assert len(list(tmp_path.iterdir())) == 3
