"""Images larger than memory: levels, blocks, resuming, memory that stays small; OME-Zarr files."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr

from ... import segment_folder
from ..._util import follow, partial_of
from ...batch._image import summarize
from ...checkpoints import save_model
from ...config import ModelConfig, PartConfig, SegmentConfig, Tiling
from ...data import IDENTITY, LABELS, Image, find_images, read_image, write_image
from ...data._find import picture_files
from ...data.formats._ome_zarr import average, majority
from ...datasets import match_masks
from ...errors import InputError
from ...inference import Segmentation, SegmentProgress, SegmentRun, _disk, segment
from ...networks import LDSeg
from ...plan import _blocks, plan_image
from ..builders import make_ramp, make_tiny_config, make_tiny_model
from ..plan.test_tiles import make_spacing_model, noise_picture

KINDS = ("labels", "samples")
FAST = SegmentConfig(samples=2, steps=1, device="cpu", tiles="always", tile=32, overlap=8)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 64 (2D) and 16 (3D) pixels of the networks' grid, so that a small image has several."""
    monkeypatch.setattr(_blocks, "BLOCK_SIDE", {2: 64, 3: 16})


def start(model: LDSeg, image: Image, path: Path, config: SegmentConfig = FAST, **options: Any) -> SegmentRun:
    """A run on disk, of which nothing is computed yet."""
    return SegmentRun(model, plan_image(image, model.config, config), into=path, **options)


# --- OME-Zarr -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("axes", "shape"), [("yx", (600, 300)), ("tzyx", (2, 5, 70, 300)), ("cyx", (2, 40, 50))])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_ome_zarr_round_trip(tmp_path: Path, axes: str, shape: tuple[int, ...], dtype: Any) -> None:
    array, path = make_ramp(shape, dtype), tmp_path / "a.zarr"
    spacing = (0.5, 0.25, 0.25)[-sum(axis in "zyx" for axis in axes) :]
    write_image(path, array, axes, spacing=spacing, unit="um", metadata={"seed": 7})
    image = read_image(path)
    assert np.array_equal(np.asarray(image.array), array)
    assert image.array.dtype == dtype
    assert (image.axes, image.spacing, image.unit, image.name) == (axes, spacing, "micrometer", "a")
    assert dict(zarr.open_group(path, mode="r").attrs)["napari-ldseg"] == {"seed": 7}
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
    assert find_images([tmp_path]) == [path]


def test_levels_halve_and_keep_the_corner(tmp_path: Path) -> None:
    write_image(tmp_path / "a.zarr", make_ramp((601, 300)), "yx", spacing=(1.0, 2.0), unit="mm", metadata={})
    image = read_image(tmp_path / "a.zarr")
    assert [each.shape for each in (image, *image.levels)] == [(601, 300), (301, 150), (151, 75)]
    assert image.levels[0].spacing == (2.0, 4.0)
    attributes: dict[str, Any] = dict(zarr.open_group(tmp_path / "a.zarr", mode="r").attrs)
    (entry,) = attributes["multiscales"]
    assert entry["datasets"][1]["coordinateTransformations"][1] == {"type": "translation", "translation": [0.5, 1.0]}


def test_axes_are_brought_into_the_order_of_the_standard(tmp_path: Path) -> None:
    write_image(tmp_path / "a.zarr", make_ramp((6, 7, 3)), "yxc", spacing=None, unit="pixel", metadata={})
    image = read_image(tmp_path / "a.zarr")
    assert (image.axes, image.spacing) == ("cyx", None)
    assert np.array_equal(np.asarray(image.array), make_ramp((6, 7, 3)).transpose(2, 0, 1))


@pytest.mark.parametrize(("axes", "times"), [("spyx", []), ("psyx", []), ("tpyx", ["t"]), ("pstyx", [])])
def test_frame_axes_stay_in_their_order(tmp_path: Path, axes: str, times: list[str]) -> None:
    """Samples are the axis before the pixels. The standard has no time but the first axis."""
    array = make_ramp((2, 3, 4, 6, 7)[-len(axes) :])
    write_image(tmp_path / "a.zarr", array, axes, spacing=None, unit="pixel", metadata={})
    image = read_image(tmp_path / "a.zarr")
    assert image.axes == axes
    assert np.array_equal(np.asarray(image.array), array)
    attributes: dict[str, Any] = dict(zarr.open_group(tmp_path / "a.zarr", mode="r").attrs)
    found = attributes["multiscales"][0]["axes"]
    assert [axis["name"] for axis in found if axis.get("type") == "time"] == times


def test_an_ome_zarr_is_one_mask_and_its_folder_is_not_looked_into(tmp_path: Path) -> None:
    for name in ("found/a_labels.ome.zarr", "true/a_gt.zarr"):
        write_image(tmp_path / name, make_ramp((6, 7)), "yx", spacing=None, unit="pixel", metadata={})
    found, true = tmp_path / "found" / "a_labels.ome.zarr", tmp_path / "true" / "a_gt.zarr"
    assert picture_files(found) == [found]
    assert match_masks(found, true) == match_masks(found.parent, true.parent) == [(found, true)]


def test_version_0_5_is_read(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "new.zarr", mode="w", zarr_format=3)
    group.create_array("s0", data=make_ramp((4, 5)))
    axes = [{"name": name, "type": "space", "unit": "nanometer"} for name in "yx"]
    scale = [{"type": "scale", "scale": [3.0, 4.0]}]
    dataset = {"path": "s0", "coordinateTransformations": scale}
    ome: Any = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [dataset]}]}
    group.attrs["ome"] = ome
    image = read_image(tmp_path / "new.zarr")
    assert (image.axes, image.spacing, image.unit) == ("yx", (3.0, 4.0), "nanometer")
    assert np.array_equal(np.asarray(image.array), make_ramp((4, 5)))


def test_what_is_no_ome_zarr_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(InputError, match="cannot be read as OME-Zarr"):
        read_image(tmp_path / "a.zarr")
    with pytest.raises(InputError, match="does not exist"):
        read_image(tmp_path / "b.zarr")


def test_coarser_pixels_by_mean_and_by_majority() -> None:
    values = np.array([[0, 2, 4], [2, 4, 8], [1, 1, 1]], np.float32)
    assert average(values, [0, 1]).tolist() == [[2, 6], [1, 1]]
    labels = np.array([[0, 0, 2, 0], [0, 1, 2, 0]], np.uint8)
    assert majority(labels, [0, 1]).tolist() == [[0, 2]]  # of two and two, the higher class


# --- levels -------------------------------------------------------------------------------------------------------


def pyramid(side: int = 64, levels: int = 4, spacing: float | None = 0.25) -> Image:
    every = [
        Image(
            da.zeros((side >> i, side >> i, 3), dtype=np.uint8),
            "yxc",
            None if spacing is None else (spacing * 2**i,) * 2,
            "micrometer",
        )
        for i in range(levels)
    ]
    return every[0].replace(levels=tuple(every[1:]))


@pytest.mark.parametrize(("wanted", "expected"), [(0.1, 64), (0.25, 64), (0.4, 32), (1.0, 16), (1.3, 16), (9.0, 8)])
def test_the_level_nearest_the_model_is_taken(wanted: float, expected: int) -> None:
    plan = plan_image(pyramid(), make_spacing_model(2, wanted).config)
    assert plan.image.shape == (expected, expected)
    assert plan.pixel_size == pytest.approx((0.25 * 64 / expected,) * 2)
    assert plan.image.levels == ()


def test_a_model_of_whole_images_takes_the_coarsest_level_that_is_large_enough() -> None:
    config = make_tiny_config(2)
    assert plan_image(pyramid(), config).image.shape == (32, 32)
    assert plan_image(pyramid(16, 2), config).image.shape == (16, 16)
    # A region of 100 pixels is 50 pixels on the level of 128, and fewer than 32 on the next.
    assert plan_image(pyramid(256, 4), config, part=PartConfig(region="0:100,56:156")).image.shape == (50, 50)
    # In tiles it sees the image's own pixels.
    assert plan_image(pyramid(), config, SegmentConfig(tiles="always")).image.shape == (64, 64)


@pytest.mark.parametrize("wanted", [0.25, 0.4, 1.0])
def test_a_region_of_a_pyramid_is_in_pixels_of_its_finest_level(wanted: float) -> None:
    """Coarse pixels that it only touches belong to it: 5 to 47 are 1 to 12 of those that are four times as large."""
    image, config = pyramid(), make_spacing_model(2, wanted).config
    plan = plan_image(image, config, part=PartConfig(region="5:47,8:48"))
    size = {0.25: 1, 0.4: 2, 1.0: 4}[wanted]
    assert plan.level == {1: 0, 2: 1, 4: 2}[size]
    assert plan.part.start == (5 // size, 8 // size)
    assert plan.image.shape == (-(-47 // size) - 5 // size, 40 // size)
    assert plan.pixel_size == pytest.approx((0.25 * size,) * 2)


def test_a_level_without_unit_is_seen_at_the_size_of_its_pixels(tmp_path: Path) -> None:
    """The model assumes 0.25 where a file states nothing, which is the finest level: four of these are one pixel."""
    model = make_spacing_model(2, 1.0)
    model.config = model.config.replace(input=model.config.input.model_dump() | {"source_spacing": (0.25, 0.25)})
    saved = save_model(model, tmp_path / "tiny.safetensors", "# Tiny\n")
    pixels = np.random.default_rng(0).integers(0, 255, (3, 256, 192), dtype=np.uint8)
    for name, levels in (("pyramid", 3), ("single", 1)):
        group, datasets = zarr.open_group(tmp_path / f"{name}.zarr", mode="w", zarr_format=2), []
        for level in range(levels):
            group.create_array(str(level), data=pixels[:, :: 2**level, :: 2**level])
            scale = [{"type": "scale", "scale": [1, 2**level, 2**level]}]
            datasets.append({"path": str(level), "coordinateTransformations": scale})
        axes = [{"name": "c", "type": "channel"}, *({"name": name, "type": "space"} for name in "yx")]
        group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]  # type: ignore[dict-item]
    seen = []
    for name, side in (("pyramid", (64, 48)), ("single", (256, 192))):
        segment_folder(tmp_path / f"{name}.zarr", tmp_path / "out", saved, FAST.replace(keep_mb=1), kinds=KINDS)
        labels, samples = (read_image(tmp_path / "out" / f"{name}_{kind}.ome.zarr") for kind in KINDS)
        assert (labels.shape, labels.spacing, labels.unit) == (side, None, "pixel")
        seen.append(samples.shape)
    assert seen == [(64, 48)] * 2


def test_large_is_what_neither_memory_nor_one_pass_holds() -> None:
    config = make_spacing_model(2, 1.0).config

    def on_disk(image: Image, config: ModelConfig = config) -> bool:
        return plan_image(image, config).on_disk

    assert not on_disk(pyramid(2**13, 1, 1.0))
    assert on_disk(pyramid(2**13 + 8, 1, 1.0))
    assert not on_disk(pyramid(40_000, 5, 0.25), make_spacing_model(2, 4.0).config)
    assert on_disk(pyramid(40_000, 5, 0.25))
    assert not on_disk(pyramid(40_000, 5, 0.25), make_tiny_config(2))
    # One rule for planes, sequences and channels: what counts are the pixels of the result.
    sequence = Image(da.zeros((2**10 + 1, 2**8, 2**8), dtype=np.uint8), "tyx")
    assert on_disk(sequence, make_tiny_config(2))
    assert not on_disk(sequence.replace(array=sequence.array[1:]), make_tiny_config(2))
    channels = Image(da.zeros((5, 2**12, 2**12), dtype=np.uint8), "cyx")
    assert not on_disk(channels, make_tiny_config(2, image_channels=5))


# --- blocks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ndim", "spacing"), [(2, 1.0), (2, 2.0), (2, 0.7), (3, 1.0)])
def test_blocks_make_what_segment_makes(tmp_path: Path, ndim: int, spacing: float) -> None:
    model = make_spacing_model(ndim, spacing)
    image = noise_picture(*((150, 110) if ndim == 2 else (18, 20, 34)))
    config = FAST if ndim == 2 else FAST.replace(tile=16)
    run = start(model, image, tmp_path / "a.zarr", config)
    assert run.blocks > 1
    result = follow(segment(model, image, config, into=tmp_path / "a.zarr"))
    whole = follow(segment(model, image, config))
    assert np.abs(result.sd[:] - whole.sd).max() < 1e-5
    assert np.mean(result.labels[:] != whole.labels) < 1e-3
    assert result.sizes.sum(axis=1) == pytest.approx([np.prod(image.shape)] * 2)
    assert result.sizes == pytest.approx(whole.sizes, rel=0.05)
    assert (result.axes, result.spacing, result.samples) == ("zyx"[-ndim:], image.spacing, 2)
    for number, level in enumerate(result.levels("sd")[1:], start=1):
        coarse = whole.sd
        for _ in range(number):
            coarse = average(coarse, list(range(ndim)))
        assert np.allclose(level[:], coarse, atol=1e-5)


def test_frames_of_a_sequence_are_blocks_of_their_own(tmp_path: Path) -> None:
    model, one = make_spacing_model(), noise_picture(70, 40)
    stack = one.replace(array=np.stack([one.array, one.array[::-1]]), axes="tyxc")
    result = follow(segment(model, stack, FAST, into=tmp_path / "a.zarr"))
    assert result.axes == "tyx"
    assert result.sizes.shape == (2, 2, 2)
    for frame in range(2):
        alone = follow(segment(model, one.replace(array=stack.array[frame]), FAST))
        assert np.allclose(result.sd[frame], alone.sd, atol=1e-5)
        assert result.sizes[frame] == pytest.approx(alone.sizes, rel=0.05)


def test_numbers_of_a_large_result_are_those_of_one_frame(tmp_path: Path) -> None:
    """They were the sums over all frames."""
    model, one = make_spacing_model(), noise_picture(70, 40)
    stack = one.replace(array=np.stack([one.array, one.array[::-1], one.array // 2]), axes="tyxc", spacing=None)
    result = follow(segment(model, stack, FAST, into=tmp_path / "a.zarr"))
    found = summarize(result, 1.0)
    whole = summarize(follow(segment(model, stack, FAST)), 1.0)
    assert (found.frames, found.unit) == (whole.frames, whole.unit) == (3, "pixel")
    assert found.sizes == pytest.approx(whole.sizes, rel=0.05)
    # By hand: in the first frame the samples found 10 and 14 pixels, in the second 20 and 20.
    sizes = np.array([[[0, 10], [0, 14]], [[0, 20], [0, 20]]], float)
    found = summarize(dataclasses.replace(result, sizes=sizes), 1.0)
    assert (found.frames, found.sizes, found.sizes_sd) == (2, {"foreground": 16}, {"foreground": 2**0.5})


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, image, path = make_spacing_model(), noise_picture(150, 110), tmp_path / "a.zarr"
    steps = segment(model, image, FAST, into=path)
    while "Block 3" not in next(steps).text:
        pass
    steps.close()
    assert not path.exists()
    assert partial_of(path).is_dir()
    whole = follow(segment(model, image, FAST))
    again = start(model, image, path, FAST)
    assert (again.blocks, again.todo()) == (6, [2, 3, 4, 5])
    seen: list[int] = []
    monkeypatch.setattr(SegmentRun, "segment_block", counted(SegmentRun.segment_block, seen))
    result = follow(segment(model, image, FAST, into=path))
    assert seen == [2, 3, 4, 5]
    assert np.abs(result.sd[:] - whole.sd).max() < 1e-5
    assert [file.name for file in tmp_path.iterdir()] == ["a.zarr"]
    # Once it is whole, nothing is computed again.
    follow(segment(model, image, FAST, into=path))
    assert seen == [2, 3, 4, 5]
    assert not (path / "done").exists()
    assert json.loads((path / IDENTITY).read_text())["provenance"]["samples"] == 2


def counted(function: Any, seen: list[int]) -> Any:
    def counting(self: SegmentRun, number: int) -> Any:
        seen.append(number)
        return function(self, number)

    return counting


@pytest.mark.parametrize("change", ["seed", "model", "pixels"])
def test_another_run_is_not_mixed_in(tmp_path: Path, change: str) -> None:
    model, image, path = make_spacing_model(), noise_picture(70, 40), tmp_path / "a.zarr"
    start(model, image, path, FAST)
    other = {
        "seed": (model, image, FAST.replace(seed=1)),
        "pixels": (model, image.replace(array=image.array + 1), FAST),
    }
    if change == "model":
        changed = make_spacing_model()
        next(changed.parameters()).data[0] += 1
        other["model"] = (changed, image, FAST)
    model, image, config = other[change]
    with pytest.raises(InputError, match="half-written result of other settings, another model or another image"):
        start(model, image, path, config)
    follow(segment(model, image, config, into=path, overwrite=True))
    with pytest.raises(InputError, match="holds another result"):
        start(make_spacing_model(), noise_picture(70, 44), path, FAST)


def test_another_content_is_another_image(tmp_path: Path) -> None:
    model, image, path = make_spacing_model(), noise_picture(70, 40), tmp_path / "a.zarr"
    follow(segment(model, image, FAST, into=path, content="one"))
    assert start(model, image, path, FAST, overwrite=True, content="one").todo() == []
    with pytest.raises(InputError, match="holds another result"):
        start(model, image, path, FAST, content="two")
    assert start(model, image, path, FAST, overwrite=True, content="two").todo() == [0, 1]


def test_a_frame_that_was_changed_changes_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five frames, the second is none of those that tell the intensities of the whole."""
    monkeypatch.setattr("napari_ldseg.plan._plan.MAX_PLANE", 100)
    model = save_model(make_spacing_model(), tmp_path / "tiny.safetensors", "# Tiny\n")
    stack = np.random.default_rng(0).integers(0, 255, (5, 40, 40, 3), dtype=np.uint8)

    def spread(out: str) -> Any:
        tifffile.imwrite(tmp_path / "a.tif", stack, photometric="rgb", metadata={"axes": "TYXS"})
        assert segment_folder(tmp_path / "a.tif", tmp_path / out, model, FAST, overwrite=True).count("done") == 1
        return np.asarray(read_image(tmp_path / out / "a_ldseg.zarr").array)

    before = spread("out")
    stack[1] = 255 - stack[1]
    after = spread("out")
    assert [bool((a != b).any()) for a, b in zip(before, after, strict=True)] == [False, True, False, False, False]
    assert np.array_equal(after, spread("fresh"))


def test_intensities_are_those_of_the_whole(tmp_path: Path) -> None:
    model = make_spacing_model()
    model.config = model.config.replace(input={**model.config.input.model_dump(), "normalization": "minmax"})
    # The left half is dark: scaled on its own, it would look like the right half.
    picture = noise_picture(64, 128)
    dark = np.concatenate([picture.array[:, :64] // 4, picture.array[:, 64:]], axis=1)
    image = picture.replace(array=da.from_array(dark, chunks=32))
    result = follow(segment(model, image, FAST, into=tmp_path / "a.zarr"))
    whole = follow(segment(model, image.replace(array=dark), FAST))
    assert np.allclose(result.sd[:], whole.sd, atol=1e-5)


def test_only_what_is_asked_for_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 400 million pixels one block is computed, for which only the chunks around it are made."""
    monkeypatch.setattr(_blocks, "BLOCK_SIDE", {2: 256})
    made: list[tuple[int, ...]] = []

    def chunk(block_id: tuple[int, ...] = ()) -> Any:
        made.append(block_id)
        return np.full((500, 500, 3), 100, np.uint8)

    sides = ((500,) * 40, (500,) * 40, (3,))
    array = da.map_blocks(chunk, chunks=sides, dtype=np.uint8, meta=np.empty((0,) * 3, np.uint8))
    coarse = Image(da.full((100, 100, 3), 100, dtype=np.uint8), "yxc", (200.0,) * 2, "micrometer")
    image = Image(array, "yxc", (1.0, 1.0), "micrometer", "slide", (coarse,))
    run = start(make_spacing_model(), image, tmp_path / "a.zarr", FAST.replace(tile=512, samples=1))
    last = run.blocks - 1
    for _ in run.segment_block(last):
        pass
    assert last == 79**2 - 1
    assert {index[:2] for index in made} == {(y, x) for y in (38, 39) for x in (38, 39)}
    assert len(run.todo()) == last


@pytest.mark.parametrize("tiles", ["never", "always"])
@pytest.mark.parametrize(("ndim", "axes"), [(2, "yxc"), (2, "tyxc"), (2, "zyxc"), (3, "zyxc"), (3, "tzyxc")])
def test_disk_and_memory_hold_the_same(tmp_path: Path, ndim: int, axes: str, tiles: Tiling) -> None:
    """In one pass bit for bit; tiles are brought back to the image's grid block by block, which rounds otherwise."""
    model = make_spacing_model(ndim, 1.5)
    one = noise_picture(*((70, 40) if ndim == 2 else (20, 18, 34)))
    array, spacing = one.array, one.spacing
    if len(axes) > one.array.ndim:
        array, spacing = np.stack([array, array[::-1] // 2]), (1.0,) * sum(axis in "zyx" for axis in axes)
    image = Image(array, axes, spacing, "micrometer", "noise")
    config = FAST.replace(tiles=tiles, samples=3, tile=32 if ndim == 2 else 16)
    whole = follow(segment(model, image, config))
    assert whole.path is None
    result = follow(segment(model, image, config, into=tmp_path / "a.zarr"))
    assert result.path == tmp_path / "a.zarr"
    for name in ("axes", "spacing", "unit", "samples", "class_names"):
        assert getattr(result, name) == getattr(whole, name)
    labels, sd = np.asarray(result.labels), np.asarray(result.sd)
    if tiles == "never":
        assert np.array_equal(labels, whole.labels)
        assert np.array_equal(sd, whole.sd)
        assert result.sizes == pytest.approx(whole.sizes)
    assert np.abs(sd - whole.sd).max() < 1e-5
    assert np.mean(labels != whole.labels) < 1e-3
    assert result.sizes == pytest.approx(whole.sizes, rel=0.1)


def test_a_whole_image_larger_than_memory_is_written_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_disk, "MAX_PLANE", 1000)
    model, image = make_tiny_model(2), noise_picture(150, 110)
    config = SegmentConfig(samples=2, steps=1, device="cpu")
    run = SegmentRun(model, plan_image(image, model.config, config), into=tmp_path / "a.zarr")
    assert run.blocks == 1
    result, whole = (follow(segment(model, image, config, into=into)) for into in (tmp_path / "a.zarr", None))
    assert np.abs(np.asarray(result.sd) - whole.sd).max() < 1e-5


def test_previews_of_a_run_on_disk_are_what_is_written(tmp_path: Path) -> None:
    model, image, path = make_spacing_model(), noise_picture(150, 110), tmp_path / "a.zarr"
    seen: list[SegmentProgress] = list(segment(model, image, FAST, into=path))
    previews: list[Segmentation] = [step.preview for step in seen if step.preview is not None]
    assert {preview.path for preview in previews} == {partial_of(path)}
    assert seen[-1].done == seen[-1].total
    assert previews[-1].sizes.shape == (0, 2)


def test_a_sequence_on_disk_cannot_be_smoothed(tmp_path: Path) -> None:
    model, stack = make_tiny_model(2), Image(np.zeros((3, 20, 24), np.uint8), "tyx")
    with pytest.raises(InputError, match="written to disk cannot be smoothed in time"):
        follow(segment(model, stack, SegmentConfig(samples=1, smoothing=1.0), into=tmp_path / "a.zarr"))


def test_command_line_takes_the_large_path_by_itself(tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = save_model(make_spacing_model(), tmp_path / "tiny.safetensors", "# Tiny\n")
    picture = noise_picture(70, 40)
    write_image(tmp_path / "a.zarr", picture.array, "yxc", spacing=(1.0, 1.0), unit="micrometer", metadata={})
    arguments = ["segment", tmp_path / "a.zarr", "--model", model, "--samples", 2, "--steps", 1, "--device", "cpu"]
    assert run(*arguments, "--out", tmp_path / "small").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "small").glob("a_*")) == ["a_labels.ome.zarr", "a_sd.ome.zarr"]
    monkeypatch.setattr("napari_ldseg.plan._plan.MAX_PLANE", 2000)
    assert run(*arguments, "--out", tmp_path / "large").exit_code == 0
    assert [path.name for path in (tmp_path / "large").glob("a_*")] == ["a_ldseg.zarr"]
    labels = read_image(tmp_path / "large" / "a_ldseg.zarr" / LABELS)
    assert labels.shape == (70, 40)
    result = run(*arguments, "--out", tmp_path / "large")
    assert "1 of 1 images segmented" in result.output
    assert "(1 of them earlier)" in result.output
