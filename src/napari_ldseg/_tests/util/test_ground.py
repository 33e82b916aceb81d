"""Files that are whole or not there, the folders of the user, and generators of progress."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import get_args

import pytest

from ..._util import Progress, follow, replacing, user_folder
from ..._util._folders import Kind
from ...errors import CheckpointError, InputError


@pytest.mark.parametrize("kind", get_args(Kind))
def test_each_folder_of_the_user_has_its_variable(kind: Kind, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(f"NAPARI_LDSEG_{kind.upper()}", str(tmp_path))
    assert user_folder(kind) == tmp_path
    monkeypatch.setenv(f"NAPARI_LDSEG_{kind.upper()}", "")
    monkeypatch.setattr("platformdirs.user_data_dir", lambda name, appauthor: f"/data/{name}")
    monkeypatch.setattr("platformdirs.user_documents_dir", lambda: "/documents")
    wanted = "/documents/napari-ldseg" if kind == "sets" else f"/data/napari-ldseg/{kind}"
    assert user_folder(kind).as_posix() == wanted


def test_a_file_takes_its_place_only_when_it_is_whole(tmp_path: Path) -> None:
    def write_half(path: Path) -> None:
        with replacing(path) as partial:
            partial.write_text("two")
            raise KeyError("gone")

    path = tmp_path / "new" / "a.txt"
    with replacing(path) as partial:
        partial.write_text("one")
        assert not path.exists()
    with pytest.raises(KeyError, match="gone"):
        write_half(path)
    assert path.read_text() == "one"
    assert os.listdir(path.parent) == ["a.txt"]


def test_a_folder_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with replacing(tmp_path / "model") as partial:
            partial.mkdir()
            (partial / name).write_text(name)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["two"]


@pytest.mark.parametrize("refusal", [InputError, CheckpointError])
def test_a_disk_that_refuses_is_told_as_the_caller_wants(tmp_path: Path, refusal: type[InputError]) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(refusal, match=r"a\.txt cannot be written .*make room"),
        replacing(tmp_path / "file" / "a.txt", refusal),
    ):
        pass


def test_follow_reports_each_update_and_closes() -> None:
    closed: list[bool] = []

    def work() -> Generator[Progress, None, str]:
        try:
            for step in range(3):
                yield Progress(step, 3)
        finally:
            closed.append(True)
        return "result"

    seen: list[float] = []
    assert follow(work(), lambda progress: seen.append(progress.done)) == "result"
    assert seen == [0, 1, 2]

    def refuse(progress: Progress) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        follow(work(), refuse)
    assert closed == [True, True]
