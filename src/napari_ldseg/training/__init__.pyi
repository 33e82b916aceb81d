from ._fine_tune import fine_tune as fine_tune
from ._process import TrainProcess as TrainProcess, unfinished_runs as unfinished_runs
from ._progress import TrainProgress as TrainProgress
from ._run_folder import MODEL as MODEL, PREVIEW as PREVIEW
from ._train import train as train
from ._trainer import stop_training as stop_training
