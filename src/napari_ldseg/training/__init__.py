"""Training from scratch, in the paper's two stages."""

from ._loop import Epoch, train

__all__ = ["Epoch", "train"]
