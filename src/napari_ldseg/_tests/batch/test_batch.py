"""Folders of images: what is skipped, what is refused, what is reported, and what a kill leaves behind."""

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import Result

import napari_ldseg

from ... import SegmentConfig, save_model, segment_folder
from ..._util import follow
from ...batch import Fingerprint, Record, Update, _retry as _patience, plan_batch, run_batch
from ...batch._image import summarize
from ...config import PartConfig
from ...errors import InputError
from ..builders import make_ramp, make_tiny_model, mean_of, save_picture
from ..qt_fixtures import make_result

QUICK = SegmentConfig(samples=2, steps=1, device="cpu")


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    folder = tmp_path / "slides"
    for index, name in enumerate("abc"):
        save_picture(folder / f"{name}.png", make_ramp((20 + index, 30, 3)))
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def states(folder: Path, out: Path, model: Path, config: SegmentConfig = QUICK, **changes: object) -> list[str]:
    return [item.state for item in follow(plan_batch([folder], model, out, config, **changes)).items]  # type: ignore[arg-type]


def test_a_second_run_does_only_what_is_not_done(slides: Path, out: Path, saved: Path) -> None:
    first = segment_folder(slides, out, saved, QUICK)
    assert [row.state for row in first.rows] == ["done"] * 3
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.tif")}
    (out / "b_sd.tif").unlink()
    assert states(slides, out, saved) == ["done", "waiting", "done"]
    second = segment_folder(slides, out, saved, QUICK)
    assert sorted(row.state for row in second.rows) == ["done", "earlier", "earlier"]
    after = {path.name: path.stat().st_mtime_ns for path in out.glob("*.tif")}
    assert {name for name in before if before[name] != after[name]} == {"b_labels.tif", "b_sd.tif"}
    assert {row.summary.uncertainty for row in first.rows if row.summary} == {
        row.summary.uncertainty for row in second.rows if row.summary
    }
    assert [path.name for path in (out / ".napari-ldseg").glob("partial/*")] == []


def test_a_new_time_stamp_alone_is_no_change(slides: Path, out: Path, saved: Path) -> None:
    segment_folder(slides, out, saved, QUICK)
    for path in (slides / "a.png", out / "a_sd.tif"):
        os.utime(path, ns=(1, 1))
    assert states(slides, out, saved) == ["done"] * 3


def test_what_was_made_otherwise_is_refused_in_words(slides: Path, out: Path, saved: Path, tmp_path: Path) -> None:
    segment_folder(slides, out, saved, QUICK)
    with pytest.raises(InputError, match=r"a_labels.tif exists already: it was made with steps = 1 \(now 3\)"):
        segment_folder(slides, out, saved, QUICK.replace(steps=3))
    other = save_model(make_tiny_model(2), tmp_path / "other.safetensors", "# Another card\n")
    with pytest.raises(InputError, match="made with another model, 'tiny-2d'"):
        segment_folder(slides, out, other, QUICK)
    save_picture(slides / "b.png", make_ramp((21, 30, 3)) + 1)
    with pytest.raises(InputError, match=r"b_labels.tif exists already: it was made of another image than .*b.png"):
        segment_folder(slides, out, saved, QUICK)
    assert states(slides, out, saved, overwrite=True) == ["done", "waiting", "done"]


def test_an_output_that_was_edited_is_not_lost(slides: Path, out: Path, saved: Path) -> None:
    segment_folder(slides, out, saved, QUICK)
    tifffile.imwrite(out / "c_labels.tif", np.full((22, 30), 7, np.uint8))
    with pytest.raises(InputError, match=r"c_labels.tif exists already: it was changed .* give --overwrite"):
        segment_folder(slides, out, saved, QUICK)
    assert tifffile.imread(out / "c_labels.tif").max() == 7
    assert segment_folder(slides, out, saved, QUICK, overwrite=True).count("done") == 1
    assert tifffile.imread(out / "c_labels.tif").max() <= 1


def test_another_kind_is_added_and_the_rest_is_known_still(slides: Path, out: Path, saved: Path) -> None:
    segment_folder(slides, out, saved, QUICK, kinds=("labels", "sd", "mean"))
    (out / "a_labels.tif").unlink()
    assert states(slides, out, saved) == ["waiting", "done", "done"]
    segment_folder(slides, out, saved, QUICK)
    assert states(slides, out, saved, kinds=("labels", "sd", "mean")) == ["done"] * 3


def test_a_report_of_other_origin_is_not_replaced(slides: Path, out: Path, saved: Path) -> None:
    out.mkdir()
    (out / "report.csv").write_text("mine")
    with pytest.raises(InputError, match=r"report.csv exists already and is not ours"):
        segment_folder(slides, out, saved, QUICK)
    segment_folder(slides, out, saved, QUICK, overwrite=True)
    assert (out / "report.csv").read_text().startswith("image,state,uncertainty")


def test_the_report_names_failures_first_then_the_most_uncertain(slides: Path, out: Path, saved: Path) -> None:
    (slides / "broken.png").write_bytes(b"no picture")
    report = segment_folder(slides, out, saved, QUICK)
    assert [row.state for row in report.rows] == ["failed", "done", "done", "done"]
    assert "cannot be read" in report.failed[slides / "broken.png"]
    rows = list(csv.DictReader((out / "report.csv").read_text().splitlines()))
    assert Path(rows[0]["image"]).name == "broken.png"
    scores = [float(row["uncertainty"]) for row in rows[1:]]
    assert scores == sorted(scores, reverse=True)
    assert all(float(row["size foreground SD"]) > 0 for row in rows[1:])
    written = json.loads((out / "report.json").read_text())
    assert written["counts"] == {"done": 3, "earlier": 0, "failed": 1, "waiting": 0}
    settings = QUICK.replace(keep_mb=0)  # no masks were written
    assert written["settings"] == {**settings.model_dump(mode="json"), **PartConfig().model_dump(mode="json")}


def test_a_closed_run_leaves_a_report_and_goes_on_later(slides: Path, out: Path, saved: Path) -> None:
    run = run_batch(follow(plan_batch([slides], saved, out, QUICK)))
    next(update for update in run if update.state == "done")
    run.close()
    assert json.loads((out / "report.json").read_text())["counts"]["waiting"] == 2
    assert states(slides, out, saved) == ["done", "waiting", "waiting"]
    assert segment_folder(slides, out, saved, QUICK).count("done", "earlier") == 3


def test_numbers_of_a_result() -> None:
    dark = np.full((4, 5), 200)
    dark[:2, :3] = 0
    result = make_result("yx", dark, samples=3)
    summary = summarize(result, 1.25)
    assert (summary.seconds, summary.samples, summary.frames, summary.unit) == (1.25, 3, 1, "pixel")
    assert (summary.sizes, summary.sizes_sd) == ({"gland": 6}, {"gland": 0})
    assert summary.mean_sd == pytest.approx(1 / 4)
    assert summary.uncertainty == 0
    mean_of(result)[:, 0, 0] = 0.5
    # 5.5 of 6 expected inside and none outside: 1 - 2 * 5.5 / (6 + 5.5)
    assert summarize(result, 0).uncertainty == pytest.approx(1 - 11 / 11.5)


def test_fingerprint_of_a_folder_is_of_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "deep" / "0").write_bytes(b"12")
    found = Fingerprint.of(tmp_path / "a")
    assert found.size == 2
    (tmp_path / "a").rename(tmp_path / "b")
    assert found.matches(tmp_path / "b")
    (tmp_path / "b" / "deep" / "0").rename(tmp_path / "b" / "deep" / "1")
    os.utime(tmp_path / "b" / "deep" / "1", ns=(1, 1))
    assert not found.matches(tmp_path / "b")
    assert not found.matches(tmp_path / "a")


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2}', '{"format": 1, "image": "a"}'])
def test_a_record_that_cannot_be_understood_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert Record.read(tmp_path / "a.json") is None


@pytest.mark.parametrize("fault", ["file", "full"])
def test_a_folder_that_takes_nothing_is_found_before_anything_is_computed(
    slides: Path, tmp_path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    out = tmp_path / "file" / "out"
    if fault == "file":
        out.parent.write_text("no folder")
    else:

        def refuse(**_: object) -> None:
            raise OSError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    seen = list[Update]()
    reason = {"file": "Not a directory", "full": "Permission denied"}[fault]
    with pytest.raises(InputError, match=rf"out cannot be written \({reason}\); make room, or choose another folder"):
        segment_folder(slides, out, saved, QUICK, progress=seen.append)
    assert not seen


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_not_utf_8(slides: Path, out: Path, saved: Path) -> None:
    (slides / "a.png").rename(os.fsdecode(os.fsencode(slides) + b"/M\xfcller.png"))
    assert segment_folder(slides, out, saved, QUICK).count("done") == 3
    assert "M\\udcfcller.png,done" in (out / "report.csv").read_text(encoding="utf-8")
    assert segment_folder(slides, out, saved, QUICK).count("earlier") == 3


def test_storage_that_fails_for_a_moment_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("napari_ldseg.batch._retry.time.sleep", slept.append)
    errors = [OSError(errno.EIO, "Input/output error"), OSError(errno.ESTALE, "Stale file handle")]

    def read() -> str:
        if errors:
            raise InputError("the drive") from errors.pop()
        return "pixels"

    assert _patience.patiently(read) == "pixels"
    assert slept == [1, 5]

    def missing() -> None:
        raise InputError("gone") from OSError(errno.ENOENT, "No such file")

    with pytest.raises(InputError, match="gone"):
        _patience.patiently(missing)
    assert slept == [1, 5]


def test_command_line_resumes(run: Callable[..., Result], slides: Path, out: Path, saved: Path) -> None:
    command = ("segment", slides, "-m", saved, "-n", 1, "--steps", 1, "--out", out)
    assert run(*command).exit_code == 0
    (out / "a_sd.tif").unlink()
    result = run(*command)
    assert result.exit_code == 0
    assert "3 of 3 images" in result.output
    assert "(2 of them earlier)" in result.output


@pytest.fixture
def many(tmp_path: Path) -> Path:
    for index in range(40):
        save_picture(tmp_path / "many" / f"{index}.png", make_ramp((24, 24, 3)) + index)
    return tmp_path / "many"


def start(
    images: Path, model: Path, out: Path, *more: str, said: int = subprocess.DEVNULL
) -> "subprocess.Popen[bytes]":
    """The command line in a process, and a group, of its own, with the settings of `QUICK`."""
    code = "from napari_ldseg.cli import main; main()"
    settings = ("-n", "2", "--steps", "1", "--device", "cpu", *more)
    command = [sys.executable, "-c", code, "segment", str(images), "-m", str(model), *settings, "--out", str(out)]
    return subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)


def wait_for(process: "subprocess.Popen[bytes]", out: Path, number: int) -> None:
    """Wait until there are that many records, or the process has ended."""
    while process.poll() is None and len(list(out.glob(".napari-ldseg/*.json"))) < number:
        time.sleep(0.005)


@pytest.mark.slow
def test_killed_three_times_and_resumed_is_as_undisturbed(many: Path, tmp_path: Path, out: Path, saved: Path) -> None:
    for number in (5, 12, 25):
        process = start(many, saved, out)
        wait_for(process, out, number)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert segment_folder(many, out, saved, QUICK).count("earlier") >= 24
    segment_folder(many, tmp_path / "whole", saved, QUICK)
    names = sorted(path.name for path in (tmp_path / "whole").glob("*.tif"))
    assert names == sorted(path.name for path in out.glob("*.tif"))
    assert len(names) == 80
    for name in names:
        np.testing.assert_array_equal(tifffile.imread(out / name), tifffile.imread(tmp_path / "whole" / name))
    assert not list((out / ".napari-ldseg" / "partial").glob("*"))


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_a_report(many: Path, out: Path, saved: Path) -> None:
    process = start(many, saved, out)
    wait_for(process, out, 3)  # the last one that is seen may not be noted yet
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    counts = json.loads((out / "report.json").read_text())["counts"]
    assert counts["done"] >= 2
    assert counts["waiting"] >= 1
    assert counts["failed"] == 0


def test_the_example_of_the_documentation_runs(
    slides: Path, saved: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Path(napari_ldseg.__file__).parents[2] / "docs" / "batch.md"
    if not page.exists():
        pytest.skip("installed from a wheel: there are no pages around the package")
    code = page.read_text(encoding="utf-8").split("<!-- executed by test_batch.py -->\n```python\n")[1].split("```")[0]
    monkeypatch.chdir(slides.parent)
    exec(code.replace('"glas"', repr(str(saved))), {})
    assert capsys.readouterr().out.endswith(".png done\n")
    assert len(list((slides.parent / "results").glob("*.tif"))) == 6
