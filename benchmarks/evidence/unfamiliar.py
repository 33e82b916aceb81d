"""Does a model notice images that are not of its kind? The out-of-distribution score, and a traffic light made of it.

    python -m benchmarks.evidence.unfamiliar models/echo --images D/images --labels D/labels \
        --split models/echo/evaluation/split.json --other glas/train hippocampus/images knee --out unfamiliar.json

The score is how far samples and first guess disagree, as a share of what they found. Known are the validation images of
the split. Unknown are images of the folders after ``--other`` (``--each`` of each, in grey for a model of one channel,
the middle slice of a volume), and known images upside down, turned, with their quarters exchanged, and with what they
show replaced by speckle. Printed are the AUROC (known against unknown), and, for the limits at two quantiles of the
known scores, taken from the other half of the patients: how many images are green, amber and red, and their mean DSC.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.stats import rankdata
from skimage.color import rgb2gray

from napari_ldseg import SegmentConfig, load_model, segment
from napari_ldseg._util import follow
from napari_ldseg.cardiac import LIGHTS, light_of
from napari_ldseg.data import Image, find_images, read_image, read_labels
from napari_ldseg.datasets import find_pairs
from napari_ldseg.metrics import dice
from napari_ldseg.networks import LDSeg


def auroc(unknown: np.ndarray, score: np.ndarray) -> float:
    """Return the area under the ROC curve: how often an unknown image has a higher score than a known one."""
    ranks, number = rankdata(score), int(unknown.sum())
    return float((ranks[unknown].sum() - number * (number + 1) / 2) / (number * (len(score) - number)))


def spoiled(image: Image, way: int, rng: np.random.Generator) -> tuple[str, Image]:
    """Return an image as it should not be."""
    array = np.asarray(image.array)
    if way == 0:
        return "upside down", image.replace(array=array[::-1].copy())
    if way == 1:
        return "turned", image.replace(array=np.rot90(array).copy(), spacing=None, unit="pixel")
    high, wide = (n // 2 for n in array.shape[:2])
    if way == 2:
        parts = [array[:high, :wide], array[:high, wide : 2 * wide], array[high : 2 * high, :wide]]
        parts.append(array[high : 2 * high, wide : 2 * wide])
        return "quarters exchanged", image.replace(array=np.block([[parts[3], parts[2]], [parts[1], parts[0]]]))
    noise = rng.rayleigh(max(float(array[array > 0].mean()), 1) / 1.25, array.shape).clip(0, 255)
    return "speckle", image.replace(array=np.where(array > 0, noise, 0).astype(np.uint8))


def flat(image: Image) -> Image:
    """Return a flat grey image: the middle slice, in 8 bits."""
    array = np.asarray(image.array).astype(float)
    if "c" in image.axes:
        array = 255 * rgb2gray(np.moveaxis(array, image.axes.index("c"), -1)[..., :3] / 255)
    while array.ndim > 2:
        array = array[array.shape[0] // 2]
    low, high = array.min(), array.max()
    return Image(((array - low) / max(high - low, 1e-9) * 255).astype(np.uint8), "yx", name=image.name)


def unknown_images(args: argparse.Namespace, known: list[Image]) -> Iterator[tuple[str, Image]]:
    """Yield kind and image."""
    for folder in args.other:
        found = [path for path in find_images([folder]) if "label" not in path.name]
        for path in found[:: max(1, len(found) // args.each)][: args.each]:
            yield f"{folder.parent.name}/{folder.name}", flat(read_image(path))
    rng = np.random.default_rng(args.seed)
    for number, image in enumerate(known[: 4 * args.each]):
        yield spoiled(image, number % 4, rng)


def score_of(model: LDSeg, image: Image, args: argparse.Namespace) -> tuple[float, np.ndarray]:
    """Return the score of an image, and its labels."""
    config = SegmentConfig(samples=args.samples, seed=args.seed, device="cpu", keep_mb=0)
    result = follow(segment(model, image, config))
    return float(np.max(result.ood)), result.labels


def main() -> None:
    """Score, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--other", type=Path, nargs="*", default=[])
    parser.add_argument("--each", type=int, default=10)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quantiles", type=float, nargs=2, default=(0.8, 0.98))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    model = load_model(args.model, "cpu")
    wanted = set(json.loads(args.split.read_text())["validation"])
    pairs = [pair for pair in find_pairs(args.images, args.labels) if pair.image.stem.split(".")[0] in wanted]
    known, rows = [], []
    for pair in pairs:
        image, truth = read_image(pair.image), read_labels(pair.labels).array
        score, labels = score_of(model, image, args)
        each = dice(labels, truth, model.config.network.classes)
        rows.append({"kind": "known", "image": pair.image.stem, "score": score, "dsc": float(np.nanmean(each))})
        known.append(image)
    for kind, image in unknown_images(args, known):
        rows.append({"kind": kind, "image": image.name, "score": score_of(model, image, args)[0]})
    report(rows, tuple(args.quantiles), args.out, model.config.name)


def report(rows: list[dict[str, object]], quantiles: tuple[float, float], out: Path | None, name: str) -> None:
    """Print the tables and write all numbers."""
    score = np.array([row["score"] for row in rows], float)
    unknown = np.array([row["kind"] != "known" for row in rows])
    whole = auroc(unknown, score)
    print(f"{name}: {(~unknown).sum()} known and {unknown.sum()} unknown images, AUROC {whole:.3f}")  # noqa: T201
    first, second = np.quantile(score[~unknown], quantiles)
    kinds = defaultdict(list)
    for row, number in zip(rows, score, strict=True):
        kinds[row["kind"]].append(number)
    limits = (round(float(first), 3), round(float(second), 3))
    print(f"limits of all known images: {limits}\n| images | number | median score | red |\n|---|---|---|---|")  # noqa: T201
    for kind, numbers in kinds.items():
        red = float(np.mean(np.array(numbers) > limits[1]))
        print(f"| {kind} | {len(numbers)} | {np.median(numbers):.3f} | {red:.0%} |")  # noqa: T201
    half = np.array([len({r["image"].split("_")[0] for r in rows[: i + 1]}) % 2 for i in range(len(rows))])
    light = np.full(len(rows), LIGHTS[0])
    for part in (0, 1):  # the limits come from the other half of the patients
        cut = np.quantile(score[~unknown & (half != part)], quantiles)
        light[half == part] = [light_of(each, cut) for each in score[half == part]]
    dsc = np.array([row.get("dsc", np.nan) for row in rows], float)
    print("| light (limits of the other half) | known | their DSC | unknown |\n|---|---|---|---|")  # noqa: T201
    table = []
    for word in LIGHTS:
        here = light == word
        mean = float(np.nanmean(dsc[here & ~unknown])) if (here & ~unknown).any() else float("nan")
        shares = (float((here & ~unknown).sum() / (~unknown).sum()), float((here & unknown).sum() / unknown.sum()))
        table.append({"light": word, "known": shares[0], "dsc": mean, "unknown": shares[1]})
        print(f"| {word} | {shares[0]:.0%} | {mean:.3f} | {shares[1]:.0%} |")  # noqa: T201
    if out:
        out.write_text(json.dumps({"auroc": whole, "limits": limits, "lights": table, "images": rows}, indent=1))


if __name__ == "__main__":
    main()
