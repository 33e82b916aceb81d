"""A stand-in engine, and the widget in a real viewer, for the tests of `_qt`."""

import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.viewer import Viewer
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot

from .._qt import SegmentWidget
from .._qt.threads._segmentation import Engine, Job, Outcome
from .._qt.viewer._from_layers import Source
from .._qt.viewer._result_layers import ResultLayers
from ..checkpoints import save_model
from ..data import Image
from ..inference import Segmentation, SegmentProgress
from ..measure import SampleMasks
from .builders import make_tiny_model

NAMES, COLORS = ("background", "gland"), ("#000000", "#e69f00")
Segmenting = Generator[SegmentProgress, None, Segmentation]


def make_result(image_axes: str, array: NDArray[Any], samples: int, seed: int = 0, ndim: int = 2) -> Segmentation:
    """Foreground wherever the picture is darker than its mean; the SD is 1 / (number of samples + 1)."""
    gray = np.nan_to_num(np.asarray(array, dtype=np.float64))
    if "c" in image_axes:
        gray = gray[(slice(None),) * image_axes.index("c") + (0,)]
    axes = image_axes.replace("c", "")
    dark = gray < gray.mean()
    mean = np.stack([1 - dark, dark], axis=len(axes) - ndim).astype(np.float32)
    area = float(dark.sum())
    return Segmentation(
        labels=dark.astype(np.uint8),
        mean=mean,
        sd=np.full(dark.shape, 1 / (samples + 1), np.float32),
        sizes=np.tile([dark.size - area, area], (samples, 1)),
        axes=axes,
        spacing=None,
        unit="pixel",
        class_names=NAMES,
        class_colors=COLORS,
        samples=samples,
        provenance={"model": "fake", "device": "cpu", "seconds": 0.5, "seed": seed, "samples": samples},
    )


def make_three_boxes() -> tuple[Any, SampleMasks]:
    """Boxes of 10 x 10 at x = 5, 25 and 45 on 30 x 60 pixels.

    The second lacks in two of four samples, and the third is smaller by half in one.
    """
    labels = np.zeros((30, 60), np.uint8)
    for x in (5, 25, 45):
        labels[10:20, x : x + 10] = 1
    samples = np.stack([labels] * 4)
    samples[:2, :, 25:35] = 0
    samples[0, 10:15, 45:55] = 0
    return labels, SampleMasks(samples, (30, 60))


def add_result(viewer: ViewerModel, leading: int = 0, **place: Any) -> Any:
    """The layers of a run on three boxes; with leading frames, each of which is the same."""
    labels, masks = make_three_boxes()
    if leading:
        labels = np.stack([labels] * leading)
        masks = SampleMasks(np.stack([masks.array] * leading), (30, 60))
    mean = np.stack([1 - labels * 0.8 - 0.1, labels * 0.8 + 0.1], axis=labels.ndim - 2).astype(np.float32)
    sd = labels.astype(np.float32) * 0.3
    result = Segmentation(
        labels, mean, sd, np.ones((*labels.shape[:-2], 4, 2)), "tyx"[-labels.ndim :], (0.5, 0.5), "micrometer",
        NAMES, COLORS, 4, {"model": "fake"}, masks,
    )  # fmt: skip
    picture = Image(labels, "tyx"[-labels.ndim :], (0.5, 0.5), "micrometer", "slide")
    geometry = {"scale": (1.0,) * bool(leading) + (0.5, 0.5), "translate": (0.0,) * labels.ndim, **place}
    source = Source(picture, labels.shape, geometry)
    ResultLayers(viewer, source, "fake").show(result)
    return viewer.layers["slide [fake] labels"]


def fake_engine(job: Job, *, steps: int = 3, pause: float = 0.0, error: Exception | None = None) -> Segmenting:
    """Three steps for each sample, a preview after each; or an error after the first sample."""
    wanted = 4 if job.config.samples == "auto" else int(job.config.samples)
    array = np.asarray(job.image.array)
    for sample in range(1, wanted + 1):
        for step in range(steps):
            time.sleep(pause)
            yield SegmentProgress((sample - 1) * steps + step + 1, wanted * steps, f"Sample {sample} of {wanted}")
        result = make_result(job.image.axes, array, sample, job.config.seed)
        yield SegmentProgress(sample * steps, wanted * steps, f"{sample} samples", result)
        if error is not None:
            raise error
    return make_result(job.image.axes, array, wanted, job.config.seed)


def save_tiny(folder: Path) -> Path:
    return save_model(make_tiny_model(2), folder / "tiny.safetensors", "# Tiny")


def open_widget(qtbot: QtBot, folder: Path, run_engine: Engine = fake_engine) -> tuple[ViewerModel, SegmentWidget]:
    """Make the widget for a viewer without a window, which is quick; the tiny 2D RGB model is chosen."""
    viewer = ViewerModel()
    widget = SegmentWidget(viewer, run_engine)
    qtbot.addWidget(widget)
    widget.model.setValue(save_tiny(folder))
    return viewer, widget


def dock_widget(
    make_napari_viewer: Callable[..., Viewer], folder: Path, run_engine: Engine = fake_engine, **options: Any
) -> tuple[Viewer, SegmentWidget]:
    """Open a real viewer with the docked widget, the tiny 2D RGB model chosen."""
    viewer = make_napari_viewer(**options)
    widget = SegmentWidget(viewer, run_engine)
    viewer.window.add_dock_widget(widget, name="Segment (LDSeg)", area="right")
    widget.model.setValue(save_tiny(folder))
    return viewer, widget


def run_to_end(qtbot: QtBot, widget: SegmentWidget) -> Outcome:
    """Press Segment and wait for the end."""
    with qtbot.waitSignal(widget.run_finished, timeout=20_000) as finished:
        widget.segment_button.click()
    outcome: Outcome = finished.args[0]
    return outcome


def camera_of(viewer: ViewerModel) -> Any:
    """The camera, which moved into ``viewer.scene`` with napari 0.9."""
    return getattr(viewer, "scene", viewer).camera
