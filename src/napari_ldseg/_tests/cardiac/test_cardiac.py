"""Volumes and ejection fraction: against solids that have a formula, phantoms, and CAMUS."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import Result

from ..._util import follow
from ...cardiac import (
    Cardiac,
    Curve,
    area_length,
    disk_summation,
    find_phases,
    judge,
    measure_cardiac,
    measure_ventricle,
)
from ...config import CardiacConfig
from ...data import write_image
from ...errors import InputError
from ...measure import Measured, SampleMasks
from ...phantoms import echo_cine
from ..shared import SHARED, needs


def half_ellipse(
    width: float = 20, length: float = 80, spacing: tuple[float, float] = (1, 1), tilt: float = 0.0
) -> NDArray[np.uint8]:
    """Half of an ellipse (mm) that stands on its mitral plane, in a wall of 8 mm, the atrium below; apex on top."""
    y, x = np.mgrid[0 : 140 / spacing[0], 0 : 120 / spacing[1]]
    y, x = (y + 0.5) * spacing[0] - 95, (x + 0.5) * spacing[1] - 60
    up, across = -(y * math.cos(tilt) + x * math.sin(tilt)), x * math.cos(tilt) - y * math.sin(tilt)
    labels = np.zeros(y.shape, np.uint8)
    labels[(up > 0) & ((up / (length + 8)) ** 2 + (across / (width + 8)) ** 2 < 1)] = 2
    labels[(up > 0) & ((up / length) ** 2 + (across / width) ** 2 < 1)] = 1
    labels[(up <= 0) & ((up / 30) ** 2 + (across / width) ** 2 < 1)] = 3
    return labels


def test_the_formulas_by_hand() -> None:
    assert disk_summation(np.full(20, 2.0), np.full(20, 4.0), 20) == pytest.approx(math.pi / 4 * 20 * 8)
    assert area_length(3 * math.pi, 2) == pytest.approx(12 * math.pi)


@pytest.mark.parametrize("spacing", [(0.5, 0.5), (0.4, 0.8)])
@pytest.mark.parametrize("tilt", [0.0, 0.4])
def test_half_an_ellipsoid_by_both_methods(spacing: tuple[float, float], tilt: float) -> None:
    found = measure_ventricle(half_ellipse(spacing=spacing, tilt=tilt), spacing)
    truth = 2 / 3 * math.pi * 20**2 * 80
    assert found.area == pytest.approx(math.pi / 4 * 40 * 80, rel=0.01)
    assert found.length == pytest.approx(80, rel=0.01)
    assert area_length(found.area, found.length) == pytest.approx(truth, rel=0.02)
    assert disk_summation(found.diameters, found.diameters, found.length) == pytest.approx(truth, rel=0.02)
    assert found.atrium_area == pytest.approx(math.pi / 2 * 20 * 30, rel=0.02)


def test_the_mitral_plane_is_found_by_atrium_or_muscle_or_shape() -> None:
    labels = half_ellipse()
    bases = [
        measure_ventricle(shown, (1, 1)).base for shown in (labels, labels * (labels < 3), (labels == 1).astype(int))
    ]
    for base in bases:
        assert base == pytest.approx((94.5, 59.5), abs=1.5)


def test_a_piece_beside_the_ventricle_changes_nothing() -> None:
    labels = half_ellipse()
    clean = measure_ventricle(labels, (1, 1))
    labels[2:8, 2:8] = 1
    assert measure_ventricle(labels, (1, 1)).length == clean.length
    assert measure_ventricle(labels, (1, 1)).area == clean.area


def cine(widths: list[float], samples: list[float] | None = None) -> Measured:
    """Half ellipses of these half-widths; each sample is wider by its factor throughout."""
    labels = np.stack([half_ellipse(width) for width in widths])
    masks = None
    if samples:
        drawn = [[half_ellipse(width * factor) for factor in samples] for width in widths]
        masks = SampleMasks(np.array(drawn), labels.shape[1:])
    return Measured(labels, 2, (1.0, 1.0), masks)


def test_ejection_fraction_of_a_beat() -> None:
    found = follow(measure_cardiac(cine([25, 22, 18, 15, 20, 24])))
    assert (found.ed, found.es, found.calibrated, found.biplane) == (0, 3, True, False)
    assert found.ejection_fraction.value == pytest.approx(1 - (15 / 25) ** 2, abs=0.01)
    assert found.end_diastolic_volume.value == pytest.approx(2 / 3 * math.pi * 25**2 * 80 / 1000, rel=0.02)
    np.testing.assert_allclose(
        found.lv_area.values, np.pi / 4 * 2 * np.array([25, 22, 18, 15, 20, 24]) * 0.8, rtol=0.02
    )
    assert math.isnan(found.ejection_fraction.low)
    moved = found.at(1, 2)
    assert moved.ejection_fraction.value == pytest.approx(1 - (18 / 22) ** 2, abs=0.01)
    with pytest.raises(InputError, match="0 to 5"):
        found.at(0, 6)


def test_samples_are_paired_so_that_a_common_error_cancels() -> None:
    found = follow(measure_cardiac(cine([25, 15], [0.9, 1.0, 1.1])))
    volume, fraction = found.end_diastolic_volume, found.ejection_fraction
    assert volume.high / volume.low == pytest.approx((1.1 / 0.9) ** 2, rel=0.06)
    assert fraction.high - fraction.low < 0.02
    assert fraction.low <= 1 - (15 / 25) ** 2 + 0.01
    assert found.volume.samples.shape == (3, 2)
    assert (found.lv_area.low < found.lv_area.values).all()
    assert (found.lv_area.values < found.lv_area.high).all()


def test_the_interval_of_the_fraction_is_widened_about_its_value() -> None:
    beat = Measured(cine([25, 15], [0.9, 1.0, 1.1]).labels, 2, (1.0, 1.0), cine([25, 15], [0.9, 1.0, 1.1]).masks)
    own, wide = (
        follow(measure_cardiac(beat, config=CardiacConfig(widen=factor))).ejection_fraction for factor in (1.0, 3.0)
    )
    assert (wide.value, wide.sd) == (own.value, own.sd)
    assert wide.value - wide.low == pytest.approx(3 * (own.value - own.low))
    assert wide.high - wide.value == pytest.approx(3 * (own.high - own.value))


def test_without_a_pixel_size_the_fraction_holds() -> None:
    bare = Measured(cine([25, 15]).labels, 2)
    found = follow(measure_cardiac(bare))
    assert not found.calibrated
    assert found.ejection_fraction.value == pytest.approx(0.64, abs=0.01)


def test_phases_are_not_led_astray_by_one_bad_frame() -> None:
    assert find_phases(np.array([9, 10, 9, 7, 5, 4, 5, 7, 1, 9.0])) == (1, 5)
    assert find_phases(np.array([9, math.nan, 4, 8.0])) == (0, 2)


@pytest.mark.parametrize("seed", [1, 2])
def test_phantoms_biplane(seed: int) -> None:
    pair = [echo_cine(seed, frames=2, view=view) for view in ("4ch", "2ch")]
    views = [Measured(one.labels, 2, one.image.spacing) for one in pair]
    found = follow(measure_cardiac(*views))
    assert found.end_diastolic_volume.value == pytest.approx(pair[0].lv_volumes[0], rel=0.04)
    assert found.end_systolic_volume.value == pytest.approx(pair[0].lv_volumes[1], rel=0.04)
    assert found.ejection_fraction.value == pytest.approx(pair[0].ejection_fraction, abs=0.01)


def test_views_of_different_length_are_aligned() -> None:
    found = follow(measure_cardiac(cine([25, 20, 15]), cine([25, 22, 20, 18, 15])))
    same = follow(measure_cardiac(cine([25, 20, 15])))
    np.testing.assert_allclose(found.volume.values, same.volume.values)
    assert found.biplane


def test_what_is_no_cine_is_refused() -> None:
    with pytest.raises(InputError, match=r"class 1.*choose labels"):
        follow(measure_cardiac(Measured(np.zeros((2, 30, 30), np.uint8), 2)))
    with pytest.raises(InputError, match="no cine of one view"):
        follow(measure_cardiac(Measured(np.zeros((2, 2, 30, 30), np.uint8), 2)))


def write_cine(folder: Path) -> Path:
    source = cine([25, 15], [0.9, 1.0, 1.1])
    options: dict[str, Any] = {"spacing": (1.0, 1.0), "unit": "millimeter", "metadata": {"model": "fake"}}
    write_image(folder / "a_labels.tif", source.labels, "tyx", **options)
    assert source.masks is not None
    write_image(folder / "a_samples.tif", source.masks.array, "tpyx", **options)
    return folder / "a_labels.tif"


def test_command_line(run: Callable[..., Result], tmp_path: Path) -> None:
    labels, out = write_cine(tmp_path), tmp_path / "out"
    done = run("cardiac", labels, "--out", out)
    assert done.exit_code == 0, done.output
    assert "EF 64 % (64 to 6" in done.output
    summary = json.loads((out / "a_labels_cardiac.json").read_text())
    assert summary["ejection fraction (%)"]["value"] == pytest.approx(64, abs=1)
    assert summary["end-diastolic volume (ml)"]["low"] < summary["end-diastolic volume (ml)"]["value"]
    assert (summary["samples"], summary["provenance"]["a_labels.tif"]["model"]) == (3, "fake")
    lines = (out / "a_labels_cardiac.csv").read_text().splitlines()
    assert lines[0].startswith("frame,phase,LV area (cm^2),LV area (cm^2) low")
    assert [line.split(",")[:2] for line in lines[1:]] == [["0", "ED"], ["1", "ES"]]
    assert "exists already" in run("cardiac", labels, "--out", out).output
    again = run("cardiac", labels, labels, "--out", out, "--overwrite", "--ed", 1, "--es", 0)
    assert "EF -1" in again.output
    assert json.loads((out / "a_labels_cardiac.json").read_text())["method"] == "biplane simpson"
    assert "0 to 1" in run("cardiac", labels, "--out", out, "--overwrite", "--ed", 7).output


def write_like_camus(folder: Path) -> Path:
    """Two patients laid out as those of CAMUS: half ellipsoids with three different axes, and their true volumes."""
    sitk = pytest.importorskip("SimpleITK")
    spacing = (0.154, 0.308)
    for number, shrink in ((1, 1.0), (2, 0.85)):
        patient = folder / f"patient000{number}"
        patient.mkdir(parents=True)
        volumes = {}
        for at, (wide, narrow, length) in {"ED": (24.0, 20.0, 84.0), "ES": (17.0, 14.0, 70.0)}.items():
            wide, narrow = wide * shrink, narrow * shrink
            volumes[at] = 2 / 3 * math.pi * wide * narrow * length / 1000
            for view, width in (("4CH", wide), ("2CH", narrow)):
                mask = sitk.GetImageFromArray(half_ellipse(width, length, spacing)[None])
                mask.SetSpacing((*spacing[::-1], 1.54))
                sitk.WriteImage(mask, str(patient / f"{patient.name}_{view}_{at}_gt.mhd"))
        fraction = 100 * (1 - volumes["ES"] / volumes["ED"])
        text = f"ED: 1\nES: 20\nLVedv: {volumes['ED']}\nLVesv: {volumes['ES']}\nLVef: {fraction}\n"
        (patient / "Info_4CH.cfg").write_text(text)
    return folder


@pytest.mark.parametrize(
    "camus", [None, pytest.param(SHARED / "data/camus", marks=needs("data/camus"))], ids=["small", "CAMUS"]
)
def test_camus_volumes_by_biplane_disks(tmp_path: Path, camus: Path | None) -> None:
    sitk = pytest.importorskip("SimpleITK")
    for patient in sorted((camus or write_like_camus(tmp_path)).iterdir()):
        views = []
        for view in ("4CH", "2CH"):
            masks = [sitk.ReadImage(str(patient / f"{patient.name}_{view}_{at}_gt.mhd")) for at in ("ED", "ES")]
            labels = np.concatenate([sitk.GetArrayFromImage(mask) for mask in masks])
            views.append(Measured(labels, 2, masks[0].GetSpacing()[1::-1]))
        info = dict(line.split(": ", 1) for line in (patient / "Info_4CH.cfg").read_text().splitlines())
        found: Cardiac = follow(measure_cardiac(*views, config=CardiacConfig()))
        assert found.end_diastolic_volume.value == pytest.approx(float(info["LVedv"]), abs=1.5)
        assert found.end_systolic_volume.value == pytest.approx(float(info["LVesv"]), abs=1.5)
        assert 100 * found.ejection_fraction.value == pytest.approx(float(info["LVef"]), abs=0.5)


@pytest.mark.parametrize(
    ("scores", "light"),
    [
        ([0.1, 0.9, 0.1, 0.1, 0.1], "green"),
        ([0.3, 0.1, 0.1, 0.1, 0.1], "amber"),
        ([0.1, 0.1, 0.1, 0.6, 0.1], "red"),
        ([0.1] * 4, "unknown"),
        ([], "unknown"),
    ],
)
def test_the_light_is_that_of_the_frames_that_count(scores: list[float], light: str) -> None:
    """Frame 0 is end-diastole, and frame 3 end-systole."""
    curve = Curve(np.ones(5), np.ones((0, 5)), np.ones(5), np.ones(5))
    found = Cardiac(curve, curve, curve, np.ones(5), 0, 3, True, False, CardiacConfig())
    assert judge(found, {"ood_scores": scores, "ood_limits": [0.2, 0.5]}).light == light
    assert judge(found, {"ood_scores": scores}).light == "unknown"


def test_the_worse_view_gives_the_light() -> None:
    curve = Curve(np.ones(5), np.ones((0, 5)), np.ones(5), np.ones(5))
    found = Cardiac(curve, curve, curve, np.ones(5), 0, 4, True, True, CardiacConfig())
    good = {"ood_scores": [0.1] * 5, "ood_limits": [0.2, 0.5]}
    bad = {"ood_scores": [0.1, 0.1, 0.9], "ood_limits": [0.2, 0.5]}  # its last frame is matched to the last one
    assert judge(found, good, bad).light == "red"
    assert judge(found, good, {}).light == "unknown"
    assert judge(found, bad, {}).light == "red"
    np.testing.assert_allclose(judge(found, good, bad).scores, [0.1, 0.1, 0.1, 0.9, 0.9])
