"""Keep where a medical image lies in the patient, so that results lie on their source."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["nifti", "metaimage", "dicom", "nrrd"]


@dataclass(frozen=True)
class Geometry:
    """The grid of a medical image in the patient.

    Attributes
    ----------
    affine : tuple of 4 rows
        Maps the voxel index (x, y, z) to millimetres: right, anterior, superior (RAS+, as in NIfTI). It may be
        oblique or sheared.
    shape : tuple of int
        (Z, Y, X) of the source; Z is 1 for a flat image.
    kind : {"nifti", "metaimage", "dicom", "nrrd"}
        The format of the source.
    header : bytes
        The source's own header: the bytes of NIfTI, the lines of MetaImage. Empty if there is none to keep, and after
        :meth:`moved`. Results in the same format are written with it, so that no number is rounded.
    source : str
        The file or folder of a DICOM image, which a segmentation in DICOM must name. It never leaves the computer.
    """

    affine: tuple[tuple[float, ...], ...]
    shape: tuple[int, int, int]
    kind: Kind
    header: bytes = b""
    source: str = field(default="", compare=False)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size (Z, Y, X) in millimetres."""
        z, y, x = voxel_size(self.affine)
        return z, y, x

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The affine as an array."""
        return np.asarray(self.affine, dtype=float)

    def moved(self, matrix: Any, shape: tuple[int, ...]) -> "Geometry":
        """Return the geometry of another grid on the same patient.

        Parameters
        ----------
        matrix : array, shape (4, 4)
            Maps the voxel index (x, y, z) of the new grid to that of this one.
        shape : tuple of int
            (Z, Y, X) of the new grid.
        """
        z, y, x = shape
        if self.shape == (z, y, x) and np.allclose(matrix, np.eye(4), rtol=0, atol=1e-6):
            return self
        return replace(self, affine=rows(self.matrix @ matrix), shape=(z, y, x), header=b"")

    def coarser(self, factors: tuple[float, ...], shape: tuple[int, ...]) -> "Geometry":
        """Return the geometry of a grid with the same corner and voxels ``factors`` ((Z), Y, X) times as large."""
        steps = np.array([*factors[::-1], 1.0, 1.0][:3])
        matrix = np.diag([*steps, 1.0])
        matrix[:3, 3] = (steps - 1) / 2
        return self.moved(matrix, (1,) * (3 - len(shape)) + tuple(shape))


def voxel_size(affine: Any) -> tuple[float, ...]:
    """Length (Z, Y, X) of a step along each axis of an affine.

    Headers hold 32-bit numbers: what reads 0.30799999833 was meant as 0.308.
    """
    lengths = np.linalg.norm(np.asarray(affine, dtype=float)[:3, :3], axis=0)[::-1]
    return tuple(float(str(np.float32(length))) for length in lengths)


def rows(matrix: Any) -> tuple[tuple[float, ...], ...]:
    """An array as a tuple of rows."""
    return tuple(tuple(float(value) for value in row) for row in np.asarray(matrix))
