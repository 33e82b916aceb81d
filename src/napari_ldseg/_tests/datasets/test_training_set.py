"""Training sets: what is kept, refused, shared by processes, imported."""

import json
import multiprocessing
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import Result

from ...data import Image, read_image, read_labels, write_image, write_ome
from ...datasets import UNLABELLED, DuplicateError, TrainingSet, find_pairs, import_pairs
from ...errors import InputError
from ..builders import make_disk, make_ramp, save_picture

Run = Callable[..., Result]


def an_image(seed: int = 0, shape: tuple[int, ...] = (16, 24, 3), axes: str = "yxc") -> Image:
    pixels = np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)
    return Image(pixels, axes, (0.5, 0.25), "micrometer", f"image {seed}")


def some_labels() -> NDArray[np.uint8]:
    labels = np.zeros((16, 24), np.uint8)
    labels[2:6, 2:10] = 1
    labels[12:] = UNLABELLED
    return labels


@pytest.fixture
def training_set(tmp_path: Path) -> TrainingSet:
    return TrainingSet.create(tmp_path / "set", ("background", "cell"))


# --- what is kept -------------------------------------------------------------------------------------------------


def test_an_image_comes_back_with_labels_pixel_size_and_provenance(training_set: TrainingSet) -> None:
    touched = some_labels() == 1
    entry = training_set.add(an_image(), some_labels(), source="a/b.png", model="glas", touched=touched)
    assert (entry.unlabelled, entry.touched) == (0.25, 32 / 384)
    assert (entry.group, entry.model, entry.class_names) == ("a/b.png", "glas", ("background", "cell"))
    assert TrainingSet(training_set.folder).entries() == [entry]
    (pair,) = training_set.pairs()
    image, labels = read_image(pair.image), read_labels(pair.labels)
    assert np.array_equal(image.array, an_image().array)
    assert (image.axes, image.spacing, image.unit) == ("yxc", (0.5, 0.25), "micrometer")
    assert np.array_equal(labels.array, some_labels())
    assert labels.spacing == (0.5, 0.25)
    assert np.array_equal(read_labels(training_set.folder / "touched" / pair.image.name).array, touched)
    assert "training set of napari-ldseg" in (training_set.folder / "README.txt").read_text()


@pytest.mark.parametrize(
    ("shape", "axes", "dtype", "read_as"),
    [
        ((5, 8, 9), "zyx", np.uint16, ("zyx", np.uint16)),
        ((2, 5, 8, 9), "tzyx", np.float32, ("tzyx", np.float32)),
        ((2, 8, 9, 3), "pyxc", np.uint8, ("pyxc", np.uint8)),
        ((4, 8, 9), "cyx", np.int64, ("yxc", np.int32)),
        ((8, 9), "yx", bool, ("yx", np.uint8)),
    ],
)
def test_ome_tiff_keeps_axes_and_numbers(
    tmp_path: Path, shape: tuple[int, ...], axes: str, dtype: Any, read_as: tuple[str, Any]
) -> None:
    image = Image(make_ramp(shape, dtype), axes, (2.0, 0.5, 0.5)[-2 - ("z" in axes) :], "millimeter")
    write_ome(tmp_path / "a.ome.tif", image)
    back = read_image(tmp_path / "a.ome.tif")
    assert (back.axes, back.array.dtype) == read_as
    assert (back.spacing, back.unit) == (image.spacing, "millimeter")
    expected = np.moveaxis(image.array, axes.index("c"), -1) if "c" in axes else image.array
    assert np.array_equal(back.array, expected)


def test_a_set_can_be_moved_with_all_it_holds(training_set: TrainingSet, tmp_path: Path) -> None:
    training_set.add(an_image(), some_labels(), source="a")
    shutil.move(training_set.folder, tmp_path / "elsewhere")
    (pair,) = TrainingSet(tmp_path / "elsewhere").pairs()
    assert pair.image.is_relative_to(tmp_path / "elsewhere")
    assert np.array_equal(read_labels(pair.labels).array, some_labels())


def test_references_stay_where_they_are(training_set: TrainingSet, tmp_path: Path) -> None:
    image, labels = save_picture(tmp_path / "a.png", an_image().array), save_picture(tmp_path / "m.png", some_labels())
    entry = training_set.refer(image, labels, group="patient 1")
    (pair,) = training_set.pairs()
    assert (pair.image, pair.labels, pair.group) == (image, labels, "patient 1")
    training_set.remove(entry.id)
    assert image.exists()
    assert labels.exists()
    training_set.refer(image, labels)
    labels.unlink()
    with pytest.raises(InputError, match=r"1 files of the training set .* are missing, the first is .*m\.png"):
        training_set.pairs()


def test_an_ome_zarr_can_be_referred_to(training_set: TrainingSet, tmp_path: Path) -> None:
    """Its folder was taken for a missing file."""
    image, labels = tmp_path / "a.ome.zarr", tmp_path / "a_gt.ome.zarr"
    for path, array, axes in ((image, an_image().array, "yxc"), (labels, some_labels(), "yx")):
        write_image(path, array, axes, spacing=None, unit="pixel", metadata={})
    training_set.refer(image, labels)
    (pair,) = training_set.pairs()
    assert (pair.image, pair.labels) == (image, labels)
    with pytest.raises(DuplicateError, match="with these labels"):
        training_set.refer(image, labels)
    shutil.rmtree(labels)
    with pytest.raises(InputError, match=r"1 files .* are missing, the first is .*a_gt\.ome\.zarr"):
        training_set.pairs()


def test_removing_takes_the_files_along(training_set: TrainingSet) -> None:
    entry = training_set.add(an_image(), some_labels(), source="a", touched=some_labels() == 1)
    training_set.remove(entry.id)
    assert training_set.entries() == []
    assert [path.name for path in training_set.folder.rglob("*.tif")] == []
    with pytest.raises(InputError, match="has no entry 'abc'"):
        training_set.remove("abc")
    with pytest.raises(InputError, match="is empty"):
        training_set.pairs()


# --- what is refused ----------------------------------------------------------------------------------------------


def test_duplicates_are_never_silent(training_set: TrainingSet) -> None:
    first = training_set.add(an_image(), some_labels(), source="a")
    with pytest.raises(DuplicateError, match="'b' is in the training set already, with these labels"):
        training_set.add(an_image(), some_labels(), source="b", replace=True)
    other = some_labels()
    other[0, 0] = 1
    with pytest.raises(DuplicateError, match="with other labels; replace them"):
        training_set.add(an_image(), other, source="b")
    second = training_set.add(an_image(), other, source="b", replace=True)
    assert training_set.entries() == [second]
    assert (second.id, second.image) == (first.id, first.image)
    assert np.array_equal(read_labels(second.labels).array, other)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((16, 24), np.uint8), "are empty: every pixel is 0, 'background'. Paint the objects first"),
        (np.full((16, 24), UNLABELLED), "No pixel of 'a' is annotated"),
        (np.ones((24, 16), np.uint8), r"a has shape \(24, 16\), but its image image 0 has \(16, 24\)"),
        (np.ones((3, 16, 24), np.uint8), r"its image image 0 has \(16, 24\).*labels are 3D"),
        (np.full((16, 24), 0.5), "holds fractions and is no label mask"),
        (np.full((16, 24), -1), "holds the negative label -1"),
        (np.full((16, 24), 2), "holds label 2, but there are 2 classes.*name them all"),
        (np.arange(384).reshape(16, 24) * 261, r"label 99963 \(384 different ones\).*'foreground'"),
        (make_ramp((16, 24)) // 126 * 255, "nothing but 0 and 255.*black-and-white mask"),
        (np.full((16, 24), "x"), "no label mask"),
    ],
)
def test_labels_that_do_not_fit_are_refused_and_nothing_is_written(
    training_set: TrainingSet, labels: NDArray[Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        training_set.add(an_image(), labels, source="a")
    assert training_set.entries() == []
    assert list(training_set.folder.rglob("*.tif")) == []


def test_an_image_that_shows_nothing_is_taken_when_said_so(training_set: TrainingSet) -> None:
    assert training_set.add(an_image(), np.zeros((16, 24)), source="a", allow_empty=True).unlabelled == 0


def test_folders_that_are_no_set_are_named(training_set: TrainingSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is no training set: it holds no index\.jsonl"):
        TrainingSet(tmp_path)
    with pytest.raises(InputError, match="exists and is not empty"):
        TrainingSet.create(tmp_path, ("a", "b"))
    with pytest.raises(InputError, match="2 to 254 different class names"):
        TrainingSet.create(tmp_path / "new", ("a", "a"))
    training_set.add(an_image(), some_labels(), source="a")
    index = training_set.folder / "index.jsonl"
    whole = index.read_text()
    for text, message in (
        (whole[:-40], "Line 2 of .*index.jsonl is damaged"),
        ("", "first line of .* is damaged"),
        (whole.replace('"version": 1', '"version": 2'), "has version 2, this napari-ldseg reads up to 1; update it"),
        (whole.replace("napari-ldseg training set", "x"), "is not the index of a training set"),
    ):
        index.write_text(text)
        with pytest.raises(InputError, match=message):
            TrainingSet(training_set.folder)


def test_a_full_disk_leaves_the_set_as_it_was(training_set: TrainingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    training_set.add(an_image(), some_labels(), source="a")
    before = training_set.entries()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_ldseg.data.formats._tiff_write.tifffile.imwrite", full)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\).*make room"):
        training_set.add(an_image(1), some_labels(), source="b")
    assert TrainingSet(training_set.folder).entries() == before


# --- several processes --------------------------------------------------------------------------------------------


def add_ten(folder: Path, first: int) -> None:
    target = TrainingSet(folder)
    for seed in range(first, first + 10):
        target.add(an_image(seed), some_labels(), source=str(seed))


@pytest.mark.slow
def test_two_processes_add_at_the_same_time_and_nothing_is_lost(training_set: TrainingSet) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=add_ten, args=(training_set.folder, first)) for first in (0, 100)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    sources = {entry.source for entry in training_set.entries()}
    assert sources == {str(seed) for first in (0, 100) for seed in range(first, first + 10)}
    assert len(training_set.pairs()) == 20


# --- import and the command line ----------------------------------------------------------------------------------


def write_masks(folder: Path, high: int) -> None:
    """Three pictures with masks whose objects are ``high``, and ids of patients."""
    for seed in range(3):
        save_picture(folder / "images" / f"p{seed}.png", an_image(seed, (16, 16, 3)).array)
        save_picture(folder / "masks" / f"p{seed}.png", make_disk(2, 16) * np.uint8(high))
    (folder / "groups.csv").write_text("image,patient\np0,a\np1,a\np2,b\n")


def test_the_command_line_makes_lists_and_empties_a_set(run: Run, tmp_path: Path) -> None:
    write_masks(tmp_path, 255)
    masks = ("--images", tmp_path / "images", "--labels", tmp_path / "masks", "--out", tmp_path / "set")
    assert "nothing but 0 and 255" in run("dataset", "import", *masks).output
    assert not (tmp_path / "set").exists()
    refused = run("dataset", "import", *masks, "--foreground", "--refer")
    assert "only referred to cannot be merged" in refused.output
    result = run("dataset", "import", *masks, "--foreground", "--groups", tmp_path / "groups.csv")
    assert result.exit_code == 0, result.output
    assert "3 images added" in result.output
    found = TrainingSet(tmp_path / "set")
    assert found.class_names == ("background", "foreground")
    assert [pair.group for pair in found.pairs()] == ["a", "a", "b"]
    assert np.array_equal(read_labels(found.pairs()[0].labels).array, make_disk(2, 16))
    again = run("dataset", "import", *masks, "--foreground")
    assert "0 images added" in again.output
    assert "3 left out" in again.output
    listed = run("dataset", "list", tmp_path / "set").output
    assert all(entry.id in listed for entry in found.entries())
    assert run("dataset", "remove", tmp_path / "set", found.entries()[0].id).exit_code == 0
    assert len(found.entries()) == 2


def test_masks_of_several_classes_name_them_by_number_unless_told(run: Run, tmp_path: Path) -> None:
    write_masks(tmp_path, 2)
    masks = ("--images", tmp_path / "images", "--labels", tmp_path / "masks")
    assert run("dataset", "import", *masks, "--out", tmp_path / "a", "--refer").exit_code == 0
    assert TrainingSet(tmp_path / "a").class_names == ("background", "class 1", "class 2")
    assert TrainingSet(tmp_path / "a").entries()[0].image == tmp_path / "images" / "p0.png"
    names = ("--class-names", "background,stroma,nucleus")
    assert run("dataset", "import", *masks, "--out", tmp_path / "b", *names).exit_code == 0
    assert TrainingSet(tmp_path / "b").class_names == ("background", "stroma", "nucleus")
    other = run("dataset", "import", *masks, "--out", tmp_path / "b", "--class-names", "a,b,c")
    assert "has the classes background, stroma, nucleus, not a, b, c" in other.output


def test_what_cannot_be_imported_is_named_and_the_rest_is_kept(training_set: TrainingSet, tmp_path: Path) -> None:
    write_masks(tmp_path, 1)
    save_picture(tmp_path / "masks" / "p1.png", np.ones((8, 8), np.uint8))
    pairs = find_pairs(tmp_path / "images", tmp_path / "masks")
    outcomes = [outcome for _, outcome in import_pairs(training_set, pairs)]
    assert [isinstance(outcome, InputError) for outcome in outcomes] == [False, True, False]
    assert "p1.png has shape (8, 8)" in str(outcomes[1])
    rows = (training_set.folder / "index.jsonl").read_text().splitlines()
    assert [json.loads(row)["source"] for row in rows[1:]] == ["p0.png", "p2.png"]


def test_references_to_files_that_lie_in_the_sets_folder_stay_too(training_set: TrainingSet) -> None:
    image = save_picture(training_set.folder / "raw" / "a.png", an_image().array)
    labels = save_picture(training_set.folder / "raw" / "a_gt.png", some_labels())
    training_set.remove(training_set.refer(image, labels).id)
    assert image.exists()
    assert labels.exists()


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\n"])
def test_a_name_may_hold_any_separator_of_lines(training_set: TrainingSet, separator: str) -> None:
    entry = training_set.add(an_image(), some_labels(), source=f"cell{separator}one")
    assert TrainingSet(training_set.folder).entries() == [entry]
