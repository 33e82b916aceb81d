"""Read and write NIfTI-1 and NIfTI-2 through nibabel, which keeps every affine as it is, even a sheared one."""

import gzip
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._util import optional
from ...errors import InputError
from .._geometry import Geometry, rows, voxel_size
from .._image import Image
from .._names import stem
from .._units import METERS, convert_spacing
from ._axes_note import fold, note_text, parse_notes, unfold

_UNITS = {"mm": "millimeter", "micron": "micrometer", "meter": "meter", "unknown": "millimeter"}
_COMMENT = 6  # The code of a header extension that holds text.
_LONGEST_SIDE = 32767  # NIfTI-1 allows no more.
# A deflated file can be at most 1032 times as large once unpacked.
_DENSEST = 1100


def read_nifti(path: Path, palette: bool = True) -> Image:
    """Read a NIfTI file: its axes x, y, z, time, channels become t, z, y, x, c. Axes of length 1 are left out."""
    file = _open(path)
    array = _pixels(path, file)
    if any(n > 1 for n in array.shape[5:]):
        raise InputError(f"{path} has {array.ndim} axes, too many for one image; export a part of it.")
    array = array.reshape((*array.shape, 1, 1, 1, 1)[:5])
    grid = (int(array.shape[2]), int(array.shape[1]), int(array.shape[0]))
    array = np.transpose(array, (3, 2, 1, 0, 4))
    own = unfold(_notes(file), array.shape)
    axes, shape = own or _squeezed("tzyxc", array.shape)
    unit = _UNITS.get(file.header.get_xyzt_units()[0], "millimeter")
    sizes = None if _says_nothing(file.header) else voxel_size(file.affine)
    if sizes is None or not all(math.isfinite(size) and size > 0 for size in sizes):
        spacing, unit = None, "pixel"
    else:
        spacing = sizes if "z" in axes else sizes[1:]
    affine = np.diag([METERS.get(unit, 1e-3) * 1e3] * 3 + [1.0]) @ file.affine
    header = file.header.as_byteswapped("<").binaryblock
    geometry = Geometry(rows(affine), grid, "nifti", header) if np.all(np.isfinite(affine)) else None
    return Image(np.ascontiguousarray(array).reshape(shape), axes, spacing, unit, stem(path), geometry=geometry)


def save_nifti(path: Path, image: Image, metadata: Mapping[str, Any]) -> None:
    """Write with the source's header if there is one, else with its affine, else with only its pixel size.

    Frames become the fourth axis, channels the fifth. The provenance goes into a header extension. Images with too
    long an axis for NIfTI-1 become NIfTI-2.
    """
    nibabel = optional("nibabel", "NIfTI")
    stack, axes, note = fold(image, "zyxc")
    full = [stack.shape[axes.index(axis)] if axis in axes else 1 for axis in "tzyxc"]
    array = np.transpose(stack.reshape(full), (3, 2, 1, 0, 4))
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    header = _header(image, tuple(full[1:4]), long=max(array.shape) > _LONGEST_SIDE)
    header["descrip"] = f"napari-ldseg {metadata.get('version', '')}".strip().encode()[:79]
    kind = nibabel.Nifti2Image if header.sizeof_hdr == 540 else nibabel.Nifti1Image
    file = kind(array, None, header, dtype=array.dtype)
    file.header.extensions[:] = [nibabel.nifti1.Nifti1Extension(_COMMENT, note_text(metadata, note).encode())]
    with path.open("wb") as raw:
        if image.name.lower().endswith(".gz"):
            # The name and time are omitted, so that the same result gives the same file.
            with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as packed:
                file.to_stream(packed)
        else:
            file.to_stream(raw)


def nifti_notes(path: Path) -> dict[str, Any]:
    """Return the provenance in the header extension."""
    return _notes(_open(path))


def _open(path: Path) -> Any:
    nibabel = optional("nibabel", "NIfTI")
    errors = (
        nibabel.filebasedimages.ImageFileError,
        nibabel.spatialimages.HeaderDataError,
        nibabel.wrapstruct.WrapStructError,
    )
    try:
        # Odd numbers in a header make numpy warn. Those that matter are checked here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file = nibabel.load(path)
    except errors as error:
        raise ValueError(str(error)) from error
    if not isinstance(file, nibabel.Nifti1Pair):
        raise ValueError(f"it is {type(file).__name__}")  # noqa: TRY004 (the file's fault, not the caller's)
    return file


def _pixels(path: Path, file: Any) -> NDArray[Any]:
    """Return the pixels in the file's own order of axes, scaled as the header says."""
    shape, dtype = file.shape, file.get_data_dtype()
    size, promised = path.stat().st_size, math.prod(map(int, shape)) * dtype.itemsize
    if len(shape) < 2 or min(shape) < 1:
        raise ValueError(f"its shape is {shape}")
    if promised > size * (_DENSEST if path.suffix.lower() == ".gz" else 1):
        raise ValueError(f"truncated: the header promises {promised} bytes of pixels, but the file has {size}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array: NDArray[Any] = np.asanyarray(file.dataobj)
    if array.dtype.names is not None:
        spatial = array.reshape((*array.shape, 1, 1)[:4])
        return np.stack([spatial[name] for name in array.dtype.names], axis=-1)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{path} holds {array.dtype} values and is no image; export its magnitude.")
    if array.dtype.kind == "f" and (dtype.kind != "f" or array.dtype.itemsize not in (4, 8)):
        return array.astype(np.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _squeezed(axes: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    kept = [(axis, n) for axis, n in zip(axes, shape, strict=True) if n > 1 or axis in "yx"]
    return "".join(axis for axis, _ in kept), tuple(n for _, n in kept)


def _says_nothing(header: Any) -> bool:
    """Whether a program left its header without any geometry."""
    codes = int(header["sform_code"]) or int(header["qform_code"])
    return not codes and header.get_xyzt_units()[0] == "unknown" and all(zoom == 1 for zoom in header.get_zooms()[:3])


def _notes(file: Any) -> dict[str, Any]:
    for extension in file.header.extensions:
        if extension.get_code() == _COMMENT:
            content = extension.get_content()
            text = content.decode(errors="replace") if isinstance(content, bytes) else str(content)
            if notes := parse_notes(text.rstrip("\0")):
                return notes
    return {}


def _header(image: Image, grid: tuple[int, ...], *, long: bool) -> Any:
    """Return a header with the image's geometry. Shape and type of the pixels are set later."""
    nibabel = optional("nibabel", "NIfTI")
    geometry = image.geometry
    if geometry is not None and geometry.kind == "nifti" and geometry.header:
        kind = nibabel.Nifti2Header if len(geometry.header) == 540 else nibabel.Nifti1Header
        header = kind(geometry.header, endianness="<", check=False)
        # The source's statements about its values do not hold for these.
        for field in ("cal_min", "cal_max", "intent_code", "intent_p1", "intent_p2", "intent_p3"):
            header[field] = 0
        header["intent_name"] = b""
        return _lengthened(header) if long and kind is nibabel.Nifti1Header else header
    header = (nibabel.Nifti2Header if long else nibabel.Nifti1Header)()
    sizes = geometry.spacing if geometry is not None else convert_spacing(image.spacing, image.unit, "millimeter")
    header.set_data_shape(grid[::-1])
    if sizes is not None:
        header.set_xyzt_units("mm")
        header.set_zooms((*sizes[::-1], 1.0)[:3])
    if geometry is not None:
        affine = geometry.matrix
        header.set_sform(affine, "scanner")
        header.set_qform(affine, "scanner", strip_shears=True)
        if not np.allclose(header.get_qform(), affine, rtol=1e-5, atol=1e-4):
            header.set_qform(affine, "unknown")
            header["qform_code"] = 0
    return header


def _lengthened(header: Any) -> Any:
    """Return a NIfTI-1 header as NIfTI-2."""
    longer = optional("nibabel", "NIfTI").Nifti2Header()
    for field in set(header) & set(longer) - {"sizeof_hdr", "magic", "vox_offset"}:
        longer[field] = header[field]
    return longer
