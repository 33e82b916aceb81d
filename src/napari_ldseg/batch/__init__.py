"""Segment many images, in this process or on Dask, and do only what is not done yet.

``plan_batch`` compares the images with the output folder, ``run_batch`` does the rest, ``segment_folder`` is both.
No torch is loaded before the first image is segmented.
"""

from ._image import large_path as large_path
from ._outputs import Task as Task
from ._plan import Batch as Batch, Item as Item, plan_batch as plan_batch
from ._record import Fingerprint as Fingerprint, Record as Record, Summary as Summary
from ._report import BatchReport as BatchReport, Row as Row
from ._run import run_batch as run_batch
from ._segment_folder import segment_folder as segment_folder
from ._update import Update as Update
