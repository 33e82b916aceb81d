"""Measure whether a segmentation in tiles shows where the tiles end.

The sample image of scikit-image (immunohistochemistry, 0.36 um/pixel) is mirrored side by side into a larger one, and
segmented in one piece and in tiles, with the same noise field. The table gives the differences of mean and SD for all
pixels, for those near a tile border and for the others. It also gives the step across borders: how much more
neighbouring pixels differ across a border than a few pixels beside it (1 means no seam).

    python -m benchmarks.evidence.seams --sides 4 --samples 8 --picture docs/images/seams.png
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from skimage import transform

from napari_ldseg import SegmentConfig, load_model, segment
from napari_ldseg.data import Image
from napari_ldseg.phantoms import colon_gland
from napari_ldseg.plan import plan_tiles

NEAR = 4
SHOWN = 320


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def mosaic(sides: int) -> Image:
    """Return the sample image, mirrored side by side so that it is continuous at each join."""
    gland = colon_gland()
    row = [gland.array[:, :: (-1) ** i] for i in range(sides)]
    rows = [np.concatenate(row, axis=1)[:: (-1) ** i] for i in range(sides)]
    return gland.replace(array=np.concatenate(rows), name=f"IHC mosaic {sides} x {sides}")


def run(model, image: Image, config: SegmentConfig):
    """Return the result and the seconds."""
    started = time.perf_counter()
    *_, last = segment(model, image, config)
    return last.preview, time.perf_counter() - started


def borders(side: int, tile: int, overlap: int, cell: int) -> list[int]:
    """Return where tiles begin or end along an axis, in pixels of the networks' grid."""
    outer = -(-side // cell) * cell
    tiles = plan_tiles((outer,), (tile,), (overlap,), cell).within(((0, outer),))
    found = {edge for each in tiles for edge in each.box[0]}
    return sorted(found - {0, outer})


def step(values: np.ndarray, edges: list[int]) -> float:
    """Return the step across borders divided by that between neighbours up to 12 pixels beside them."""
    jumps = np.abs(np.diff(values, axis=1)).mean(axis=0)
    beside = [e - 1 + d for e in edges for d in range(-12, 13) if abs(d) > 2]
    return float(jumps[[e - 1 for e in edges]].mean() / jumps[beside].mean())


def compare(one, other, edges: list[int]) -> str:
    """Return a row of the table."""
    near = np.zeros(one.sd.shape, bool)
    for edge in edges:
        near[:, max(edge - NEAR, 0) : edge + NEAR] = True
        near[max(edge - NEAR, 0) : edge + NEAR] = True
    mean, sd = np.abs(one.mean[1] - other.mean[1]), np.abs(one.sd - other.sd)
    both = (one.labels & other.labels).sum()
    dice = 2 * both / (one.labels.sum() + other.labels.sum())
    values = [mean.mean(), mean[near].mean(), mean[~near].mean(), sd.mean(), sd[near].mean(), sd[~near].mean()]
    steps = [step(other.mean[1], edges), step(one.mean[1], edges), step(other.sd, edges), step(one.sd, edges)]
    return " | ".join([f"{dice:.3f}", *(f"{v:.4f}" for v in values), *(f"{s:.2f}" for s in steps)])


def draw(path: Path, pixels: np.ndarray, maps: dict[str, np.ndarray], edges: list[list[int]]) -> None:
    """Draw the image and SD maps around one crossing of tile borders, which are marked beside each map."""
    centre = edges[1][0]
    part = slice(max(centre - SHOWN // 2, 0), centre + SHOWN // 2)
    extent = (part.start, part.stop, part.stop, part.start)
    figure = Figure((12, 3.6), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(maps))
    first.imshow(pixels[part, part], extent=extent)
    first.set_title("image")
    for axes, (title, sd), marks in zip(others, maps.items(), edges, strict=True):
        shown = axes.imshow(sd[part, part], cmap="magma", vmin=0, vmax=0.5, extent=extent)
        axes.set_title(title, fontsize="medium")
        inside = [edge for edge in marks if part.start < edge < part.stop]
        axes.set_xticks(inside, [""] * len(inside))
        axes.set_xlabel("ticks: borders of tiles" if inside else "", fontsize="small")
        axes.set_yticks(inside, [""] * len(inside))
    first.set(xticks=[], yticks=[])
    figure.colorbar(shown, ax=others, label="SD (probability)", shrink=0.9)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main() -> None:
    """Print a table and draw a picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="glas")
    parser.add_argument("--sides", type=int, default=4)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--tiles", type=int, nargs="+", default=[288, 576])
    parser.add_argument("--overlaps", type=int, nargs="+", default=[0, 48, 96])
    parser.add_argument("--picture", type=Path)
    args = parser.parse_args()
    model = load_model(args.model, "cpu")
    cell = model.config.network.factor
    image = mosaic(args.sides)
    spacing = model.config.input.spacing
    side = round(image.shape[0] * image.spacing[0] / spacing[0])
    # Measure on the networks' own grid, where the tile borders are.
    pixels = transform.resize(image.array, (side, side), anti_aliasing=True, preserve_range=True).astype(np.uint8)
    image = image.replace(array=pixels, spacing=spacing)
    base = SegmentConfig(samples=args.samples, device="cpu", tiles="always", tile=8192)
    whole, seconds = run(model, image, base)
    plain, plain_seconds = run(model, image, base.replace(tiles="never"))
    say(f"{side} x {side} pixels in one tile: {seconds:.1f} s; in one pass without a field: {plain_seconds:.1f} s")
    both = (whole.labels & plain.labels).sum()
    say(f"DSC of these two (other noise, the same model): {2 * both / (whole.labels.sum() + plain.labels.sum()):.3f}")
    say("tile | overlap | s | DSC | mean: all, near, else | SD: all, near, else | step: mean, one piece, SD, one piece")
    shown = {}
    for tile in args.tiles:
        for overlap in args.overlaps:
            result, seconds = run(model, image, base.replace(tile=tile, overlap=overlap))
            say(f"{tile} | {overlap} | {seconds:.1f} | {compare(whole, result, borders(side, tile, overlap, cell))}")
            shown[tile, overlap] = result.sd
    if args.picture:
        tile, overlaps = args.tiles[0], (args.overlaps[0], args.overlaps[-1])
        maps = {f"SD, tiles of {tile}, overlap {overlap}": shown[tile, overlap] for overlap in overlaps}
        edges = [borders(side, tile, overlap, cell) for overlap in overlaps]
        draw(args.picture, pixels, {"SD in one piece": whole.sd, **maps}, [[], *edges])


if __name__ == "__main__":
    main()
