"""CSV, GeoJSON and the page, and measuring files from the command line."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from typer.testing import CliRunner

from ... import Image, MeasureConfig, SegmentConfig, save_model, segment
from ..._util import follow, write_text
from ...annotations import read_drawn, rings
from ...batch._outputs import Task, write_outputs
from ...cardiac import read_cardiac
from ...cli import _app as cli
from ...data import read_image, write_image
from ...errors import InputError
from ...measure import Measured, SampleMasks
from ...networks import LDSeg
from ...reports import Report, csv_text, geojson, name_cores, page, read_report, table, unit_symbol, write_report
from ..builders import make_ramp, make_row, measured_to_end, save_picture

CONFIG = MeasureConfig(smallest=1)


def make_report(labels: Any = None, ndim: int = 2, **changes: Any) -> Report:
    labels = make_row() if labels is None else labels
    samples = SampleMasks(np.stack([labels, labels * (labels != 2)], axis=labels.ndim - ndim), labels.shape[-ndim:])
    source = Measured(labels, ndim, (0.5,) * ndim, samples, np.full(labels.shape, 0.1, np.float32))
    found = measured_to_end(source, CONFIG)
    names = ("background", "gland", "nerve <x>")
    return Report(source, found, CONFIG, "slide <1>", "micrometer", names, **changes)


def run(*arguments: object) -> Any:
    return CliRunner(env={"COLUMNS": "400", "TERM": "dumb"}).invoke(cli.app, [str(each) for each in arguments])


def test_the_table_has_a_row_for_each_object_with_units_and_error_bars() -> None:
    found = table(make_report())
    row = dict(zip(found.columns, found.rows[0], strict=True))
    assert (row["object"], row["class"], row["y"], row["x"]) == (1, "gland", 3, 3)
    assert (row["area (micrometer^2)"], row["area SD"], row["area low"], row["existence"]) == (4, 0, 4, 1)
    assert found.rows[2][found.columns.index("existence")] == 0.5
    assert "perimeter (micrometer)" in found.columns
    assert "soft Dice" not in found.columns  # there is no mean map


def test_the_csv_can_be_read_and_holds_no_nan() -> None:
    text = csv_text(table(make_report(states={2: "accepted"})))
    assert "nan" not in text
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["review"] for row in rows] == ["to do", "accepted", "to do"]
    assert rows[2]["class"] == "nerve <x>"
    assert float(rows[1]["area (micrometer^2)"]) == 6


def test_rings_run_along_the_outline_and_around_holes() -> None:
    mask = np.ones((6, 8), bool)
    mask[2:4, 3:5] = False
    outline, hole = rings(mask, (10, 20))
    for ring, box, sign in ((outline, (20, 10, 28, 16), 1), (hole, (23, 12, 25, 14), -1)):
        x, y = np.array(ring).T
        assert (x.min(), y.min(), x.max(), y.max()) == box
        assert ring[0] == ring[-1]
        area = np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2
        assert area == pytest.approx(sign * (box[2] - box[0]) * (box[3] - box[1]), abs=0.51)


def test_geojson_is_what_qupath_reads() -> None:
    found = json.loads(geojson(make_report()))
    assert found["type"] == "FeatureCollection"
    first = found["features"][0]
    assert first["geometry"]["type"] == "Polygon"
    assert first["geometry"]["plane"] == {"c": -1, "z": 0, "t": 0}
    assert first["properties"]["objectType"] == "annotation"
    assert first["properties"]["classification"]["name"] == "gland"
    assert len(first["properties"]["classification"]["color"]) == 3
    assert first["properties"]["measurements"]["Area µm^2"] == 4


def test_geojson_of_volumes_and_sequences_names_the_plane() -> None:
    stack = np.stack([np.zeros_like(make_row()), make_row()])
    volume = json.loads(geojson(make_report(stack, 3)))
    frames = json.loads(geojson(make_report(stack, 2)))
    assert [one["geometry"]["plane"]["z"] for one in volume["features"]] == [1, 1, 1]
    assert [one["geometry"]["plane"]["t"] for one in frames["features"]] == [1, 1, 1]


def test_a_slice_in_two_pieces_is_one_feature() -> None:
    arch = np.zeros((3, 5, 7), np.uint8)
    arch[0, 2, 1:6] = 1
    arch[1, 2, [1, 5]] = 1
    found = json.loads(geojson(make_report(arch, 3)))["features"]
    assert [one["geometry"]["type"] for one in found] == ["Polygon", "MultiPolygon"]


def test_the_page_shows_pictures_numbers_and_where_they_come_from() -> None:
    text = page(make_report(provenance={"model": "glas", "seed": 3}))
    assert text.count("data:image/png;base64,") == 2
    for words in (
        "slide &lt;1&gt;",
        "nerve &lt;x&gt;",
        "3 objects, 2 samples",
        "Expected objects",
        "&quot;seed&quot;: 3",
    ):
        assert words in text
    assert "<x>" not in text
    assert ">nan<" not in text


def test_pages_of_volumes_and_of_nothing_can_be_made() -> None:
    stack = np.stack([np.zeros_like(make_row()), make_row()])
    assert "plane 1" in page(make_report(stack, 3))
    assert "0 objects" in page(make_report(np.zeros((8, 9), np.uint8)))


def test_units_have_symbols() -> None:
    assert [unit_symbol("micrometer", 2), unit_symbol("pixel", 3), unit_symbol("furlong")] == ["µm²", "px³", "furlong"]


def test_a_report_is_written_by_its_suffix(tmp_path: Path) -> None:
    report = make_report()
    for suffix in (".csv", ".geojson", ".html"):
        write_report(report, tmp_path / f"new folder/a{suffix}")
    assert len(list((tmp_path / "new folder").iterdir())) == 3
    with pytest.raises(InputError, match=r"ends in one of .csv, .geojson.gz, .geojson, .html, .json, .zip"):
        write_report(report, tmp_path / "a.pdf")


def test_a_disk_that_refuses_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        write_text(tmp_path / "file" / "a.csv", "x")


# --- files --------------------------------------------------------------------------------------------------------


@pytest.fixture
def results(tmp_path: Path, tiny_model_2d: LDSeg) -> Path:
    """What `segment --keep-mb` writes of a picture."""
    write_image(tmp_path / "a.tif", make_ramp((20, 30)), "yx", spacing=(0.5, 0.25), unit="micrometer", metadata={})
    model = save_model(tiny_model_2d, tmp_path / "model.safetensors")
    done = run(
        "segment", tmp_path / "a.tif", "-m", model, "-n", 4, "--steps", 2, "--keep-mb", 1, "-o", tmp_path / "out"
    )
    assert done.exit_code == 0, done.output
    return tmp_path / "out"


def test_segment_writes_samples_and_measure_finds_them(results: Path, tmp_path: Path) -> None:
    written = read_image(results / "a_samples.tif")
    assert written.array.shape == (4, 32, 32)
    assert written.spacing == pytest.approx((0.5 * 20 / 32, 0.25 * 30 / 32))
    report = read_report(results / "a_labels.tif", image=tmp_path / "a.tif", config=CONFIG)
    assert report.source.masks is not None
    assert (report.source.masks.count, report.unit, report.name) == (4, "micrometer", "a.tif")
    assert report.provenance["model"] == "tiny-2d"
    done = run("measure", results / "a_labels.tif", "--image", tmp_path / "a.tif", "--out", tmp_path / "measured")
    assert done.exit_code == 0, done.output
    assert sorted(path.suffix for path in (tmp_path / "measured").iterdir()) == [".csv", ".geojson", ".html"]
    assert "objects measured into" in done.output
    again = run("measure", results / "a_labels.tif", "--out", tmp_path / "measured")
    assert again.exit_code == 2
    assert "give --overwrite" in again.output


def test_slices_that_a_flat_model_saw_are_frames(tmp_path: Path, tiny_model_2d: LDSeg) -> None:
    """They were refused when the stack had a pixel size: two numbers for three axes."""
    stack = make_ramp((3, 20, 30))
    write_image(tmp_path / "a.tif", stack, "zyx", spacing=(2, 1, 1), unit="micrometer", metadata={})
    model = save_model(tiny_model_2d, tmp_path / "model.safetensors")
    command = ("-m", model, "-n", 2, "--steps", 1, "--keep-mb", 1, "--mean", "-o", tmp_path)
    done = run("segment", tmp_path / "a.tif", *command)
    assert done.exit_code == 0, done.output
    report = read_report(tmp_path / "a_labels.tif", config=CONFIG)
    assert (report.source.ndim, report.source.labels.shape, report.source.spacing) == (2, (3, 20, 30), (1, 1))
    assert report.source.mean is not None
    assert report.source.mean.shape == (3, 2, 20, 30)
    assert report.source.masks is not None
    assert report.source.masks.array.shape == (3, 2, 32, 32)


def test_results_in_ome_zarr_are_measured_as_any_other(tmp_path: Path) -> None:
    """The page could not be made, SD and samples beside them were not seen, and channels first were refused."""
    labels = make_row()
    colours = make_ramp((3, *labels.shape), np.float32)
    maps: dict[str, tuple[Any, str]] = {
        "a_labels": (labels, "yx"),
        "a_sd": (np.full(labels.shape, 0.25, np.float32), "yx"),
        "a_mean": (np.stack([labels == value for value in range(3)]).astype(np.float32), "cyx"),
        "a_samples": (np.stack([labels, labels * (labels != 2)]), "pyx"),
        "image": (colours, "cyx"),
    }
    for name, (array, axes) in maps.items():
        write_image(tmp_path / f"{name}.ome.zarr", array, axes, spacing=(2, 2), unit="micrometer", metadata={})
    done = run(
        *("measure", tmp_path / "a_labels.ome.zarr", "--image", tmp_path / "image.ome.zarr"),
        *("--smallest", 1, "--out", tmp_path / "out"),
    )
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"a_labels.{suffix}" for suffix in ("csv", "geojson", "html")
    ]
    rows = list(csv.DictReader((tmp_path / "out" / "a_labels.csv").read_text().splitlines()))
    found = [[float(row[name]) for name in ("existence", "mean SD", "area (micrometer^2)")] for row in rows]
    assert found == [[1, 0.25, 64], [1, 0.25, 96], [0.5, 0.25, 4]]
    report = read_report(tmp_path / "a_labels.ome.zarr", image=tmp_path / "image.ome.zarr", config=CONFIG)
    assert report.source.image is not None
    np.testing.assert_array_equal(report.source.image, np.moveaxis(colours, 0, -1))
    parts = (report.source.labels, report.source.sd, report.source.mean, report.source.image)
    assert [type(part) for part in parts] == [np.ndarray] * 4


@pytest.mark.parametrize("samples", [2, 3])
def test_samples_of_a_stack_in_ome_zarr_are_not_transposed(tmp_path: Path, samples: int) -> None:
    """They were read as the samples of other slices, where there are as many samples as slices."""
    stack = np.stack([np.zeros_like(make_row()), make_row(), make_row()])
    options: dict[str, Any] = {"spacing": None, "unit": "pixel", "metadata": {}}
    write_image(tmp_path / "a_labels.zarr", stack, "syx", **options)
    write_image(tmp_path / "a_samples.zarr", np.stack([stack] * samples, axis=1), "spyx", **options)
    report = read_report(tmp_path / "a_labels.zarr", config=CONFIG)
    assert [one.existence for one in report.measurements] == [1.0] * 6


def test_a_cine_in_ome_zarr_is_measured(tmp_path: Path) -> None:
    frames = np.zeros((2, 40, 40), np.uint8)
    frames[0, 5:35, 10:30] = frames[1, 8:32, 13:27] = 1
    options: dict[str, Any] = {"spacing": (1.0, 1.0), "unit": "millimeter", "metadata": {}}
    fractions = []
    for suffix in (".tif", ".zarr"):
        write_image(tmp_path / f"a_labels{suffix}", frames, "tyx", **options)
        write_image(tmp_path / f"a_samples{suffix}", np.stack([frames] * 3, axis=1), "tpyx", **options)
        found = read_cardiac(tmp_path / f"a_labels{suffix}")
        fractions.append((found.ejection_fraction.value, len(found.volume.samples)))
    assert fractions[0] == fractions[1]
    assert fractions[0][1] == 3


def test_samples_of_another_image_are_refused(results: Path, tmp_path: Path) -> None:
    save_picture(tmp_path / "b.png", make_row())
    done = run("measure", results / "a_labels.tif", "--samples", tmp_path / "b.png", "--out", tmp_path / "x")
    assert done.exit_code == 2
    assert "written with the labels" in done.output
    done = run("measure", tmp_path / "b.png", results / "a_labels.tif", "--sd", tmp_path / "b.png", "-o", tmp_path)
    assert "one by one" in done.output


def test_a_memory_too_small_for_one_sample_is_said(tmp_path: Path, tiny_model_2d: LDSeg) -> None:
    picture = Image(make_ramp((8, 8)), "yx")
    result = follow(segment(tiny_model_2d, picture, SegmentConfig(samples=1, steps=1, keep_mb=0)))
    with pytest.raises(InputError, match=r"not one sample of this image fits.*raise it"):
        write_outputs(result, Task(tmp_path / "a.tif", {"samples": tmp_path / "a_samples.tif"}))


def core(name: str, box: tuple[float, float, float, float], kind: str = "tma_core") -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": json.loads(shapely.to_geojson(shapely.box(*box))),
        "properties": {"objectType": kind, "name": name},
    }


def test_objects_are_named_by_their_core(tmp_path: Path) -> None:
    """Two objects of a level of half the size, at (3, 4) to (5, 6) and (10, 12), in a slide of 40 x 40."""
    labels = np.zeros((20, 20), np.uint8)
    labels[3:6, 4:7] = labels[10, 12] = labels[18, 18] = 1
    report = make_report(labels, provenance={"grid": {"start": [0, 0], "step": [2, 2]}})
    path = tmp_path / "cores.geojson"
    features = [core("A-1", (8, 6, 14, 12)), core("A-2", (24, 20, 26, 22)), core("", (0, 0, 40, 40), "annotation")]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    named = name_cores(report, read_drawn(path))
    found = table(named)
    assert [row[found.columns.index("core")] for row in found.rows] == ["A-1", "A-2", ""]
    metadata = [each["properties"]["metadata"] for each in json.loads(geojson(named))["features"]]
    assert [each["core"] for each in metadata] == ["A-1", "A-2", ""]
    assert "core" not in table(report).columns
    with pytest.raises(InputError, match="no TMA cores"):
        name_cores(report, read_drawn(path)[2:])
