"""Download a released model once; needs no torch."""

import shutil
from collections.abc import Callable
from pathlib import Path

from .._util import Progress, replacing, user_folder
from ..errors import CheckpointError
from ._header import AGAIN, CARD_FILE, MODEL_FILE, read_header
from ._index import ORIGIN_FILE, TIMEOUT, Offer, address, file_beside, own_index, read_index
from ._registry import ModelEntry, fetched, hub_place, list_models, released_names

CHUNK = 2**16


def offered_models(place: str | Path | None = None, *, ask: bool = False) -> list[Offer]:
    """Return the models of the index that are not on this computer yet, or are there in another version.

    Parameters
    ----------
    place : str or Path, optional
        An index: its web address, its file or its folder. By default that of the environment variable
        ``NAPARI_LDSEG_INDEX``, else the one that came with napari-ldseg.
    ask : bool
        Whether an index in the web is asked for anew; without it nothing is asked of the network.

    Raises
    ------
    CheckpointError
        The index cannot be read.
    """
    where = hub_place(place)
    if not place and not own_index() and not Path(where).is_file():
        return []  # this package came without one
    here, own = released_names(), fetched()
    return [
        offer
        for offer in read_index(where, ask=ask).models
        if (own[offer.name].sha256 != offer.sha256 if offer.name in own else offer.name not in here)
    ]


def fetch_model(
    name: str,
    place: str | Path | None = None,
    report: Callable[[Progress], object] = lambda _progress: None,
) -> ModelEntry:
    """Bring a model of the index to this computer, unless it is there; return it as it is listed.

    The file comes from the folder of the index if it lies there, else from its web address. A file whose SHA-256 is
    not that of the index is thrown away.

    Parameters
    ----------
    name : str
    place : str or Path, optional
        The index, as in :func:`offered_models`.
    report : callable
        Called with each progress (in bytes). What it raises ends the download, and nothing is left of it.

    Returns
    -------
    ModelEntry
        Its ``terms`` say under which terms the model may be used.

    Raises
    ------
    CheckpointError
        The index has no such model, its file cannot be reached, or is another one.
    """
    where = hub_place(place)
    offer = read_index(where).offer(name)
    own = fetched()
    if name not in own or own[name].sha256 != offer.sha256:
        if name in released_names() and name not in own:
            return _listed(name)
        with replacing(user_folder("hub") / name, CheckpointError) as partial:
            partial.mkdir()
            _bring(offer, where, partial / MODEL_FILE, report)
            card = read_header(partial / MODEL_FILE).card
            (partial / CARD_FILE).write_text(card, encoding="utf-8", errors="backslashreplace", newline="")
            (partial / ORIGIN_FILE).write_text(offer.model_dump_json(indent=1), encoding="utf-8")
    return _listed(name)


def _listed(name: str) -> ModelEntry:
    return next(entry for entry in list_models() if entry.name == name)


def _bring(offer: Offer, place: str, file: Path, report: Callable[[Progress], object]) -> None:
    """Copy or download a model's file, and check it."""
    import pooch

    beside = file_beside(place, offer)
    if beside is not None:
        shutil.copyfile(beside, file)
    else:
        meter = _Meter(offer, report)
        web = address(place, offer)
        try:
            pooch.HTTPDownloader(progressbar=meter, chunk_size=CHUNK, timeout=TIMEOUT)(web, str(file), None)
        except OSError as error:  # those of requests, too
            raise CheckpointError(
                f"{offer.name!r} cannot be downloaded from {web} ({error}). Try again, or fetch it from a folder: "
                f"napari-ldseg models fetch {offer.name} --from FOLDER"
            ) from error
    if pooch.file_hash(str(file)) != offer.sha256:
        raise CheckpointError(
            f"The file of {offer.name!r} from {beside or web} is not the one that the index names (its SHA-256 is "
            f"another one), so it was thrown away. {AGAIN}"
        )


class _Meter:
    """What pooch takes for a progress bar; it also ends a download that is larger than it should be."""

    def __init__(self, offer: Offer, report: Callable[[Progress], object]) -> None:
        self.total = 0
        self._offer = offer
        self._report = report
        self._done = 0

    def update(self, count: int) -> None:
        self._done += count
        if self._done > self._offer.size + CHUNK:
            raise CheckpointError(f"The file of {self._offer.name!r} is larger than the index says. {AGAIN}")
        done = min(self._done, self._offer.size)
        text = f"{self._offer.name}: {done / 1e6:.1f} of {self._offer.megabytes}"
        self._report(Progress(done, self._offer.size, text))

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        """Nothing is open."""
