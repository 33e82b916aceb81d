"""Make the pictures of the documentation: python docs/screenshots.py [--model NAME] [--out docs/images].

With ``--keras DIR``, a folder of the LDSeg authors' Keras files, only the picture of the model picker after its import.
Needs a display; without one: xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots.py
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from qtpy.QtCore import QEventLoop
from qtpy.QtGui import QGuiApplication

from napari_ldseg._qt._demo import open_demo, press_segment, require_display, save_picture, settle
from napari_ldseg.config import SegmentConfig


def picture_import(keras: Path, path: Path) -> None:
    """Import a Keras folder in the model picker and take a picture of it, its list open."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAPARI_LDSEG_MODELS"] = folder
        viewer, widget = open_demo()
        picker, loop = widget.model, QEventLoop()
        picker.changed.connect(loop.quit)
        picker.failed.connect(loop.quit)
        picker.open_path(keras)
        loop.exec()
        picker.combo.showPopup()
        settle()
        # The list is a window of its own, so the picture is one of the screen.
        area = viewer.window._qt_window.frameGeometry()
        screen = QGuiApplication.primaryScreen()
        screen.grabWindow(0, area.x(), area.y(), area.width(), area.height()).save(str(path))
        picker.combo.hidePopup()
        viewer.close()


def main() -> None:
    """Make all pictures with one viewer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="name or file of a model; by default the first released one")
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "images")
    parser.add_argument("--keras", type=Path, help="a folder of Keras files: picture its import alone")
    arguments = parser.parse_args()
    require_display()
    if arguments.keras is not None:
        picture_import(arguments.keras, arguments.out / "import_keras.png")
        return
    viewer, widget = open_demo(arguments.model)
    widget.settings.setValue(SegmentConfig(samples=arguments.samples))
    save_picture(viewer, arguments.out / "segment_before.png")

    outcome = press_segment(widget)
    if outcome.error is not None:
        raise outcome.error
    save_picture(viewer, arguments.out / "segment_after.png")

    viewer.layers[1].visible = False
    save_picture(viewer, arguments.out / "sd_overlay.png")

    viewer.layers[1].visible = True
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (5, 512, 512), dtype=np.uint8)
    viewer.add_image(noise, name="multiplex", axis_labels=("c", "y", "x"), visible=False)
    press_segment(widget)
    save_picture(viewer, arguments.out / "error.png")
    viewer.close()


if __name__ == "__main__":
    main()
