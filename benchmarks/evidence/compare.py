r"""Train LDSeg and other networks under one budget and score them (the paper's Tables I to III and V).

    python -m benchmarks.evidence.compare --like models/glas/evaluation/split.safetensors --images D --labels D \
        --groups D/grade.csv --foreground --seed 6 --spacing 2 --crop 160 --minutes 3 --threads 1 \
        --out benchmarks/results/compare_glas

``--like`` names a model; images, classes and split are those that it was trained with. ``--spacing`` and ``--crop``
make images small enough for two cores. ``--folds`` runs a cross-validation over the groups (patients): each image is
scored by a network that has seen nothing of its group. ``--held`` restricts it to groups whose names begin so.

All networks see the same images, augmentation, optimiser, schedule and averaging of weights, and train for the same
processor time. Nothing is selected on the validation images. ``--quick`` takes phantoms and seconds: it shows that
everything runs, and its scores mean nothing.
"""

import argparse
import copy
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from torch import nn

from napari_ldseg.checkpoints import autocast, load_model
from napari_ldseg.config import InputConfig, ModelConfig, NetworkConfig, TrainConfig
from napari_ldseg.data import convert_spacing
from napari_ldseg.datasets import find_pairs
from napari_ldseg.inference._preprocess import prepare, restore
from napari_ldseg.metrics import auroc, dice, iou
from napari_ldseg.phantoms import phantom
from napari_ldseg.plan import plan_grid
from napari_ldseg.training._augment import draw_batch
from napari_ldseg.training._dataset import Case, Frame, load_cases, split_groups, to_cases
from napari_ldseg.training._losses import Batch
from napari_ldseg.training._stage import learning_rate_factor
from napari_ldseg.training._trainer import blend

from ..publish import Row, publish
from .peers import PIXEL_STEPS, Peer, peers

DEVICE = torch.device("cpu")


def fit(peer: Peer, cases: list[Case], model: ModelConfig, config: TrainConfig) -> tuple[Peer, int]:
    """Train for ``config.minutes`` of processor time; return the averaged weights and the number of steps."""
    generator = torch.Generator().manual_seed(config.seed)
    average, total = copy.deepcopy(peer).eval().requires_grad_(False), 0
    for share, parameters, loss_of in peer.stages():
        optimizer = torch.optim.AdamW(parameters, lr=config.peak_rate, weight_decay=config.weight_decay)
        spent, step = 0.0, 0
        peer.train()
        while spent < 60 * config.minutes * share:
            begun = time.process_time()
            rate = config.peak_rate * learning_rate_factor(spent / (60 * config.minutes * share), step, config.warmup)
            for group in optimizer.param_groups:
                group["lr"] = rate
            chosen = torch.randint(len(cases), (config.batch,), generator=generator).tolist()
            upright = model.input.upright
            images, masks = draw_batch(
                [cases[i] for i in chosen], config.crop, augment=True, rotate=not upright, generator=generator
            )
            with autocast(DEVICE, config.precision):
                loss = loss_of(Batch(images, masks, masks), config, generator)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            step += 1
            blend(average, peer, min(config.ema, (1 + step) / (10 + step)))
            spent += time.process_time() - begun
        total += step
        peer.load_state_dict(average.state_dict())
    return average, total


Scores = dict[str, list[float]]


@torch.no_grad()
def score(peer: Peer, cases: list[Case], model: ModelConfig, samples: int, seed: int) -> Scores:
    """Score each case at full resolution: DSC of a sample, DSC and IoU of the mean, AUROC of errors."""
    classes = model.network.classes
    found: Scores = {"DSC": [], "DSC of the mean": [], "IoU": [], "AUROC of errors": [], "seconds": []}
    for case in cases:
        spacing = convert_spacing(case.source.spacing, case.source.unit, model.input.unit)
        grid = plan_grid(case.source.shape, spacing, model)
        pixels = case.source.array if "c" in case.source.axes else case.source.array[None]
        image = prepare(pixels, grid, model)
        begun = time.process_time()
        drawn = peer.probabilities(image, samples, torch.Generator().manual_seed(seed))
        found["seconds"].append((time.process_time() - begun) / len(drawn))
        singles = [restore(each[None], grid)[0].numpy().argmax(axis=0) for each in drawn]
        found["DSC"].append(float(np.nanmean([dice(one, case.labels, classes)[1:] for one in singles])))
        mean = restore(drawn.mean(dim=0, keepdim=True), grid)[0].numpy()
        labels = mean.argmax(axis=0)
        found["DSC of the mean"].append(float(np.nanmean(dice(labels, case.labels, classes)[1:])))
        found["IoU"].append(float(np.nanmean(iou(labels, case.labels, classes)[1:])))
        found["AUROC of errors"].append(auroc(1 - mean.max(axis=0), labels != case.labels))
    return found


def summary(found: Scores, groups: list[str]) -> Row:
    """Return means over all cases, and the standard error of the mean DSC from the spread between groups."""
    scores = np.array(found["DSC of the mean"])
    means = [np.nanmean(scores[[group == each for each in groups]]) for group in sorted(set(groups))]
    error = float(np.std(means, ddof=1) / np.sqrt(len(means))) if len(means) > 1 else np.nan
    row: Row = {name: float(np.nanmean(values)) for name, values in found.items()}
    return {**row, "standard error": error, "DSC of each": found["DSC of the mean"]}


def hold_out(cases: list[Case], folds: int, held: str, seed: int) -> list[tuple[list[Case], list[Case]]]:
    """Return training and validation cases of each fold; the largest group goes to the smallest fold."""
    sizes = Counter(case.group for case in cases if case.group.startswith(held))
    names = [sorted(sizes)[i] for i in np.random.default_rng(seed).permutation(len(sizes))]
    parts: list[set[str]] = [set() for _ in range(folds)]
    for name in sorted(names, key=lambda name: -sizes[name]):
        min(parts, key=lambda part: sum(sizes[each] for each in part)).add(name)
    return [([c for c in cases if c.group not in part], [c for c in cases if c.group in part]) for part in parts]


def chosen(names: list[str], only: list[str] | None) -> list[str]:
    """Return the names that contain one of the requested texts; by default all."""
    parts = [part for part in only or [""] if part not in names]
    return [name for name in names if name in (only or []) or any(part in name for part in parts)]


def phantoms(config: ModelConfig) -> list[Case]:
    """Return thirty-two small phantoms."""
    frames = []
    for seed in range(32):
        image, labels = phantom((64, 64), seed=seed)
        source = image.replace(array=np.moveaxis(image.array, -1, 0), axes="cyx", levels=())
        frames.append(Frame(source, labels, str(seed), str(seed)))
    return to_cases(frames, config)


def main() -> None:
    """Train and score every peer, then print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--like", help="a model whose kind of image and classes are taken")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--groups", type=Path)
    parser.add_argument("--foreground", action="store_true", help="every label above 0 is class 1")
    parser.add_argument("--spacing", type=float, help="pixel size that the networks see, in the model's unit")
    parser.add_argument("--crop", type=int, nargs="+", default=[160])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--validation", type=float, default=0.15)
    parser.add_argument("--folds", type=int, help="cross-validation over groups instead of one split")
    parser.add_argument("--held", default="", help="with --folds: hold out groups that begin so, train on all others")
    parser.add_argument("--minutes", type=float, default=3.0, help="of processor time for each network")
    parser.add_argument("--samples", type=int, default=5, help="of each image that is scored")
    parser.add_argument("--pixel-steps", type=int, default=PIXEL_STEPS, help="of diffusion in pixels")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", help="names, or parts of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="on phantoms, for seconds")
    parser.add_argument("--out", type=Path, help="file without suffix, for .md and .json")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if not args.quick and None in (args.like, args.images, args.labels):
        parser.error("give --like, --images and --labels, or --quick")
    settings = {"foreground": args.foreground, "seed": args.seed, "warmup": 20, "ema": 0.99}
    if args.quick:
        rich = {"latent_channels": 4, "latent_norm": "channel", "embedding_channels": 16, "image_refine": 2}
        small = NetworkConfig(image_channels=3, guess=True, **rich)
        seen = InputConfig(mode="spacing", shape=(64, 64), spacing=(1.0, 1.0), source_spacing=(1.0, 1.0))
        model = ModelConfig(network=small, input=seen, sampler="dpm-solver++")
        config = TrainConfig(minutes=0.02, batch=4, crop=(64, 64), **settings)
        cases = phantoms(model)
    else:
        model = load_model(args.like, "cpu").config
        ndim = model.network.ndim
        crop = tuple(args.crop) if len(args.crop) == ndim else (args.crop[0],) * ndim
        changes = {"shape": crop, **({"spacing": (args.spacing,) * ndim} if args.spacing else {})}
        model = model.replace(input=model.input.replace(**changes).model_dump())
        config = TrainConfig(minutes=args.minutes, batch=args.batch, crop=crop, **settings)
        cases = load_cases(find_pairs(args.images, args.labels, groups=args.groups), model, config)
    if args.folds:
        splits = hold_out(cases, args.folds, args.held, args.seed)
    else:
        splits = [split_groups(cases, 2 / len(cases) if args.quick else args.validation, args.seed)]
    groups = [case.group for _, validation in splits for case in validation]
    rows: list[Row] = []
    begun = time.perf_counter()
    pixel_steps = 5 if args.quick else args.pixel_steps
    every = peers(model, pixel_steps)
    for name in chosen(list(every), args.only):
        make = every[name]
        found: Scores = {}
        steps = 0
        for training, validation in splits:
            torch.manual_seed(args.seed)
            peer = make()
            size = sum(p.numel() for p in peer.parameters()) / 1e6
            peer, done = fit(peer, training, model, config)
            steps += done
            for key, values in score(peer, validation, model, args.samples, args.seed).items():
                found.setdefault(key, []).extend(values)
        rows.append({"": name, "million weights": size, "steps": steps // len(splits), **summary(found, groups)})
        facts = {"images": len(cases), "scored": len(groups), "folds": len(splits), "minutes": config.minutes}
        facts |= {"samples": args.samples, "pixel_steps": pixel_steps}
        publish("compare", rows, args.out, {**facts, "seed": args.seed}, time.perf_counter() - begun)


if __name__ == "__main__":
    main()
