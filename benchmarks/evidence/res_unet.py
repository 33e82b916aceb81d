r"""Train a deterministic Res-UNet of the released model's size with its split, augmentation and budget.

It is the image encoder of LDSeg with skip connections and an auxiliary head, widened until it has as many parameters
as all four networks of the model together. Where the model starts from pretrained weights, so does this one. The
budget is that of the model's settings: the same number of steps and crops, or minutes of processor time.

    python -m benchmarks.evidence.res_unet models/glas --train-config models/glas/recipe/1_split.json \
        --pretrained efficientnet-lite2-9656183e.pth --images DIR --labels DIR --groups CSV --out runs/res_unet
"""

import argparse
import json
import math
import time
from pathlib import Path

import torch

from napari_ldseg.checkpoints import load_model, save_model
from napari_ldseg.config import TrainConfig
from napari_ldseg.datasets import find_pairs
from napari_ldseg.exchange import load_backbone
from napari_ldseg.networks import LDSeg
from napari_ldseg.training._dataset import load_cases
from napari_ldseg.training._losses import Batch, cross_entropy, dice_loss
from napari_ldseg.training._stage import Stage
from napari_ldseg.training._state import load_state
from napari_ldseg.training._trainer import Trainer
from napari_ldseg.training._validate import mean_dice

from .score import first_guess

WIDTHS = (16, 64, 160, 288)


def guess_loss(model: LDSeg, batch: Batch, config: TrainConfig, generator: torch.Generator) -> torch.Tensor:
    """Return cross-entropy plus Dice of the deterministic masks."""
    del config, generator
    _, logits = model.image_encoder(batch.images)
    return cross_entropy(logits, batch.masks) + dice_loss(logits, batch.masks)


class ResUNetTrainer(Trainer):
    """Train the image encoder and its head alone, on CPU time, so that other work on the machine does not count."""

    clock = staticmethod(time.process_time)

    def _plan(self) -> list[Stage]:
        config = self.config
        return [
            Stage("res_unet", ("image_encoder",), guess_loss, config.denoiser_steps, config.minutes, config.peak_rate)
        ]

    def validate(self, stage: Stage) -> float:
        """Score the averaged weights and keep the best."""
        classes = self.average.config.network.classes
        scores = [mean_dice(first_guess(self.average, case.source), case.labels, classes) for case in self.validation]
        score = math.fsum(scores) / len(scores)
        if score >= stage.best:
            stage.best = score
            save_model(self.average, self.folder / "model.safetensors")
        return score


def main() -> None:
    """Train, then print the validation score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="the released model to compare with: a folder or a name")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--groups", type=Path)
    parser.add_argument("--train-config", type=Path, required=True, help="the model's training settings (JSON)")
    parser.add_argument("--minutes", type=float, help="processor minutes; by default those of the settings, if any")
    parser.add_argument("--pretrained", type=Path, help="weights (.pth) that the backbone starts from")
    parser.add_argument("--widths", type=int, nargs=4, default=WIDTHS, help="channels of the image encoder")
    parser.add_argument("--out", type=Path, default=Path("runs/res_unet"))
    args = parser.parse_args()
    released = load_model(args.model)
    settings = TrainConfig.parse(json.loads(args.train_config.read_text())["train"])
    settings = settings.replace(minutes=args.minutes) if args.minutes else settings
    network = released.config.network.replace(image_widths=args.widths, guess=True)
    model = LDSeg(released.config.replace(network=network.model_dump(), name="res-unet"))
    if args.pretrained:
        load_backbone(model, args.pretrained)
    run(model, settings, find_pairs(args.images, args.labels, groups=args.groups), args.out)


def run(model: LDSeg, settings: TrainConfig, pairs: list, out: Path) -> None:
    """Train the baseline."""
    print(f"{sum(p.numel() for p in model.image_encoder.parameters()) / 1e6:.2f} million parameters")  # noqa: T201
    torch.manual_seed(settings.seed)
    trainer = ResUNetTrainer(load_cases(pairs, model.config, settings), model, settings, out)
    load_state(out, trainer)
    for stage in trainer.stages:
        for epoch in trainer.run(stage):
            if epoch.validation is not None:
                print(json.dumps(epoch.row(), default=str), flush=True)  # noqa: T201
    print(f"best validation DSC {stage.best:.4f}")  # noqa: T201


if __name__ == "__main__":
    main()
