"""Ship the released models; setup.cfg says everything else.

The top-level folder ``models`` is installed as ``napari_ldseg/_released``; an editable install leaves it where it is.
Folders named ``evaluation`` (splits, scores and the weights that were scored) stay in the repository.
"""

from pathlib import Path
from shutil import rmtree

from setuptools import setup
from setuptools.command.build_py import build_py


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


setup(cmdclass={"build_py": BuildWithModels})
