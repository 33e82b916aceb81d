"""Tiles: plans, weights, the noise field, regions, seams; frames in batches and smoothing in time."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn

from ..._util import follow
from ...config import InputConfig, NetworkConfig, SegmentConfig
from ...data import Image
from ...errors import InputError
from ...inference import segment
from ...inference._noise import cut_field, field_noise, mirror
from ...inference._preprocess import prepare
from ...inference._resample import Regions, mirrored, reflected
from ...inference._smoothing import gaussian_matrix
from ...networks import LDSeg
from ...plan import Tile, Tiles, _grid, _plan, plan_tiles
from ...plan._frames import frames
from ...plan._grid import plan_grid
from ...plan._intensity import intensities
from ...plan._tiles import decoder_reach, tile_sides
from ..builders import make_ramp, make_tiny_config, make_tiny_model, mean_of

CELL = 4


def make_spacing_model(ndim: int = 2, spacing: float = 1.0, **network: Any) -> LDSeg:
    """The tiny model, at a pixel size and trained (so it says) on images of 16 pixels a side."""
    model = make_tiny_model(ndim, **network)
    given = InputConfig.parse(
        {
            "mode": "spacing",
            "shape": (16,) * ndim,
            "spacing": (spacing,) * ndim,
            "channels": model.config.input.channels,
        }
    )
    model.config = model.config.replace(input=given.model_dump())
    return model


def noise_picture(*shape: int) -> Image:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    return Image(pixels, "zyx"[-len(shape) :] + "c", (1.0,) * len(shape), "micrometer", "noise")


def all_tiles(shape: tuple[int, ...], *sides: Any) -> list[Tile]:
    """All tiles of a plane."""
    return plan_tiles(shape, *sides).within(tuple((0, side) for side in shape))


# --- plans --------------------------------------------------------------------------------------------------------


def test_a_line_of_ten_cells_in_tiles_of_four() -> None:
    # Overlap 1: 3 tiles reach 4 + 2 * 3 = 10 cells, exactly.
    assert [tile.box for tile in all_tiles((40,), (16,), (4,), 4)] == [((0, 16),), ((12, 28),), ((24, 40),)]
    # Overlap 2: 4 tiles reach 4 + 3 * 2 = 10 cells.
    assert [tile.start for tile in all_tiles((40,), (16,), (8,), 4)] == [(0,), (8,), (16,), (24,)]
    # One cell less: the four tiles move together, so that none stands out.
    assert [tile.start for tile in all_tiles((36,), (16,), (8,), 4)] == [(0,), (4,), (12,), (20,)]


def test_tiles_of_a_plane_come_in_reading_order() -> None:
    tiles = all_tiles((24, 10), (16, 16), (8, 8), 8)
    assert [tile.box for tile in tiles] == [((0, 16), (0, 10)), ((8, 24), (0, 10))]
    assert tiles[0].weights[1].tolist() == [1.0] * 10


def test_weights_are_the_hann_window() -> None:
    first, second = all_tiles((6,), (4,), (2,))
    ramp = np.sin(np.pi / 8 * np.array([1, 3])) ** 2
    assert second.weights[0] == pytest.approx([*ramp, 1, 1])
    assert first.weights[0] == pytest.approx([1, 1, *ramp[::-1]])


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 12), st.integers(0, 11)), min_size=1, max_size=2),
    st.sampled_from([1, 2, 4]),
)
@settings(max_examples=40, deadline=None)
def test_tiles_cover_the_plane_and_weights_sum_to_one(sides: list[tuple[int, int, int]], cell: int) -> None:
    shape, tile, overlap = zip(*((a * cell, b * cell, min(c, b - 1) * cell) for a, b, c in sides), strict=True)
    total = np.zeros(shape)
    tiles = all_tiles(shape, tile, overlap, cell)
    for each in tiles:
        assert all(start % cell == 0 for start in each.start)
        assert each.shape == tuple(map(min, tile, shape))
        total[tuple(slice(*side) for side in each.box)] += each.weight
    assert np.allclose(total, 1, atol=1e-5)
    starts = sorted({each.start[0] for each in tiles})
    assert all(tile[0] - (b - a) >= overlap[0] for a, b in pairwise(starts))


def test_tiles_that_do_not_get_ahead_are_refused() -> None:
    with pytest.raises(InputError, match="that share 32 do not get ahead"):
        plan_tiles((100, 100), (32, 32), (32, 32), 4)


def test_tiles_in_a_box_are_those_with_a_pixel_in_it() -> None:
    tiles = plan_tiles((40,), (16,), (4,), 4)
    assert [tile.start for tile in tiles.within(((12, 13),))] == [(0,), (12,)]
    assert [tile.start for tile in tiles.within(((28, 40),))] == [(24,)]
    assert (len(tiles), tiles.count(((12, 13),)), tiles.shape) == (3, 2, (16,))


def test_no_tiles_are_none() -> None:
    assert not Tiles()
    assert len(plan_tiles((10**6, 10**6), (64, 64), (16, 16), 4)) == 20833**2  # none of which is made


def test_overlap_is_the_reach_of_the_decoder() -> None:
    model = make_spacing_model(mask_widths=(8, 8), decoder_widths=(8, 8))
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.GroupNorm):
                setattr(module, name, nn.Identity())  # a norm sees everything, though hardly anything of it
    latent = torch.zeros(1, 1, 31, 31, requires_grad=True)
    model.decode(latent)[0, 0, 60, 60].backward()
    assert latent.grad is not None
    seen = torch.nonzero(latent.grad[0, 0].abs().sum(dim=0)).flatten()
    assert isinstance(model.config.network, NetworkConfig)
    reach = decoder_reach(model.config.network)
    # pixel 60 lies in cell 15
    assert reach == 3 * 4 + 3 * 2 + 3 * 1 + 1
    assert reach <= (15 - int(seen.min())) * CELL < reach + CELL  # in whole cells
    assert tile_sides(model.config, SegmentConfig()) == ((32, 32), (16, 16))
    assert tile_sides(model.config, SegmentConfig(tile=64, overlap=8)) == ((64, 64), (8, 8))


# --- noise --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("box", [((0, 70), (0, 90)), ((0, 20), (0, 35), (0, 40))], ids=["2d", "3d"])
def test_any_part_of_the_field_is_a_part_of_the_whole(box: Any) -> None:
    whole = cut_field(3, 1, 0, box, 2)
    part = tuple((a + 5, b - 7) for a, b in box)
    assert np.array_equal(cut_field(3, 1, 0, part, 2), whole[(slice(None), *(slice(*side) for side in part))])
    assert abs(whole.mean()) < 4 / np.sqrt(whole.size)
    assert whole.std() == pytest.approx(1, abs=0.03)


def test_far_corners_cost_nothing_and_every_field_is_another() -> None:
    far = ((10**6, 10**6 + 8), (10**6, 10**6 + 8))
    fields = [cut_field(*key, far, 1) for key in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]]
    fields.append(cut_field(0, 0, 0, ((10**6 + 32, 10**6 + 40), far[1]), 1))
    assert len({field.tobytes() for field in fields}) == 5


def test_a_mirrored_tile_gets_the_mirrored_field() -> None:
    boxes = [((0, 4), (0, 6)), ((2, 6), (0, 6))]
    drawn = field_noise(0, range(2), [0, 3], boxes, 1)(-1)
    assert drawn.shape == (4, 1, 4, 6)
    # Sample 1 sees both axes mirrored; turned back, the lower half of the first tile is the upper half of the second.
    first, second = (mirror(drawn[i], 3, 2)[0] for i in (1, 3))
    assert torch.equal(first[2:], second[:2])
    assert torch.equal(drawn[0, 0, 2:], drawn[2, 0, :2])


# --- regions ------------------------------------------------------------------------------------------------------


def test_places_beyond_the_ends_are_folded_back() -> None:
    line = np.arange(4)
    places = np.arange(-5, 10)
    assert np.array_equal(line[mirrored(places, 4)], np.pad(line, (5, 6), mode="symmetric")[: len(places)])
    assert np.array_equal(line[reflected(places, 4)], np.pad(line, (5, 6), mode="reflect")[: len(places)])


@pytest.mark.parametrize("spacing", [0.4, 1.0, 1.7, 3.0])
@pytest.mark.parametrize("ndim", [2, 3])
def test_regions_are_parts_of_the_prepared_whole(ndim: int, spacing: float) -> None:
    config = make_spacing_model(ndim, spacing).config
    image = noise_picture(*(21, 30, 26)[-ndim:])
    ((_, pixels),) = frames(image, config)
    grid = plan_grid(image.shape, image.spacing, config, "always")
    whole = prepare(pixels, grid, config)
    regions = Regions(pixels, grid, intensities(pixels, "range"), config, "noise")
    assert grid.tiled
    box = tuple((side // 4, side) for side in grid.outer)
    part = regions.read(box)
    assert torch.allclose(part, whole[:, :, *(slice(*side) for side in box)], atol=1e-5)


# --- the whole way ------------------------------------------------------------------------------------------------


def test_what_fits_into_one_pass_is_not_tiled(monkeypatch: pytest.MonkeyPatch) -> None:
    model, image = make_spacing_model(), noise_picture(40, 48)
    config = SegmentConfig(samples=2, steps=1, device="cpu")
    plain = follow(segment(model, image, config))
    assert np.array_equal(mean_of(plain), mean_of(follow(segment(model, image, config.replace(tiles="never")))))
    monkeypatch.setattr(_grid, "MAX_GRID", 40 * 48 - 1)
    tiled = follow(segment(model, image, config))
    assert np.array_equal(mean_of(tiled), mean_of(follow(segment(model, image, config.replace(tiles="always")))))
    with pytest.raises(InputError, match="that fit in one pass; allow tiles"):
        follow(segment(model, image, config.replace(tiles="never")))


@pytest.mark.parametrize("sampler", ["ddpm", "dpm-solver++"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_tiles_differ_from_one_piece_no_more_at_their_borders(ndim: int, sampler: str) -> None:
    model = make_spacing_model(ndim)
    image = noise_picture(*((64, 80) if ndim == 2 else (24, 24, 40)))
    config = SegmentConfig(samples=3, steps=2, views=2, device="cpu", tiles="always", tile=512, sampler=sampler)
    seen = list(segment(model, image, config))
    whole = seen[-1].preview
    assert whole is not None
    assert seen[-1].done == seen[-1].total
    tiled = follow(segment(model, image, config.replace(tile=32 if ndim == 2 else 16, overlap=8)))
    assert np.allclose(mean_of(tiled).sum(axis=0), 1, atol=1e-4)
    difference = np.abs(mean_of(tiled)[1] - mean_of(whole)[1])
    edges = {side for tile in all_tiles(image.shape, ((32, 16)[ndim - 2],) * ndim, (8,) * ndim, CELL)
             for side in tile.box[-1]} - {0, image.shape[-1]}  # fmt: skip
    near = np.zeros(image.shape[-1], bool)
    for edge in edges:
        near[edge - 2 : edge + 2] = True
    # What differs is the norms' view of a tile, all over; the bound is that of blending, which weights borders least.
    assert difference[..., near].mean() < 1.4 * difference[..., ~near].mean()
    # The same noise: other noise would differ far more.
    other = follow(segment(model, image, config.replace(seed=1)))
    assert difference.mean() < 0.8 * np.abs(mean_of(other)[1] - mean_of(whole)[1]).mean()


def test_tiles_of_a_network_without_a_view_of_the_whole_change_nothing() -> None:
    """Without norms and attention, a tile whose neighbours reach far enough computes what one piece does."""
    model = make_spacing_model(denoiser_attention=(False, False), denoiser_widths=(8, 8))
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.GroupNorm):
                setattr(module, name, nn.Identity())
    image = noise_picture(16, 320)
    config = SegmentConfig(samples=2, steps=1, views=2, device="cpu", precision="float32")
    config = config.replace(tiles="always", tile=512)
    whole = follow(segment(model, image, config))
    tiled = follow(segment(model, image, config.replace(tile=192, overlap=128)))
    # The outermost pixels of a tile do know only one side, but have next to no weight.
    assert np.abs(mean_of(whole) - mean_of(tiled)).max() < 5e-3
    assert np.abs(whole.sd - tiled.sd).max() < 5e-3
    rough = follow(segment(model, image, config.replace(tile=192, overlap=0)))
    assert np.abs(mean_of(whole) - mean_of(rough)).max() > 0.1


def test_a_model_of_whole_images_is_tiled_only_when_told_to() -> None:
    model, image = make_tiny_model(2), noise_picture(40, 70)
    config = SegmentConfig(samples=2, steps=1, device="cpu", keep_mb=1)
    plain, tiled = (follow(segment(model, image, config.replace(tiles=t))) for t in ("auto", "always"))
    assert plain.masks is not None
    assert tiled.masks is not None
    assert plain.masks.grid == (32, 32)
    assert tiled.masks.grid == (40, 70)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"sampler": "ldseg-release"}, "re-normalises the whole latent"), ({"smoothing": 1.0}, "cannot be smoothed")],
)
def test_what_cannot_be_tiled_is_refused(change: dict[str, Any], words: str) -> None:
    config = SegmentConfig(samples=2, steps=2, device="cpu", tiles="always").replace(**change)
    with pytest.raises(InputError, match=words):
        follow(segment(make_spacing_model(), noise_picture(40, 70), config))


def test_what_does_not_fit_into_memory_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_plan, "MAX_PLANE", 1000)
    with pytest.raises(InputError, match=r"into='result.zarr'"):
        follow(segment(make_spacing_model(), noise_picture(40, 70), SegmentConfig(device="cpu")))


# --- frames -------------------------------------------------------------------------------------------------------


def dice(one: Any, other: Any) -> float:
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0


@pytest.mark.parametrize("samples", [1, 3, 9])
def test_a_still_sequence_does_not_flicker(samples: int) -> None:
    still = Image(np.repeat(make_ramp((1, 20, 24)), 5, axis=0), "tyx")
    model = make_tiny_model(2)
    result = follow(segment(model, still, SegmentConfig(samples=samples, steps=2, device="cpu")))
    assert 0 < result.labels[0].mean() < 1
    assert [dice(a == 1, b == 1) for a, b in pairwise(result.labels)] == [1.0] * 4
    alone = follow(segment(model, Image(still.array[0], "yx"), SegmentConfig(samples=samples, steps=2, device="cpu")))
    # In bfloat16 a single image is rounded otherwise than the frames of a sequence.
    assert np.allclose(mean_of(alone), mean_of(result)[3], atol=0.01)


def test_frames_are_computed_together_as_far_as_the_batch_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    model = make_tiny_model(2)
    decode = model.decode

    def counted(latents: torch.Tensor) -> torch.Tensor:
        batches.append(len(latents))
        return decode(latents)

    monkeypatch.setattr(model, "decode", counted)
    sequence = Image(make_ramp((5, 20, 24)), "tyx")
    config = SegmentConfig(samples=1, steps=2, batch=3, precision="float32", device="cpu")
    seen = list(segment(model, sequence, config))
    assert batches == [3, 2]
    assert seen[-1].done == seen[-1].total == 5 * (1 + 2)
    batches.clear()
    follow(segment(model, sequence, config.replace(samples=3, batch=4)))
    assert batches == [2, 4, 2, 4, 1, 2]


def test_smoothing_averages_along_time_alone() -> None:
    weights = gaussian_matrix(5, 1.0)
    assert weights.sum(axis=1) == pytest.approx(np.ones(5))
    assert weights[2] == pytest.approx(weights[2, ::-1])
    assert weights[2, 1] / weights[2, 2] == pytest.approx(np.exp(-0.5))
    assert gaussian_matrix(3, 1e-3) == pytest.approx(np.eye(3))


def test_smoothing_calms_a_noisy_sequence_and_leaves_a_still_one() -> None:
    model, rng = make_tiny_model(2), np.random.default_rng(0)
    config = SegmentConfig(samples=2, steps=2, device="cpu")
    still = Image(np.repeat(make_ramp((1, 20, 24)), 6, axis=0), "tyx")
    plain, smooth = (follow(segment(model, still, config.replace(smoothing=s))) for s in (0, 2.0))
    assert np.allclose(mean_of(plain), mean_of(smooth), atol=1e-5)
    noisy = still.replace(array=(still.array * 0.5 + rng.integers(0, 120, still.array.shape)).astype(np.uint8))
    rough, calm = (mean_of(follow(segment(model, noisy, config.replace(smoothing=s)))) for s in (0, 2.0))
    assert np.abs(np.diff(calm, axis=0)).mean() < 0.5 * np.abs(np.diff(rough, axis=0)).mean()
    # positions are no time
    other = noisy.replace(axes="pyx")
    assert np.array_equal(mean_of(follow(segment(model, other, config.replace(smoothing=2.0)))), rough)


def test_the_tiny_config_is_what_the_counts_rely_on() -> None:
    assert make_tiny_config(2).network.factor == CELL
