"""Ship one released model and the index of the others; setup.cfg says everything else.

The top-level folder ``models`` is installed as ``napari_ldseg/_released``; an editable install leaves it where it is.
Of the weights only those of SMALL go into the wheel; the rest is downloaded (``napari-ldseg models fetch NAME``).
Folders named ``evaluation`` (splits, scores and the weights that were scored) stay in the repository.
"""

from pathlib import Path
from shutil import rmtree

from setuptools import setup
from setuptools.command.build_py import build_py

SMALL = "glas-small"


class BuildWithModels(build_py):
    """Also copy ``models`` into the package that is being built."""

    def run(self) -> None:
        """Build as usual, then copy."""
        super().run()
        if self.editable_mode:
            return
        released = Path(self.build_lib, "napari_ldseg", "_released")
        rmtree(released, ignore_errors=True)  # what an earlier build left there
        self.copy_tree("models", str(released))
        for folder in released.glob("*/evaluation"):
            rmtree(folder)
        for weights in released.glob("*/*.safetensors"):
            if weights.parent.name != SMALL:
                weights.unlink()


setup(cmdclass={"build_py": BuildWithModels})
