"""Finding image files in folders and by patterns."""

from pathlib import Path

import pytest

from ...data import find_images
from ...errors import InputError


def make_files(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_find_images_in_a_folder_in_natural_order(tmp_path: Path) -> None:
    make_files(tmp_path, "t_10.png", "t_2.PNG", "t_1.tif", "t_1_anno.png", "t_1_labels.tif", "t_1_sd.tif", ".t.tif")
    make_files(tmp_path, "notes.txt", "t_2_annotated.png")
    make_files(tmp_path / "deeper", "t_3.png")
    assert [p.name for p in find_images([tmp_path])] == ["t_1.tif", "t_2.PNG", "t_10.png"]


def test_find_images_takes_files_and_patterns_once_each(tmp_path: Path) -> None:
    make_files(tmp_path, "a.png", "b.png", "c.tif")
    found = find_images([tmp_path / "b.png", tmp_path / "*.png", tmp_path])
    assert [p.name for p in found] == ["b.png", "a.png", "c.tif"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("*.png", "No image was found"), ("", "No image was found"), ("a.png", "does not exist"), (None, "was named")],
)
def test_find_images_that_are_not_there(tmp_path: Path, name: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_images([] if name is None else [tmp_path / name])
