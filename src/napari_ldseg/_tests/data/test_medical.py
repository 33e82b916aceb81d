"""NIfTI, MetaImage, DICOM, cines and OME-TIFF: read, written, and back on the source."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from typer.testing import Result

from ... import SegmentConfig, save_model, segment_folder
from ...batch._outputs import plan_outputs
from ...data import Image, find_images, read_image, read_labels, read_notes, write_image
from ...data._names import stem
from ...datasets import find_pairs
from ...errors import InputError
from ..builders import make_ramp, make_tiny_model
from ..fuzzing import changed_bytes
from ..shared import SHARED, needs

SHEARED = np.array([[-0.9, 0.1, 0.2, 12.5], [0.05, -1.1, 0.3, -40.0], [0.0, 0.4, 2.5, 7.25], [0, 0, 0, 1]])
FIELDS = ("sform_code", "qform_code", "srow_x", "srow_y", "srow_z", "quatern_b", "qoffset_z", "pixdim", "xyzt_units")


def make_nifti(path: Path, shape: tuple[int, ...] = (5, 6, 7), *, unit: str = "mm") -> Path:
    """A file with a sheared sform (code 4) and another qform (code 2)."""
    file = nibabel.Nifti1Image(make_ramp(shape).astype(np.int16), SHEARED)
    file.header.set_sform(SHEARED, 4)
    file.header.set_qform(np.diag([-2.0, 2.0, 3.0, 1.0]), 2)
    file.header.set_xyzt_units(unit, "sec")
    file.to_filename(path)
    return path


def load(path: Path) -> Any:
    """What nibabel reads."""
    return nibabel.load(path)


def place_of(image: Image) -> dict[str, Any]:
    return {"spacing": image.spacing, "unit": image.unit, "geometry": image.geometry}


def make_slice(path: Path, number: int, *, series: str = "1.2.3", **changes: Any) -> Path:
    """A CT slice of 4 x 5 pixels of 0.5 x 0.25 mm at z = 3 * number, with the value number + 10."""
    meta: Any = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    meta.MediaStorageSOPInstanceUID = f"1.2.3.{number + 1}"
    data = pydicom.Dataset()
    data.file_meta = meta
    values = {
        "SOPClassUID": meta.MediaStorageSOPClassUID, "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "SeriesInstanceUID": series, "Modality": "CT", "InstanceNumber": 100 - number, "Rows": 4, "Columns": 5,
        "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16, "BitsStored": 16,
        "HighBit": 15, "PixelRepresentation": 0, "RescaleSlope": 2, "RescaleIntercept": -1000,
        "PixelSpacing": [0.5, 0.25], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": [-10, -20, 3 * number],
        "PixelData": np.full((4, 5), number + 10, np.uint16).tobytes(), **changes,
    }  # fmt: skip
    for key, value in values.items():
        setattr(data, key, value)
    path.parent.mkdir(exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


# --- NIfTI


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_labels_lie_on_a_sheared_nifti(tmp_path: Path, suffix: str) -> None:
    path = make_nifti(tmp_path / f"a{suffix}")
    image = read_image(path)
    assert (image.name, image.axes, image.array.shape, image.unit) == ("a", "zyx", (7, 6, 5), "millimeter")
    assert image.spacing == pytest.approx(np.linalg.norm(SHEARED[:3, :3], axis=0)[::-1])
    source = load(path)
    np.testing.assert_array_equal(image.array, np.asarray(source.dataobj).T)
    out = tmp_path / f"a_labels{suffix}"
    labels = (image.array % 3).astype(np.uint8)
    place = place_of(image)
    write_image(out, labels, "zyx", metadata={"seed": 3}, **place)
    written = load(out)
    np.testing.assert_array_equal(written.affine, source.affine)
    for field in FIELDS:
        np.testing.assert_array_equal(written.header[field], source.header[field], field)
    np.testing.assert_array_equal(np.asarray(written.dataobj), np.asarray(source.dataobj) % 3)
    assert read_notes(out) == {"seed": 3}
    assert read_labels(out).array.dtype == np.uint8


@pytest.mark.parametrize(
    ("shape", "axes"), [((5, 6), "yx"), ((5, 6, 1), "yx"), ((5, 6, 7, 3), "tzyx"), ((5, 6, 1, 3), "tyx")]
)
def test_axes_of_nifti(tmp_path: Path, shape: tuple[int, ...], axes: str) -> None:
    image = read_image(make_nifti(tmp_path / "a.nii", shape))
    assert image.axes == axes
    assert image.array.size == np.prod(shape)
    np.testing.assert_array_equal(image.array.ravel(), make_ramp(shape).T.ravel())


def test_microns_are_kept_and_an_unscaled_header_states_none(tmp_path: Path) -> None:
    image = read_image(make_nifti(tmp_path / "a.nii", unit="micron"))
    assert image.unit == "micrometer"
    assert image.geometry is not None
    np.testing.assert_allclose(image.geometry.matrix[:3], SHEARED[:3] / 1000, rtol=1e-6)
    nibabel.Nifti1Image(make_ramp((4, 5, 6)), None).to_filename(tmp_path / "b.nii")
    assert read_image(tmp_path / "b.nii").spacing is None


@pytest.mark.parametrize("source", [False, True])
def test_many_frames_make_nifti_2(tmp_path: Path, source: bool) -> None:
    """400 times 100 samples are 40000 along one axis, and NIfTI-1 ends at 32767."""
    place: dict[str, Any] = {"spacing": None, "unit": "pixel", "geometry": None}
    if source:
        place = place_of(read_image(make_nifti(tmp_path / "a.nii", (3, 2, 1))))
    array = make_ramp((400, 100, 2, 3))
    write_image(tmp_path / "a_samples.nii.gz", array, "tpyx", metadata={"seed": 3}, **place)
    written, image = load(tmp_path / "a_samples.nii.gz"), read_image(tmp_path / "a_samples.nii.gz")
    assert type(written) is nibabel.Nifti2Image
    assert image.axes == "tpyx"
    np.testing.assert_array_equal(image.array, array)
    assert read_notes(tmp_path / "a_samples.nii.gz") == {"seed": 3}
    if source:
        kept = load(tmp_path / "a.nii")
        np.testing.assert_array_equal(written.affine, kept.affine)
        for field in ("sform_code", "qform_code", "xyzt_units"):
            assert written.header[field] == kept.header[field]


# --- every format that is written


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".nii.gz", ".mha"])
@pytest.mark.parametrize(
    ("axes", "shape", "spacing"),
    [
        ("yx", (6, 9), (0.154, 0.308)),
        ("zyx", (4, 6, 9), (2.0, 0.5, 0.25)),
        ("tyx", (3, 6, 9), (0.5, 0.25)),
        ("tzyx", (2, 4, 6, 9), (2.0, 0.5, 0.25)),
        ("ptyx", (3, 2, 6, 9), (0.5, 0.25)),
        ("yx", (6, 9), None),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_written_is_read_back(
    tmp_path: Path, suffix: str, axes: str, shape: tuple[int, ...], spacing: tuple[float, ...] | None, dtype: Any
) -> None:
    path, array = tmp_path / f"x_sd{suffix}", make_ramp(shape, dtype)
    write_image(path, array, axes, spacing=spacing, unit="millimeter", metadata={"seed": 3})
    image = read_image(path)
    assert (image.name, image.axes, image.array.dtype) == ("x_sd", axes, dtype)
    np.testing.assert_array_equal(image.array, array)
    assert image.spacing == (None if spacing is None else pytest.approx(spacing, rel=1e-6))
    assert read_notes(path) == {"seed": 3}
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".nii", ".mha"])
def test_mean_maps_keep_their_channels(tmp_path: Path, suffix: str) -> None:
    array = make_ramp((3, 4, 6, 9), np.float32)
    write_image(tmp_path / f"a{suffix}", array, "czyx", spacing=None, unit="pixel", metadata={})
    image = read_image(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(np.moveaxis(image.array, image.axes.index("c"), 0), array)


def test_a_name_without_a_known_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"end it in one of \.tif, \.ome\.tif, \.nii\.gz, \.mha"):
        write_image(tmp_path / "a.png", make_ramp((4, 4)), "yx", spacing=None, unit="pixel", metadata={})
    assert not list(tmp_path.iterdir())


def test_another_grid_than_the_source_is_refused(tmp_path: Path) -> None:
    geometry = read_image(make_nifti(tmp_path / "a.nii")).geometry
    with pytest.raises(InputError, match="does not lie on the grid"):
        write_image(
            tmp_path / "b.nii", make_ramp((4, 4)), "yx", spacing=None, unit="pixel", metadata={}, geometry=geometry
        )


# --- MetaImage, against ITK


@pytest.mark.parametrize("shape", [(6, 9), (4, 6, 9)])
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("suffix", [".mha", ".mhd"])
def test_metaimage_of_itk_and_back(tmp_path: Path, shape: tuple[int, ...], compress: bool, suffix: str) -> None:
    source = SimpleITK.GetImageFromArray(make_ramp(shape, np.int16))
    ndim = len(shape)
    turned = np.eye(ndim)
    turned[:2, :2] = [[0.6, -0.8], [0.8, 0.6]]
    source.SetSpacing((0.25, 0.5, 2.0)[:ndim])
    source.SetOrigin((1.5, -2.5, 30.0)[:ndim])
    source.SetDirection(turned.ravel())
    SimpleITK.WriteImage(source, str(tmp_path / f"a{suffix}"), compress)
    image = read_image(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(image.array, make_ramp(shape, np.int16))
    assert image.spacing == (2.0, 0.5, 0.25)[-ndim:]
    for name in ("b.mha", "c.nii"):
        place = place_of(image)
        write_image(tmp_path / name, image.array, image.axes, metadata={"note": "x" * 5000}, **place)
        back = SimpleITK.ReadImage(str(tmp_path / name))
        assert SimpleITK.GetArrayFromImage(back).squeeze().tolist() == make_ramp(shape).tolist()
        corner = [n - 1 for n in shape[::-1]]
        there = source.TransformIndexToPhysicalPoint(corner)
        here = back.TransformIndexToPhysicalPoint(corner + [0] * (back.GetDimension() - ndim))
        np.testing.assert_allclose(here[:ndim], there, atol=1e-4)


# --- DICOM


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


# --- cines


@pytest.mark.parametrize(("suffix", "codec"), [(".avi", "mjpeg"), (".mp4", "mpeg4")])
def test_a_cine_of_grey_frames(tmp_path: Path, suffix: str, codec: str) -> None:
    path = tmp_path / f"a{suffix}"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=20)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for value in (40, 120, 200):
            grey = np.full((48, 64, 3), value, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    image = read_image(path)
    assert (image.axes, image.array.shape) == ("tyx", (3, 48, 64))
    assert np.abs(image.array.mean(axis=(1, 2)) - [40, 120, 200]).max() < 4
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="cannot be read"):
        read_image(path)


def trimmed(path: Path, rate: int, hidden: int) -> Path:
    """Hide the first frames of a video by an edit list, as programs do that cut without encoding again."""
    out = path.with_name(f"trimmed{path.suffix}")
    options = {"avoid_negative_ts": "disabled", "use_editlist": "1", "movflags": "faststart"}
    with av.open(str(path)) as source, av.open(str(out), "w", options=options) as target:
        stream: Any = source.streams.video[0]
        copy, shift = target.add_stream_from_template(stream), int(hidden / rate / stream.time_base)
        for packet in source.demux(stream):
            if packet.dts is not None and packet.pts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
                target.mux(packet)
    return out


@pytest.mark.parametrize("interval", [4, 30])
def test_a_trimmed_cine_is_read_and_a_truncated_one_is_not(tmp_path: Path, interval: int) -> None:
    """Frames before the trim stay in the file: all of them, or those since the last whole one."""
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=20, options={"g": str(interval)})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for value in range(40, 160, 10):
            grey = np.full((48, 64, 3), value, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    path = trimmed(tmp_path / "a.mp4", 20, 5)
    image = read_image(path)
    assert image.array.shape == (7, 48, 64)
    assert np.abs(image.array.mean(axis=(1, 2)) - np.arange(90, 160, 10)).max() < 4
    whole = path.read_bytes()
    for lost in (1, 40, 150):
        path.write_bytes(whole[:-lost])
        with pytest.raises(InputError, match="cannot be read"):
            read_image(path)


# --- damage


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mha", ".dcm", ".mp4"])
def test_a_text_with_such_a_name(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").write_text("no image at all" * 50)
    with pytest.raises(InputError, match=r"cannot be read .* not what its name says"):
        read_image(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mha", ".dcm"])
def test_damaged_files_are_read_or_refused_in_words(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".mha":
        write_image(path, make_ramp((4, 5, 6)), "zyx", spacing=(1, 1, 1), unit="millimeter", metadata={})
    else:
        make_slice(path, 0) if suffix == ".dcm" else make_nifti(path)
    whole = path.read_bytes()

    @settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def attack(data: st.DataObject) -> None:
        path.write_bytes(changed_bytes(data, whole, 400))
        try:
            assert read_image(path).array.size > 0
        except InputError as error:
            assert path.name in str(error)  # noqa: PT017

    attack()


def test_a_header_that_promises_terabytes(tmp_path: Path) -> None:
    path = make_nifti(tmp_path / "a.nii")
    raw = bytearray(path.read_bytes())
    raw[42:48] = np.array([30000] * 3, "<i2").tobytes()
    path.write_bytes(raw)
    with pytest.raises(InputError, match="truncated: the header promises 54000000000000 bytes"):
        read_image(path)


# --- real files, and the command line


def geometry_equal(one: Path, other: Path) -> None:
    first, second = read_image(one).geometry, read_image(other).geometry
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.matrix, second.matrix)


def write_data_sets(root: Path) -> None:
    """Small files, named and laid out as those of three public data sets; written by nibabel and SimpleITK."""
    for folder in ("hippocampus/images", "hippocampus/labels", "knee", "camus/patient0001"):
        (root / folder).mkdir(parents=True)
    values = make_ramp((5, 7, 6)).astype(np.int16)
    affine = np.diag([-1.5, 1.25, 0.5, 1.0])
    for number in (1, 2):
        for name, array in (("images", values), ("labels", values % 3)):
            file = nibabel.Nifti1Image(array, affine)
            file.header.set_xyzt_units("mm")
            file.to_filename(root / f"hippocampus/{name}/hippocampus_00{number}.nii.gz")
            file.to_filename(root / f"knee/case{number}{'_label' * (name == 'labels')}.nii.gz")
    for view in ("2CH_ED", "2CH_ES", "4CH_ED", "4CH_ES"):
        for tail, array in (("", make_ramp((1, 9, 8))), ("_gt", make_ramp((1, 9, 8)) % 4)):
            frame = SimpleITK.GetImageFromArray(array.astype(np.uint8))
            frame.SetSpacing((0.308, 0.154, 1.54))
            SimpleITK.WriteImage(frame, str(root / f"camus/patient0001/patient0001_{view}{tail}.mhd"))


REAL = needs("data/hippocampus", "data/knee", "data/camus")


@pytest.mark.parametrize(
    ("root", "folder", "pairs", "shape", "spacing"),
    [
        (None, "hippocampus", 2, (6, 7, 5), (0.5, 1.25, 1.5)),
        (None, "knee", 2, (6, 7, 5), (0.5, 1.25, 1.5)),
        (None, "camus/patient0001", 4, (9, 8), (0.154, 0.308)),
        pytest.param(SHARED / "data", "hippocampus", 208, (35, 51, 35), (1.0, 1.0, 1.0), marks=REAL),
        pytest.param(SHARED / "data", "knee", 3, (160, 104, 240), (1.0, 1.0, 1.0), marks=REAL),
        pytest.param(SHARED / "data", "camus/patient0001", 4, (778, 549), (0.154, 0.308), marks=REAL),
    ],
)
def test_data_sets_are_read_and_written_back(
    tmp_path: Path, root: Path | None, folder: str, pairs: int, shape: tuple[int, ...], spacing: tuple[float, ...]
) -> None:
    if root is None:
        root = tmp_path / "data"
        write_data_sets(root)
    images = root / folder / "images" if folder == "hippocampus" else root / folder
    labels = root / folder / "labels" if folder == "hippocampus" else root / folder
    found = find_pairs(images, labels)
    assert len(found) == pairs
    assert len(find_images([images])) == pairs
    image, mask = read_image(found[0].image), read_labels(found[0].labels)
    assert mask.array.shape == image.array.shape == shape or folder.startswith("camus")
    assert (image.spacing, image.unit) == (spacing, "millimeter")
    for suffix in (".nii.gz", ".mha"):
        out = tmp_path / f"x_labels{suffix}"
        place = place_of(mask)
        write_image(out, mask.array, mask.axes, metadata={}, **place)
        np.testing.assert_array_equal(read_labels(out).array, mask.array)
        if found[0].image.suffix != ".mhd" or suffix == ".mha":
            geometry_equal(out, found[0].labels)


@pytest.fixture
def volume_model(tmp_path: Path) -> Path:
    return save_model(make_tiny_model(3, image_channels=1), tmp_path / "model.safetensors")


def test_segment_writes_in_the_inputs_format(run: Callable[..., Result], volume_model: Path, tmp_path: Path) -> None:
    source = make_nifti(tmp_path / "x.nii.gz", (18, 17, 16))
    out = tmp_path / "out"
    flags = ("-m", volume_model, "-n", 2, "--steps", 1, "--keep-mb", 1, "--mean", "--out", out)
    result = run("segment", source, *flags)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.glob("x_*")) == [
        f"x_{kind}.nii.gz" for kind in ("labels", "mean", "samples", "sd")
    ]
    for kind in ("labels", "sd", "mean"):
        written = load(out / f"x_{kind}.nii.gz")
        np.testing.assert_array_equal(written.affine, load(source).affine)
        assert written.shape[:3] == (18, 17, 16)
    assert read_notes(out / "x_labels.nii.gz")["image"] == "x.nii.gz"
    result = run("measure", out / "x_labels.nii.gz", "--out", tmp_path / "measured")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "measured" / "x_labels.csv").is_file()
    result = run("evaluate", out / "x_labels.nii.gz", out / "x_labels.nii.gz")
    assert result.exit_code == 0, result.output
    assert run("segment", source, *flags, "--format", "mha").exit_code == 0
    assert (out / "x_sd.mha").is_file()
    assert "choose one of tif, ome-tif, nifti, mha" in run("segment", source, *flags, "--format", "png").output


def test_values_of_a_2d_model_on_a_volume_lie_on_it(run: Callable[..., Result], tmp_path: Path) -> None:
    model = save_model(make_tiny_model(2, image_channels=1), tmp_path / "flat.safetensors")
    source = make_nifti(tmp_path / "x.nii", (18, 17, 3))
    result = run("segment", source, "-m", model, "-n", 1, "--steps", 1, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    written: Any = load(tmp_path / "out" / "x_sd.nii")
    assert written.shape == (18, 17, 3)
    np.testing.assert_array_equal(written.affine, load(source).affine)


def sheared_points(geometry: Any, index: tuple[int, ...]) -> NDArray[np.float64]:
    return np.asarray(geometry.matrix @ [*index, 1.0])


def test_a_coarser_grid_begins_at_the_same_corner(tmp_path: Path) -> None:
    geometry = read_image(make_nifti(tmp_path / "a.nii", (6, 6, 6))).geometry
    assert geometry is not None
    coarse = geometry.coarser((3.0, 2.0, 2.0), (2, 3, 3))
    corner = sheared_points(coarse, (0, 0, 0)) - coarse.matrix @ [0.5, 0.5, 0.5, 0]
    np.testing.assert_allclose(corner, SHEARED @ [-0.5, -0.5, -0.5, 1], atol=1e-5)
