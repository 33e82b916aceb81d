"""Take the screenshot of a half-filled pyramid, docs/images/large.png.

    xvfb-run -a -s "-screen 0 1600x1200x24" python -m scripts.screenshots.large --folder DIR --out docs/images

The slide is that of benchmarks/robustness/large.py. Small blocks and few samples keep it short.
"""

import argparse
import time
from pathlib import Path

import napari
from qtpy.QtCore import QCoreApplication

from benchmarks.robustness.large import slide
from napari_ldseg._qt import SegmentWidget
from napari_ldseg._qt.plugin._demo import save_picture
from napari_ldseg._util import partial_of
from napari_ldseg.config import SegmentConfig
from napari_ldseg.plan import _blocks, _plan


def main() -> None:
    """Segment until half of the blocks are done, and take the screenshot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--folder", type=Path, required=True, help="where the result goes")
    args = parser.parse_args()
    _plan.MAX_PLANE, _blocks.BLOCK_SIDE = 2**20, {2: 256}
    import napari_ldseg._qt.segment._widget as segment

    segment.result_folder = lambda *_: args.folder / "slide.zarr"
    image = slide(args.side, levels=5)
    viewer = napari.Viewer(title="napari", show=False)
    viewer.window.resize(1400, 900)
    viewer.show()
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Segment (LDSeg)", area="right")
    levels = [image.array, *(each.array for each in image.levels)]
    viewer.add_image(levels, name="slide", scale=image.spacing, units=("um", "um"), multiscale=True)
    widget.model.setValue("glas-small")
    widget._config = lambda: SegmentConfig(samples=2, steps=4, views=1, tile=192, overlap=64, device="cpu")
    widget.segment()
    done = partial_of(args.folder / "slide.zarr") / "done"
    while len(list(done.glob("*.json"))) < 9:
        QCoreApplication.processEvents()
        time.sleep(0.01)
    ended = time.monotonic() + 2
    while time.monotonic() < ended:
        QCoreApplication.processEvents()
    save_picture(viewer, args.out / "large.png")
    widget.cancel()
    while widget.is_running:
        QCoreApplication.processEvents()
    viewer.close()


if __name__ == "__main__":
    main()
