"""Scores of files: matching them, one case, many cases, and the command."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from ..._util import follow
from ...cli import _app as cli
from ...data import read_labels, write_image
from ...datasets import match_masks
from ...errors import InputError
from ...metrics import score_case, summarize
from ...reports import ERRORS, compare, evaluate
from ..builders import make_two_boxes, save_picture


def run(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "400", "TERM": "dumb"}).invoke(cli.app, ["evaluate", *map(str, arguments)])


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two cases: one half right, one all right; with a map that is unsure just where the first is wrong."""
    predictions, references = tmp_path / "predictions", tmp_path / "references"
    prediction, reference = (mask.astype(np.uint8) for mask in make_two_boxes(2))
    for name, mask in (("a", prediction), ("b", reference)):
        write_image(predictions / f"{name}_labels.tif", mask, "yx", spacing=(2.0, 2.0), unit="micrometer", metadata={})
        sd = (mask != reference).astype(np.float32)
        write_image(predictions / f"{name}_sd.tif", sd, "yx", spacing=(2.0, 2.0), unit="micrometer", metadata={})
        save_picture(references / f"{name}.png", np.zeros((10, 10, 3), np.uint8))
        save_picture(references / f"{name}_anno.png", reference)
    return predictions, references


def test_masks_are_matched_by_stem_without_endings_maps_and_images(folders: tuple[Path, Path]) -> None:
    pairs = match_masks(*folders)
    assert [(one.name, other.name) for one, other in pairs] == [
        ("a_labels.tif", "a_anno.png"),
        ("b_labels.tif", "b_anno.png"),
    ]


def test_masks_without_endings_are_matched_too(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        save_picture(tmp_path / folder / "x.png", np.ones((3, 3), np.uint8))
    assert match_masks(tmp_path / "one", tmp_path / "other") == [(tmp_path / "one/x.png", tmp_path / "other/x.png")]


@pytest.mark.parametrize(("alone", "match"), [(0, "of the references have no prediction"), (1, "no reference")])
def test_a_mask_without_partner_is_named(folders: tuple[Path, Path], alone: int, match: str) -> None:
    (folders[alone] / ("a_labels.tif", "a_anno.png")[alone]).unlink()
    with pytest.raises(InputError, match=rf"1 .*{match}: a_"):
        match_masks(*folders)


@pytest.mark.parametrize("ndim", [2, 3])
def test_one_case(ndim: int) -> None:
    prediction, reference = make_two_boxes(ndim)
    row = score_case(prediction, reference, spacing=(2.0,) * ndim)
    assert row["dsc"] == 0.5
    assert row["iou"] == pytest.approx(1 / 3)
    assert row["hd95"] == 4  # a box of 4 pixels, moved by 2 of them


def test_each_class_has_its_own_score_and_an_absent_one_none() -> None:
    prediction, reference = np.array([[0, 1, 1, 2]]), np.array([[0, 1, 2, 2]])
    row = score_case(prediction, reference, class_names=("background", "left", "right", "none"))
    assert row["dsc left"] == row["dsc right"] == row["dsc"] == pytest.approx(2 / 3)
    assert np.isnan(row["dsc none"])
    assert np.isnan(row["hd95 none"])


def test_uncertainty_of_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match="must come from one run"):
        score_case(np.zeros((2, 2), int), np.zeros((2, 2), int), sd=np.zeros(3))


def test_summary_leaves_out_what_is_not_defined() -> None:
    found = summarize([{"dsc": 0.5}, {"dsc": 1.0}, {"dsc": float("nan")}])["dsc"]
    assert (found.mean, found.cases) == (0.75, 2)
    assert (found.low, found.high) == (0.5, 1.0)
    alone = summarize([{"dsc": 0.5}])["dsc"]
    assert alone.mean == 0.5
    assert np.isnan([alone.low, alone.high]).all()
    assert summarize([{"dsc": float("nan")}])["dsc"].cases == 0


def test_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    draws = [summarize([{"x": x} for x in random.normal(size=30)], draws=400)["x"] for _ in range(200)]
    assert 0.85 < np.mean([found.low < 0 < found.high for found in draws]) < 0.99


def test_evaluate_reads_pixel_size_and_uncertainty(folders: tuple[Path, Path]) -> None:
    found = follow(evaluate(match_masks(*folders)))
    assert found.rows["a_labels"]["hd95"] == 4
    assert found.rows["a_labels"]["error_auroc"] == 1
    assert np.isnan(found.rows["b_labels"]["error_auroc"])
    assert found.summary["dsc"].mean == 0.75


def test_command_prints_and_writes(folders: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(*folders, "--out", out, "--objects")
    assert result.exit_code == 0, result.output
    assert "0.7500" in result.output
    lines = (out / "cases.csv").read_text().splitlines()
    assert lines[0].startswith("case,dsc,iou,hd95,assd,f1,object_dsc,object_hausdorff,error_auroc")
    assert lines[1].startswith("a_labels,0.5,")
    summary = json.loads((out / "summary.json").read_text())
    assert summary["scores"]["dsc"]["mean"] == 0.75
    assert summary["objects"] is True
    again = run(*folders, "--out", out)
    assert again.exit_code == 2
    assert "exists already; give --overwrite" in again.output


def test_a_plot_shows_every_case_and_needs_a_folder(folders: tuple[Path, Path], tmp_path: Path) -> None:
    assert run(*folders, "--plot").exit_code == 2
    result = run(*folders, "--out", tmp_path / "out", "--plot", "--objects")
    assert result.exit_code == 0, result.output
    picture = (tmp_path / "out" / "scores.svg").read_text()
    assert picture.count("PathCollection") == len(follow(evaluate(match_masks(*folders), objects=True)).summary)
    for name in ("cases.csv", "summary.json"):
        (tmp_path / "out" / name).unlink()
    assert "scores.svg exists already" in run(*folders, "--out", tmp_path / "out", "--plot").output


def test_a_plot_without_matplotlib_says_what_to_install(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run(*folders, "--out", tmp_path / "out", "--plot")
    assert "napari-ldseg[plots]" in result.output.replace("\n", "")
    assert not (tmp_path / "out").exists()


def test_what_is_wrong_in_each_pixel_is_told() -> None:
    prediction, reference = np.array([[0, 0, 1, 1, 2, 1]]), np.array([[0, 1, 0, 1, 1, 255]])
    found = compare(prediction, reference, ("mine", "truth"))
    assert [ERRORS[index] for index in found.errors[0]] == [
        "none", "missed", "too much", "none", "other class", "none",
    ]  # fmt: skip
    as_one = compare(prediction, reference, ("mine", "truth"), foreground=True)
    assert as_one.errors.tolist() == [[0, 1, 2, 0, 0, 0]]
    with pytest.raises(InputError, match=r"mine has the shape \(1, 6\), but truth has \(1, 5\)"):
        compare(prediction, reference[:, 1:], ("mine", "truth"))


def test_instances_are_no_classes_unless_they_are_all_foreground(tmp_path: Path) -> None:
    mask: NDArray[np.uint16] = np.arange(400, dtype=np.uint16).reshape(20, 20)
    write_image(tmp_path / "p.tif", mask, "yx", spacing=None, unit="pixel", metadata={})
    refused = run(tmp_path / "p.tif", tmp_path / "p.tif")
    assert refused.exit_code == 2
    assert "use --foreground" in refused.output
    assert run(tmp_path / "p.tif", tmp_path / "p.tif", "--foreground").exit_code == 0


def test_masks_of_two_shapes_are_refused(tmp_path: Path) -> None:
    for name, side in (("one", 4), ("other", 5)):
        save_picture(tmp_path / f"{name}.png", np.ones((side, side), np.uint8))
    result = run(tmp_path / "one.png", tmp_path / "other.png")
    assert result.exit_code == 2
    assert "one.png has the shape (4, 4), but other.png has (5, 5)" in result.output


def test_unlabelled_pixels_of_a_reference_do_not_count(tmp_path: Path) -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[4:12, 4:12] = 1
    reference = mask.copy()
    reference[:, 8:] = 255
    save_picture(tmp_path / "p" / "a.png", mask)
    save_picture(tmp_path / "r" / "a.png", reference)
    row = follow(evaluate(match_masks(tmp_path / "p", tmp_path / "r"))).rows["a"]
    assert row["dsc"] == row["iou"] == 1
    assert not any(key.endswith("255") for key in row)


def test_unlabelled_pixels_are_neither_right_nor_wrong_for_the_uncertainty() -> None:
    prediction, reference = np.array([[1, 1, 0, 0, 1]]), np.array([[1, 0, 0, 0, 255]])
    row = score_case(prediction, reference, sd=np.array([[0.1, 0.3, 0.1, 0.1, 0.5]]), unlabelled=255)
    assert row["error_auroc"] == 1
    assert row["dsc"] == pytest.approx(2 / 3)


def test_black_and_white_masks_are_told_from_unlabelled_ones(tmp_path: Path) -> None:
    for folder, white in (("p", 1), ("r", 255)):
        save_picture(tmp_path / folder / "a.png", np.repeat(np.array([[0], [white]], np.uint8), 9, axis=1))
    refused = run(tmp_path / "p", tmp_path / "r")
    assert refused.exit_code == 2
    assert "nothing but 0 and 255" in refused.output
    assert "1.0000" in run(tmp_path / "p", tmp_path / "r", "--foreground").output


def test_masks_in_ome_zarr_are_compared_with_their_uncertainty(folders: tuple[Path, Path], tmp_path: Path) -> None:
    masks = [read_labels(folders[0] / "a_labels.tif").array, read_labels(folders[1] / "a_anno.png").array]
    for name, mask in zip(("a_labels", "true"), masks, strict=True):
        write_image(tmp_path / f"{name}.ome.zarr", mask, "yx", spacing=(2.0, 2.0), unit="micrometer", metadata={})
    sd = (masks[0] != masks[1]).astype(np.float32)
    write_image(tmp_path / "a_sd.ome.zarr", sd, "yx", spacing=(2.0, 2.0), unit="micrometer", metadata={})
    (row,) = follow(evaluate(match_masks(tmp_path / "a_labels.ome.zarr", tmp_path / "true.ome.zarr"))).rows.values()
    assert (row["dsc"], row["hd95"], row["error_auroc"]) == (0.5, 4, 1)
