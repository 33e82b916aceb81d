"""Time what a user waits for before the first result. Run as a module, it opens napari, for ``speed.py startup``."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median

CLOCK = "import time; begun = time.perf_counter(); {}; print(time.perf_counter() - begun)"
IMPORT = CLOCK.format("import napari_ldseg")
LOAD = "import torch; from napari_ldseg.checkpoints import load_model; " + CLOCK.format("load_model('glas')")
ROUNDS, WINDOWS = 5, 3
IMPORTS, LOADS = "import napari_ldseg", "load_model('glas'), torch imported"
OPENS, SHOWS = "the Segment widget opens, beyond napari and torch", "first picture, after the press on a warm model"


def startup(quick: bool) -> Iterator[dict[str, object]]:
    """Yield seconds, each the median of fresh processes; without a display, what needs one is left out."""
    rounds = 1 if quick else ROUNDS
    for what, code in ((IMPORTS, IMPORT), (LOADS, LOAD)):
        yield {"what": what, "seconds": median(float(fresh("-c", code)) for _ in range(rounds))}
    shown = sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if quick or not shown:
        for what in (OPENS, SHOWS):
            yield {"what": what, "seconds": "left out" if quick else "no display"}
        return
    opened = [json.loads(fresh("-m", __name__)) for _ in range(WINDOWS)]
    for what in (OPENS, SHOWS):
        yield {"what": what, "seconds": median(each[what] for each in opened)}


def fresh(*arguments: str) -> str:
    """Return the last line that a new Python process prints."""
    done = subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()[-1]


def main() -> None:
    """Open the widget in napari and press Segment on RGB images of 256 x 256; the first press loads torch and model.

    No layer is deleted in between: with software OpenGL (Xvfb, Mesa) napari then crashed at the next press.
    """
    import napari
    import numpy as np
    from napari.layers import Labels
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer()
    QApplication.processEvents()
    begun = time.perf_counter()
    from napari_ldseg._qt import SegmentWidget

    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Segment (LDSeg)", area="right")
    QApplication.processEvents()
    opened = time.perf_counter() - begun

    from napari_ldseg._qt.plugin._demo import press_segment, settle
    from napari_ldseg.config import SegmentConfig

    seen: list[float] = []

    def note(event: object) -> None:
        if isinstance(event.value, Labels):
            seen.append(time.perf_counter())

    viewer.layers.events.inserted.connect(note)
    widget.model.setValue("glas")
    widget.settings.setValue(SegmentConfig(samples=4))
    waits = []
    for number in range(1 + ROUNDS):
        pixels = np.random.default_rng(number).integers(0, 255, (256, 256, 3), dtype=np.uint8)
        widget.image.setValue(viewer.add_image(pixels, rgb=True, name=f"image {number}"))
        settle()
        begun = time.perf_counter()
        outcome = press_segment(widget)
        if outcome.error is not None:
            raise outcome.error
        waits.append(seen[-1] - begun)
    viewer.close()
    print(json.dumps({OPENS: opened, SHOWS: median(waits[1:])}))  # noqa: T201


if __name__ == "__main__":
    main()
