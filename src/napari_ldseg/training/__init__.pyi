from ._fine_tune import fine_tune
from ._process import TrainProcess, unfinished_runs
from ._progress import TrainProgress
from ._run_folder import MODEL, PREVIEW
from ._train import train
from ._trainer import stop_training

__all__ = [
    "MODEL",
    "PREVIEW",
    "TrainProcess",
    "TrainProgress",
    "fine_tune",
    "stop_training",
    "train",
    "unfinished_runs",
]
