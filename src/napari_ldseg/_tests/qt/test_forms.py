"""Forms that are made from settings: rows, editors, limits and tooltips."""

import html
from typing import Literal, TypeVar

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QAbstractSpinBox, QApplication, QCheckBox, QComboBox, QLabel, QLineEdit, QWidget

from ..._qt.controls._forms import ConfigForm
from ...config import (
    BatchConfig,
    CardiacConfig,
    Config,
    MeasureConfig,
    PartConfig,
    SegmentConfig,
    Show,
    TrainConfig,
    setting,
)
from ...errors import InputError

C = TypeVar("C", bound=Config)


def make_form(qtbot: QtBot, config: C, show: Show = "main") -> ConfigForm[C]:
    form = ConfigForm(config, show)
    qtbot.addWidget(form)
    return form


@pytest.mark.parametrize(
    ("show", "config"),
    [
        ("main", SegmentConfig()),
        ("main", SegmentConfig(samples=1)),
        ("main", SegmentConfig(samples=37, steps=250, seed=2**31 - 1)),
        ("main", SegmentConfig(tolerance=0.5, device="cpu", overlap=3)),  # also fields without a row
        ("more", SegmentConfig(sampler="ddim", views=4, max_samples=7, tolerance=0.123, keep_mb=0)),
        ("more", SegmentConfig(tiles="always", tile=640, overlap=0, smoothing=2.5, precision="bfloat16", batch=256)),
        ("more", PartConfig(axes="tyx", frames="3:10", region="0:9,0:9")),
        ("main", BatchConfig(written="mha", sd=False, mean=True, masks=True)),
        ("more", BatchConfig(overwrite=True, workers=3)),
        ("main", MeasureConfig(smallest=2**31 - 1, shapes=False)),
        ("more", MeasureConfig(cover=1, interval=0.995, ranking="mean SD")),
        ("main", CardiacConfig(method="area-length")),
        ("more", CardiacConfig(interval=0.5, lv=254, myocardium=1, atrium=7)),
        ("more", TrainConfig(learning_rate=2e-5, batch=512, validation=0, scale="model", foreground=True, seed=9)),
        ("more", TrainConfig(augment=False, rotate=False, precision="float32", device="cuda")),
        ("more", TrainConfig(rotate=True)),
    ],
)
def test_form_returns_what_it_was_given_and_says_that_it_changed(qtbot: QtBot, show: Show, config: Config) -> None:
    form = make_form(qtbot, type(config)(), show)
    if all(getattr(config, name) == getattr(type(config)(), name) for name in form.names):
        form.setValue(config)
    else:
        with qtbot.waitSignal(form.valueChanged):
            form.setValue(config)
    assert form.value() == config
    form.setValue(type(config)())
    assert form.value() == type(config)()


def test_titles_limits_and_tooltips_come_from_the_fields(qtbot: QtBot) -> None:
    form = make_form(qtbot, SegmentConfig())
    seed, steps = form.findChild(QAbstractSpinBox, "seed"), form.findChild(QComboBox, "steps")
    assert (seed.minimum(), seed.maximum()) == (0, 2**31 - 1)
    assert steps.currentText() == "model default"
    description = SegmentConfig.model_fields["seed"].description
    assert description is not None
    labels = {label.text(): label for label in form.findChildren(QLabel)}
    assert list(labels) == ["Samples", "Steps", "Seed", "Device"]
    assert labels["Seed"].toolTip() == seed.toolTip() == f"<qt>{description}</qt>"


def test_groups_have_headings(qtbot: QtBot) -> None:
    def headings(form: QWidget) -> list[str]:
        return [label.text() for label in form.findChildren(QLabel, "group")]

    more = make_form(qtbot, SegmentConfig(), "more")
    assert headings(more) == ["Samples", "Tiles and frames", "Computing", "Part of the image"]
    assert headings(make_form(qtbot, SegmentConfig())) == headings(make_form(qtbot, MeasureConfig(), "more")) == []


def test_samples_offer_the_usual_numbers_and_take_any(qtbot: QtBot) -> None:
    form = make_form(qtbot, SegmentConfig())
    samples = form.findChild(QComboBox, "samples")
    assert [samples.itemText(i) for i in range(samples.count())] == ["auto", "1", "10", "100"]
    samples.setCurrentText("25")
    assert form.value().samples == 25


@pytest.mark.parametrize(
    ("show", "name", "typed"),
    [
        *[("main", "samples", typed) for typed in ("", "0", "99999", "au")],
        *[("main", "steps", typed) for typed in ("", "0", "1001", "model")],
        ("more", "tile", "15"),
        ("more", "overlap", "4097"),
    ],
)
def test_what_is_out_of_range_is_refused_in_words(qtbot: QtBot, show: Show, name: str, typed: str) -> None:
    form = make_form(qtbot, SegmentConfig(), show)
    form.findChild(QComboBox, name).setCurrentText(typed)
    with pytest.raises(InputError, match=name):
        form.value()


def test_a_limit_that_is_not_part_of_the_range_is_refused_in_words(qtbot: QtBot) -> None:
    form = make_form(qtbot, SegmentConfig(), "more")
    tolerance = form.findChild(QAbstractSpinBox, "tolerance")
    tolerance.setValue(0)
    with pytest.raises(InputError, match="tolerance: Input should be greater than 0"):
        form.value()
    tolerance.setValue(-1)
    assert tolerance.value() == 0


def test_an_empty_line_is_no_value(qtbot: QtBot) -> None:
    form = make_form(qtbot, PartConfig(), "more")
    axes = form.findChild(QLineEdit, "axes")
    assert (axes.text(), axes.placeholderText(), form.value().axes) == ("", "as the file says", None)
    axes.setText(" tyx ")
    assert form.value().axes == "tyx"


def test_the_wheel_changes_nothing(qtbot: QtBot) -> None:
    class Kinds(Config):
        number: int = setting(5, title="Number", description="A number.", show="main")
        share: float = setting(0.5, title="Share", description="A share.", show="main", le=1)
        word: Literal["a", "b"] = setting("a", title="Word", description="A word.", show="main")
        either: int | Literal["auto"] = setting("auto", title="E", description="Either.", show="main", offers=(1, 2))

    form = make_form(qtbot, Kinds())
    form.show()
    down = Qt.ScrollPhase.NoScrollPhase
    for name in form.names:
        editor = form.findChild(QWidget, name)
        turn = QPointF(0, -120).toPoint()
        nothing = QPointF(0, 0)
        event = QWheelEvent(
            nothing, nothing, turn, turn, Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, down, False
        )
        QApplication.sendEvent(editor, event)
    assert form.value() == Kinds()


def test_a_tooltip_is_shown_as_it_is_written(qtbot: QtBot) -> None:
    form = make_form(qtbot, BatchConfig())
    box = form.findChild(QCheckBox, "sd")
    assert html.unescape(box.toolTip()).removeprefix("<qt>") == f"{BatchConfig.model_fields['sd'].description}</qt>"
    assert "<stem>" not in box.toolTip()
