"""DICOM segmentations: out with codes, sources and probabilities, and in as labels."""

from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from ...batch._outputs import plan_outputs
from ...data import Image, holds_labels, read_image, read_labels, read_notes, write_image
from ...errors import InputError
from .medical_files import make_slice

STUDY: dict[str, Any] = {"StudyInstanceUID": "1.2.9", "FrameOfReferenceUID": "1.2.8"}
ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"
CLASSES = ["background", "femur", "myocardium", "odd thing"]
NOTES = {"model": "knee", "model_sha256": "ab" * 32, "class_names": CLASSES, "class_colors": ["", "#ff0000"]}

pytestmark = [
    # highdicom writes names and places of other programs as they are.
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """Five slices of 4 x 5 pixels, named against their order."""
    for number in range(5):
        make_slice(tmp_path / "ct" / f"{9 - number}.dcm", number, **STUDY)
    return tmp_path / "ct"


def drawn() -> NDArray[np.uint8]:
    labels = np.zeros((5, 4, 5), np.uint8)
    labels[2:4, 1:3, 1:4] = 1
    labels[3:, 3, 2] = 2
    return labels


def save(path: Path, array: NDArray[Any], axes: str, image: Image, **notes: Any) -> Path:
    write_image(
        path, array, axes, spacing=image.spacing, unit=image.unit, metadata={**NOTES, **notes}, geometry=image.geometry
    )
    return path


def test_labels_come_back_on_their_place(series: Path, tmp_path: Path) -> None:
    image = read_image(series)
    path = save(tmp_path / "a_labels.dcm", drawn(), "zyx", image)
    found = read_labels(path)
    np.testing.assert_array_equal(found.array, drawn())
    assert (found.axes, found.spacing, found.unit) == ("zyx", image.spacing, "millimeter")
    assert found.geometry is not None
    assert image.geometry is not None
    np.testing.assert_allclose(found.geometry.matrix, image.geometry.matrix)
    notes = read_notes(path)
    assert (notes["class_names"], notes["model"]) == (CLASSES, "knee")
    assert "source" not in notes


def test_others_read_place_codes_and_sources(series: Path, tmp_path: Path) -> None:
    path = save(tmp_path / "a_labels.dcm", drawn(), "zyx", read_image(series))
    other = highdicom.seg.segread(str(path))
    volume = other.get_volume(combine_segments=True)
    at = np.argwhere(drawn() == 2)[0]  # z, y, x of a slice at 3 * z mm, from (-10, -20), with pixels of 0.25 x 0.5 mm
    place = volume.map_reference_to_indices(np.array([[-10 + 0.25 * at[2], -20 + 0.5 * at[1], 3.0 * at[0]]]))
    assert volume.array[tuple(np.rint(place[0]).astype(int))] == 2
    types = [other.get_segment_description(n).segmented_property_type for n in (1, 2, 3)]
    assert [(code.scheme_designator, code.value) for code in types] == [
        ("SCT", "71341001"),
        ("SCT", "74281007"),
        ("99LDSEG", "odd_thing"),
    ]
    first = other.get_segment_description(1)
    assert (first.segment_label, first.algorithm_type.value) == ("femur", "AUTOMATIC")
    assert first.algorithm_identification is not None
    assert first.algorithm_identification.name == "knee"
    named = {str(uid) for _, _, uid in other.get_source_image_uids()}
    assert named == {str(pydicom.dcmread(file).SOPInstanceUID) for file in series.iterdir()}


def test_mean_and_sd_are_probabilities_and_a_map(series: Path, tmp_path: Path) -> None:
    image = read_image(series)
    mean = np.stack([drawn() == number for number in range(4)], axis=1).astype(np.float32) * 0.8
    path = save(tmp_path / "a_mean.dcm", mean, "zcyx", image)
    other = highdicom.seg.segread(str(path))
    assert (other.SegmentationType, other.SegmentationFractionalType) == ("FRACTIONAL", "PROBABILITY")
    found = other.get_volume(combine_segments=False).array
    assert sorted(np.unique(found.round(2))) == pytest.approx([0, 0.8], abs=0.01)
    again = read_image(path)
    assert again.axes == "zcyx"
    np.testing.assert_allclose(again.array[:, 1:], mean[:, 1:], atol=1 / 255)
    np.testing.assert_allclose(again.array.sum(axis=1), 1, atol=1e-6)
    labels = read_labels(path)
    np.testing.assert_array_equal(labels.array, drawn())
    assert "at least 0.5" in labels.notes[0]
    sd = (drawn() / 7).astype(np.float32)
    back = read_image(save(tmp_path / "a_sd.dcm", sd, "zyx", image))
    np.testing.assert_array_equal(back.array, sd)
    assert back.geometry is not None
    assert image.geometry is not None
    np.testing.assert_allclose(back.geometry.matrix, image.geometry.matrix)


def test_a_part_of_a_series_lies_where_it_was(series: Path, tmp_path: Path) -> None:
    image = read_image(series)
    assert image.geometry is not None
    moved = np.eye(4)
    moved[:3, 3] = (1, 2, 3)
    part = image.replace(array=image.array[3:, 2:, 1:], geometry=image.geometry.moved(moved, (2, 2, 4)))
    found = read_labels(save(tmp_path / "a.dcm", drawn()[3:, 2:, 1:], "zyx", part))
    assert found.geometry is not None
    assert part.geometry is not None
    np.testing.assert_allclose(found.geometry.matrix, part.geometry.matrix)
    np.testing.assert_array_equal(found.array, drawn()[3:, 2:, 1:])


def test_it_is_never_an_image(series: Path, tmp_path: Path) -> None:
    image = read_image(series)
    path = save(tmp_path / "a.dcm", drawn(), "zyx", image)
    assert holds_labels(path)
    assert not holds_labels(series)
    assert not holds_labels(next(series.iterdir()))
    with pytest.raises(InputError, match="holds labels and no image"):
        read_image(path)
    path.rename(series / "segmentation.dcm")
    np.testing.assert_array_equal(read_image(series).array, image.array)


def test_a_single_picture_without_a_place(tmp_path: Path) -> None:
    unplaced: dict[str, Any] = {"ImageOrientationPatient": None, "ImagePositionPatient": None}
    path = make_slice(tmp_path / "us.dcm", 0, SOPClassUID=ULTRASOUND, StudyInstanceUID="1.2.9", **unplaced)
    image, labels = read_image(path), drawn()[3]
    found = read_labels(save(tmp_path / "a.dcm", labels, "yx", image, source=str(path)))
    np.testing.assert_array_equal(found.array, labels)
    with pytest.raises(InputError, match="no SD maps"):
        save(tmp_path / "sd.dcm", labels.astype(np.float32), "yx", image, source=str(path))


def test_what_cannot_be_written_is_refused(series: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs the DICOM images that it was made from"):
        save(tmp_path / "a.dcm", drawn()[0], "yx", Image(drawn()[0], "yx"))
    with pytest.raises(InputError, match="no DICOM image"):
        plan_outputs([tmp_path / "a.png"], tmp_path / "out", ("labels",), "dicom-seg")
    with pytest.raises(InputError, match="Samples cannot be written as DICOM"):
        plan_outputs([series], tmp_path / "out", ("labels", "samples"), "dicom-seg")
    (task,) = plan_outputs([series], tmp_path / "out", ("labels",), "dicom-seg")
    assert task.outputs["labels"].name == "ct_labels.dcm"


def test_segments_that_overlap_are_no_labels(series: Path, tmp_path: Path) -> None:
    sources = [pydicom.dcmread(file) for file in sorted(series.iterdir(), reverse=True)]
    for source in sources:
        for name in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime"):
            setattr(source, name, "")
        source.AccessionNumber = source.ReferringPhysicianName = ""
        source.SliceThickness = 3
    code = highdicom.sr.CodedConcept("91723000", "SCT", "Anatomical Structure")
    segments = [highdicom.seg.SegmentDescription(n, f"s{n}", code, code, "MANUAL") for n in (1, 2)]
    both = np.ones((5, 4, 5, 2), np.uint8)
    common: dict[str, Any] = {"series_instance_uid": "1.2.3.4", "series_number": 1, "sop_instance_uid": "1.2.3.5"}
    common |= {"instance_number": 1, "manufacturer": "a", "manufacturer_model_name": "b", "software_versions": "1"}
    made = highdicom.seg.Segmentation(sources, both, "BINARY", segments, device_serial_number="1", **common)
    made.save_as(tmp_path / "two.dcm")
    with pytest.raises(InputError, match="overlap"):
        read_labels(tmp_path / "two.dcm")


def test_the_tiles_of_a_slide_are_one_picture(tmp_path: Path) -> None:
    """They were 25 time points."""
    picture = np.arange(12 * 15, dtype=np.uint8).reshape(12, 15)
    tiles = picture.reshape(3, 4, 3, 5).swapaxes(1, 2).reshape(9, 4, 5)
    shared: Any = pydicom.Dataset()
    measures: Any = pydicom.Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.0005, 0.0005], 1
    shared.PixelMeasuresSequence = [measures]
    origin: Any = pydicom.Dataset()
    origin.XOffsetInSlideCoordinateSystem = origin.YOffsetInSlideCoordinateSystem = 0
    path_of_light: Any = pydicom.Dataset()
    path_of_light.OpticalPathIdentifier = "1"
    path = make_slice(
        tmp_path / "slide.dcm", 0, SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.6", Modality="SM",
        BitsAllocated=8, BitsStored=8, HighBit=7, NumberOfFrames=9, PixelData=tiles.tobytes(),
        TotalPixelMatrixRows=12, TotalPixelMatrixColumns=15, DimensionOrganizationType="TILED_FULL",
        SharedFunctionalGroupsSequence=[shared], TotalPixelMatrixOriginSequence=[origin],
        ImageOrientationSlide=[0, 1, 0, 1, 0, 0], NumberOfOpticalPaths=1, OpticalPathSequence=[path_of_light],
        TotalPixelMatrixFocalPlanes=1,
        RescaleSlope=1, RescaleIntercept=0, StudyInstanceUID="1.2.9", PixelSpacing=None, ImagePositionPatient=None,
        ImageOrientationPatient=None, FrameOfReferenceUID="1.2.8", ImageType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
    )  # fmt: skip
    image = read_image(path)
    assert image.axes == "yx"
    np.testing.assert_array_equal(image.array, picture)
    assert image.spacing == pytest.approx((0.0005, 0.0005))
