"""Training from scratch, in the paper's two stages, and fine-tuning."""

from ._epoch import Epoch
from ._fine_tune import fine_tune
from ._loop import stop_training
from ._train import train

__all__ = ["Epoch", "fine_tune", "stop_training", "train"]
