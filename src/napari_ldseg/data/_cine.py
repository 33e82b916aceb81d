"""AVI and MP4 through PyAV, which brings FFmpeg along."""

from pathlib import Path

import numpy as np

from ..errors import InputError
from ._image import Image
from ._optional import optional
from ._pictures import cine

_MOST_BYTES = 4 * 2**30
# Compression leaves a trace of colour in grey frames.
_FAINT = 4


def read_cine(path: Path, palette: bool = True) -> Image:
    """Read all frames of the first video stream, with the axes ``tyx``, or ``tyxc`` where it is in colour."""
    av = optional("av", "AVI and MP4")
    frames = []
    with av.open(str(path.resolve()), options={"protocol_whitelist": "file"}) as container:
        if not container.streams.video:
            raise ValueError("it holds no video")
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        for frame in container.decode(stream):
            frames.append(frame.to_ndarray(format="rgb24"))
            if frames[0].nbytes * len(frames) > _MOST_BYTES:
                raise InputError(f"{path} is too long to be held in memory; cut out the part that matters.")
        if len(frames) < max(stream.frames, 1):
            raise ValueError(f"truncated: {len(frames)} of {stream.frames} frames")
    return cine(np.stack(frames), path, _FAINT)
