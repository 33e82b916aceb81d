"""Four radiologists: train on LIDC's slices with all their masks, and compare samples with them.

    python -m benchmarks.evidence.lidc train --data DIR --config models/lung-nodule/recipe/1.json --out runs/lung-nodule
    python -m benchmarks.evidence.lidc score --data DIR --model runs/lung-nodule --split runs/lung-nodule/split.json

DIR holds one ``.npz`` a patient: ``images`` (n, 96, 96) uint8 and ``masks``, the bits of (n, 4, 96, 96). Groups are
patients. ``score`` prints, over the held-out patients: the squared energy distance (GED, d = 1 - IoU, two empty masks
alike) of N samples and the raters, the IoU of the best matching of samples and raters (HM-IoU, Kohl et al. 2018),
the highest Dice of a sample for each rater, how often a mask is empty, and the correlation of the SD map with the
raters' variance (NCC). Rivals without training: the mask of the guess, pixel-by-pixel draws from it, and the majority.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from napari_ldseg._util import follow
from napari_ldseg.checkpoints import load_model, save_model
from napari_ldseg.config import ModelConfig, TrainConfig
from napari_ldseg.data import Image
from napari_ldseg.diffusion import run_sampler
from napari_ldseg.metrics import disagreement_correlation, energy_distance
from napari_ldseg.networks import LDSeg
from napari_ldseg.training._dataset import Case, soft_masks
from napari_ldseg.training._raters import majority, with_raters
from napari_ldseg.training._trainer import Trainer, run_trainer

RATERS, SIDE = 4, 96
Masks = NDArray[np.bool_]


def read(folder: Path) -> Iterator[tuple[str, str, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Yield name, patient, image and the raters' masks (4, 96, 96) of every slice."""
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as stored:
            bits = np.unpackbits(stored["masks"], axis=1, count=RATERS * SIDE * SIDE)
            for index, (image, masks) in enumerate(
                zip(stored["images"], bits.reshape(-1, RATERS, SIDE, SIDE), strict=True)
            ):
                yield f"{path.stem}-{index}", path.stem, image, masks


def case_of(name: str, patient: str, image: NDArray[np.uint8], masks: NDArray[np.uint8]) -> Case:
    """Return a slice as a training case of four raters."""
    pixels = torch.from_numpy(image.astype(np.float32) / 255)[None]
    source = Image(image, "yx", None, "millimeter", name)
    voted = majority(list(masks), 2)
    return with_raters(Case(pixels, soft_masks(voted, 2, voted.shape), source, voted, name, patient), list(masks))


def train(args: argparse.Namespace) -> None:
    """Train from scratch; the same command goes on with a run that was ended."""
    values = json.loads(args.config.read_text())
    config, model_config = TrainConfig.parse(values["train"]), ModelConfig.parse(values["model"])
    torch.manual_seed(config.seed)
    trainer = Trainer([case_of(*each) for each in read(args.data)], LDSeg(model_config), config, args.out)
    model = follow(run_trainer(trainer), lambda update: print(update.row(), flush=True))  # noqa: T201
    save_model(model, args.out / "model.safetensors", f"# {model.config.name}\n\n{model.config.score}\n")


@torch.inference_mode()
def draw(model: LDSeg, images: torch.Tensor, samples: int, seed: int) -> tuple[Masks, NDArray[np.float32]]:
    """Return masks (images, samples, Y, X), and the first guesses' probability of a nodule (images, Y, X)."""
    embedding, guess = model.embed(images)
    assert guess is not None
    condition = model.condition(embedding).repeat_interleave(samples, dim=0)
    generator = torch.Generator().manual_seed(seed)
    shape = (samples, model.config.network.latent_channels, *condition.shape[2:])

    def noise(step: int) -> torch.Tensor:
        del step
        return torch.randn(shape, generator=generator).repeat(len(images), 1, 1, 1)

    def call(latent: torch.Tensor, t: float) -> torch.Tensor:
        return model.predict(latent, torch.full((1,), t), condition)

    config = model.config
    *_, latent = run_sampler(config.sampler, config.steps, call, noise(-1), config.diffusion, noise=noise)
    masks = torch.cat([model.decode(part).argmax(dim=1) for part in latent.split(64)]) > 0
    return masks.unflatten(0, (len(images), samples)).numpy(), guess.softmax(dim=1)[:, 1].numpy()


def iou(first: Masks, second: Masks) -> float:
    """IoU of two masks; two empty ones are alike."""
    union = (first | second).sum()
    return float((first & second).sum() / union) if union else 1.0


def matched_iou(samples: Masks, raters: Masks) -> float:
    """IoU of the best one-to-one matching of samples and raters, each rater as often as it takes (HM-IoU)."""
    again = np.repeat(raters, -(-len(samples) // len(raters)), axis=0)[: len(samples)]
    table = np.array([[iou(sample, rater) for rater in again] for sample in samples])
    return float(table[linear_sum_assignment(-table)].mean())


def best_dice(samples: Masks, raters: Masks) -> float:
    """For each rater the highest Dice of a sample; the mean."""
    table = np.array([[iou(sample, rater) for sample in samples] for rater in raters])
    return float((2 * table / (1 + table)).max(axis=1).mean())


def row_of(samples: Masks, guess: NDArray[np.float32], raters: Masks, rng: np.random.Generator) -> dict[str, float]:
    """Return the numbers of one slice."""
    sure = guess > 0.5
    voted = raters.mean(axis=0) >= 0.5
    row = {
        "GED": energy_distance(samples, raters),
        "GED of the guess": energy_distance(sure[None], raters),
        "GED pixel by pixel": energy_distance(rng.random(samples.shape) < guess, raters),
        "GED of the majority": energy_distance(voted[None], raters),
        "HM-IoU": matched_iou(samples, raters),
        "Dice max": best_dice(samples, raters),
        "empty": float(np.mean([not sample.any() for sample in samples])),
        "raters empty": float(np.mean([not rater.any() for rater in raters])),
    }
    if raters.std(axis=0).any():
        row["NCC of the SD"] = disagreement_correlation(samples.std(axis=0), raters)
        row["NCC of the guess"] = disagreement_correlation(guess * (1 - guess), raters)
    return row


def existence_error(rows: list[dict[str, float]]) -> float:
    """Calibration error of the frequency of an empty mask, over five bins of the predicted one."""
    predicted, true = (np.array([row[key] for row in rows]) for key in ("empty", "raters empty"))
    bins = np.clip((predicted * 5).astype(int), 0, 4)
    parts = [(bins == index) for index in range(5) if (bins == index).any()]
    return float(sum(part.mean() * abs(predicted[part].mean() - true[part].mean()) for part in parts))


def score(args: argparse.Namespace) -> None:
    """Print means over the held-out slices, and write them."""
    model = load_model(args.model, "cpu")
    held = set(json.loads(args.split.read_text())["validation"])
    slices = [each for each in read(args.data) if each[0] in held][: args.limit]
    rng, rows = np.random.default_rng(args.seed), []
    for first in range(0, len(slices), 8):
        some = slices[first : first + 8]
        images = torch.from_numpy(np.stack([image for *_, image, _ in some]).astype(np.float32) / 255)[:, None]
        drawn, guesses = draw(model, images, args.samples, args.seed)
        rows += [row_of(s, g, masks > 0, rng) for s, g, (*_, masks) in zip(drawn, guesses, some, strict=True)]
    keys = dict.fromkeys(key for row in rows for key in row)
    means = {key: round(float(np.nanmean([row.get(key, np.nan) for row in rows])), 4) for key in keys}
    means["calibration error of emptiness"] = round(existence_error(rows), 4)
    print(f"{len(rows)} slices, {args.samples} samples: {json.dumps(means)}")  # noqa: T201
    if args.out:
        args.out.write_text(json.dumps({"samples": args.samples, "seed": args.seed, "means": means}, indent=1))


def main() -> None:
    """Train, or score."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    training = commands.add_parser("train")
    training.add_argument("--data", type=Path, required=True)
    training.add_argument("--config", type=Path, required=True, help='JSON file {"model": {...}, "train": {...}}')
    training.add_argument("--out", type=Path, required=True)
    training.set_defaults(run=train)
    scoring = commands.add_parser("score")
    scoring.add_argument("--data", type=Path, required=True)
    scoring.add_argument("--model", required=True)
    scoring.add_argument("--split", type=Path, required=True)
    scoring.add_argument("--samples", type=int, default=16)
    scoring.add_argument("--limit", type=int)
    scoring.add_argument("--seed", type=int, default=0)
    scoring.add_argument("--out", type=Path)
    scoring.set_defaults(run=score)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
