r"""The paper's claims on a released model: steps (Fig. 3, Table IV), noise (Fig. 5), codec, uncertainty (Fig. 7), size.

    python benchmarks/evidence.py steps noise codec uncertainty --model models/glas/split.safetensors \
        --images DIR --labels DIR --split models/glas/split.json --foreground --out docs/evidence

prints a table for each, and with ``--out`` writes it as ``NAME.md`` and ``NAME.json`` (with command, seed and commit).
``--quick`` takes phantoms and few samples: no data are needed, and it is over in minutes.
"""

import argparse
import io
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from peers import PIXEL_STEPS, STEPS, Latent, PixelDiffusion
from scipy import ndimage
from score import annotated, first_guess
from skimage import color
from torch.nn import functional

from napari_ldseg import __version__
from napari_ldseg._follow import follow
from napari_ldseg.checkpoints import load_model
from napari_ldseg.config import SegmentConfig
from napari_ldseg.data import Image, echo_cine, write_text
from napari_ldseg.inference import Segmentation, segment
from napari_ldseg.measure import (
    aurc,
    auroc,
    boundary_band,
    dice,
    pairwise_dice,
    reliability,
    soft_dice_confidence,
    sparsification_error,
)
from napari_ldseg.networks import LDSeg

BAND = 5
SHARES = (0.0, 0.05, 0.1, 0.15, 0.2)


@dataclass(frozen=True)
class Setting:
    """What every experiment is given."""

    model: LDSeg
    cases: list[tuple[Image, np.ndarray]]
    quick: bool
    seed: int

    def segment(self, image: Image, samples: int, **changes: object) -> Segmentation:
        """Segment with these settings."""
        settings = {"samples": samples, "seed": self.seed, "device": "cpu", **changes}
        return follow(segment(self.model, image, SegmentConfig.parse(settings)))

    def score(self, labels: np.ndarray, reference: np.ndarray) -> float:
        """Mean DSC over the foreground classes."""
        return float(np.nanmean(dice(labels, reference, self.model.config.network.classes)[1:]))


Row = dict[str, object]


def steps(given: Setting) -> Iterator[Row]:
    """Sampling steps against DSC and time, one sample (Fig. 3, Table IV)."""
    for sampler in ("ddpm", "ddim", "dpm-solver++"):
        for count in (5, 10) if given.quick else (2, 5, 10, 15, 25, 50, 100):
            scores, begun = [], time.perf_counter()
            for image, reference in given.cases:
                found = given.segment(image, 1, sampler=sampler, steps=count, views=1)
                scores.append(given.score(found.labels, reference))
            seconds = (time.perf_counter() - begun) / len(given.cases)
            yield {"sampler": sampler, "K": count, "DSC": np.mean(scores), "seconds an image": seconds}


def noise(given: Setting) -> Iterator[Row]:
    """DSC of changed images: samples against one pass of the first guess (Fig. 5)."""
    for name, levels, change in CHANGES:
        if name == "stain" and given.cases[0][0].channels < 3:
            continue
        for level in levels[:: 2 if given.quick else 1]:
            ours, guess = [], []
            for index, (image, reference) in enumerate(given.cases):
                rng = np.random.default_rng((given.seed, index))
                changed = image.replace(array=change(image.array / np.float32(255), level, rng), levels=())
                ours.append(given.score(given.segment(changed, 2 if given.quick else 5).labels, reference))
                guess.append(given.score(first_guess(given.model, changed), reference))
            yield {"change": name, "level": level, "DSC, samples": np.mean(ours), "DSC, first guess": np.mean(guess)}


def clipped(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise, cut off at black and white."""
    return as_bytes(image + rng.normal(0, sigma, image.shape))


def rescaled(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise, then all brought to the range from black to white, as the authors' release does."""
    noisy = image + rng.normal(0, sigma, image.shape)
    return as_bytes((noisy - noisy.min()) / np.ptp(noisy))


def blurred(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian blur in pixels."""
    del rng
    return as_bytes(ndimage.gaussian_filter(image, [sigma, sigma, *[0] * (image.ndim - 2)]))


def flattened(image: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
    """Contrast around the mean."""
    del rng
    return as_bytes(image.mean() + (image - image.mean()) * factor)


def packed(image: np.ndarray, quality: float, rng: np.random.Generator) -> np.ndarray:
    """JPEG, there and back."""
    del rng
    file = io.BytesIO()
    PIL.Image.fromarray(as_bytes(image)).save(file, "jpeg", quality=int(quality))
    return np.asarray(PIL.Image.open(file))


def restained(image: np.ndarray, shift: float, rng: np.random.Generator) -> np.ndarray:
    """Haematoxylin stronger, eosin weaker, by this share."""
    del rng
    stains = color.rgb2hed(image[..., :3]) * [1 + shift, 1 - shift, 1]
    return as_bytes(color.hed2rgb(stains))


def as_bytes(image: np.ndarray) -> np.ndarray:
    """Values from 0 to 1 as uint8."""
    return (255 * np.clip(image, 0, 1)).round().astype(np.uint8)


CHANGES: tuple[tuple[str, tuple[float, ...], Callable[..., np.ndarray]], ...] = (
    ("noise, clipped", SHARES, clipped),
    ("noise, rescaled", SHARES, rescaled),
    ("blur", (1, 2, 3), blurred),
    ("contrast", (0.75, 0.5, 0.25), flattened),
    ("JPEG quality", (50, 20, 10), packed),
    ("stain", (0.2, 0.4, 0.6), restained),
)


@torch.no_grad()
def codec(given: Setting) -> Iterator[Row]:
    """DSC of true masks that went into the latent and back: what caps the model, and what no learning would do."""
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
    """Whether the maps of many samples mean what they say and find the errors, against one pass (Fig. 7)."""
    rows: dict[str, list[list[float]]] = {}
    images: dict[str, list[float]] = {}
    risks = []
    for image, reference in given.cases:
        many = given.segment(image, 20 if given.quick else 100, keep_mb=512)
        one = given.segment(image, 1, views=1)
        band = boundary_band(reference, BAND)
        risks.append(1 - given.score(many.labels, reference))
        for name, result, score in (
            ("SD of the samples", many, many.sd),
            ("1 - mean probability of the mean", many, 1 - many.mean.max(axis=0)),
            ("1 - probability of one pass", one, 1 - one.mean.max(axis=0)),
        ):
            ece = reliability(np.clip(1 - result.mean[0], 0, 1)[band], reference[band] > 0).ece
            error = result.labels != reference
            rows.setdefault(name, []).append([auroc(score, error), sparsification_error(score, error), ece])
        images.setdefault("mean SD", []).append(float(many.sd.mean()))
        images.setdefault("1 - soft Dice confidence", []).append(
            1 - soft_dice_confidence(1 - many.mean[0], many.labels)
        )
        if many.masks is not None:
            images.setdefault("1 - mean pairwise Dice", []).append(1 - pairwise_dice(many.masks.at(())))
    for name, values in rows.items():
        area, sparse, ece = np.nanmean(values, axis=0)
        yield {"of": "pixels", "score": name, "AUROC": area, "AUSE": sparse, "ECE within 5 pixels of the border": ece}
    for name, values in images.items():
        yield {"of": "images", "score": name, "AURC": aurc(values, risks), "oracle AURC": aurc(risks, risks)}
    yield {"of": "images", "score": "random order", "AURC": np.mean(risks), "oracle AURC": aurc(risks, risks)}


@torch.no_grad()
def size(given: Setting) -> Iterator[Row]:
    """Side of the image against seconds, one sample: in the latent, and pixel by pixel (Fig. 4b).

    Time does not depend on weights or content: the pixel diffusion is an untrained one, and its 50 steps are 25 times
    what two take.
    """
    model, network = given.model, given.model.config.network
    sides = (64, 128) if given.quick else (128, 256, 512, 768) if network.ndim == 2 else (32, 64, 96, 128)
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


EXPERIMENTS = {"steps": steps, "noise": noise, "codec": codec, "uncertainty": uncertainty, "size": size}


def table(rows: list[Row]) -> str:
    """Return Markdown."""
    heads = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[f"{row[h]:.3f}" if isinstance(row.get(h), float) else str(row.get(h, "")) for h in heads] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in [heads, ["---"] * len(heads), *cells])


def phantoms(count: int) -> list[tuple[Image, np.ndarray]]:
    """End-diastolic frames of echo phantoms."""
    cines = [echo_cine(900 + seed, frames=2) for seed in range(count)]
    return [(cine.image.replace(array=cine.image.array[0], axes="yx"), cine.labels[0]) for cine in cines]


def main() -> None:
    """Run the experiments, print and write their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *EXPERIMENTS], help="by default all")
    parser.add_argument("--model", default="echo")
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
    given = Setting(load_model(args.model, "cpu"), cases, args.quick, args.seed)
    facts = {"model": given.model.config.name, "sha256": given.model.sha256, "seed": args.seed, "images": len(cases)}
    for name in args.names or EXPERIMENTS:
        begun = time.perf_counter()
        rows = list(EXPERIMENTS[name](given))
        publish(name, rows, args.out and args.out / name, facts, time.perf_counter() - begun)


def publish(name: str, rows: list[Row], out: Path | None, facts: dict[str, object], seconds: float) -> None:
    """Print a table, and write it as Markdown and, with where it came from, as JSON."""
    print(f"\n{name}: {seconds:.0f} s\n\n{table(rows)}", flush=True)  # noqa: T201
    if out is None:
        return
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    origin = {"command": shlex.join(["python", *sys.argv]), "commit": commit.strip(), "version": __version__, **facts}
    everything = {**origin, "seconds": round(seconds), "rows": rows}
    write_text(out.with_suffix(".json"), json.dumps(everything, indent=1, default=float))
    write_text(out.with_suffix(".md"), f"{table(rows)}\n")


if __name__ == "__main__":
    main()
