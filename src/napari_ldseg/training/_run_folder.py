"""The files in the folder of a training run."""

JOB = "job.json"  # what it is told (:class:`TrainJob`)
LOG = "log.jsonl"  # a line for each report
MODEL = "model.safetensors"  # the best so far
STATE = "state.safetensors"  # all that is needed to go on
PREVIEW = "preview.npz"  # one validation image with its segmentation
SPLIT = "split.json"  # which images are trained on, and which are held out
STOP = "stop"  # whoever makes it asks the training to stop
OUTCOME = "outcome.json"  # how the process ended, if it could say so
ERRORS = "stderr.txt"  # the last words of the process
LOCK = ".lock"  # held while the process runs
