"""Read AVI and MP4 through PyAV, which brings FFmpeg along."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..._util import optional
from ...errors import InputError
from .._image import Image
from ._picture import cine

_MOST_BYTES = 4 * 2**30
# Compression leaves a trace of colour in grey frames.
_FAINT = 4


def read_cine(path: Path, palette: bool = True) -> Image:
    """Read all frames of the first video stream, with the axes ``tyx``, or ``tyxc`` in colour."""
    frames = []
    turned = 0
    with _open(path) as container:
        if not container.streams.video:
            raise ValueError("it holds no video")
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        for frame in _decode(container, stream):
            frames.append(frame.to_ndarray(format="rgb24"))
            turned = round(getattr(frame, "rotation", 0) / 90) % 4
            if frames[0].nbytes * len(frames) > _MOST_BYTES:
                raise InputError(f"{path} is too long for memory; cut out the part that matters.")
        promised = stream.frames
    # An edit list hides frames that are still in the file.
    if len(frames) < promised and _count_packets(path, ignore_editlist="1") >= promised:
        promised = _count_packets(path)
    if len(frames) < max(promised, 1):
        raise ValueError(f"truncated: {len(frames)} of {promised} frames")
    image = cine(np.rot90(np.stack(frames), turned, (1, 2)), path, _FAINT)
    if not turned:
        return image
    return image.replace(notes=("The video says that it is shown turned; it is read as it is shown.",))


def _open(path: Path, **options: str) -> Any:
    av = optional("av", "AVI and MP4")
    return av.open(str(path.resolve()), options={"protocol_whitelist": "file", **options})


def _decode(container: Any, stream: Any) -> Iterator[Any]:
    try:
        yield from container.decode(stream)
    except LookupError as error:  # PyAV's word for a codec that it does not know
        raise ValueError(str(error)) from error


def _count_packets(path: Path, **options: str) -> int:
    """Count the whole, visible packets of the first video stream."""
    with _open(path, **options) as container:
        packets = container.demux(container.streams.video[0])
        return sum(bool(each.size) and not each.is_corrupt and not each.is_discard for each in packets)
