"""Annotations of QuPath, ImageJ and COCO, out and in, against the libraries of the other side."""

import gzip
import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roifile
import shapely
from numpy.typing import NDArray
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO

from ...annotations import Shape, bounds, found_classes, paint, read_drawn
from ...config import MeasureConfig
from ...errors import InputError
from ...measure import Measured
from ...reports import Report, geojson, write_report
from ..builders import make_disk, make_row, measured_to_end

NAMES = ("background", "gland", "nerve")


def make_report(labels: NDArray[Any], **changes: Any) -> Report:
    config = changes.pop("config", MeasureConfig(smallest=1))
    source = Measured(labels, changes.pop("ndim", 2), (0.5,) * 2)
    return Report(source, measured_to_end(source, config), config, "a.tif", "micrometer", NAMES, **changes)


def make_shapes() -> NDArray[np.uint8]:
    """A ring with an island in its hole, a spot of one pixel, a diagonal pair, and something at the edge."""
    labels = np.zeros((40, 60), np.uint8)
    labels[5:25, 5:25] = 1
    labels[9:21, 9:21] = 0
    labels[13:17, 13:17] = 2
    labels[30, 30] = 1
    labels[33, 33] = labels[34, 34] = 2
    labels[30:, 50:] = 1
    return labels


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def square(x: float, y: float, side: float) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(shapely.to_geojson(shapely.box(x, y, x + side, y + side)))
    return made


def write(path: Path, *features: Any) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.mark.parametrize("suffix", [".geojson", ".geojson.gz", ".zip", ".json"])
def test_what_goes_out_comes_in_again(tmp_path: Path, suffix: str) -> None:
    labels = make_shapes()
    path = tmp_path / f"a{suffix}"
    write_report(make_report(labels), path)
    found = paint(read_drawn(path, "a.tif"), labels.shape, "yx", NAMES)
    np.testing.assert_array_equal(found.labels, labels)
    assert found_classes(read_drawn(path)) == NAMES


def test_a_disk_lies_where_it_should() -> None:
    disk = make_disk(2, side=64, radius=20.0)
    (one,) = json.loads(geojson(make_report(disk)))["features"]
    outline = shapely.geometry.shape(one["geometry"])
    true = shapely.Point(32, 32).buffer(20.5, quad_segs=64)
    assert outline.is_valid
    assert shapely.hausdorff_distance(outline.exterior, true.exterior) < 1
    assert outline.intersection(true).area / outline.union(true).area > 0.94


def test_outlines_of_a_level_or_region_are_in_pixels_of_the_slide() -> None:
    labels = np.zeros((8, 8), np.uint8)
    labels[2:4, 4:6] = 1
    grid = {"start": [100.0, 200.0], "step": [4.0, 2.0]}
    (one,) = json.loads(geojson(make_report(labels, provenance={"grid": grid})))["features"]
    assert shapely.geometry.shape(one["geometry"]).bounds == (208, 108, 212, 116)


def test_objects_keep_their_uuid_until_they_change() -> None:
    first, second, again = make_row(), make_row(), make_row()
    second[2, 6] = 1
    ids = [[one["id"] for one in json.loads(geojson(make_report(each)))["features"]] for each in (first, second, again)]
    assert ids[0] == ids[2]
    assert ids[0][0] != ids[1][0]
    assert ids[0][1:] == ids[1][1:]
    assert {uuid.UUID(each).version for each in ids[0]} == {5}


def test_names_and_units_are_those_of_qupath() -> None:
    report = make_report(make_row(), config=MeasureConfig(smallest=1, qupath="detection"))
    one = json.loads(geojson(report))["features"][0]
    assert one["properties"]["objectType"] == "detection"
    assert one["properties"]["measurements"]["Area µm^2"] == 4
    assert "Perimeter µm" in one["properties"]["measurements"]


def test_what_qupath_writes_is_read(tmp_path: Path) -> None:
    """Lists and dictionaries of measurements, Java's colours, derived classes, planes, holes, MultiPolygons."""
    holed = {"type": "Polygon", "coordinates": [*square(2, 2, 10)["coordinates"], *square(5, 5, 3)["coordinates"]]}
    two = {"type": "MultiPolygon", "coordinates": [square(20, 2, 4)["coordinates"], square(30, 2, 4)["coordinates"]]}
    listed = [{"name": "Area µm^2", "value": 12.5}, {"name": "nan", "value": None}]
    path = write(
        tmp_path / "a.geojson",
        feature(holed, classification={"name": "Tumor", "colorRGB": -3670016}, measurements=listed),
        feature(
            two | {"plane": {"c": -1, "z": 1, "t": 0}},
            object_type="detection",
            classification={"names": ["Tumor", "Positive"], "color": [1, 2, 3]},
            measurements={"Area µm^2": 3},
        ),
        feature(square(50, 2, 4)),
        feature(None, name="nothing"),
    )
    first, second, third = read_drawn(path)
    assert (first.name, first.color, first.measurements) == ("Tumor", (200, 0, 0), {"Area µm^2": 12.5})
    assert (second.name, second.kind, second.plane) == ("Tumor: Positive", "detection", {"z": 1, "t": 0})
    assert (second.color, second.measurements, third.name) == ((1, 2, 3), {"Area µm^2": 3}, "")
    found = paint([first, second], (2, 20, 60), "zyx")
    assert found.class_names == ("background", "Tumor", "Tumor: Positive")
    assert (found.labels == 1).sum(axis=(1, 2)).tolist() == [100 - 9, 0]
    assert (found.labels == 2).sum(axis=(1, 2)).tolist() == [0, 32]


def test_what_nobody_annotated_is_unlabelled(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.geojson",
        feature(square(0, 0, 10)),
        feature(square(2, 2, 4), classification={"name": "gland"}),
        feature(square(6, 6, 4), classification={"name": "Ignore*"}),
    )
    found = paint(read_drawn(path), (20, 20), "yx", NAMES, rest=255).labels
    assert [np.count_nonzero(found == value) for value in (0, 1, 2, 255)] == [100 - 32, 16, 0, 300 + 16]
    only = paint([Shape(shapely.box(0, 0, 3, 3))], (5, 5), "yx")
    assert only.class_names == ("background", "foreground")
    assert only.labels.sum() == 9


def test_outlines_that_cross_themselves_are_mended(tmp_path: Path) -> None:
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [8, 8], [8, 0], [0, 8], [0, 0]]]}
    (one,) = read_drawn(write(tmp_path / "a.geojson", feature(bow)))
    assert one.geometry.is_valid
    assert one.geometry.area == 32


def test_rois_are_those_of_imagej(tmp_path: Path) -> None:
    write_report(make_report(make_shapes()), tmp_path / "a.zip")
    rois = roifile.roiread(tmp_path / "a.zip")
    assert isinstance(rois, list)
    assert [roi.name for roi in rois] == ["gland 1", "nerve 2", "gland 3", "gland 4", "nerve 5", "nerve 6"]
    assert rois[0].composite
    assert len(rois[0].coordinates(multi=True)) == 2
    assert "Area µm^2: " in rois[0].props
    assert (rois[0].z_position, rois[0].t_position) == (1, 1)
    oval = roifile.ImagejRoi()
    oval.roitype = roifile.ROI_TYPE.OVAL
    oval.left, oval.top, oval.right, oval.bottom, oval.position, oval.group = 4, 4, 24, 24, 3, 2
    oval.tofile(tmp_path / "b.roi")
    (one,) = read_drawn(tmp_path / "b.roi")
    assert (one.name, one.plane) == ("group 2", {"z": 2, "t": 2})
    assert one.geometry.area == pytest.approx(np.pi * 100, rel=0.02)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools 2.0.11 on numpy 2
def test_coco_is_what_pycocotools_reads(tmp_path: Path) -> None:
    labels = make_shapes()
    write_report(make_report(labels), tmp_path / "a.json")
    known = COCO(str(tmp_path / "a.json"))
    again = np.zeros_like(labels)
    for one in known.anns.values():
        mask = known.annToMask(one)
        again[mask == 1] = one["category_id"]
        assert mask.sum() == one["area"]
        assert coco_masks.toBbox(known.annToRLE(one)).tolist() == one["bbox"]
    np.testing.assert_array_equal(again, labels)
    assert {each["name"] for each in known.cats.values()} == {"gland", "nerve"}


def test_compressed_run_lengths_and_polygons_of_coco_are_read(tmp_path: Path) -> None:
    mask = np.zeros((400, 300), np.uint8)
    mask[20:380:3, 50:290] = 1
    packed = coco_masks.encode(np.asfortranarray(mask))
    ring = [[10.0, 10.0, 14.0, 10.0, 14.0, 14.0, 10.0, 14.0]]
    found = {
        "images": [{"id": 7, "file_name": "x/a.png", "height": 400, "width": 300}, {"id": 8, "file_name": "b.png"}],
        "categories": [{"id": 3, "name": "gland"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 7,
                "category_id": 3,
                "segmentation": {"size": [400, 300], "counts": packed["counts"].decode()},
            },
            {"id": 2, "image_id": 8, "category_id": 3, "segmentation": ring},
        ],
    }
    path = tmp_path / "all.json"
    path.write_text(json.dumps(found))
    np.testing.assert_array_equal(paint(read_drawn(path, "a.tif"), mask.shape, "yx").labels, mask)
    assert paint(read_drawn(path, "b.png"), (20, 20), "yx").labels.sum() == 16
    with pytest.raises(InputError, match=r"no annotations of c.png; it knows b.png, x/a.png"):
        read_drawn(path, "c.png")


def test_the_box_around_areas() -> None:
    shapes = [Shape(shapely.box(2.5, 3, 7, 9)), Shape(shapely.box(10, 5, 99, 6)), Shape(shapely.Point(0, 0))]
    assert bounds(shapes, (20, 30), "a") == (slice(3, 9), slice(2, 30))
    with pytest.raises(InputError, match="outside of the image"):
        bounds([Shape(shapely.box(40, 0, 50, 5))], (20, 30), "a")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.geojson", b"{", "cannot be read as GeoJSON"),
        ("a.geojson", b'{"type": "FeatureCollection", "features": []}', "holds no annotations"),
        ("a.geojson", b'{"a": 1}', "no GeoJSON"),
        ("a.geojson", b'[{"type": "Feature", "geometry": {"type": "Circle", "coordinates": []}}]', "Object 1"),
        ("a.geojson.gz", b"no gzip", "cannot be read as GeoJSON"),
        ("a.geojson.gz", gzip.compress(b"[" * 9), "cannot be read as GeoJSON"),
        ("a.json", b'{"images": [], "annotations": [{}]}', "cannot be read as COCO|holds no annotations of"),
        ("a.zip", b"PK", "ImageJ ROIs"),
        ("a.roi", b"Iout", "ImageJ ROIs"),
        ("a.svg", b"", "can be read"),
    ],
)
def test_bad_files_are_refused_in_words(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_drawn(tmp_path / name)


def test_annotations_of_other_images_and_classes_are_refused() -> None:
    with pytest.raises(InputError, match="known are background, gland, nerve"):
        paint([Shape(shapely.box(0, 0, 3, 3), "bone")], (9, 9), "yx", NAMES)
    with pytest.raises(InputError, match="covers a pixel"):
        paint([Shape(shapely.box(20, 0, 30, 3))], (9, 9), "yx")
    with pytest.raises(InputError, match="lies in z = 4"):
        paint([Shape(shapely.box(0, 0, 3, 3), plane={"z": 4})], (2, 9, 9), "zyx")
