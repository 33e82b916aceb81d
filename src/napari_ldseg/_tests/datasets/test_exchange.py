"""Training sets from annotations of other programs, and data sets of nnU-Net, in and out."""

import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import PIL.Image
import pytest
import shapely
from typer.testing import Result

from ...data import read_image, read_labels
from ...datasets import TrainingSet, read_nnunet, write_nnunet
from ...errors import InputError
from ..builders import make_ramp, save_picture
from ..data.medical_files import load, make_nifti


def write_square(path: Path, name: str) -> None:
    geometry = json.loads(shapely.to_geojson(shapely.box(2, 3, 6, 8)))
    feature = {"type": "Feature", "geometry": geometry, "properties": {"classification": {"name": name}}}
    path.write_text(json.dumps([feature]))


def test_annotations_of_qupath_become_a_training_set(tmp_path: Path, run: Callable[..., Result]) -> None:
    images, drawn = tmp_path / "images", tmp_path / "drawn"
    drawn.mkdir()
    for name in "abc":
        save_picture(images / f"{name}.png", make_ramp((20, 30, 3)) + np.uint8(ord(name)))
    write_square(drawn / "a.geojson", "gland")
    write_square(drawn / "b.geojson", "nerve")
    done = run("dataset", "import", "--images", images, "--labels", drawn, "--out", tmp_path / "set")
    assert done.exit_code == 0, done.output
    found = TrainingSet(tmp_path / "set")
    assert found.class_names == ("background", "gland", "nerve")
    assert [entry.source for entry in found.entries()] == ["a.png", "b.png"]
    labels = read_labels(found.entries()[1].labels).array
    assert (labels[3:8, 2:6] == 2).all()
    assert np.count_nonzero(labels == 255) == 600 - 20
    refused = run("dataset", "import", "--images", images, "--labels", drawn, "--out", tmp_path / "b", "--refer")
    assert (refused.exit_code, "leave out" in refused.output) == (2, True)


def make_pictures(folder: Path) -> TrainingSet:
    made = TrainingSet.create(folder, ("background", "gland", "nerve"))
    labels = np.zeros((20, 30), np.uint8)
    labels[2:5, 3:9], labels[10:], labels[15:, 20:] = 1, 2, 255
    for number in range(2):
        image = read_image(save_picture(folder.parent / f"{number}.png", make_ramp((20, 30, 3)) + np.uint8(number)))
        made.add(image, labels, source=f"p{number}", group="one")
    return made


def test_pictures_go_to_nnunet_and_back(tmp_path: Path) -> None:
    made = make_pictures(tmp_path / "set")
    out = tmp_path / "Dataset001_Glands"
    cases = write_nnunet(made, out, "Glands")
    about = json.loads((out / "dataset.json").read_text())
    assert about["labels"] == {"background": 0, "gland": 1, "nerve": 2, "ignore": 3}
    assert about["channel_names"] == {"0": "R", "1": "G", "2": "B"}
    assert (about["numTraining"], about["file_ending"]) == (2, ".png")
    labels = np.asarray(PIL.Image.open(out / "labelsTr" / f"{cases[0]}.png"))
    assert np.unique(labels).tolist() == [0, 1, 2, 3]
    assert np.asarray(PIL.Image.open(out / "imagesTr" / f"{cases[0]}_0000.png")).shape == (20, 30, 3)
    again = [outcome for _, outcome in read_nnunet(out, tmp_path / "again")]
    assert not any(isinstance(each, InputError) for each in again)
    first, second = made.entries()[0], TrainingSet(tmp_path / "again").entries()[0]
    assert first.id == second.id
    np.testing.assert_array_equal(read_labels(first.labels).array, read_labels(second.labels).array)
    with pytest.raises(InputError, match="not empty"):
        write_nnunet(made, out, "Glands")


def test_volumes_of_several_channels_come_from_nnunet_and_go_there(tmp_path: Path) -> None:
    source = tmp_path / "Dataset002_Brain"
    for name in ("imagesTr", "labelsTr"):
        (source / name).mkdir(parents=True)
    for number in range(2):
        make_nifti(source / f"imagesTr/b_{number:04d}.nii.gz")
    labels = np.zeros((5, 6, 7), np.uint8)
    labels[1:3], labels[4] = 1, 2
    nibabel.Nifti1Image(labels, load(source / "imagesTr/b_0000.nii.gz").affine).to_filename(
        source / "labelsTr/b.nii.gz"
    )
    about = {"labels": {"background": 0, "whole": [1, 2], "core": [2]}, "regions_class_order": [1, 2]}
    (source / "dataset.json").write_text(json.dumps(about | {"file_ending": ".nii.gz"}))
    ((case, outcome),) = read_nnunet(source, tmp_path / "set")
    assert not isinstance(outcome, InputError), outcome
    assert (case, outcome.shape, outcome.axes) == ("b", (7, 6, 5, 2), "zyxc")
    found = TrainingSet(tmp_path / "set")
    assert found.class_names == ("background", "whole", "core")
    write_nnunet(found, tmp_path / "Dataset003_Brain", "Brain")
    written = sorted((tmp_path / "Dataset003_Brain/imagesTr").iterdir())
    assert [path.name[-12:] for path in written] == ["_0000.nii.gz", "_0001.nii.gz"]
    back = load(written[1])
    np.testing.assert_array_equal(np.asarray(back.dataobj), make_ramp((5, 6, 7)))
    size = read_image(source / "imagesTr/b_0000.nii.gz").spacing
    assert size is not None
    assert back.header.get_zooms() == pytest.approx(size[::-1], abs=1e-5)


def test_what_is_no_data_set_of_nnunet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"needs dataset.json, imagesTr and labelsTr"):
        list(read_nnunet(tmp_path, tmp_path / "set"))
    (tmp_path / "dataset.json").write_text('{"labels": {"background": 0, "a": 1}, "file_ending": ".png"}')
    with pytest.raises(InputError, match=r"case_0000.png"):
        list(read_nnunet(tmp_path, tmp_path / "set"))
