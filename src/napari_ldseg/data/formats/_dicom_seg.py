"""Write and read DICOM segmentations and parametric maps through highdicom.

Labels become a Segmentation (PS3.3 A.51) of type BINARY, and mean probabilities one of type FRACTIONAL (PROBABILITY).
An SD map becomes a Parametric Map (PS3.3 A.75) of 32-bit numbers. All name the images that they were made from.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._util import optional
from ..._version import __version__
from ...config import class_color
from ...errors import InputError
from .._geometry import Geometry, rows, voxel_size
from .._image import Image
from .._names import dicom_files, format_of, stem
from ._axes_note import parse_notes

SOURCE = "source"
SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
MAP = "1.2.840.10008.5.1.4.1.1.30"
# Names of pydicom's dictionary are found by themselves; these are not in it (SNOMED CT, body structures).
_CODES = {
    "myocardium": ("74281007", "Myocardium"),
    "anterior": ("5366008", "Hippocampus"),
    "posterior": ("5366008", "Hippocampus"),
    "lung nodule": ("27925004", "Nodule"),
}
_OWN = "99LDSEG"
# The standard wants these in every file, be it empty, and files of some programs lack them.
_EMPTY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime"),
    *("AccessionNumber", "ReferringPhysicianName"),
)
_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
_HALF = 0.5


def is_segmentation(data: Any) -> bool:
    """Whether a DICOM data set holds labels, and no image."""
    return str(data.get("SOPClassUID", "")) in SEGMENTATIONS


def is_map(data: Any) -> bool:
    """Whether a DICOM data set is a parametric map."""
    return str(data.get("SOPClassUID", "")) == MAP


def source_images(path: Path) -> list[Any]:
    """Return the data sets of a DICOM image: of a file, or of the slices of the series in a folder.

    Raises
    ------
    InputError
        If it is none.
    """
    read = optional("pydicom", "DICOM").dcmread
    files = dicom_files(path) if path.is_dir() else [path] if format_of(path) == "dicom" else []
    found = [data for data in map(read, files) if "PixelData" in data and not is_segmentation(data)]
    if not found:
        raise InputError(f"{path} is no DICOM image, and so no source of a DICOM segmentation; choose another format.")
    return sorted(found, key=lambda data: int(data.get("InstanceNumber") or 0))


def save_dicom_seg(path: Path, image: Image, metadata: Mapping[str, Any]) -> None:
    """Write labels, mean probabilities (axis c) or an SD map, on the grid of the DICOM images that it comes from.

    Their path is that of the geometry, or ``metadata["source"]``.

    Raises
    ------
    InputError
        If there is no source, it is no DICOM image, or the result does not lie on it.
    """
    hd = optional("highdicom", "DICOM segmentations")
    source = str(metadata.get(SOURCE) or (image.geometry.source if image.geometry is not None else ""))
    if not source:
        raise InputError(
            f"{image.name} needs the DICOM images that it was made from, and this result has none; segment DICOM "
            "files, or save it as NIfTI (.nii.gz)."
        )
    sources = source_images(Path(source))
    _complete(sources, image.geometry)
    own = {key: value for key, value in metadata.items() if key != SOURCE}
    model = str(own.get("model", "labels"))
    common = {
        "series_instance_uid": hd.UID(),
        "series_number": 900,
        "sop_instance_uid": hd.UID(),
        "instance_number": 1,
        "manufacturer": "napari-ldseg",
        "manufacturer_model_name": model,
        "software_versions": __version__,
        "device_serial_number": str(own.get("model_sha256") or "none")[:16],
        "content_description": f"napari-ldseg, model {model}"[:64],
    }
    try:
        made = _map(sources, image, common) if _is_sd(image) else _segmentation(sources, image, own, common)
    except (ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise InputError(
            f"{image.name} cannot be a DICOM segmentation of {source} ({error}); save it as NIfTI or TIFF."
        ) from error
    made.save_as(path)


def read_segmentation(path: Path) -> Image:
    """Read a segmentation as labels: the numbers of its segments. Probabilities are cut at one half.

    Raises
    ------
    InputError
        If segments overlap.
    """
    hd = optional("highdicom", "DICOM segmentations")
    found = hd.seg.segread(str(path))
    fractional = found.segmentation_type == hd.seg.SegmentationTypeValues.FRACTIONAL
    try:
        array, affine = _pixels(found, combine=not fractional)
    except RuntimeError as error:
        raise InputError(
            f"{path} holds segments that overlap, which labels cannot; export one segment each."
        ) from error
    notes = []
    if fractional:
        array = np.where(array.max(axis=-1) >= _HALF, array.argmax(axis=-1) + 1, 0)
        notes.append(f"{path.name} holds probabilities; labels are where one is at least {_HALF}.")
    kind = np.uint8 if array.max(initial=0) < 256 else np.uint16
    return _placed(array.astype(kind), affine, path, notes)


def read_probabilities(path: Path) -> Image:
    """Read the mean probabilities of a result of ours, with those of the background (axis c).

    Raises
    ------
    InputError
        If it is another segmentation, which is never an image.
    """
    hd = optional("highdicom", "DICOM segmentations")
    found = hd.seg.segread(str(path))
    if found.segmentation_type != hd.seg.SegmentationTypeValues.FRACTIONAL or "model" not in dicom_notes(path):
        raise InputError(
            f"{path} is a DICOM segmentation: it holds labels and no image. Name it where labels are asked for."
        )
    classes, affine = _pixels(found, combine=False)
    every = np.concatenate([1 - classes.sum(axis=-1, keepdims=True), classes], axis=-1).clip(0, 1).astype(np.float32)
    where = _placed(every[..., 0], affine, path, [])
    turned = _turned(every, affine)
    axes = where.axes[:-2] + "cyx"
    return where.replace(array=np.moveaxis(turned.reshape(*where.array.shape, -1), -1, -3), axes=axes)


def read_map(path: Path) -> Image:
    """Read a parametric map, for instance an SD map of ours, as an image of 32-bit numbers."""
    hd = optional("highdicom", "DICOM maps")
    array, affine = _pixels(hd.imread(str(path)), combine=None)
    return _placed(array.astype(np.float32), affine, path, [])


def dicom_notes(path: Path) -> dict[str, Any]:
    """Return the provenance of a segmentation of ours, and the classes of any."""
    data = optional("pydicom", "DICOM").dcmread(path, stop_before_pixels=True)
    if not is_segmentation(data):
        return {}
    segments = data.SegmentSequence
    algorithm = segments[0].get("SegmentationAlgorithmIdentificationSequence") or [{}]
    text = str(algorithm[0].get("AlgorithmParameters", "") or "")
    names = ["background", *(str(segment.SegmentLabel) for segment in segments)]
    return {"class_names": names, **parse_notes(text.partition("provenance=")[2] or text)}


def _is_sd(image: Image) -> bool:
    return image.array.dtype.kind == "f" and "c" not in image.axes


def _complete(sources: Sequence[Any], geometry: Geometry | None) -> None:
    """Add entries that highdicom copies from each source, and that may be missing."""
    for source in sources:
        for name in _EMPTY:
            if name not in source:
                setattr(source, name, "")
        if not source.get("SliceThickness"):
            source.SliceThickness = 1.0 if geometry is None else geometry.spacing[0]


def _segmentation(sources: Sequence[Any], image: Image, own: dict[str, Any], common: dict[str, Any]) -> Any:
    hd = optional("highdicom", "DICOM segmentations")
    array, axes = image.array, image.axes
    fractional = "c" in axes
    if fractional:
        array = np.moveaxis(array, axes.index("c"), -1)[..., 1:].astype(np.float64).clip(0, 1)
    count = array.shape[-1] if fractional else max(int(array.max(initial=0)), len(own.get("class_names", ())) - 1)
    algorithm = hd.AlgorithmIdentificationSequence(
        name=common["manufacturer_model_name"],
        family=hd.sr.CodedConcept("123109", "DCM", "Manual Processing")
        if "model" not in own
        else hd.sr.CodedConcept("123110", "DCM", "Artificial Intelligence"),
        version=__version__,
        source="napari-ldseg",
        parameters={"provenance": json.dumps(own, default=str)},
    )
    names = [*map(str, own.get("class_names", ())), *(f"class {n}" for n in range(count + 1))][: count + 1]
    colors = tuple(own.get("class_colors", ()))
    segments = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=names[number],
            segmented_property_category=_code("Anatomical Structure", "91723000", "SCT"),
            segmented_property_type=_type_of(names[number]),
            algorithm_type="AUTOMATIC" if "model" in own else "MANUAL",
            algorithm_identification=algorithm,
            display_color=hd.color.CIELabColor.from_rgb(*_rgb(class_color(number, colors))),
        )
        for number in range(1, count + 1)
    ]
    return hd.seg.Segmentation(
        source_images=sources,
        pixel_array=_on(array if fractional else array.astype(np.uint8), image, sources),
        segmentation_type="FRACTIONAL" if fractional else "BINARY",
        segment_descriptions=segments,
        omit_empty_frames=False,
        **common,
    )


def _map(sources: Sequence[Any], image: Image, common: dict[str, Any]) -> Any:
    hd = optional("highdicom", "DICOM maps")
    unit = _code("no units", "1", "UCUM")
    mapping = hd.pm.RealWorldValueMapping(
        lut_label="SD",
        lut_explanation="SD of the probability over the samples"[:64],
        unit=unit,
        value_range=(0.0, 1.0),
        slope=1.0,
        intercept=0.0,
        quantity_definition=_code("Standard deviation", "386136009", "SCT"),
    )
    return hd.pm.ParametricMap(
        source_images=sources,
        pixel_array=_on(image.array.astype(np.float32), image, sources),
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[hd.VOILUTTransformation(window_center=0.25, window_width=0.5)],
        **common,
    )


def _on(array: NDArray[Any], image: Image, sources: Sequence[Any]) -> Any:
    """Return pixels on their place in the patient, or frame by frame where the images state none."""
    hd = optional("highdicom", "DICOM segmentations")
    extra = array.shape[len(image.axes.replace("c", "")) :]
    if image.geometry is not None:
        if set(image.axes) - set("zyxc"):
            raise InputError(f"{image.name} has axes {image.axes!r}, which a DICOM segmentation of volumes has not.")
        volume = array.reshape(*image.geometry.shape, *extra)
        affine = (_FLIP @ image.geometry.matrix)[:, [2, 1, 0, 3]]
        channels = {"channels": {"SegmentNumber": list(range(1, extra[0] + 1))}} if extra else {}
        uid = sources[0].get("FrameOfReferenceUID")
        return hd.Volume(volume, affine, "PATIENT", frame_of_reference_uid=uid, **channels)
    frames = sum(int(source.get("NumberOfFrames") or 1) for source in sources)
    wanted = (frames, int(sources[0].Rows), int(sources[0].Columns))
    flat = array.reshape(-1, *image.shape[-2:], *extra)
    if frames > 1 or (array.dtype == np.float32 and not extra):
        raise InputError(
            f"The source of {image.name} has no place in the patient (no frame of reference). DICOM takes labels of "
            "single such images, but no sequences and no SD maps: save them as TIFF or NIfTI, or leave out --sd."
        )
    if flat.shape[:3] != wanted:
        raise InputError(
            f"{image.name} has {flat.shape[:3]} frames, rows and columns, and its source {wanted}; segment all of it, "
            "or choose another format."
        )
    return flat


def _pixels(found: Any, combine: bool | None) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
    """Return pixels (frames or slices first) and the affine (LPS, order z, y, x) of a volume, or None."""
    options = {} if combine is None else {"combine_segments": combine}
    if found.get("DimensionOrganizationType") == "TILED_FULL" or "TotalPixelMatrixRows" in found:
        return np.asarray(found.get_total_pixel_matrix(**options)), None
    geometry = found.get_volume_geometry(allow_missing_positions=True)
    if geometry is not None:
        volume = found.get_volume(**options)
        return np.asarray(volume.array), np.asarray(volume.affine)
    if combine is None or int(found.NumberOfFrames) > len(found.segment_numbers):
        raise InputError("it holds frames without a place in the patient")
    planes = {
        int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber): frame
        for group, frame in zip(found.PerFrameFunctionalGroupsSequence, found.get_frames(), strict=True)
    }
    empty = np.zeros((int(found.Rows), int(found.Columns)), np.float32)
    stack = np.stack([planes.get(number, empty) for number in found.segment_numbers], axis=-1)
    if not combine:
        return stack[np.newaxis], None
    if (stack > 0).sum(axis=-1).max(initial=0) > 1:
        raise RuntimeError("overlap")
    return np.where(stack.any(axis=-1), stack.argmax(axis=-1) + 1, 0)[np.newaxis], None


def _placed(array: NDArray[Any], affine: NDArray[np.float64] | None, path: Path, notes: Sequence[str]) -> Image:
    """Return an image on its place. One slice or frame is flat."""
    if affine is None:
        flat = array[0] if array.ndim == 3 and len(array) == 1 else array
        return Image(flat, "yx" if flat.ndim == 2 else "tyx", name=stem(path), notes=tuple(notes))
    z, y, x = array.shape
    array = _turned(array, affine)
    if _is_turned(affine):
        last = np.eye(4)
        last[0, 0], last[0, 3] = -1, z - 1
        affine = affine @ last
    matrix = _FLIP @ affine[:, [2, 1, 0, 3]]
    geometry, size = Geometry(rows(matrix), (z, y, x), "dicom"), voxel_size(matrix)
    if z == 1:
        return Image(array[0], "yx", size[1:], "millimeter", stem(path), geometry=geometry, notes=tuple(notes))
    return Image(array, "zyx", size, "millimeter", stem(path), geometry=geometry, notes=tuple(notes))


def _is_turned(affine: NDArray[np.float64] | None) -> bool:
    """Whether a volume begins with the slice that is the last one of a series as we read it."""
    return affine is not None and float(affine[:3, 0] @ np.cross(affine[:3, 2], affine[:3, 1])) < 0


def _turned(array: NDArray[Any], affine: NDArray[np.float64] | None) -> NDArray[Any]:
    return array[::-1] if _is_turned(affine) else array


def _type_of(name: str) -> Any:
    """Return the code of a class: of SNOMED CT where pydicom's dictionary or our table has it, else one of our own."""
    codes = optional("pydicom.sr.codedict", "DICOM segmentations").codes
    key = name.strip().lower()
    if key in _CODES:
        value, meaning = _CODES[key]
        return _code(meaning, value, "SCT")
    try:
        found = getattr(codes.SCT, "".join(word.capitalize() for word in key.split()))
    except AttributeError:
        return _code(name[:64], "".join(c if c.isalnum() else "_" for c in key)[:16] or "class", _OWN)
    return _code(found.meaning, found.value, "SCT")


def _code(meaning: str, value: str, scheme: str) -> Any:
    return optional("highdicom.sr", "DICOM segmentations").CodedConcept(value, scheme, meaning)


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
