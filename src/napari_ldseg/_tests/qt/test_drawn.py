"""Annotations of other programs in the viewer: as shapes, and as labels for a training set."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from ..._qt.plugin import _readers
from ..._qt.plugin._readers import get_reader
from ..._qt.training_set._add_form import AddForm
from ..._qt.training_set._picker import SetPicker
from ...datasets import TrainingSet
from ..builders import make_ramp


def write_squares(path: Path) -> Path:
    features = [
        {
            "type": "Feature",
            "geometry": json.loads(shapely.to_geojson(shapely.box(x, 2, x + 4, 6))),
            "properties": {"classification": {"name": name, "color": [255, 0, 0]}},
        }
        for x, name in ((2, "gland"), (10, "nerve"), (20, "background"))
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_outlines_open_where_the_image_lies(tmp_path: Path, monkeypatch: Any) -> None:
    path = write_squares(tmp_path / "a.geojson")
    viewer = ViewerModel()
    viewer.add_image(make_ramp((20, 30)), scale=(0.5, 0.25), units="um")
    monkeypatch.setattr(_readers, "current_viewer", lambda: viewer)
    reader = get_reader(str(path))
    assert reader is not None
    ((outlines, options, kind),) = reader(str(path))
    assert kind == "shapes"
    assert np.asarray(outlines[0]).min(axis=0).tolist() == [1.5, 1.5]
    assert options["scale"].tolist() == [0.5, 0.25]
    assert options["features"] == {"class": ["gland", "nerve", "background"]}
    layer = viewer.add_shapes(outlines, **options)
    assert layer.data_to_world((1.5, 1.5)) == (0.75, 0.375)
    (tmp_path / "b.json").write_text('{"model": 1}')
    assert get_reader(str(tmp_path / "b.json")) is None


def test_annotations_become_labels_of_a_training_set(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, dataset = ViewerModel(), SetPicker()
    qtbot.addWidget(dataset)
    dataset.setValue(tmp_path / "set")
    viewer.add_image(make_ramp((20, 30, 3)), name="a", rgb=True)
    form = AddForm(viewer, dataset, lambda: (2, ("background", "gland", "nerve")))
    qtbot.addWidget(form)
    with qtbot.waitSignal(form.opened):
        form.open_drawn(write_squares(tmp_path / "a.geojson"))
    labels = form.labels.value()
    assert labels is not None
    counts = [int(np.count_nonzero(np.asarray(labels.data) == value)) for value in (0, 1, 2, 255)]
    assert counts == [16, 16, 16, 600 - 48]
    with qtbot.waitSignal(form.added):
        form.button.click()
    (entry,) = TrainingSet(tmp_path / "set").entries()
    assert entry.unlabelled == (600 - 48) / 600
    form.open_drawn(tmp_path / "missing.geojson")
    qtbot.waitUntil(lambda: "does not exist" in form.message.text())
