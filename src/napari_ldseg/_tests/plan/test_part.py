"""How an image is read for a model: in words, in parts, and refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from typer.testing import Result

from ...checkpoints import save_model
from ...config import InputConfig, ModelConfig, PartConfig
from ...data import Image, read_image, write_image
from ...errors import InputError
from ...inference._preprocess import prepare, restore
from ...plan import Plan, plan_grid, plan_image
from ..builders import make_ramp, make_tiny_config, make_tiny_model
from ..data.medical_files import make_nifti


def spaced(ndim: int = 2, **changes: object) -> ModelConfig:
    """A tiny model that sees 1.55 micrometer a pixel and learned from 0.62."""
    given = {"mode": "spacing", "shape": (32,) * ndim, "spacing": (1.55,) * ndim, "source_spacing": (0.62,) * ndim}
    return make_tiny_config(ndim).replace(input=InputConfig.parse({**given, **changes}))


def plan(image: Image, config: ModelConfig | None = None, part: dict[str, str] | None = None, ndim: int = 2) -> Plan:
    """A plan for the tiny model of whole images, or for another; any number of channels fits it."""
    own = make_tiny_config(ndim, image_channels=image.channels)
    return plan_image(image, config or own, part=PartConfig.parse(part or {}))


def picture(shape: tuple[int, ...], axes: str, step: float | None = None, unit: str = "micrometer") -> Image:
    ndim = sum(axis in "zyx" for axis in axes)
    return Image(make_ramp(shape), axes, None if step is None else (step,) * ndim, unit, "cells")


@pytest.mark.parametrize(
    ("image", "ndim", "options", "sentence"),
    [
        (picture((40, 25, 38), "tyx"), 2, {}, "40 frames of 25 x 38, each segmented on its own"),
        (picture((24, 10, 16), "zyx", 1.0, "millimeter"), 3, {}, "one volume 24 x 10 x 16 at 1 x 1 x 1 mm"),
        (picture((52, 77, 3), "yxc", 0.62), 2, {}, "an RGB image 52 x 77 at 0.62 um"),
        (picture((24, 10, 16), "zyx", 1.0), 2, {"frames": "5"}, "one image 10 x 16 (z = 5 of 0 to 23) at 1 um"),
        (picture((4, 24, 10, 16), "tzyx"), 3, {}, "4 volumes of 24 x 10 x 16, each segmented on its own"),
        (picture((9, 15, 18), "pyx"), 2, {"axes": "tyx", "frames": "3:-2"},
         "4 frames of 15 x 18, each segmented on its own"),
        (picture((52, 77), "yx"), 2, {"region": "10:30,7:"}, "one image 20 x 70, a part of 52 x 77 from y 10, x 7 on"),
        (picture((5, 52, 77), "cyx"), 2, {}, "a 5-channel image 52 x 77"),
    ],
)  # fmt: skip
def test_sentence(image: Image, ndim: int, options: dict[str, str], sentence: str) -> None:
    seen = "16 x 16 x 16" if ndim == 3 else "32 x 32"
    said, each, rest = plan(image, part=options, ndim=ndim).sentence().partition(", each")
    assert said.removesuffix(f", seen as {seen}") + each + rest == sentence


def test_sentence_says_what_the_model_sees() -> None:
    sentence = plan(picture((522, 775, 3), "yxc", 0.62), spaced()).sentence()
    assert sentence == "an RGB image 522 x 775 at 0.62 um, seen at 1.55 um"
    sentence = plan(picture((522, 775, 3), "yxc"), spaced()).sentence()
    assert sentence == "an RGB image 522 x 775, taken as 0.62 um, seen at 1.55 um"
    sentence = plan(picture((522, 775, 3), "yxc", 0.62), make_tiny_config()).sentence()
    assert sentence == "an RGB image 522 x 775 at 0.62 um, seen as 32 x 32"


def test_the_part_is_cut_where_it_was_said() -> None:
    image = picture((6, 20, 30), "tyx", 0.5)
    part = plan(image, part={"frames": "2:4", "region": "5:15,10:18"}).image
    np.testing.assert_array_equal(part.array, image.array[2:4, 5:15, 10:18])
    assert (part.axes, part.spacing) == ("tyx", (0.5, 0.5))
    alone = plan(image, part={"frames": "-1", "region": ":"}).image
    np.testing.assert_array_equal(alone.array, image.array[5])
    assert alone.axes == "yx"


@pytest.mark.parametrize(
    ("image", "ndim", "options", "match"),
    [
        (picture((20, 30), "yx"), 3, {}, "only the spatial axes 'yx'; choose a 2D model"),
        (picture((6, 20, 30), "tyx"), 2, {"frames": "6:9"}, "holds nothing: along t there are 0 to 5"),
        (picture((6, 20, 30), "tyx"), 2, {"frames": "7"}, "holds nothing: along t there are 0 to 5"),
        (picture((6, 20, 30), "tyx"), 2, {"frames": "a:b"}, "write START:STOP or one number"),
        (picture((20, 30), "yx"), 2, {"frames": "1:2"}, r"names 1 axes, but there are 0 \(none\)"),
        (picture((20, 30), "yx"), 2, {"region": "1:9,30:40"}, "along x there are 0 to 29"),
        (picture((20, 30), "yx"), 2, {"axes": "tyx"}, "give one letter for each axis"),
    ],
)
def test_what_cannot_be_read_is_refused(image: Image, ndim: int, options: dict[str, str], match: str) -> None:
    with pytest.raises(InputError, match=match):
        plan(image, part=options, ndim=ndim)


@pytest.mark.parametrize(
    ("image", "config", "match"),
    [
        (picture((20, 30, 5), "yxc"), spaced(), "has 5 channels, but the model"),
        (picture((20, 7), "yx"), spaced(), "only 20 x 7 pixels; at least 8"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(image: Image, config: ModelConfig, match: str) -> None:
    with pytest.raises(InputError, match=match):
        plan(image, config)


@pytest.mark.parametrize(
    ("image", "config", "words"),
    [
        (picture((200, 200), "yx", 0.36), spaced(), []),
        (picture((200, 200), "yx", 0.62 / 3.1), spaced(), ["3 times finer", "0.2 um here, 0.62 um there"]),
        (picture((200, 200), "yx", 1.55 * 2.9), spaced(), []),
        (picture((200, 200), "yx", 0.005, "millimeter"), spaced(), ["3 times coarser", "5 um here, 0.62 um there"]),
        (picture((9, 200), "yx", 0.62), spaced(), ["only 4 x 80 pixels, and it needs 8 along each side"]),
        (picture((200, 200), "yx", 2.0, "pixel"), spaced(), ["no unit of length"]),
        (picture((200, 200), "yx", 50.0), make_tiny_config(), []),
    ],
)
def test_what_may_spoil_a_result_is_said(image: Image, config: ModelConfig, words: list[str]) -> None:
    said = " ".join(plan(image, config).warnings())
    assert bool(said) == bool(words)
    assert all(word in said for word in words)


def test_a_part_of_a_whole_image_model_is_said_to_be_enlarged() -> None:
    image = picture((64, 64), "yx")
    assert plan(image, make_tiny_config()).warnings() == []
    (warning,) = plan(image, make_tiny_config(), {"region": "0:32"}).warnings()
    assert "enlarged to 32 x 32" in warning


@pytest.mark.parametrize("ndim", [2, 3])
def test_anisotropic_pixels_are_resampled_and_come_back_in_place(ndim: int) -> None:
    """A bright spot keeps its place to a tenth of a pixel, on a grid of another pixel size along each axis."""
    shape, spacing = (12, 20, 40)[-ndim:], (4.0, 2.0, 1.0)[-ndim:]
    config = spaced(ndim, spacing=(2.0,) * ndim, source_spacing=None)
    middle = np.array((7.0, 8.0, 25.0)[-ndim:])
    away = (np.indices(shape).T - middle) * spacing / 6
    spot = np.exp(-0.5 * (away**2).sum(axis=-1)).T.astype(np.float32)
    grid = plan_grid(shape, spacing, config)
    assert grid.inner == (24, 20, 20)[-ndim:]
    seen = prepare(np.repeat(spot[None], 3, axis=0), grid, config)
    back = restore(seen, grid)[0, 0].numpy()
    assert back.shape == shape
    heavy = np.where(back > 0.2, back, 0)
    found = [(heavy * index).sum() / heavy.sum() for index in np.indices(shape)]
    wanted = [(np.where(spot > 0.2, spot, 0) * index).sum() / spot[spot > 0.2].sum() for index in np.indices(shape)]
    np.testing.assert_allclose(found, wanted, atol=0.1)
    assert torch.isfinite(seen).all()


def test_command_line_takes_axes_frames_and_region(run: Callable[..., Result], saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "cine.tif"
    write_image(path, make_ramp((6, 20, 30)), "pyx", spacing=None, unit="pixel", metadata={})
    parts = ("--axes", "tyx", "--frames", "2:5", "--region", "4:16,:")
    result = run("segment", path, "-m", saved, "-n", 1, "--steps", 1, "-o", tmp_path / "out", *parts)
    assert result.exit_code == 0, result.output
    assert "3 frames of 12 x 30, a part of 20 x 30 from y 4, x 0 on" in result.output
    assert tifffile.imread(tmp_path / "out" / "cine_labels.tif").shape == (3, 12, 30)
    result = run("segment", path, "-m", saved, "-o", tmp_path / "other", "--frames", "9:")
    assert result.exit_code == 1
    assert "holds nothing" in result.output


# --- the place of a part in the patient ------------------------------------------------------------------------------


def slices_of(volume: Path, **part: str) -> Image:
    return plan(read_image(volume), part=part).image


def test_some_slices_of_a_volume_keep_their_place(tmp_path: Path) -> None:
    source = read_image(make_nifti(tmp_path / "v.nii", (17, 19, 8)))
    part = slices_of(tmp_path / "v.nii", frames="3:6", region="2:19,1:17")
    assert source.geometry is not None
    assert part.geometry is not None
    assert (part.axes, part.geometry.shape, part.array.shape) == ("zyx", (3, 17, 16), (3, 17, 16))
    corner = source.geometry.matrix @ [1, 2, 3, 1]
    np.testing.assert_allclose(part.geometry.matrix[:, 3], corner, rtol=1e-6)
    np.testing.assert_array_equal(part.geometry.matrix[:, :3], source.geometry.matrix[:, :3])
    assert part.spacing == pytest.approx(source.spacing)


def test_one_slice_of_a_volume_keeps_its_place(tmp_path: Path) -> None:
    source = read_image(make_nifti(tmp_path / "v.nii", (17, 19, 8)))
    part = slices_of(tmp_path / "v.nii", frames="3")
    assert source.geometry is not None
    assert part.geometry is not None
    assert (part.axes, part.geometry.shape) == ("yx", (1, 19, 17))
    np.testing.assert_allclose(part.geometry.matrix[:, 3], source.geometry.matrix @ [0, 0, 3, 1], rtol=1e-6)


def test_all_of_a_volume_keeps_its_header(tmp_path: Path) -> None:
    make_nifti(tmp_path / "v.nii", (17, 19, 8))
    assert slices_of(tmp_path / "v.nii", frames=":").geometry == read_image(tmp_path / "v.nii").geometry


@pytest.mark.parametrize(("shape", "frames", "written"), [
    ((16, 17, 12), "3:6", (16, 17, 3)), ((16, 17, 12), "3", (16, 17)), ((16, 17, 4, 3), "1,2", (16, 17)),
    ((16, 17, 4, 3), ":,1:3", (16, 17, 2, 3)), ((16, 17, 4, 3), "2", (16, 17, 4)),
])  # fmt: skip
def test_slices_of_a_volume_are_written_on_their_grid(
    shape: tuple[int, ...], frames: str, written: tuple[int, ...], run: Callable[..., Result], tmp_path: Path
) -> None:
    model = save_model(make_tiny_model(2, image_channels=1), tmp_path / "flat.safetensors")
    source = make_nifti(tmp_path / "v.nii.gz", shape)
    result = run("segment", source, "-m", model, "-n", 1, "--steps", 1, "--frames", frames, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    labels = read_image(tmp_path / "out" / "v_labels.nii.gz")
    assert tuple(reversed(np.squeeze(labels.array).shape)) == written
    origin = [0, 0, {"3:6": 3, "3": 3, "1,2": 2, ":,1:3": 1, "2": 0}[frames], 1]
    assert labels.geometry is not None
    whole = read_image(source).geometry
    assert whole is not None
    np.testing.assert_allclose(labels.geometry.matrix[:, 3], whole.matrix @ origin, rtol=1e-5)
