"""Small NIfTI and DICOM files for tests."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom

from ...data import Image
from ..builders import make_ramp

SHEARED = np.array([[-0.9, 0.1, 0.2, 12.5], [0.05, -1.1, 0.3, -40.0], [0.0, 0.4, 2.5, 7.25], [0, 0, 0, 1]])


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
