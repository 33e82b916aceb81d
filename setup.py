"""Ship the released models; everything else stands in setup.cfg.

The top-level folder ``models`` is installed as ``napari_ldseg/_released``; an editable install leaves it where it is.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithModels(build_py):
    """Also copy ``models`` into the package that is being built."""

    def run(self) -> None:
        """Build as usual, then copy."""
        super().run()
        if not self.editable_mode:
            self.copy_tree("models", str(Path(self.build_lib, "napari_ldseg", "_released")))


setup(cmdclass={"build_py": BuildWithModels})
