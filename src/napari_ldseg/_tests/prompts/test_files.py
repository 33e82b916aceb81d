"""Prompts from files, at the command line and in a batch."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import Result

from ...errors import InputError
from ...prompts import box, find_prompts, from_rows, line, point, polygon, read_prompts, to_rows
from ..builders import make_ramp, save_picture


def test_points_of_napari_and_shapes_of_qupath(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("index,axis-0,axis-1,class,radius\n0,3.0,4.0,gland,2\n1,5,6,0,\n")
    first, second = read_prompts(table, "yx")
    assert (first.label, first.radius, first.rings[0].tolist()) == ("gland", 2.0, [[3.0, 4.0]])
    assert (second.label, second.radius) == (0, None)
    square = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
    geometry = {"type": "Polygon", "coordinates": [square], "plane": {"t": 2, "z": 0}}
    feature = {"type": "Feature", "geometry": geometry, "properties": {"classification": {"name": "gland"}}}
    (tmp_path / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    (area,) = read_prompts(tmp_path / "a.geojson", "tyx")
    assert area.kind == "polygon"
    assert area.rings[0][1].tolist() == [2.0, -0.5, 3.5]  # t, y, x of the centre of pixels


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "index,axis-0,axis-1\n0,1,2\n", "a column 'class'"),
        ("a.csv", "index,axis-0,axis-1,class\n0,1,x,1\n", "Line 2"),
        ("a.csv", "index,axis-0,axis-1,class\n0,1,2,\n", "has no class"),
        ("a.geojson", "{", "cannot be read"),
        ("a.geojson", "{}", "no GeoJSON"),
        ("a.geojson", "[]", "holds no annotations"),
    ],
)
def test_bad_files_are_refused_in_words(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words):
        read_prompts(tmp_path / name, "yx")


def test_the_command_takes_prompts_and_keeps_them(tmp_path: Path, saved: Path, run: Callable[..., Result]) -> None:
    images, said, out = tmp_path / "in", tmp_path / "said", tmp_path / "out"
    for name in "ab":
        save_picture(images / f"{name}.png", make_ramp((32, 32, 3)))
    said.mkdir()
    array = np.full((32, 32), 255, np.uint8)
    array[3:6, 4:9] = 1
    tifffile.imwrite(said / "a_prompts.tif", array)
    options = ("-m", saved, "-o", out, "-n", 2, "--steps", 1, "--device", "cpu")
    ended = run("segment", images, *options, "--prompts", said)
    assert ended.exit_code == 0, ended.output
    assert (tifffile.imread(out / "a_labels.tif")[3:6, 4:9] == 1).all()
    assert (tifffile.imread(out / "a_sd.tif")[3:6, 4:9] == 0).all()
    np.testing.assert_array_equal(tifffile.imread(out / "a_prompts.tif"), array)
    assert not (out / "b_prompts.tif").exists()
    again = run("segment", images, *options)  # other prompts: nothing is replaced unasked
    assert again.exit_code == 2
    assert "prompts" in again.output
    with pytest.raises(InputError, match="one image, and there are 2"):
        find_prompts(said / "a_prompts.tif", [images / "a.png", images / "b.png"])


def test_all_kinds_become_dots_and_come_back(tmp_path: Path) -> None:
    square = [[1, 1, 1], [1, 1, 9], [1, 9, 9], [1, 9, 1]]
    hole = [[1, 3, 3], [1, 3, 6], [1, 6, 6]]
    said = [
        point((1, 3, 4), "gland", 2.5),
        line([(0, 1, 1), (0, 2, 5), (0, 7, 7)], 0, 1.5),
        box((0, 9, 4), (2, 3, 8), "gland"),
        box((1, 5, 5), (1, 5, 5), 1),
        polygon([square, hole], "gland"),
        point((1, 3, 5), "gland"),
    ]
    positions, columns = to_rows(said)
    again = from_rows(positions, columns)
    table = tmp_path / "a.csv"  # as napari writes a Points layer with these features
    names = ["index", "axis-0", "axis-1", "axis-2", *columns]
    lines = [[row, *at, *(cells[row] for cells in columns.values())] for row, at in enumerate(positions)]
    table.write_text("\n".join(",".join(map(str, each)) for each in [names, *lines]))
    for found in (again, list(read_prompts(table, "tyx"))):
        assert [each.kind for each in found] == [each.kind for each in said]
        assert [each.label for each in found] == [each.label for each in said]
        for one, other in zip(found, said, strict=True):
            assert one.radius == other.radius
            for mine, yours in zip(one.rings, other.rings, strict=True):
                wanted = np.sort(yours, axis=0) if one.kind == "box" else yours
                np.testing.assert_array_equal(mine, wanted)
