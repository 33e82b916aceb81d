"""DICOM: series, cines, enhanced images, and what stands between them."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK

from ... import SegmentConfig, segment_folder
from ...batch._outputs import plan_outputs
from ...data import find_images, read_image
from ...data._names import stem
from ...errors import InputError
from ..builders import make_ramp
from .medical_files import make_slice


def test_a_folder_is_one_series_in_the_order_of_its_places(tmp_path: Path) -> None:
    for number in (2, 0, 3, 1):
        make_slice(tmp_path / "ct" / f"{(7 * number) % 5}", number)
    assert find_images([tmp_path / "ct"]) == [tmp_path / "ct"]
    assert find_images([tmp_path]) == [tmp_path / "ct"]
    image = read_image(tmp_path / "ct")
    assert (image.name, image.axes, image.spacing, image.unit) == ("ct", "zyx", (3.0, 0.5, 0.25), "millimeter")
    assert image.array[:, 0, 0].tolist() == [2 * (10 + n) - 1000 for n in range(4)]
    assert image.array.dtype == np.int16
    itk = SimpleITK.ReadImage([str(tmp_path / "ct" / f"{(7 * n) % 5}") for n in range(4)])
    assert image.geometry is not None
    lps: Any = image.geometry.matrix @ [4, 3, 3, 1] * [-1, -1, 1, 1]
    np.testing.assert_allclose(lps[:3], itk.TransformIndexToPhysicalPoint((4, 3, 3)), atol=1e-6)


def test_a_gap_and_a_second_series_are_refused(tmp_path: Path) -> None:
    for number in (0, 1, 2, 4):
        make_slice(tmp_path / "ct" / f"{number}.dcm", number)
    with pytest.raises(InputError, match="not evenly spaced"):
        read_image(tmp_path / "ct")
    make_slice(tmp_path / "ct" / "4.dcm", 3, series="1.2.4")
    with pytest.raises(InputError, match="several DICOM series"):
        read_image(tmp_path / "ct")


def test_an_ultrasound_cine(tmp_path: Path) -> None:
    region = pydicom.Dataset()
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.0308, 0.0154
    pixels = make_ramp((3, 4, 5), np.uint16)
    changes: dict[str, Any] = {
        "NumberOfFrames": 3,
        "PixelData": pixels.tobytes(),
        "RescaleSlope": 1,
        "RescaleIntercept": 0,
    }
    unplaced: dict[str, Any] = {"PixelSpacing": None, "ImageOrientationPatient": None, "ImagePositionPatient": None}
    path = make_slice(
        tmp_path / "us.dcm", 0, Modality="US", SequenceOfUltrasoundRegions=[region], **changes, **unplaced
    )
    image = read_image(path)
    assert (image.axes, image.unit, image.geometry) == ("tyx", "millimeter", None)
    assert image.spacing == pytest.approx((0.154, 0.308))
    np.testing.assert_array_equal(image.array, pixels)


def without(path: Path, *keys: str, **changes: Any) -> Path:
    """Take entries out of a DICOM file, and change others."""
    data = pydicom.dcmread(path)
    for key in keys:
        delattr(data, key)
    for key, value in changes.items():
        setattr(data, key, value)
    data.save_as(path)
    return path


def rescaled_by(slope: float, intercept: float) -> Any:
    """A functional group of an enhanced image."""
    inner, group = pydicom.Dataset(), pydicom.Dataset()
    inner.RescaleSlope, inner.RescaleIntercept, inner.RescaleType = slope, intercept, "HU"
    group.PixelValueTransformationSequence = [inner]
    return group


@pytest.mark.parametrize(
    ("frames", "groups", "expected"),
    [
        (2, {"Shared": [(1, -1000)]}, [-990, -980]),
        (2, {"PerFrame": [(1, -1000), (2, 3)]}, [-990, 43]),
        (2, {"PerFrame": [(0.25, 0), (0.25, 1)], "Shared": [(9, 9)]}, [2.5, 6]),
        (1, {"Shared": [(1, -1000)]}, [-990]),
        (2, {}, [10, 20]),
    ],
)
def test_an_enhanced_image_is_rescaled_as_its_frames_say(
    tmp_path: Path, frames: int, groups: dict[str, list[tuple[float, float]]], expected: list[float]
) -> None:
    pixels = np.repeat(np.array([10, 20], np.uint16)[:frames], 20)
    path = make_slice(tmp_path / "a.dcm", 0, NumberOfFrames=frames, PixelData=pixels.tobytes())
    told = {f"{kind}FunctionalGroupsSequence": [rescaled_by(*each) for each in given] for kind, given in groups.items()}
    image = read_image(without(path, "RescaleSlope", "RescaleIntercept", **told))
    assert image.array[..., 0, 0].ravel().tolist() == expected


@pytest.mark.parametrize("name", ["a.dcm", "0.dcm"])
def test_damaged_slices_are_images_of_their_own(tmp_path: Path, name: str) -> None:
    """They ended the whole run."""
    whole = make_slice(tmp_path / "b.dcm", 0).read_bytes()
    (tmp_path / name).write_bytes(b"no DICOM at all" * 20)
    (tmp_path / "c.dcm").write_bytes(whole[:-600])
    assert [path.name for path in find_images([tmp_path])] == [name, "b.dcm", "c.dcm"]


def test_names_that_are_uids_stay_whole(tmp_path: Path) -> None:
    for number in (1, 2):
        make_slice(tmp_path / f"1.2.840.{number}", 0, series=f"1.2.{number}")
    found = find_images([tmp_path])
    assert [stem(path) for path in found] == ["1.2.840.1", "1.2.840.2"]
    assert [task.outputs["labels"].name for task in plan_outputs(found, tmp_path / "out", ("labels",))] == [
        "1.2.840.1_labels.nii.gz",
        "1.2.840.2_labels.nii.gz",
    ]
    names = {"a.b.tif": "a.b", "a.B.OME.TIFF": "a.B", "a.nii.gz": "a", "a.ome.zarr": "a", "a": "a", "IM.1": "IM.1"}
    assert {name: stem(tmp_path / name) for name in names} == names


def test_a_report_among_the_slices_does_not_count(tmp_path: Path) -> None:
    for number in range(3):
        make_slice(tmp_path / f"{number}.dcm", number)
    without(make_slice(tmp_path / "report.dcm", 7, series="9.9"), "PixelData")
    assert find_images([tmp_path]) == [tmp_path]
    assert read_image(tmp_path).array.shape == (3, 4, 5)
    make_slice(tmp_path / "other.dcm", 7, series="9.9")
    assert len(find_images([tmp_path])) == 5


@pytest.mark.parametrize("name", ["1.2.840.99", "scan.dcm"])
def test_results_inside_the_folder_of_a_series(tmp_path: Path, saved: Path, name: str) -> None:
    """They were called "99_labels" in the report, and made the series another image the second time."""
    series = tmp_path / name
    quick = SegmentConfig(samples=2, steps=1, device="cpu")
    square: dict[str, Any] = {"Rows": 16, "Columns": 16, "PixelData": make_ramp((16, 16), np.uint16).tobytes()}
    for number in range(2):
        make_slice(series / f"{number}.dcm", number, **square)
    (row,) = segment_folder(series, series / "results", saved, quick).rows
    assert (row.state, {kind: path.name for kind, path in (row.outputs or {}).items()}) == (
        "done",
        {"labels": f"{name}_labels.nii.gz", "sd": f"{name}_sd.nii.gz"},
    )
    (row,) = segment_folder(series, series / "results", saved, quick).rows
    assert (row.state, set(row.outputs or ())) == ("earlier", {"labels", "sd"})
    without(series / "0.dcm", RescaleIntercept=-900)
    with pytest.raises(InputError, match="made of another image"):
        segment_folder(series, series / "results", saved, quick)
