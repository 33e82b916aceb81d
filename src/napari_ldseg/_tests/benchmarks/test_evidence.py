"""The light versions of the evidence run from end to end: every experiment gives its table, and the sums are right."""

import json
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import PIL.Image
import pytest

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[4]


def run(*command: str) -> None:
    """Run a script or, with ``-m``, a module of the checkout."""
    done = subprocess.run(
        [sys.executable, *command], cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=1200
    )
    assert done.returncode == 0, done.stderr


def read(path: Path) -> list[dict[str, Any]]:
    report = json.loads(path.read_text())
    assert report["command"].startswith("python -m benchmarks.evidence.")
    assert {"commit", "version", "seed", "seconds"} <= report.keys()
    rows: list[dict[str, Any]] = report["rows"]
    if path.stem != "curves":  # too long for a table
        table = path.with_suffix(".md").read_text().splitlines()
        assert len(table) == len(rows) + 2
    return rows


def assert_picture(path: Path) -> None:
    assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def curves(folder: Path, figure: str) -> dict[str, Any]:
    """Arrays of x and y, shape ``(2, points)``, by the name of the curve."""
    found = defaultdict(list)
    for row in read(folder / "curves.json"):
        if row["figure"] == figure:
            found[row["curve"]].append((row["x"], row["y"]))
    return {name: np.transpose(points) for name, points in found.items()}


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that one run of all experiments on the released ``echo`` model wrote."""
    folder = tmp_path_factory.mktemp("evidence")
    run("-m", "benchmarks.evidence.claims", "--quick", "--out", str(folder))
    return folder


def test_the_codec_is_better_than_shrinking_without_learning(evidence: Path) -> None:
    scores = {row["codec"]: row["DSC"] for row in read(evidence / "codec.json")}
    assert scores["mask autoencoder"] > 0.95
    assert scores["mask autoencoder"] > scores["area mean, linear"] > scores["nearest neighbour"]


def test_more_steps_take_more_time_and_every_sampler_segments(evidence: Path) -> None:
    rows = read(evidence / "steps.json")
    assert {row["sampler"] for row in rows} == {"ddpm", "ddim", "dpm-solver++"}
    assert all(row["DSC"] > 0.7 for row in rows if row["K"] == 10)


def test_strong_noise_costs_more_than_none(evidence: Path) -> None:
    rows = [row for row in read(evidence / "noise.json") if row["change"] == "noise, rescaled"]
    assert rows[0]["level"] == 0
    assert rows[0]["DSC, samples"] > rows[-1]["DSC, samples"] - 0.02


def test_the_sd_finds_errors(evidence: Path) -> None:
    pixels = {row["score"]: row for row in read(evidence / "uncertainty.json") if row["of"] == "pixels"}
    assert pixels["SD of the samples"]["AUROC"] > 0.8


def test_the_shares_of_a_reliability_diagram_sum_to_one(evidence: Path) -> None:
    rows = [row for row in read(evidence / "curves.json") if row["figure"] == "reliability"]
    for name in ("mean of the samples", "one pass"):
        assert sum(row["share"] for row in rows if row["curve"] == name) == pytest.approx(1)


@pytest.mark.parametrize(("figure", "sign"), [("sparsification", 1), ("found", -1)])
def test_nothing_detects_errors_better_than_the_oracle(evidence: Path, figure: str, sign: int) -> None:
    found = curves(evidence, figure)
    (_, oracle), (_, chance) = found["oracle"], found["random"]
    assert len(found) == 5
    for x, y in found.values():
        assert (x[0], y[0]) == (0, pytest.approx(oracle[0]))
        assert (sign * (y - oracle) >= -1e-9).all()
    assert (sign * (chance - found["SD of the samples"][1]) >= -1e-9).all()


def test_all_orders_of_images_end_at_the_mean_risk(evidence: Path) -> None:
    found = curves(evidence, "risk-coverage")
    for x, y in found.values():
        assert (x[-1], y[-1]) == (1, pytest.approx(found["random"][1][0]))
        assert (y >= found["oracle"][1] - 1e-9).all()


def test_the_maps_show_the_best_and_the_worst_image(evidence: Path) -> None:
    rows = read(evidence / "maps.json")
    assert {row["image"] for row in rows} == {"phantom 900", "phantom 901"}
    assert rows[0]["DSC"] > rows[1]["DSC"]
    with PIL.Image.open(evidence / "maps.png") as picture:
        assert min(picture.size) > 300


def test_pictures_are_drawn_from_the_json_and_always_the_same(evidence: Path, tmp_path: Path) -> None:
    for path in evidence.glob("*.json"):
        shutil.copy(path, tmp_path)
    run("-m", "benchmarks.evidence.figures", str(tmp_path))
    assert {path.stem for path in tmp_path.glob("*.svg")} == {"steps", "noise", "codec", "curves", "size"}
    for path in tmp_path.glob("*.svg"):
        assert_picture(path)
        assert path.read_bytes() == (evidence / path.name).read_bytes()


def test_pixel_diffusion_is_slower(evidence: Path) -> None:
    assert all(row["ratio"] > 1 for row in read(evidence / "size.json"))


def test_every_peer_is_trained_and_scored(tmp_path: Path) -> None:
    run("-m", "benchmarks.evidence.compare", "--quick", "--samples", "2", "--out", str(tmp_path / "compare"))
    rows = read(tmp_path / "compare.json")
    assert len(rows) == 12
    assert all(row["steps"] >= 1 and 0 <= row["DSC"] <= 1 and 0 <= row["AUROC of errors"] <= 1 for row in rows)
    assert_picture(tmp_path / "compare.svg")
    single = {row[""]: row["DSC"] == row["DSC of the mean"] for row in rows}
    assert single["U-Net"]  # one answer only


def test_every_image_is_scored_once_in_cross_validation(tmp_path: Path) -> None:
    run(
        "-m",
        "benchmarks.evidence.compare",
        "--quick",
        "--folds",
        "2",
        "--only",
        "U-Net++",
        "--out",
        str(tmp_path / "compare"),
    )
    report = json.loads((tmp_path / "compare.json").read_text())
    assert (report["folds"], report["images"], report["scored"]) == (2, 32, 32)
    (row,) = report["rows"]
    assert len(row["DSC of each"]) == 32
    assert row["DSC of the mean"] == pytest.approx(np.mean(row["DSC of each"]))
    assert row["standard error"] == pytest.approx(np.std(row["DSC of each"], ddof=1) / np.sqrt(32))


def test_folds_hold_out_whole_groups_and_only_those_that_were_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(CHECKOUT))
    from benchmarks.evidence.compare import hold_out  # type: ignore[import-not-found,unused-ignore]

    names = ["patient1"] * 5 + ["patient2"] * 3 + ["patient3"] * 2 + ["phantom"] * 4
    cases: Any = [SimpleNamespace(group=name) for name in names]
    held = [sorted({case.group for case in validation}) for _, validation in hold_out(cases, 2, "patient", 0)]
    assert sorted(held) == [["patient1"], ["patient2", "patient3"]]
    for training, validation in hold_out(cases, 2, "patient", 0):
        assert len(training) + len(validation) == len(cases)
        assert not {case.group for case in training} & {case.group for case in validation}
        assert sum(case.group == "phantom" for case in training) == 4


def test_a_recipe_is_followed_without_the_group_that_is_scored(tmp_path: Path) -> None:
    shape = ("--shape", "32", "16", "16")
    run("scripts/datasets/knee_phantoms.py", "--count", "2", *shape, "--out", str(tmp_path / "P"))
    run("scripts/datasets/knee_phantoms.py", "--count", "2", "--seed", "8", *shape, "--out", str(tmp_path / "D"))
    network = {"ndim": 3, "image_channels": 1, "classes": 3, "mask_widths": [8, 8], "decoder_widths": [8, 8]}
    network |= {"image_widths": [8, 8], "denoiser_widths": [8], "denoiser_attention": [False], "guess": True}
    names = ["background", "femur", "tibia"]
    seen = {"mode": "fit", "shape": [16, 16, 32], "spacing": None, "channels": "grayscale"}
    model = {"name": "small", "class_names": names, "network": network, "input": seen}
    settings = {"autoencoder_steps": 2, "denoiser_steps": 2, "batch": 2, "validation": 0, "rotate": False}
    steps = {"1": {"model": {**model, "steps": 2}, "train": settings}}
    steps |= {"2": {"train": {**settings, "learn": "all"}}, "3": {"train": {**settings, "learn": "decoder"}}}
    for name, step in steps.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(step))
    files = [str(tmp_path / f"{name}.json") for name in steps]
    data = ("--images", str(tmp_path / "D" / "images"), "--labels", str(tmp_path / "D" / "labels"))
    rest = ("--phantoms", str(tmp_path / "P"), "--copies", "2", "--keep", "1", "--samples", "1")
    run("-m", "benchmarks.evidence.left_out", *files, *data, *rest, "--out", str(tmp_path / "runs"))
    scores = json.loads((tmp_path / "runs" / "scores.json").read_text())
    assert [row["group"] for row in scores["images"]] == ["knee00008", "knee00009"]
    assert all(0 <= row[key] <= 1 for row in scores["images"] for key in ("mean", "first guess", "phantoms alone"))
    split = {step: json.loads((tmp_path / f"runs/without_knee00008/{step}/split.json").read_text()) for step in (2, 3)}
    assert sorted(split[2]["training"]) == ["knee00000", "knee00009", "knee00009"]
    assert split[3]["training"] == ["knee00009"]
