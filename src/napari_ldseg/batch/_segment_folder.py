"""Segment a folder in one call, for notebooks and scripts."""

from collections.abc import Callable, Sequence
from pathlib import Path

from .._util import follow
from ..config import PartConfig, SegmentConfig
from ._plan import plan_batch
from ._report import BatchReport
from ._run import run_batch
from ._update import Update


def segment_folder(
    inputs: str | Path | Sequence[str | Path],
    out: str | Path,
    model: str | Path,
    config: SegmentConfig | None = None,
    *,
    part: PartConfig | None = None,
    kinds: tuple[str, ...] = ("labels", "sd"),
    written: str | None = None,
    prompts: str | Path | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    server: str | None = None,
    overwrite: bool = False,
    progress: Callable[[Update], object] = lambda _update: None,
) -> BatchReport:
    """Segment all images of a folder into files. A second run does only what is not done yet.

    Parameters
    ----------
    inputs : str or Path, or several
        A folder, a file or a pattern such as ``"slides/*.png"``.
    out : str or Path
        Folder of the outputs, ``<stem>_labels.tif`` and so on, and of ``report.json`` and ``report.csv``.
    model : str or Path
        A model's name, file or folder.
    config : SegmentConfig, optional
    part, kinds, written, prompts, server, overwrite
        As for :func:`plan_batch`.
    workers, scheduler
        As for :func:`run_batch`.
    progress : callable, optional
        Called with each :class:`Update`.

    Returns
    -------
    BatchReport
        A row for each image, failed ones first, then by uncertainty.

    Examples
    --------
    >>> from napari_ldseg import segment_folder
    >>> report = segment_folder("slides/", "results/", "glas")  # doctest: +SKIP
    >>> report.rows[0].image, report.rows[0].summary.uncertainty  # doctest: +SKIP
    """
    several = [inputs] if isinstance(inputs, str | Path) else inputs
    paths = [Path(one) for one in several]
    said = None if prompts is None else Path(prompts)
    planning = plan_batch(
        paths,
        model,
        Path(out),
        config,
        kinds,
        part=part,
        written=written,
        prompts=said,
        server=server,
        overwrite=overwrite,
    )
    batch = follow(planning)
    return follow(run_batch(batch, workers=workers, scheduler=scheduler), progress)
