"""Show the demo: napari with a sample image and the docked widget, or a screenshot of its result."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import napari
import PIL.Image
from napari.layers import Layer
from qtpy.QtCore import QEventLoop, QTimer

from ..._util import replacing
from ...checkpoints import list_models
from ...config import DemoSample, SegmentConfig
from ...errors import EngineError, InputError
from ..segment._widget import SegmentWidget
from ..threads._segmentation import Outcome
from ._sample_data import colon_gland, echo_cine, knee_volume

if TYPE_CHECKING:
    from napari import Viewer

TITLE = "Segment (LDSeg)"
WINDOW = (1400, 900)
DRAWING = 500
# The samples, and the released model for each.
SAMPLES = {"gland": (colon_gland, "glas-small"), "echo": (echo_cine, "echo"), "volume": (knee_volume, "knee")}


def demo(
    screenshot: str | Path | None = None,
    samples: int | Literal["auto"] = "auto",
    model: str | Path | None = None,
    sample: DemoSample = "gland",
) -> None:
    """Open napari with the sample image and the widget, and wait until the window is closed.

    Parameters
    ----------
    screenshot : str or Path, optional
        Instead of waiting, press Segment, save a screenshot (PNG) of the window with the result, and close.
    samples : int or "auto"
        The value in the form.
    model : str or Path, optional
        A model's name or file; by default the released one for the sample.
    sample : "gland", "echo" or "volume"
        Colon glands, a cine of an echocardiography phantom, or a knee-like volume.

    Raises
    ------
    InputError
        If there is no display, or no model.
    LDSegError
        With ``screenshot``: if the run does not finish.
    """
    require_display()
    viewer, widget = open_demo(model, sample)
    widget.settings.setValue(SegmentConfig(samples=samples))
    try:
        if screenshot is None:
            napari.run()
            return
        outcome = press_segment(widget)
        if outcome.error is not None:
            raise outcome.error
        if outcome.stopped or outcome.result is None:
            raise EngineError("The run was stopped before it finished, so there is no picture; run it again.")
        save_picture(viewer, Path(screenshot))
    finally:
        if screenshot is not None:
            viewer.close()


def open_demo(
    model: str | Path | None = None, sample: DemoSample = "gland", *, show: bool = True
) -> "tuple[Viewer, SegmentWidget]":
    """Open the viewer with the sample image and the docked widget."""
    model = model or released_model(sample)
    viewer = napari.Viewer(title="napari-ldseg demo", show=show)
    viewer.window.resize(*WINDOW)
    viewer.add_layer(Layer.create(*SAMPLES[sample][0]()[0]))
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name=TITLE, area="right")
    widget.model.setValue(model)
    return viewer, widget


def released_model(sample: DemoSample) -> str:
    """Return the model for a sample.

    Raises
    ------
    InputError
        If the model is missing.
    """
    name = SAMPLES[sample][1]
    known = [entry.name for entry in list_models()]
    if name not in known:
        raise InputError(
            f"The sample {sample!r} is for the model {name!r}, which is not installed; give another one with --model "
            f"(there are: {', '.join(known) or 'none'}), or take another --sample."
        )
    return name


def press_segment(widget: SegmentWidget) -> Outcome:
    """Press Segment and wait until the run has ended; the event loop keeps running."""
    outcomes: list[Outcome] = []
    loop = QEventLoop()
    widget.run_finished.connect(outcomes.append)
    widget.run_finished.connect(loop.quit)
    widget.segment()
    if widget.is_running:
        loop.exec()
    return outcomes[0] if outcomes else Outcome(error=InputError(widget.message.text()))


def save_picture(viewer: "Viewer", path: Path) -> None:
    """Save a screenshot of the whole window once everything is drawn; PNG by default."""
    settle()
    picture = PIL.Image.fromarray(viewer.window.screenshot(canvas_only=False, flash=False)[..., :3])
    with replacing(path) as partial:
        picture.save(partial, PIL.Image.registered_extensions().get(path.suffix.lower(), "PNG"))


def settle(milliseconds: int = DRAWING) -> None:
    """Let the event loop run for a while."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def require_display() -> None:
    """Raise an error where Qt would abort the process.

    Raises
    ------
    InputError
        If there is no display (Linux only).
    """
    named = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
    if sys.platform.startswith("linux") and not named:
        raise InputError(
            "There is no display to open a window on. On a machine without a screen install xvfb and run "
            "'xvfb-run -a napari-ldseg demo --screenshot FILE'."
        )
