"""List the formats: how each is read and written, and where its provenance is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..._util import replacing
from ...errors import InputError
from .._geometry import Geometry
from .._image import Image
from .._names import SUFFIXES_OF, format_of
from ._axes_note import KEY
from ._dicom import read_dicom
from ._dicom_seg import dicom_notes, save_dicom_seg
from ._metaimage import metaimage_notes, read_metaimage, save_metaimage
from ._nifti import nifti_notes, read_nifti, save_nifti
from ._nrrd import nrrd_notes, read_nrrd, save_nrrd
from ._ome_zarr import ome_zarr_notes, read_ome_zarr, save_ome_zarr
from ._picture import read_picture
from ._tiff_read import read_tiff, tiff_notes
from ._tiff_write import as_image, save_imagej, save_ome
from ._video import read_cine


@dataclass(frozen=True)
class Format:
    """One kind of file. ``SUFFIXES_OF`` holds its name and suffixes.

    Attributes
    ----------
    read : callable (path, palette) -> Image
        ``palette``: whether a palette picture becomes colours (images) or stays indices (labels).
    save : callable (path, image, metadata) -> None, or None
        Writes a file; None if results cannot be written in this format.
    notes : callable (path) -> dict, or None
        Reads the metadata that ``save`` was given.
    """

    read: Callable[[Path, bool], Image]
    save: Callable[[Path, Image, Mapping[str, Any]], None] | None = None
    notes: Callable[[Path], dict[str, Any]] | None = None


def _read_zarr(path: Path, palette: bool) -> Image:
    """Open an OME-Zarr. It never has a palette."""
    del palette
    return read_ome_zarr(path)


FORMATS = {
    "tif": Format(read_tiff, save_imagej, tiff_notes),
    "ome-tif": Format(read_tiff, save_ome, tiff_notes),
    "picture": Format(read_picture),
    "nifti": Format(read_nifti, save_nifti, nifti_notes),
    "mha": Format(read_metaimage, save_metaimage, metaimage_notes),
    "nrrd": Format(read_nrrd, save_nrrd, nrrd_notes),
    "dicom": Format(read_dicom, notes=dicom_notes),
    "dicom-seg": Format(read_dicom, save_dicom_seg, dicom_notes),
    "cine": Format(read_cine),
    "ome-zarr": Format(_read_zarr, save_ome_zarr, ome_zarr_notes),
    "ome-zarr-0.5": Format(_read_zarr, partial(save_ome_zarr, version="0.5"), ome_zarr_notes),
}
WRITABLE = tuple(name for name, row in FORMATS.items() if row.save is not None)


def output_suffix(image: Path, wanted: str | None = None) -> str:
    """Return the suffix of an image's results: that of its own format, unless another one is wanted.

    DICOM becomes NIfTI, which also holds the place in the patient. Pictures and cines become TIFF.

    Raises
    ------
    InputError
        If results cannot be written in the wanted format.
    """
    if wanted is not None and wanted not in WRITABLE:
        raise InputError(f"There is no format {wanted!r} to write; choose one of {', '.join(WRITABLE)}.")
    own = format_of(image)
    if wanted == "dicom-seg" and own != "dicom":
        raise InputError(f"{image} is no DICOM image, of which alone a DICOM segmentation can be made; choose nifti.")
    if own == "nifti" and wanted in (None, "nifti") and image.name.lower().endswith(".nii"):
        return ".nii"
    name = wanted or (own if own in WRITABLE else "nifti" if own == "dicom" else "tif")
    return SUFFIXES_OF[name][0]


def write_image(
    path: Path | str,
    array: NDArray[Any],
    axes: str,
    *,
    spacing: tuple[float, ...] | None,
    unit: str,
    metadata: Mapping[str, Any],
    geometry: Geometry | None = None,
    written: str | None = None,
) -> None:
    """Write an image in the format that its suffix names: TIFF, OME-TIFF, NIfTI, MetaImage, NRRD, OME-Zarr, DICOM.

    The file is written beside its place and renamed, so a failure leaves no partial file. A missing folder is created.

    Parameters
    ----------
    path : Path
        Ending in ``.tif``, ``.ome.tif``, ``.nii``, ``.nii.gz``, ``.mha``, ``.nrrd``, ``.zarr`` or ``.dcm`` (a DICOM
        segmentation, whose images ``metadata["source"]`` names).
    array : array
        A mask is written as uint8.
    axes : str
        One letter for each axis, out of t, p, s, z, c, y, x. Several frame axes are written as one;
        :func:`read_image` restores them.
    spacing : tuple of float or None
        Pixel size ((Z), Y, X) in ``unit``. NIfTI and MetaImage hold it in millimetres.
    unit : str
    metadata : mapping
        Provenance, everything JSON; :func:`read_notes` finds it again.
    geometry : Geometry, optional
        That of the source, on the same grid. NIfTI, MetaImage and NRRD store it.

    written : str, optional
        The format, where a suffix is that of two: ``"ome-zarr-0.5"`` (a ``.zarr`` is 0.4 otherwise).

    Raises
    ------
    InputError
        If array, axes and geometry do not fit, the format cannot hold them, or writing fails.
    """
    path = Path(path)
    kind = format_of(path)
    if written is not None and kind is not None and written.startswith(kind):
        kind = written
    kind = "dicom-seg" if kind == "dicom" else kind
    save = FORMATS[kind].save if kind is not None else None
    if save is None:
        endings = ", ".join(SUFFIXES_OF[name][0] for name in WRITABLE)
        raise InputError(f"{path} cannot be written: its suffix names no format; end it in one of {endings}.")
    image = as_image(array, axes, spacing=spacing, unit=unit, name=path.name, geometry=geometry)
    grid = (1,) * (3 - len(image.shape)) + image.shape
    if geometry is not None and geometry.shape != grid:
        raise InputError(f"{path.name} of shape {grid} does not lie on the grid {geometry.shape} of its source.")
    with replacing(path) as unfinished:
        save(unfinished, image, metadata)


def read_notes(path: Path | str) -> dict[str, Any]:
    """Return the provenance that :func:`write_image` noted in a file; empty for other files."""
    path = Path(path)
    read = FORMATS[kind].notes if (kind := format_of(path)) is not None else None
    try:
        notes = read(path) if read is not None else {}
    except (OSError, ValueError, EOFError, InputError):
        return {}
    return {key: value for key, value in notes.items() if key != KEY}
