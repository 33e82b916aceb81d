"""The speed benchmark runs from end to end on tiny sizes: every table is there, and its sums are right; no seconds."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[4]
PARTS = ("embed", "sample", "decode")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that one run wrote; ``targets`` brings what it needs."""
    folder = tmp_path_factory.mktemp("speed")
    command = [sys.executable, "-m", "benchmarks.speed.speed", "peers", "targets", "--quick", "--out", str(folder)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=1200)
    assert done.returncode == 0, done.stderr
    return folder


def read(path: Path) -> list[dict[str, Any]]:
    report = json.loads(path.read_text())
    assert report["command"].startswith("python -m benchmarks.speed.speed ")
    assert {"commit", "version", "seed", "machine", "torch"} <= report.keys()
    assert all(rate > 0 for rate in report["matrix GFLOP/s"].values())
    rows: list[dict[str, Any]] = report["rows"]
    assert len(path.with_suffix(".md").read_text().splitlines()) == len(rows) + 2
    return rows


def test_stages_sum_to_the_whole(tables: Path) -> None:
    rows = read(tables / "stages.json")
    assert [(row["model"], row["N"]) for row in rows] == [
        (model, n) for model in ("paper", "glas", "knee") for n in (1, 3)
    ]
    for row in rows:
        assert all(row[part] > 0 for part in (*PARTS, "rest"))
        assert sum(row[part] for part in (*PARTS, "rest")) == pytest.approx(row["seconds"])
        assert row["peak GB"] > 0.1


def test_arithmetic_is_counted_for_each_stage_and_sample(tables: Path) -> None:
    rows = {(row["model"], row["N"]): row for row in read(tables / "stages.json")}
    for (model, n), row in rows.items():
        assert all(row[f"GFLOP {part}"] > 0 for part in PARTS)
        assert row["GFLOP"] == pytest.approx(sum(row[f"GFLOP {part}"] for part in PARTS))
        assert row["GFLOP"] == pytest.approx(row["GFLOP/s"] * row["seconds"])
        views = n if model == "glas" else 1  # the others see the image as it lies only
        for part, times in zip(PARTS, (views, n, n), strict=True):
            assert row[f"GFLOP {part}"] == pytest.approx(times * rows[model, 1][f"GFLOP {part}"])


def test_scaling_has_every_size(tables: Path) -> None:
    rows = read(tables / "scaling.json")
    kinds = [row["what"].split(",")[0] for row in rows]
    assert kinds == [kind for kind in ("side of the image", "N", "K", "frames", "million voxels") for _ in range(2)]
    assert all(row["sampling"] + row["rest"] == pytest.approx(row["seconds"]) for row in rows)
    assert all(0 < row["sampling"] < row["seconds"] for row in rows)


def test_peers_have_the_same_inputs(tables: Path) -> None:
    rows = read(tables / "peers.json")
    ours = {(row["input"], row["N"]): row["seconds"] for row in rows if row["what"] == "segment()"}
    assert len(ours) == 4
    assert len(rows) == 11
    assert all(row["times segment()"] == pytest.approx(row["seconds"] / ours[row["input"], row["N"]]) for row in rows)


def test_startup_without_a_display_says_so(tables: Path) -> None:
    seconds = [row["seconds"] for row in read(tables / "startup.json")]
    assert all(each > 0 for each in seconds[:2])
    assert seconds[2:] == ["left out"] * 2


def test_tiny_sizes_are_not_judged(tables: Path) -> None:
    rows = read(tables / "targets.json")
    assert len(rows) == 14
    assert {row["met"] for row in rows} == {"not judged"}
    assert all(row["measured"] == "left out" or row["measured"] >= 0 for row in rows)


def test_there_are_plots(tables: Path) -> None:
    assert all((tables / f"{name}.svg").read_text().rstrip().endswith("</svg>") for name in ("stages", "scaling"))


def test_a_lost_optimisation_shows_in_the_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(CHECKOUT))
    from benchmarks.speed.speed import grown  # type: ignore[import-not-found,unused-ignore]

    def rows(once: float, many: float) -> list[dict[str, Any]]:
        common = {"model": "glas", "threads": 2}
        return [{**common, "N": 1, "seconds": once}, {**common, "N": 100, "seconds": many}]

    assert grown(rows(0.2, 3.0), rows(0.1, 1.2)) == []  # another machine
    assert grown(rows(0.1, 3.0), rows(0.1, 1.2)) == ["glas, threads 2, N = 100: 30.0 times N = 1, was 12.0"]
