"""The light versions of the evidence run from end to end: every experiment gives its table, and the sums are right."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


def run(script: str, out: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / script), "--quick", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1200)
    assert done.returncode == 0, done.stderr


def read(path: Path) -> list[dict[str, Any]]:
    report = json.loads(path.read_text())
    assert report["command"].startswith("python ")
    assert {"commit", "version", "seed", "seconds"} <= report.keys()
    rows: list[dict[str, Any]] = report["rows"]
    table = path.with_suffix(".md").read_text().splitlines()
    assert len(table) == len(rows) + 2
    return rows


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that one run of all experiments on the released ``echo`` model wrote."""
    folder = tmp_path_factory.mktemp("evidence")
    run("evidence.py", folder)
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


def test_pixel_diffusion_is_slower(evidence: Path) -> None:
    assert all(row["ratio"] > 1 for row in read(evidence / "size.json"))


def test_every_peer_is_trained_and_scored(tmp_path: Path) -> None:
    run("compare.py", tmp_path / "compare")
    rows = read(tmp_path / "compare.json")
    assert len(rows) == 12
    assert all(row["steps"] >= 1 and 0 <= row["DSC"] <= 1 and 0 <= row["AUROC of errors"] <= 1 for row in rows)
    single = {row[""]: row["DSC"] == row["DSC of the mean"] for row in rows}
    assert single["U-Net"]  # one answer only
