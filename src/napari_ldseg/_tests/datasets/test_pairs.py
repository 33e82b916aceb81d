"""Pairs of images and labels, and their groups."""

import unicodedata
from pathlib import Path

import PIL.Image
import pytest

from ...data import find_images, read_image, read_labels
from ...datasets import Pair, find_pairs, match_masks
from ...errors import InputError
from ..shared import SHARED, needs


def make_files(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


@pytest.mark.parametrize("ending", ["", "_anno", "_labels", "_label", "_mask", "_masks", "_cp_masks", "_seg", "_gt"])
def test_pairs_in_two_folders(tmp_path: Path, ending: str) -> None:
    make_files(tmp_path / "i", "t_10.bmp", "t_2.png")
    make_files(tmp_path / "l", f"t_2{ending}.tif", f"t_10{ending}.png")
    assert find_pairs(tmp_path / "i", tmp_path / "l") == [
        Pair(tmp_path / "i" / "t_2.png", tmp_path / "l" / f"t_2{ending}.tif", "t_2"),
        Pair(tmp_path / "i" / "t_10.bmp", tmp_path / "l" / f"t_10{ending}.png", "t_10"),
    ]


def test_pairs_in_one_folder_as_in_glas(tmp_path: Path) -> None:
    make_files(tmp_path, "train_1.bmp", "train_1_anno.bmp", "train_2.bmp", "train_2_anno.bmp", "Grade.csv")
    (tmp_path / "Grade.csv").write_text("name, patient ID, grade\ntestA_1, 9, x\ntrain_1, 2, x\ntrain_2.bmp, 3, x\n")
    pairs = find_pairs(tmp_path, tmp_path, groups=tmp_path / "Grade.csv")
    assert [(p.image.name, p.labels.name, p.group) for p in pairs] == [
        ("train_1.bmp", "train_1_anno.bmp", "2"),
        ("train_2.bmp", "train_2_anno.bmp", "3"),
    ]


def test_names_of_nnu_net(tmp_path: Path) -> None:
    make_files(tmp_path / "imagesTr", "case_000_0000.nii.gz", "case_001_0000.nii.gz")
    make_files(tmp_path / "labelsTr", "case_000.nii.gz", "case_001.nii.gz")
    pairs = find_pairs(tmp_path / "imagesTr", tmp_path / "labelsTr")
    assert [(p.image.name, p.labels.name) for p in pairs] == [
        ("case_000_0000.nii.gz", "case_000.nii.gz"),
        ("case_001_0000.nii.gz", "case_001.nii.gz"),
    ]
    make_files(tmp_path / "out", "case_000_0000_labels.nii.gz", "case_001_0000_labels.nii.gz")
    masks = match_masks(tmp_path / "out", tmp_path / "labelsTr")
    assert [(p.name, r.name) for p, r in masks] == [
        ("case_000_0000_labels.nii.gz", "case_000.nii.gz"),
        ("case_001_0000_labels.nii.gz", "case_001.nii.gz"),
    ]
    make_files(tmp_path / "imagesTr", "case_000_0001.nii.gz")
    with pytest.raises(InputError, match=r"case_000_0000.* and case_000_0001.* are channels of one case"):
        find_pairs(tmp_path / "imagesTr", tmp_path / "labelsTr")


def test_an_accent_is_one_letter_or_two(tmp_path: Path) -> None:
    name = "M\u00fcller 1"  # as Windows writes it; macOS writes u and two dots
    make_files(tmp_path / "i", unicodedata.normalize("NFD", f"{name}.png"))
    make_files(tmp_path / "l", f"{name}.png")
    (tmp_path / "g.csv").write_text(f"name,patient\n{name},7\n", encoding="utf-8")
    (pair,) = find_pairs(tmp_path / "i", tmp_path / "l", groups=tmp_path / "g.csv")
    assert (pair.labels.name, pair.group) == (f"{name}.png", "7")
    assert len(match_masks(tmp_path / "i", tmp_path / "l")) == 1


def test_two_files_are_a_pair_whatever_their_names(tmp_path: Path) -> None:
    make_files(tmp_path, "a.png", "b.png")
    assert find_pairs(tmp_path / "a.png", tmp_path / "b.png") == [Pair(tmp_path / "a.png", tmp_path / "b.png", "a")]


def test_semicolons_and_a_byte_order_mark_as_excel_writes(tmp_path: Path) -> None:
    make_files(tmp_path, "a.png", "a_gt.png")
    (tmp_path / "g.csv").write_text("name;patient\r\na;7\r\n", encoding="utf-8-sig")
    assert find_pairs(tmp_path, tmp_path, groups=tmp_path / "g.csv")[0].group == "7"


def test_images_without_labels_are_named_up_to_five(tmp_path: Path) -> None:
    make_files(tmp_path / "i", *(f"t_{n}.png" for n in range(1, 9)))
    make_files(tmp_path / "l", "t_1.png")
    with pytest.raises(InputError, match=r"7 images .* t_2\.png, .*t_6\.png and 2 more\. .*_anno"):
        find_pairs(tmp_path / "i", tmp_path / "l")


def test_labels_without_images_are_named(tmp_path: Path) -> None:
    make_files(tmp_path / "i", "a.png")
    make_files(tmp_path / "l", "a.png", "b_mask.png")
    with pytest.raises(InputError, match=r"1 label masks .* have no image: b_mask\.png"):
        find_pairs(tmp_path / "i", tmp_path / "l")


def test_two_labels_for_one_image_are_refused(tmp_path: Path) -> None:
    make_files(tmp_path, "a.png", "a_gt.png", "a_mask.png")
    with pytest.raises(InputError, match=r"Two label masks answer to 'a': a_gt\.png and a_mask\.png; move or rename"):
        find_pairs(tmp_path, tmp_path)


def test_missing_folder_group_and_groups_file(tmp_path: Path) -> None:
    make_files(tmp_path, "a.png", "a_gt.png")
    with pytest.raises(InputError, match="nowhere does not exist"):
        find_pairs(tmp_path, tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"groups file .* cannot be read"):
        find_pairs(tmp_path, tmp_path, groups=tmp_path / "no.csv")
    (tmp_path / "g.csv").write_text("name,patient\nb,1\na,\n")
    with pytest.raises(InputError, match=r"1 images have no group .*: a\. The first column"):
        find_pairs(tmp_path, tmp_path, groups=tmp_path / "g.csv")


def write_like_glas(folder: Path) -> Path:
    """Twelve pairs of three patients, named and listed as those of GlaS."""
    lines = ["name,patient ID,grade (GlaS),grade (Sirinukunwattana et al. 2015)"]
    (folder / "train").mkdir(parents=True)
    for number in range(1, 13):
        size = (20 + number, 16)
        PIL.Image.new("RGB", size, (200, 90, number)).save(folder / f"train/train_{number}.png")
        PIL.Image.new("L", size, number % 3).save(folder / f"train/train_{number}_anno.png")
        lines.append(f"train_{number},{number % 3},malignant,moderately differentiated")
    (folder / "grade.csv").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize(
    ("glas", "pairs", "patients"),
    [(None, 12, 3), pytest.param(SHARED / "data/glas", 85, 15, marks=needs("data/glas"))],
    ids=["small", "GlaS"],
)
def test_glas_is_found_as_pairs_of_patients(tmp_path: Path, glas: Path | None, pairs: int, patients: int) -> None:
    folder = glas or write_like_glas(tmp_path / "glas")
    found = find_pairs(folder / "train", folder / "train", groups=folder / "grade.csv")
    assert (len(found), len({pair.group for pair in found})) == (pairs, patients)
    for pair in found[::5]:
        assert read_image(pair.image).shape == read_labels(pair.labels).shape
    assert find_images([folder / "train"]) == [pair.image for pair in found]
