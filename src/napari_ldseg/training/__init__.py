"""Training from scratch, in the paper's two stages, and fine-tuning; here, or in a process of its own.

Watching a process needs no torch; what does is imported when it is first asked for.
"""

from typing import TYPE_CHECKING

from .._lazy import lazy
from ._process import TrainProcess, unfinished_runs

if TYPE_CHECKING:
    from ._epoch import Epoch
    from ._fine_tune import fine_tune
    from ._loop import stop_training
    from ._train import train

__all__ = ["Epoch", "TrainProcess", "fine_tune", "stop_training", "train", "unfinished_runs"]

_LAZY = {"Epoch": "._epoch", "fine_tune": "._fine_tune", "stop_training": "._loop", "train": "._train"}

__getattr__ = lazy(__name__, _LAZY)
