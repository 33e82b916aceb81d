"""Take the screenshots of the documentation.

    python scripts/screenshots/widgets.py [--model NAME] [--out docs/images]

``--cardiac MODEL`` takes only that of the Cardiac widget on the phantom cine, ``--evaluate MODEL`` only that of the
Evaluate widget, ``--folder`` only that of the Segment folder widget, and ``--keras DIR`` (a folder of the LDSeg
authors' Keras files) only that of the model picker after the import. The script needs a display; without one, run it
under ``xvfb-run -a -s "-screen 0 1600x1000x24"``.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from napari import Viewer
from qtpy.QtCore import QEventLoop, Qt
from qtpy.QtGui import QGuiApplication
from skimage.segmentation import find_boundaries

from napari_ldseg._qt import CardiacWidget, EvaluateWidget, FolderWidget, MeasureWidget, ReviewWidget, SegmentWidget
from napari_ldseg._qt.plugin._demo import WINDOW, open_demo, press_segment, require_display, save_picture, settle
from napari_ldseg._qt.viewer._result_layers import HELPER
from napari_ldseg.config import DemoSample, SegmentConfig
from napari_ldseg.phantoms import colon_gland, echo_cine


def picture_import(keras: Path, path: Path) -> None:
    """Import a Keras folder in the model picker and take its screenshot with the list open."""
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
        # The list is a window of its own, so this grabs the screen.
        area = viewer.window._qt_window.frameGeometry()
        screen = QGuiApplication.primaryScreen()
        screen.grabWindow(0, area.x(), area.y(), area.width(), area.height()).save(str(path))
        picker.combo.hidePopup()
        viewer.close()


def segmented(widget: SegmentWidget) -> None:
    """Press Segment and wait; raise the error that stopped it."""
    outcome = press_segment(widget)
    if outcome.error is not None:
        raise outcome.error


def all_frames(model: str, kind: DemoSample, samples: int) -> Viewer:
    """Open a sample and segment all of its frames."""
    viewer, widget = open_demo(model, kind)
    viewer.fit_to_view()
    widget.frames.setCurrentIndex(1)
    widget.settings.setValue(SegmentConfig(samples=samples))
    segmented(widget)
    return viewer


def picture_frames(model: str, kind: DemoSample, samples: int, out: Path) -> None:
    """Segment the sample volume or cine, and take two screenshots: a slice and 3D, or two frames."""
    viewer = all_frames(model, kind, samples)
    for number, share in enumerate((0.5, 0.5) if kind == "volume" else (0.0, 0.4), start=1):
        if (kind, number) == ("volume", 2):
            viewer.dims.ndisplay = 3
            viewer.fit_to_view()
            viewer.scene.camera.angles = (10, -30, 140)
        viewer.dims.set_current_step(0, int(share * viewer.dims.nsteps[0]))
        save_picture(viewer, out / f"{kind}_{number}.png")
    viewer.close()


def main() -> None:
    """Take all screenshots, or those of review and measurements, with one viewer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="name or file of a model; by default the first released one")
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "docs" / "images")
    parser.add_argument("--keras", type=Path, help="a folder of Keras files: picture its import alone")
    parser.add_argument("--folder", action="store_true", help="only the picture of the Segment folder widget")
    parser.add_argument("--review", action="store_true", help="only the pictures of review and measurements")
    parser.add_argument("--cardiac", metavar="MODEL", help="a model for echocardiograms: picture the Cardiac widget")
    parser.add_argument("--phantoms", action="store_true", help="only the picture of the phantoms")
    parser.add_argument("--volume", metavar="MODEL", help="only the sample volume, in 2D and in 3D")
    parser.add_argument("--cine", metavar="MODEL", help="only the sample cine, at two frames")
    parser.add_argument("--evaluate", metavar="MODEL", help="only the sample cine against its true labels")
    arguments = parser.parse_args()
    require_display()
    if arguments.phantoms:
        picture_phantoms(arguments.out / "echo_phantoms.png")
        return
    if arguments.cardiac is not None:
        picture_cardiac(arguments.cardiac, arguments.samples, arguments.out / "cardiac.png")
        return
    if arguments.volume or arguments.cine:
        if arguments.volume:
            picture_frames(arguments.volume, "volume", arguments.samples, arguments.out)
        if arguments.cine:
            picture_frames(arguments.cine, "echo", arguments.samples, arguments.out)
        return
    if arguments.evaluate is not None:
        picture_evaluate(arguments.evaluate, arguments.samples, arguments.out / "evaluate.png")
        return
    if arguments.keras is not None:
        picture_import(arguments.keras, arguments.out / "import_keras.png")
        return
    if arguments.folder:
        picture_folder(arguments.out / "folder.png", arguments.model, arguments.samples)
        return
    os.environ["NAPARI_LDSEG_REVIEWS"] = tempfile.mkdtemp()
    viewer, widget = open_demo(arguments.model)
    widget.settings.setValue(SegmentConfig(samples=arguments.samples))
    if not arguments.review:
        segmenting(viewer, widget, arguments.out)
    reviewing(viewer, widget, arguments.out)
    if not arguments.review:
        refusing(viewer, widget, arguments.out)
    viewer.close()


def picture_phantoms(path: Path) -> None:
    """Draw phantoms at end-diastole (above) and end-systole with their true outlines; the last is a 2CH view."""
    columns = []
    for seed, view in ((11, "4ch"), (13, "4ch"), (13, "2ch")):
        phantom = echo_cine(seed, frames=2, view=view, shape=(300, 400))
        pictures = np.repeat(phantom.image.array[..., np.newaxis], 3, axis=-1)
        for picture, labels in zip(pictures, phantom.labels, strict=True):
            border = find_boundaries(labels, mode="thick")
            for label, color in enumerate(((230, 57, 70), (241, 196, 83), (72, 149, 239)), start=1):
                picture[border & (labels == label)] = color
        columns.append(np.concatenate(pictures))
    PIL.Image.fromarray(np.hstack(columns)).quantize(96).save(path, optimize=True)


def picture_cardiac(model: str, samples: int, path: Path) -> None:
    """Segment the phantom cine and measure it: the curve with its band, at end-systole."""
    viewer = all_frames(model, "echo", samples)
    measure_beat(viewer, path)
    viewer.close()


def measure_beat(viewer: Viewer, path: Path) -> None:
    """Open the Cardiac widget on the labels, measure, go to end-systole and take a screenshot."""
    widget = CardiacWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Cardiac (LDSeg)", area="right", tabify=True)
    viewer.fit_to_view()
    wait_for(widget.measured, widget.measure)
    widget.go_to(widget.es.value())
    save_picture(viewer, path)


def picture_evaluate(model: str, samples: int, path: Path) -> None:
    """Compare the segmented phantom cine with its true labels, and show the errors."""
    viewer = all_frames(model, "echo", samples)
    image = viewer.layers[0]
    result = next(layer for layer in viewer.layers if layer.name.endswith("labels"))
    truth = echo_cine(4, frames=24).labels  # the sample cine's own
    reference = viewer.add_labels(truth, name="truth", scale=image.scale, units=image.units, visible=False)
    widget = EvaluateWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Evaluate (LDSeg)", area="right", tabify=True)
    viewer.fit_to_view()
    widget.prediction.setValue(result)
    widget.reference.setValue(reference)
    wait_for(widget.evaluated, widget.button.click)
    for layer in viewer.layers[1:]:
        layer.visible = False
    widget.show_errors.click()
    save_picture(viewer, path)
    viewer.close()


def picture_folder(path: Path, model: str | None, samples: int) -> None:
    """Segment parts of the sample image as a folder, one of its files damaged, and open the first row that is done."""
    viewer = Viewer()
    viewer.window.resize(*WINDOW)
    widget = FolderWidget(viewer)
    dock = viewer.window.add_dock_widget(widget, name="Segment folder (LDSeg)", area="right")
    if model is not None:
        widget.model.setValue(model)
    picture = colon_gland().array
    with tempfile.TemporaryDirectory() as folder:
        slides = Path(folder) / "slides"
        slides.mkdir()
        for number, (y, x) in enumerate(((0, 0), (0, 200), (120, 60), (200, 0), (200, 200), (60, 140)), start=1):
            PIL.Image.fromarray(picture[y : y + 300, x : x + 300]).save(slides / f"core_{number}.png")
        (slides / "core_7.png").write_bytes(b"cut short")
        widget.settings.setValue(SegmentConfig(samples=samples))
        widget.set_inputs([slides])
        wait_for(widget.run_finished, widget.start)
        wait_for(widget.opened, lambda: widget.open_row(widget.table.rows.row_at(1)))
        viewer.layers.selection.active = viewer.layers[0]
        widget.table.selectRow(1)
        viewer.window._qt_window.resizeDocks([dock], [560], Qt.Orientation.Horizontal)
        viewer.fit_to_view()
        save_picture(viewer, path)
    viewer.close()


def segmenting(viewer: Viewer, widget: SegmentWidget, out: Path) -> None:
    """Take the Segment widget before and after."""
    save_picture(viewer, out / "segment_before.png")

    segmented(widget)
    save_picture(viewer, out / "segment_after.png")

    viewer.layers[1].visible = False
    save_picture(viewer, out / "sd_overlay.png")

    viewer.layers[1].visible = True


def refusing(viewer: Viewer, widget: SegmentWidget, out: Path) -> None:
    """Show the message for an image that does not fit the model."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (5, 512, 512), dtype=np.uint8)
    picture = viewer.layers[0]
    place = {"scale": (1, *picture.scale), "units": ("pixel", *map(str, picture.units))}
    viewer.add_image(noise, name="multiplex", axis_labels=("c", "y", "x"), visible=False, **place)
    press_segment(widget)
    save_picture(viewer, out / "error.png")


def reviewing(viewer: Viewer, widget: SegmentWidget, out: Path) -> None:
    """Take review and measurements of the same image."""
    press_segment(widget)
    review(viewer, out)
    measurements(viewer, out)


def review(viewer: Viewer, out: Path) -> None:
    """Take the review: the list with the first object; then a sample, contours, and a few decisions."""
    widget = ReviewWidget(viewer)
    dock = viewer.window.add_dock_widget(widget, name="Review (LDSeg)", area="right", tabify=True)
    viewer.fit_to_view()
    wait_for(widget.listed, widget.page.list_button.click)
    widget.page.overlays.opacity.setValue(45)
    widget.page.select_line(0)
    save_picture(viewer, out / "review.png")

    widget.mark("rejected")
    widget.mark("accepted")
    widget.page.select_line(2)
    widget.page.overlays.map.setCurrentIndex(2)
    widget.page.overlays.map.activated.emit(2)
    widget.page.overlays.contours.setChecked(True)
    widget.page.overlays.sample.setValue(3)
    save_picture(viewer, out / "review_samples.png")
    widget.session = None  # keep nothing of this
    viewer.window.remove_dock_widget(dock)
    for layer in [layer for layer in viewer.layers if HELPER in layer.metadata]:
        viewer.layers.remove(layer)
    viewer.layers[2].visible = True


def measurements(viewer: Viewer, out: Path) -> None:
    """Take the table of measurements with its error bars."""
    widget = MeasureWidget(viewer)
    dock = viewer.window.add_dock_widget(widget, name="Measure (LDSeg)", area="right", tabify=True)
    wait_for(widget.measured, widget.measure_button.click)
    viewer.window._qt_window.resizeDocks([dock], [760], Qt.Orientation.Horizontal)
    viewer.fit_to_view()
    save_picture(viewer, out / "measure.png")
    viewer.window.remove_dock_widget(dock)
    for layer in [layer for layer in viewer.layers if HELPER in layer.metadata]:
        viewer.layers.remove(layer)
    widget.report = None


def wait_for(signal: Any, press: Callable[[], object]) -> None:
    """Press a button and run the event loop until the signal comes."""
    loop = QEventLoop()
    signal.connect(loop.quit)
    press()
    loop.exec()


if __name__ == "__main__":
    main()
