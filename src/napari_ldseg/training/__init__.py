"""Training from scratch, in the paper's two stages, and fine-tuning."""

from ._fine_tune import fine_tune
from ._loop import Epoch, train

__all__ = ["Epoch", "fine_tune", "train"]
