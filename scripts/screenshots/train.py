"""Take the screenshots of docs/train_widget.md.

    python scripts/screenshots/train.py [--out docs/images] [--minutes 0.5]

The script does what a user does: it opens the sample, segments it, paints a correction, adds it to a training set,
fine-tunes the released model and segments again with the new one. It needs a display; without one, run it under
``xvfb-run -a -s "-screen 0 1600x1000x24"``.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from skimage.filters import gaussian

from napari_ldseg._qt import TrainWidget
from napari_ldseg._qt.models._library_dialog import ManageDialog
from napari_ldseg._qt.plugin._demo import open_demo, press_segment, require_display, save_picture, settle
from napari_ldseg.config import SegmentConfig


def main() -> None:
    """Take all screenshots with one viewer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "docs" / "images")
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--model")
    arguments = parser.parse_args()
    require_display()
    for name in ("MODELS", "RUNS", "SETS"):
        os.environ[f"NAPARI_LDSEG_{name}"] = tempfile.mkdtemp()
    viewer, segment = open_demo(arguments.model)
    segment.settings.setValue(SegmentConfig(samples=4))
    press_segment(segment)
    train = TrainWidget(viewer)
    viewer.window.add_dock_widget(train, name="Train (LDSeg)", area="right", tabify=True)
    labels = next(layer for layer in viewer.layers if layer.name.endswith("labels"))
    place = {"scale": labels.scale, "units": labels.units}
    for number, (rows, columns) in enumerate(((slice(0, 512), slice(0, 512)), (slice(0, 320), slice(160, 480)))):
        crop = viewer.layers[0].data[rows, columns]
        image = crop if number == 0 else (gaussian(crop, 1, channel_axis=-1) * 255).astype(np.uint8)
        layer = viewer.layers[0] if number == 0 else viewer.add_image(image, name="neighbour", visible=False, **place)
        mask = labels
        if number:
            mask = viewer.add_labels(labels.data[rows, columns], name="its labels", visible=False, **place)
        mask.paint((100, 100), 1)
        train.page.add.image.setValue(layer)
        train.page.add.labels.setValue(mask)
        train.page.add.add()
        until(lambda: not train.page.add.is_adding)
    train.page.add.image.setValue(viewer.layers[0])
    train.page.add.labels.setValue(labels)
    train.page.budget.setValue(arguments.minutes)
    train.page.more.setValue(train.page.more.value().replace(validation=0.4, batch=2, validate_every=4))
    save_picture(viewer, arguments.out / "train_before.png")
    train.start()
    until(lambda: len(train.page.curves.points("validation")) >= 5 or not train.is_running)
    save_picture(viewer, arguments.out / "train_running.png")
    until(lambda: not train.is_running)
    dialog = ManageDialog(segment.model)
    dialog.show()
    dialog.select("glas-tuned")
    settle()
    dialog.grab().save(str(arguments.out / "manage_models.png"))
    dialog.close()
    viewer.close()


def until(condition: Callable[[], bool], seconds: float = 900) -> None:
    """Run the event loop until a condition holds."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        settle(50)


if __name__ == "__main__":
    main()
