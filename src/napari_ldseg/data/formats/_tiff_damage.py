"""Tell a damaged TIFF, which tifffile may read in part without a word."""

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import tifffile

# A page or the description (which holds axes and pixel size) lies beyond the end of the file.
_FATAL = re.compile(r"invalid page offset|corrupted tag list|TiffTag 270 |metadata invalid or corrupted")


@contextmanager
def refuse_damage() -> Iterator[None]:
    """Raise ValueError where tifffile logs that it skipped pages or their description.

    It would go on with the first pages alone, or without the pixel size.
    """
    handler = _Collector(level=logging.ERROR)
    logger = tifffile.logger()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    if handler.messages:
        raise ValueError(handler.messages[0])


def check_complete(tiff: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> None:
    """Raise ValueError where the pixels end early (tifffile itself may fill up with zeros)."""
    size = tiff.filehandle.size
    end = series.dataoffset + series.nbytes if series.dataoffset is not None else 0
    for page in series.pages:
        if page is None:
            raise ValueError("a page is missing")
        end = max([end, *(a + b for a, b in zip(page.dataoffsets, page.databytecounts, strict=False))])
    if end > size:
        raise ValueError(f"truncated: {size} bytes, but the pixels reach to byte {end}")


class _Collector(logging.Handler):
    """Keeps the fatal messages of the thread that made it."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.messages: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one message, if it is ours and fatal."""
        message = record.getMessage()
        if record.thread == self._thread and _FATAL.search(message):
            self.messages.append(message)
