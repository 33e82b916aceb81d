r"""Check the paper's claims on a released model, with the numbers of its figures and tables.

``steps`` is Fig. 3 and Table IV, ``noise`` Fig. 5, ``uncertainty`` Fig. 7; ``codec`` scores the mask autoencoder alone
and ``size`` times larger and larger images. ``curves`` and ``maps`` draw ``uncertainty``, from the same samples.

    python -m benchmarks.evidence.claims steps noise codec uncertainty --images DIR --labels DIR --foreground \
        --model models/glas/evaluation/split.safetensors --split models/glas/evaluation/split.json \
        --out benchmarks/results/glas

prints a table for each experiment. ``--out`` also writes it as ``NAME.md`` and ``NAME.json`` (with command, seed and
commit) and draws it (``figures.py``). Long tables are written as JSON only.
``--against`` names a deterministic network (``res_unet.py``); ``noise`` and ``uncertainty`` score it, too.
``--quick`` uses phantoms and few samples. It needs no data and takes a few minutes.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from napari_ldseg._util import follow
from napari_ldseg.checkpoints import load_model
from napari_ldseg.config import SegmentConfig
from napari_ldseg.data import Image
from napari_ldseg.inference import Segmentation, segment
from napari_ldseg.metrics import (
    aurc,
    auroc,
    boundary_band,
    dice,
    found_curve,
    pairwise_dice,
    reliability,
    soft_dice_confidence,
    sparsification_error,
)
from napari_ldseg.networks import LDSeg
from napari_ldseg.phantoms import echo_cine

from ..publish import Row, publish
from .corruptions import CHANGES, as_shares
from .figures import Picture, draw_maps
from .peers import PIXEL_STEPS, STEPS, Latent, PixelDiffusion
from .score import annotated, first_guess, guess_probabilities

BAND = {2: 5, 3: 2}


@dataclass(frozen=True)
class Drawn:
    """Hold an image, the maps of many samples of it, and the maps of a single pass."""

    image: Image
    reference: np.ndarray
    many: Segmentation
    one: Segmentation
    softmax: np.ndarray | None
    disagreement: float
    risk: float

    @property
    def band(self) -> np.ndarray:
        """Return which pixels are near the border of the foreground."""
        return boundary_band(self.reference, BAND[self.reference.ndim])

    @property
    def pixel_scores(self) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """Return name, class probabilities and values of each score; a high value means uncertain.

        The score is to find the errors of these probabilities.
        """
        found = [
            ("SD of the samples", self.many.mean, self.many.sd),
            ("1 - mean probability of the mean", self.many.mean, 1 - self.many.mean.max(axis=0)),
            ("1 - probability of one pass", self.one.mean, 1 - self.one.mean.max(axis=0)),
        ]
        if self.softmax is not None:
            found.append(("1 - softmax of a Res-UNet", self.softmax, 1 - self.softmax.max(axis=0)))
        return found

    @property
    def image_scores(self) -> dict[str, float]:
        """Return scores of the whole image; a high value means uncertain."""
        return {
            "mean SD": float(self.many.sd.mean()),
            "1 - soft Dice confidence": 1 - soft_dice_confidence(foreground(self.many.mean), self.many.labels),
            "1 - mean pairwise Dice": self.disagreement,
        }


def foreground(probabilities: np.ndarray) -> np.ndarray:
    """Return the probability of any class but the background, from (classes, *S)."""
    return np.clip(1 - probabilities[0], 0, 1)


@dataclass(frozen=True)
class Setting:
    """Hold what every experiment needs."""

    model: LDSeg
    cases: list[tuple[Image, np.ndarray]]
    quick: bool
    seed: int
    out: Path | None
    against: LDSeg | None = None

    @cached_property
    def drawn(self) -> list[Drawn]:
        """Draw the samples of every image, once for all experiments."""
        found = []
        for image, reference in self.cases:
            many = self.segment(image, 10 if self.quick else 100, keep_mb=512)
            disagreement, risk = 1 - pairwise_dice(many.masks.at(())), 1 - self.score(many.labels, reference)
            one = self.segment(image, 1, views=1)
            softmax = None if self.against is None else guess_probabilities(self.against, image)
            found.append(Drawn(image, reference, replace(many, masks=None), one, softmax, disagreement, risk))
        return found

    def segment(self, image: Image, samples: int, **changes: object) -> Segmentation:
        """Segment with these settings."""
        settings = {"samples": samples, "seed": self.seed, "device": "cpu", **changes}
        return follow(segment(self.model, image, SegmentConfig.parse(settings)))

    def score(self, labels: np.ndarray, reference: np.ndarray) -> float:
        """Return the mean DSC over the foreground classes."""
        return float(np.nanmean(dice(labels, reference, self.model.config.network.classes)[1:]))


def steps(given: Setting) -> Iterator[Row]:
    """Measure DSC and time of one sample against the number of sampling steps (Fig. 3, Table IV)."""
    given.segment(given.cases[0][0], 1)  # the first call is slow
    for sampler in ("ddpm", "ddim", "dpm-solver++"):
        for count in (5, 10) if given.quick else (2, 5, 10, 15, 25, 50, 100):
            scores, begun = [], time.perf_counter()
            for image, reference in given.cases:
                found = given.segment(image, 1, sampler=sampler, steps=count, views=1)
                scores.append(given.score(found.labels, reference))
            seconds = (time.perf_counter() - begun) / len(given.cases)
            yield {"sampler": sampler, "K": count, "DSC": np.mean(scores), "seconds an image": seconds}


def noise(given: Setting) -> Iterator[Row]:
    """Score corrupted images: samples, the first guess, and another network (Fig. 5)."""
    passes = {"DSC, first guess": given.model, "DSC, Res-UNet": given.against}
    for name, levels, change in CHANGES:
        image = given.cases[0][0]
        if (name == "stain" and image.channels < 3) or (name == "JPEG quality" and image.spatial == "zyx"):
            continue
        for level in (levels[0], levels[-1]) if given.quick else levels:
            found: dict[str, list[float]] = {}
            for index, (image, reference) in enumerate(given.cases):
                rng = np.random.default_rng((given.seed, index))
                changed = image.replace(array=change(as_shares(image.array), level, rng), levels=())
                labels = {"DSC, samples": given.segment(changed, 2 if given.quick else 5).labels}
                labels |= {column: first_guess(model, changed) for column, model in passes.items() if model}
                for column, each in labels.items():
                    found.setdefault(column, []).append(given.score(each, reference))
            yield {"change": name, "level": level, **{column: np.mean(scores) for column, scores in found.items()}}


@torch.no_grad()
def codec(given: Setting) -> Iterator[Row]:
    """Score true masks that were encoded and decoded: the cap of the model, and codecs without learning."""
    classes, factor = given.model.config.network.classes, given.model.config.network.factor
    found: dict[str, list[float]] = {}
    for _, reference in given.cases:
        margins = [(0, -side % factor) for side in reference.shape]
        mask = np.pad(reference, margins, mode="symmetric")
        hot = torch.from_numpy(np.eye(classes, dtype=np.float32)[mask]).movedim(-1, 0)[None]
        small, large = [side // factor for side in mask.shape], mask.shape
        smooth = {"mode": "bilinear" if mask.ndim == 2 else "trilinear", "align_corners": False}
        area = functional.interpolate(hot, small, mode="area")
        nearest = functional.interpolate(hot, small, mode="nearest-exact")
        for name, rebuilt in {
            "mask autoencoder": given.model.decode(given.model.encode(hot)),
            "area mean, linear": functional.interpolate(area, large, **smooth),
            "nearest neighbour": functional.interpolate(nearest, large, mode="nearest-exact"),
        }.items():
            found.setdefault(name, []).append(given.score(rebuilt[0].argmax(dim=0).numpy(), mask))
    channels = given.model.config.network.latent_channels
    for name, scores in found.items():
        size = f"{channels if name == 'mask autoencoder' else classes} at 1/{factor}"
        yield {"codec": name, "numbers a cell": size, "DSC": np.mean(scores), "worst": np.min(scores)}


def uncertainty(given: Setting) -> Iterator[Row]:
    """Measure calibration and error detection of many samples against a single pass (Fig. 7).

    Each score is judged on the errors of its own segmentation. Calibration is that of foreground against background;
    errors and scores tell the classes apart.
    """
    rows: dict[str, list[list[float]]] = {}
    for drawn in given.drawn:
        for name, probabilities, score in drawn.pixel_scores:
            ece = reliability(foreground(probabilities)[drawn.band], drawn.reference[drawn.band] > 0).ece
            error = probabilities.argmax(axis=0) != drawn.reference
            rows.setdefault(name, []).append([auroc(score, error), sparsification_error(score, error), ece])
    border = f"ECE within {BAND[given.model.config.network.ndim]} pixels of the border"
    for name, values in rows.items():
        area, sparse, ece = np.nanmean(values, axis=0)
        yield {"of": "pixels", "score": name, "AUROC": area, "AUSE": sparse, border: ece}
    risks = [drawn.risk for drawn in given.drawn]
    for name in given.drawn[0].image_scores:
        values = [drawn.image_scores[name] for drawn in given.drawn]
        yield {"of": "images", "score": name, "AURC": aurc(values, risks), "oracle AURC": aurc(risks, risks)}
    yield {"of": "images", "score": "random order", "AURC": np.mean(risks), "oracle AURC": aurc(risks, risks)}


def curves(given: Setting) -> Iterator[Row]:
    """Yield the curves behind the numbers of ``uncertainty``: calibration, error detection, images to trust."""
    yield from calibration(given)
    yield from detection(given)
    yield from coverage(given)


def calibration(given: Setting) -> Iterator[Row]:
    """Yield predicted probability and observed share of foreground near the border, over all images."""
    truth = np.concatenate([drawn.reference[drawn.band] > 0 for drawn in given.drawn])
    maps = {
        "mean of the samples": [drawn.many.mean for drawn in given.drawn],
        "one pass": [drawn.one.mean for drawn in given.drawn],
    }
    if given.against is not None:
        maps["softmax of a Res-UNet"] = [drawn.softmax for drawn in given.drawn]
    for name, each in maps.items():
        said = [foreground(probabilities)[drawn.band] for probabilities, drawn in zip(each, given.drawn, strict=True)]
        for x, y, pixels in zip(*reliability(np.concatenate(said), truth), strict=True):
            if pixels:
                yield {"figure": "reliability", "curve": name, "x": x, "y": y, "share": pixels / truth.size}


def detection(given: Setting) -> Iterator[Row]:
    """Yield the share of errors that the least certain pixels hold, and the error rate of the rest.

    Mean over images. All scores are judged on the same errors, those of the mean map.
    """
    shares = np.linspace(0, 1, 41) ** 2
    found: dict[str, list[np.ndarray]] = {}
    left: dict[str, list[np.ndarray]] = {}
    for drawn in given.drawn:
        error = drawn.many.labels != drawn.reference
        scores = {name: score for name, _, score in drawn.pixel_scores}
        for name, score in {**scores, "oracle": error, "random": np.zeros(error.shape)}.items():
            curve = found_curve(score, error, shares)
            found.setdefault(name, []).append(curve)
            left.setdefault(name, []).append(error.mean() * (1 - curve[:-1]) / (1 - shares[:-1]))
    for figure, every in (("found", found), ("sparsification", left)):
        for name, values in every.items():
            for x, y in zip(shares, np.nanmean(values, axis=0), strict=False):
                yield {"figure": figure, "curve": name, "x": x, "y": y}


def coverage(given: Setting) -> Iterator[Row]:
    """Yield the mean risk, 1 - DSC, of the images accepted so far, the most certain first."""
    risks = np.array([drawn.risk for drawn in given.drawn])
    counts = np.arange(1, len(risks) + 1)
    scores = {name: [drawn.image_scores[name] for drawn in given.drawn] for name in given.drawn[0].image_scores}
    for name, values in {**scores, "oracle": risks, "random": None}.items():
        accepted = np.full(len(risks), risks.mean()) if values is None else risks[np.argsort(values, kind="stable")]
        for x, y in zip(counts / len(risks), np.cumsum(accepted) / counts, strict=True):
            yield {"figure": "risk-coverage", "curve": name, "x": x, "y": y}


def maps(given: Setting) -> Iterator[Row]:
    """Draw mean, SD and errors of the best, the median and the worst image (Fig. 7).

    A volume is shown in the plane that holds most of the foreground.
    """
    order = sorted(given.drawn, key=lambda drawn: drawn.risk)
    pictures = []
    for place in sorted({0, len(order) // 2, len(order) - 1}):
        drawn = order[place]
        name, many, reference = drawn.image.name, drawn.many, drawn.reference
        area = auroc(many.sd, many.labels != reference)
        plane = ... if reference.ndim == 2 else int((reference > 0).sum(axis=(1, 2)).argmax())
        planes = (drawn.image.array, reference, many.labels, foreground(many.mean), many.sd)
        pictures.append(Picture(f"{name}\nDSC {1 - drawn.risk:.3f}", *(array[plane] for array in planes)))
        yield {"image": name, "DSC": 1 - drawn.risk, "mean SD": float(many.sd.mean()), "AUROC of errors": area}
    if given.out:
        draw_maps(given.out / "maps.png", pictures)


@torch.no_grad()
def size(given: Setting) -> Iterator[Row]:
    """Time one sample against the side of the image: in the latent, and pixel by pixel (Fig. 4b).

    Time does not depend on weights or content: the pixel diffusion is an untrained one, and its 50 steps are 25 times
    what two take.
    """
    model, network = given.model, given.model.config.network
    sides = (32, 64) if given.quick else (128, 256, 512, 768) if network.ndim == 2 else (32, 64, 96, 128)
    latent = Latent(model, model.config.sampler).eval()
    pixels = PixelDiffusion(model.config, "mask", 2).eval()
    for side in sides:
        image = torch.rand(1, network.image_channels, *[side] * network.ndim)
        generator = torch.Generator().manual_seed(given.seed)
        seconds = []
        for peer in (latent, pixels):
            peer.probabilities(image, 1, generator)
            begun = time.perf_counter()
            peer.probabilities(image, 1, generator)
            seconds.append(time.perf_counter() - begun)
        ours, theirs = seconds[0], seconds[1] / 2 * PIXEL_STEPS
        yield {"side": side, f"latent, K = {STEPS}": ours, f"pixels, K = {PIXEL_STEPS}": theirs, "ratio": theirs / ours}


EXPERIMENTS = {
    "steps": steps,
    "noise": noise,
    "codec": codec,
    "uncertainty": uncertainty,
    "curves": curves,
    "maps": maps,
    "size": size,
}


def phantoms(count: int) -> list[tuple[Image, np.ndarray]]:
    """Return end-diastolic frames of echo phantoms."""
    seeds = range(900, 900 + count)
    cines = {f"phantom {seed}": echo_cine(seed, frames=2) for seed in seeds}
    return [
        (cine.image.replace(array=cine.image.array[0], axes="yx", name=name), cine.labels[0])
        for name, cine in cines.items()
    ]


def main() -> None:
    """Run the experiments, print and write their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *EXPERIMENTS], help="by default all")
    parser.add_argument("--model", default="echo")
    parser.add_argument("--against", type=Path, help="a deterministic network, from res_unet.py")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--split", type=Path, help="split.json of the model: its validation images are taken")
    parser.add_argument("--foreground", action="store_true", help="every label above 0 is class 1")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="on echo phantoms, with few samples")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if not args.quick and (args.images is None or args.labels is None):
        parser.error("give --images and --labels, or --quick")
    if args.images is None:
        cases = phantoms(args.limit or 2)
    else:
        read = annotated(args.images, args.labels, args.split, foreground=args.foreground)
        cases = [(image, reference) for _, image, reference in islice(read, args.limit)]
    against = load_model(args.against, "cpu") if args.against else None
    given = Setting(load_model(args.model, "cpu"), cases, args.quick, args.seed, args.out, against)
    facts = {"model": given.model.config.name, "sha256": given.model.sha256, "seed": args.seed, "images": len(cases)}
    for name in args.names or EXPERIMENTS:
        begun = time.perf_counter()
        rows = list(EXPERIMENTS[name](given))
        publish(name, rows, args.out and args.out / name, facts, time.perf_counter() - begun)


if __name__ == "__main__":
    main()
