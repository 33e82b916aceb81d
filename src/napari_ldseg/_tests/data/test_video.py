"""Videos: frames, trimmed and truncated files."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from ...data import read_image
from ...errors import InputError


@pytest.mark.parametrize(("suffix", "codec"), [(".avi", "mjpeg"), (".mp4", "mpeg4")])
def test_a_cine_of_grey_frames(tmp_path: Path, suffix: str, codec: str) -> None:
    path = tmp_path / f"a{suffix}"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=20)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for value in (40, 120, 200):
            grey = np.full((48, 64, 3), value, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    image = read_image(path)
    assert (image.axes, image.array.shape) == ("tyx", (3, 48, 64))
    assert np.abs(image.array.mean(axis=(1, 2)) - [40, 120, 200]).max() < 4
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="cannot be read"):
        read_image(path)


def trimmed(path: Path, rate: int, hidden: int) -> Path:
    """Hide the first frames of a video by an edit list, as programs do that cut without encoding again."""
    out = path.with_name(f"trimmed{path.suffix}")
    options = {"avoid_negative_ts": "disabled", "use_editlist": "1", "movflags": "faststart"}
    with av.open(str(path)) as source, av.open(str(out), "w", options=options) as target:
        stream: Any = source.streams.video[0]
        copy, shift = target.add_stream_from_template(stream), int(hidden / rate / stream.time_base)
        for packet in source.demux(stream):
            if packet.dts is not None and packet.pts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
                target.mux(packet)
    return out


@pytest.mark.parametrize("interval", [4, 30])
def test_a_trimmed_cine_is_read_and_a_truncated_one_is_not(tmp_path: Path, interval: int) -> None:
    """Frames before the trim stay in the file: all of them, or those since the last whole one."""
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=20, options={"g": str(interval)})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for value in range(40, 160, 10):
            grey = np.full((48, 64, 3), value, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    path = trimmed(tmp_path / "a.mp4", 20, 5)
    image = read_image(path)
    assert image.array.shape == (7, 48, 64)
    assert np.abs(image.array.mean(axis=(1, 2)) - np.arange(90, 160, 10)).max() < 4
    whole = path.read_bytes()
    for lost in (1, 40, 150):
        path.write_bytes(whole[:-lost])
        with pytest.raises(InputError, match="cannot be read"):
            read_image(path)
