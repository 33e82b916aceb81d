"""Many images: what is done, what is to do, and doing it, in this process or on Dask.

``plan_batch`` compares the images with the output folder, ``run_batch`` does the rest, ``segment_folder`` is both.
No torch is loaded before the first image is segmented.
"""

from ._image import large_path
from ._outputs import Task
from ._plan import Batch, Item, plan_batch
from ._record import Fingerprint, Record, Summary
from ._report import BatchReport, Row
from ._run import run_batch
from ._segment_folder import segment_folder
from ._update import Update

__all__ = [
    "Batch",
    "BatchReport",
    "Fingerprint",
    "Item",
    "Record",
    "Row",
    "Summary",
    "Task",
    "Update",
    "large_path",
    "plan_batch",
    "run_batch",
    "segment_folder",
]
