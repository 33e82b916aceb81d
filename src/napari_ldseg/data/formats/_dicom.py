"""Read DICOM through pydicom: a file (picture, cine, volume of many frames), or a folder that holds one series."""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._util import optional
from ...errors import InputError
from .._geometry import Geometry, rows, voxel_size
from .._image import Image
from .._names import dicom_files, shortlist, stem
from ._dicom_seg import is_map, is_segmentation, read_map, read_probabilities, read_segmentation

_PIXEL_DATA = 0x7FE00010
_LPS = np.diag([-1.0, -1.0, 1.0])
_CENTIMETER = 3  # The unit of regions in an ultrasound image.
# So many pixels of a slide are read at once.
_WHOLE = 20_000**2
# A slice may be off its place by this share of a step.
_UNEVEN = 0.05


def read_dicom(path: Path, palette: bool = True) -> Image:
    """Read a DICOM file, or a folder that holds one series.

    Values are rescaled as the file says (to Hounsfield units, for example), and MONOCHROME1 is inverted so that larger
    is brighter. Colours have the axis ``c``. Frames are ``t``, or ``z`` if each has its own place in the patient.
    """
    with _quiet():
        if path.is_dir():
            return _from(path, _read_series(path))
        data = _load(path)
        if is_segmentation(data):
            return read_probabilities(path) if palette else read_segmentation(path)
        return read_map(path) if is_map(data) else _from(path, _read_file(path, data))


def _from(path: Path, image: Image) -> Image:
    """Note the file or folder of an image that has a place in the patient."""
    if image.geometry is None:
        return image
    return image.replace(geometry=replace(image.geometry, source=str(path.resolve())))


def holds_labels(path: Path) -> bool:
    """Whether a file is a DICOM segmentation, which is read as labels."""
    if path.is_dir():
        return False
    with _quiet():
        return is_segmentation(optional("pydicom", "DICOM").dcmread(path, stop_before_pixels=True))


def is_series(files: Sequence[Path]) -> bool:
    """Whether files are single slices of one series. Files without an image, such as reports, do not count."""
    with _quiet():
        headers = [header for header in map(_header, files) if header is not None]
        one = len({str(each.get("SeriesInstanceUID", "")) for each in headers}) == 1
        return one and max(map(_count, headers)) == 1


def _header(path: Path) -> Any:
    """Read what :func:`is_series` needs, without the pixels; None if there are none."""
    found: list[int] = []

    def at_pixels(tag: int, _vr: str | None, _length: int) -> bool:
        found.extend([tag] * (tag == _PIXEL_DATA))
        return bool(found)

    reader, tag = optional("pydicom.filereader", "DICOM"), optional("pydicom.tag", "DICOM").Tag
    with path.open("rb") as file:
        header = reader.read_partial(file, at_pixels, specific_tags=[tag("SeriesInstanceUID"), tag("NumberOfFrames")])
    return header if found else None


def _read_tiles(path: Path, data: Any) -> Image:
    """Read one level of a slide, whose frames are its tiles."""
    hd = optional("highdicom", "DICOM slides")
    rows, columns = int(data.TotalPixelMatrixRows), int(data.TotalPixelMatrixColumns)
    if rows * columns > _WHOLE:
        raise InputError(
            f"{path} is a slide of {rows} x {columns} pixels; name the file of a smaller level, or save it as OME-Zarr."
        )
    kind = np.uint8 if int(data.BitsAllocated) == 8 else np.uint16
    array = hd.imread(str(path)).get_total_pixel_matrix(dtype=kind, apply_icc_profile=False)
    return _image(array, "yx" + "c" * (array.ndim - 2), _pixel_size(data), [], stem(path))


def _read_file(path: Path, data: Any) -> Image:
    if "TotalPixelMatrixColumns" in data:
        return _read_tiles(path, data)
    array, frames = _pixels(path, data), _count(data)
    colour = "c" if array.ndim == (4 if frames > 1 else 3) else ""
    places = _frame_places(data, frames)
    spacing, depth = _pixel_size(data), None
    if frames == 1:
        places = places or _place(data)
    if frames > 1 and len(places) == frames and (order := _sorted(path, places)) is not None:
        array, places, depth = array[order], [places[i] for i in order], "z"
    axes = (depth or "t") * (frames > 1) + "yx" + colour
    return _image(array, axes, spacing, places if depth or frames == 1 else [], stem(path))


def _read_series(folder: Path) -> Image:
    """Read slices of one series, sorted by their place along their common normal."""
    loaded = [(file, _load(file)) for file in dicom_files(folder)]
    slices = [(file, data) for file, data in loaded if "PixelData" in data and not is_segmentation(data)]
    if not slices:
        raise InputError(f"{folder} holds no DICOM image; export it again.")
    if len({str(data.get("SeriesInstanceUID", "")) for _, data in slices}) > 1:
        raise InputError(f"{folder} holds several DICOM series; put each into a folder of its own.")
    if len(slices) == 1:
        return _read_file(*slices[0]).replace(name=stem(folder))
    if any(_count(data) > 1 for _, data in slices):
        raise InputError(f"{folder} holds several DICOM files of many frames; name the files one by one.")
    places = [place for _, data in slices for place in _place(data)]
    if len(places) < len(slices):  # No slice states its place: keep the order in which they were acquired.
        slices.sort(key=lambda each: int(each[1].get("InstanceNumber") or 0))
        places = []
    else:
        order = _sorted(folder, places)
        if order is None:
            raise InputError(f"The slices in {folder} do not lie in one direction; export them as one volume.")
        slices, places = [slices[i] for i in order], [places[i] for i in order]
    planes = [_pixels(file, data) for file, data in slices]
    if len({plane.shape for plane in planes}) > 1:
        raise InputError(f"The slices in {folder} have different sizes; put each series into a folder of its own.")
    axes = ("z" if places else "s") + "yx" + "c" * (planes[0].ndim - 2)
    return _image(np.stack(planes), axes, _pixel_size(slices[0][1]), places, stem(folder))


def _image(
    array: NDArray[Any],
    axes: str,
    spacing: tuple[float, float] | None,
    places: Sequence[NDArray[np.float64]],
    name: str,
) -> Image:
    """Put pixels, pixel size (Y, X) and the places of the slices together."""
    if spacing is None:
        return Image(array, axes.replace("z", "s"), name=name)
    geometry = None
    if places:
        along, down, first = places[0][0], places[0][1], places[0][2]
        normal = np.cross(along, down)
        step = (places[-1][2] - first) / (len(places) - 1) if len(places) > 1 else normal
        affine = np.eye(4)
        affine[:3] = _LPS @ np.column_stack([along * spacing[1], down * spacing[0], step, first])
        shape = tuple(array.shape[axes.index(axis)] if axis in axes else 1 for axis in "zyx")
        geometry = Geometry(rows(affine), (shape[0], shape[1], shape[2]), "dicom")
    full = (voxel_size(geometry.affine)[0], *spacing) if geometry is not None and "z" in axes else spacing
    return Image(array, axes, full, "millimeter", name, geometry=geometry)


@contextmanager
def _quiet() -> Iterator[None]:
    """Turn the library's own errors into ValueError, and silence its many warnings."""
    pydicom = optional("pydicom", "DICOM")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (pydicom.errors.InvalidDicomError, pydicom.errors.BytesLengthException) as error:
        raise ValueError(str(error)) from error


def _load(path: Path) -> Any:
    return optional("pydicom", "DICOM").dcmread(path)


def _count(data: Any) -> int:
    return int(data.get("NumberOfFrames") or 1)


def _pixels(path: Path, data: Any) -> NDArray[Any]:
    """Return the pixels with channels last, rescaled."""
    pixels = optional("pydicom.pixels", "DICOM")
    if "PixelData" not in data:
        raise InputError(f"{path} is a DICOM file without an image (a report or a contour, for example).")
    syntax = data.file_meta.TransferSyntaxUID
    try:
        array = np.asarray(data.pixel_array)
    except RuntimeError as error:
        if "missing" not in str(error) and "plugins" not in str(error):
            raise
        raise InputError(
            f"{path} is compressed as {syntax.name}; install the package python-gdcm "
            "(pip install 'napari-ldseg[medical]'), or export it uncompressed."
        ) from error
    if data.PhotometricInterpretation == "PALETTE COLOR":
        return np.asarray((pixels.apply_color_lut(array, data) >> 8).astype(np.uint8))
    if data.PhotometricInterpretation == "MONOCHROME1":
        low, high = (0, 2**data.BitsStored - 1) if data.PixelRepresentation == 0 else (array.min(), array.max())
        array = (low + high - array).astype(array.dtype)
    rescaled = _rescaled(array, data)
    if rescaled.dtype != np.float64:
        return rescaled
    # Hounsfield units are whole numbers.
    whole = rescaled.astype(np.int16) if np.abs(rescaled).max() < 2**15 else rescaled
    return whole if np.array_equal(whole, rescaled) and whole is not rescaled else rescaled.astype(np.float32)


def _rescaled(array: NDArray[Any], data: Any) -> NDArray[Any]:
    """Rescale as the file says. Enhanced files say it in their functional groups, for each frame or for all."""
    rescale = optional("pydicom.pixels", "DICOM").apply_modality_lut
    count = _count(data)
    groups = [_shared(data, "PixelValueTransformationSequence", frame) for frame in range(count)]
    if "RescaleSlope" in data or "ModalityLUTSequence" in data or all(group is None for group in groups):
        return np.asarray(rescale(array, data))
    frames = array if count > 1 else array[np.newaxis]
    each = [frame if group is None else rescale(frame, group) for frame, group in zip(frames, groups, strict=True)]
    return np.stack(each) if count > 1 else np.asarray(each[0])


def _pixel_size(data: Any) -> tuple[float, float] | None:
    """Return the size (Y, X) of a pixel in millimetres: in the image, on the detector, or in the ultrasound region."""
    group = _shared(data, "PixelMeasuresSequence")
    for owner, key in (
        (data, "PixelSpacing"),
        (group, "PixelSpacing"),
        (data, "ImagerPixelSpacing"),
        (data, "NominalScannedPixelSpacing"),
    ):
        value = owner.get(key) if owner is not None else None
        if value is not None and len(value) == 2:
            return _positive(float(value[0]), float(value[1]))
    regions = [region for region in data.get("SequenceOfUltrasoundRegions") or () if _is_tissue(region)]
    if not regions:
        return None
    largest = max(regions, key=_area)
    return _positive(10 * abs(float(largest.PhysicalDeltaY)), 10 * abs(float(largest.PhysicalDeltaX)))


def _positive(y: float, x: float) -> tuple[float, float] | None:
    return (y, x) if min(y, x) > 0 and math.isfinite(y + x) else None


def _is_tissue(region: Any) -> bool:
    units = (region.get("PhysicalUnitsXDirection"), region.get("PhysicalUnitsYDirection"))
    return units == (_CENTIMETER, _CENTIMETER) and "PhysicalDeltaX" in region and "PhysicalDeltaY" in region


def _area(region: Any) -> int:
    sides = [int(region.get(f"RegionLocation{end}", 0)) for end in ("MaxX1", "MinX0", "MaxY1", "MinY0")]
    return (sides[0] - sides[1]) * (sides[2] - sides[3])


def _shared(data: Any, name: str, frame: int = 0) -> Any:
    """Return an entry of the functional groups of an enhanced image, or None."""
    per_frame = data.get("PerFrameFunctionalGroupsSequence") or ()
    for group in (*per_frame[frame : frame + 1], *(data.get("SharedFunctionalGroupsSequence") or ())):
        if entry := group.get(name):
            return entry[0]
    return None


def _frame_places(data: Any, frames: int) -> list[NDArray[np.float64]]:
    """Return the place of each frame; empty unless every frame has one."""
    places: list[NDArray[np.float64]] = []
    for frame in range(frames if "PerFrameFunctionalGroupsSequence" in data else 0):
        entries = [_shared(data, name, frame) for name in ("PlaneOrientationSequence", "PlanePositionSequence")]
        if None in entries:
            return []
        places += _place({key: value for entry in entries for key, value in ((e.keyword, e.value) for e in entry)})
    return places


def _place(data: Any) -> list[NDArray[np.float64]]:
    """Return [direction of x, direction of y, first pixel] of a slice, shape (3, 3); empty if the file omits them."""
    directions, position = data.get("ImageOrientationPatient"), data.get("ImagePositionPatient")
    if directions is None or position is None or len(directions) != 6 or len(position) != 3:
        return []
    return [np.array([*map(float, directions), *map(float, position)]).reshape(3, 3)]


def _sorted(path: Path, places: Sequence[NDArray[np.float64]]) -> list[int] | None:
    """Return the order of slices along their normal; None if they do not lie behind each other.

    Raises
    ------
    InputError
        If slices are missing or doubled.
    """
    normal = np.cross(places[0][0], places[0][1])
    if any(not np.allclose(place[:2], places[0][:2], atol=1e-3) for place in places):
        return None
    depths = np.array([place[2] @ normal for place in places])
    order = np.argsort(depths, kind="stable")
    steps = np.diff(depths[order])
    if np.allclose(steps, 0, atol=1e-4):
        return None
    typical = float(np.median(steps))
    if odd := [int(order[i + 1]) + 1 for i in np.flatnonzero(np.abs(steps - typical) > _UNEVEN * typical)]:
        raise InputError(
            f"The slices of {path} are not evenly spaced: there is a gap, or two at one place, before number "
            f"{shortlist(odd)}. Export one complete series, without further time points or echoes."
        )
    return [int(i) for i in order]
