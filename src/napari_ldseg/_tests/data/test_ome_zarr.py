"""OME-Zarr 0.4 and 0.5, judged by ngff-zarr; labels in the source's own group; images over HTTP."""

import functools
import http.server
import json
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from typer.testing import Result

from ...data import Image, address_of, read_image, read_notes, write_image
from ...data.formats._ome_labels import put_labels
from ...errors import InputError
from ..builders import make_ramp, make_row

COLORS = ("#000000", "#ff0000", "#00ff00")
NAMES = ("background", "gland", "nerve")
PLACE: dict[str, Any] = {"spacing": (2.0, 0.5), "unit": "micrometer"}


def told_of(path: Path, name: str = "") -> dict[str, Any]:
    """The attributes of a group, wherever its version keeps them."""
    attributes: dict[str, Any] = dict(zarr.open_group(path / name, mode="r").attrs)
    found: dict[str, Any] = attributes.get("ome", attributes)
    return found


def judge(path: Path, version: str) -> Any:
    """What ngff-zarr reads, and says of the metadata."""
    ngff_zarr = pytest.importorskip("ngff_zarr", reason="needs the extra `testing`")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ngff_zarr.from_ngff_zarr(str(path), validate=True, version=version)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_images_of_both_versions_are_valid(tmp_path: Path, version: str) -> None:
    path = tmp_path / "a.ome.zarr"
    array = make_ramp((600, 300, 3))
    written = "ome-zarr-0.5" if version == "0.5" else "ome-zarr"
    write_image(path, array, "yxc", metadata={"seed": 7}, written=written, **PLACE)
    assert zarr.open_group(path, mode="r").metadata.zarr_format == (3 if version == "0.5" else 2)
    found = judge(path, version)
    assert len(found.images) == 3
    assert found.images[0].scale == {"c": 1, "y": 2, "x": 0.5}
    np.testing.assert_array_equal(np.moveaxis(np.asarray(found.images[0].data), 0, -1), array)
    image = read_image(path)
    assert (image.spacing, image.unit, len(image.levels)) == ((2.0, 0.5), "micrometer", 2)
    assert read_notes(path) == {"seed": 7}


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_labels_go_into_the_group_of_their_image(tmp_path: Path, version: str) -> None:
    path = tmp_path / "a.ome.zarr"
    written = "ome-zarr-0.5" if version == "0.5" else "ome-zarr"
    write_image(path, make_ramp((2, 12, 20)), "tyx", metadata={}, written=written, **PLACE)
    labels = Image(np.stack([make_row(), make_row()]), "tyx", **PLACE)
    put = functools.partial(put_labels, path, class_names=NAMES, colors=COLORS, metadata={"seed": 1})
    assert put(labels) == path / "labels" / "ldseg"
    found = judge(path / "labels" / "ldseg", version)
    np.testing.assert_array_equal(np.asarray(found.images[0].data), labels.array)
    assert told_of(path, "labels")["labels"] == ["ldseg"]
    told = told_of(path, "labels/ldseg")["image-label"]
    assert told["source"] == {"image": "../../"}
    assert told["colors"][1] == {"label-value": 1, "rgba": [255, 0, 0, 255]}
    assert told["properties"][2] == {"label-value": 2, "class": "nerve"}
    with pytest.raises(InputError, match="has labels 'ldseg' already"):
        put(labels)
    put(labels, overwrite=True)
    put(labels.replace(array=labels.array[:, :6, :10]), name="part", origin=(3.0, 4.0))
    assert told_of(path, "labels")["labels"] == ["ldseg", "part"]
    assert judge(path / "labels" / "part", version).images[0].translation == {"t": 0, "y": 6, "x": 2}
    with pytest.raises(InputError, match="reach beyond"):
        put(labels, name="off", origin=(3.0, 4.0))


def test_labels_of_a_level_lie_on_the_finest(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    write_image(path, make_ramp((600, 400)), "yx", metadata={}, **PLACE)
    level = read_image(path).levels[0]
    labels = Image(np.ones((300, 200), np.uint16), "yx", level.spacing, level.unit)
    put_labels(path, labels, colors=COLORS[:2], metadata={})
    image = judge(path / "labels" / "ldseg", "0.4").images[0]
    assert (image.scale, image.translation) == ({"y": 4, "x": 1}, {"y": 1, "x": 0.25})
    assert image.data.dtype == np.uint16


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where a local server serves the folder."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("written", ["ome-zarr", "ome-zarr-0.5"])
def test_images_are_read_over_http(tmp_path: Path, address: str, written: str) -> None:
    pytest.importorskip("aiohttp", reason="needs the extra `testing`")
    array = make_ramp((600, 300))
    write_image(tmp_path / "a b.ome.zarr", array, "yx", metadata={"seed": 7}, written=written, **PLACE)
    for path in (f"{address}/a b.ome.zarr", Path(f"{address}/a b.ome.zarr")):
        image = read_image(path)
        assert (image.name, image.spacing, len(image.levels)) == ("a b", (2.0, 0.5), 2)
        np.testing.assert_array_equal(np.asarray(image.array), array)
    assert read_notes(f"{address}/a b.ome.zarr") == {"seed": 7}
    with pytest.raises(InputError, match=r"http://127.0.0.1:\d+/b.zarr cannot be read"):
        read_image(f"{address}/b.zarr")


def test_an_image_at_an_address_is_segmented(
    tmp_path: Path, address: str, saved: Path, run: Callable[..., Result]
) -> None:
    pytest.importorskip("aiohttp", reason="needs the extra `testing`")
    write_image(tmp_path / "a.zarr", make_ramp((32, 32, 3)), "yxc", metadata={}, **PLACE)
    options = ("-m", saved, "-o", tmp_path / "out", "-n", 2, "--steps", 1, "--device", "cpu")
    for words in ("1 of 1 images segmented", "1 of them earlier"):
        done = run("segment", f"{address}/a.zarr", *options)
        assert done.exit_code == 0, done.output
        assert words in done.output
    placed = run("place", tmp_path / "out" / "a_labels.ome.zarr", "--into", tmp_path / "a.zarr")
    assert placed.exit_code == 0, placed.output
    assert json.loads((tmp_path / "a.zarr/labels/.zattrs").read_text()) == {"labels": ["ldseg"]}
    np.testing.assert_array_equal(
        np.asarray(read_image(tmp_path / "a.zarr/labels/ldseg").array),
        np.asarray(read_image(tmp_path / "out" / "a_labels.ome.zarr").array),
    )


def test_addresses_survive_a_path() -> None:
    for text in ("https://a.b/c.zarr", "s3://bucket/c.zarr", "gs://b/c"):
        assert address_of(Path(text)) == address_of(text) == text
    assert address_of("C:/x/c.zarr") is None
    assert address_of(Path("/data/http/c.zarr")) is None
