"""Make the pictures of the documentation: python docs/screenshots.py [--model NAME] [--out docs/images].

Needs a display; without one: xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots.py
"""

import argparse
from pathlib import Path

import numpy as np

from napari_ldseg._qt._demo import open_demo, press_segment, require_display, save_picture
from napari_ldseg.config import SegmentConfig


def main() -> None:
    """Make all pictures with one viewer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="name or file of a model; by default the first released one")
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "images")
    arguments = parser.parse_args()
    require_display()
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
