"""Downloading released models: from a folder, from a web server on this machine, and what is refused."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import Result

from ..._util import Progress
from ...checkpoints import (
    Index,
    Offer,
    delete_model,
    fetch_model,
    find_model,
    list_models,
    load_model,
    offered_models,
    save_model,
)
from ...checkpoints._index import INDEX_FILE
from ...errors import CheckpointError
from ..builders import make_tiny_model
from ..qt_fixtures import save_tiny

Run = Callable[..., Result]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """A folder with an index and one model, 'nuclei'."""
    folder = tmp_path / "stick"
    folder.mkdir()
    file = save_tiny(folder).rename(folder / "nuclei.safetensors")
    write_index(folder, offer(file))
    return folder


def offer(file: Path, **changes: object) -> Offer:
    raw = file.read_bytes()
    entry = Offer(
        name="nuclei",
        address=file.name,
        sha256=hashlib.sha256(raw).hexdigest(),
        size=len(raw),
        license="CC BY-NC 4.0",
        commercial=False,
    )
    return entry.replace(**changes)


def write_index(folder: Path, *offers: Offer) -> None:
    (folder / INDEX_FILE).write_text(Index(models=offers).model_dump_json())


@pytest.fixture
def web(stick: Path) -> Iterator[str]:
    """The address of the same folder on a server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(stick)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/{INDEX_FILE}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["folder", "web"])
def place(request: pytest.FixtureRequest, stick: Path) -> str:
    return str(stick) if request.param == "folder" else str(request.getfixturevalue("web"))


def test_fetched_once_and_usable_by_name(place: str, stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_LDSEG_INDEX", place)
    assert [one.name for one in offered_models(ask=True)] == ["nuclei"]
    with pytest.raises(CheckpointError, match=r"not on this computer yet.*napari-ldseg models fetch nuclei"):
        find_model("nuclei")
    entry = fetch_model("nuclei")
    assert (entry.bundled, entry.downloaded, entry.terms) == (True, True, "CC BY-NC 4.0: no commercial use")
    assert load_model("nuclei").sha256 == hashlib.sha256((stick / "nuclei.safetensors").read_bytes()).hexdigest()
    assert (entry.path.parent / "README.md").read_text() == "# Tiny"
    assert offered_models(ask=True) == []
    (stick / "nuclei.safetensors").unlink()
    assert fetch_model("nuclei") == entry
    delete_model(entry)
    assert "nuclei" not in [one.name for one in list_models()]


def test_progress_in_bytes_and_stopped_half_way(web: str, stick: Path, user_models: Path) -> None:
    size = (stick / "nuclei.safetensors").stat().st_size
    seen: list[Progress] = []
    fetch_model("nuclei", web, seen.append)
    assert (seen[-1].done, seen[-1].total) == (size, size)
    assert seen == sorted(seen, key=lambda progress: progress.done)
    delete_model(next(entry for entry in list_models() if entry.name == "nuclei"))

    def stop(_: Progress) -> None:
        raise InterruptedError

    with pytest.raises(CheckpointError):
        fetch_model("nuclei", web, stop)
    assert not list((user_models.parent / f"{user_models.name}_hub").glob("*nuclei*"))


def test_another_version_is_offered_again(stick: Path) -> None:
    fetch_model("nuclei", stick)
    old = load_model("nuclei").sha256
    file = save_model(make_tiny_model(2), stick / "nuclei.safetensors", "# Newer")
    write_index(stick, offer(file))
    assert [one.name for one in offered_models(stick)] == ["nuclei"]
    fetch_model("nuclei", stick)
    assert load_model("nuclei").sha256 != old
    assert load_model("nuclei").card == "# Newer"


def test_a_wrong_file_is_refused_and_leaves_nothing(place: str, stick: Path, user_models: Path) -> None:
    file = stick / "nuclei.safetensors"
    right = offer(file)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match=r"not the one that the index names.*thrown away"):
        fetch_model("nuclei", place)
    write_index(stick, right.replace(size=1))
    file.write_bytes(bytes(200_000))
    with pytest.raises(CheckpointError, match="larger than the index says" if "http" in place else "thrown away"):
        fetch_model("nuclei", place)
    assert "nuclei" not in [one.name for one in list_models()]


def test_what_cannot_be_reached(place: str, stick: Path, tmp_path: Path) -> None:
    (stick / "nuclei.safetensors").rename(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match=r"cannot be downloaded.*--from FOLDER|has no web address"):
        fetch_model("nuclei", place)
    with pytest.raises(CheckpointError, match=r"no model 'nuclie'; it has: nuclei"):
        fetch_model("nuclie", place)
    for text in ("no JSON", json.dumps({"format": 2}), "[" * 100_000, json.dumps({"models": [{"name": "../x"}]})):
        (stick / INDEX_FILE).write_text(text)
        with pytest.raises(CheckpointError, match="index of models"):
            offered_models(place, ask=True)
    (stick / INDEX_FILE).unlink()
    with pytest.raises(CheckpointError, match="index of models"):
        fetch_model("nuclei", place)


def test_an_index_in_the_web_is_only_asked_when_it_should_be(web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_LDSEG_INDEX", web)
    assert offered_models() == []
    offered_models(ask=True)
    assert [one.name for one in offered_models()] == ["nuclei"]
    monkeypatch.setenv("NAPARI_LDSEG_INDEX", web.replace("index", "other"))
    assert offered_models() == []


def test_command(run: Run, stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_LDSEG_INDEX", str(stick))
    listed = run("models")
    assert listed.exit_code == 0, listed.output
    assert "napari-ldseg models fetch nuclei" in listed.output
    refused = run("models", "fetch", "nuclei")
    assert refused.exit_code == 2
    assert "nuclei: CC BY-NC 4.0: no commercial use" in refused.output
    assert "--accept-license" in refused.output
    got = run("models", "fetch", "nuclei", "--from", stick, "--accept-license")
    assert got.exit_code == 0, got.output
    assert "download" in run("models").output
    assert run("models", "fetch", "nuclie").exit_code == 2
