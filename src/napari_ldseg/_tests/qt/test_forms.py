import pytest
from pytestqt.qtbot import QtBot

from ..._qt.controls._forms import ConfigForm, Count, Number
from ...config import SegmentConfig
from ...errors import InputError

FIELDS = ("samples", "steps", "sampler", "seed", "device", "batch")
CASES = (
    SegmentConfig(),
    SegmentConfig(samples=1),
    SegmentConfig(samples=37, steps=250, seed=2**31 - 1),
    SegmentConfig(sampler="ddim", device="cpu", batch=256),
    SegmentConfig(tolerance=0.5, max_samples=7),
)


def make_form(qtbot: QtBot) -> ConfigForm[SegmentConfig]:
    form = ConfigForm(SegmentConfig(), FIELDS)
    qtbot.addWidget(form)
    return form


@pytest.mark.parametrize("config", CASES)
def test_form_returns_what_it_was_given(qtbot: QtBot, config: SegmentConfig) -> None:
    form = make_form(qtbot)
    form.setValue(config)
    assert form.value() == config


@pytest.mark.parametrize("config", CASES[1:4])
def test_form_says_that_it_changed(qtbot: QtBot, config: SegmentConfig) -> None:
    form = make_form(qtbot)
    with qtbot.waitSignal(form.valueChanged):
        form.setValue(config)


def test_limits_titles_and_tooltips_come_from_the_fields(qtbot: QtBot) -> None:
    form = make_form(qtbot)
    seed, steps = form.findChild(Number, "seed"), form.findChild(Number, "steps")
    assert (seed.minimum(), seed.maximum()) == (0, 2**31 - 1)
    assert (steps.minimum(), steps.maximum()) == (0, 1000)
    assert steps.text() == "model default"
    assert seed.toolTip() == SegmentConfig.model_fields["seed"].description


def test_samples_offer_the_usual_numbers_and_take_any(qtbot: QtBot) -> None:
    form = make_form(qtbot)
    samples = form.findChild(Count, "samples")
    assert [samples.itemText(i) for i in range(samples.count())] == ["auto", "1", "10", "100"]
    samples.setCurrentText("25")
    assert form.value().samples == 25


@pytest.mark.parametrize("typed", ["", "0", "99999", "au"])
def test_samples_out_of_range_are_refused_in_words(qtbot: QtBot, typed: str) -> None:
    form = make_form(qtbot)
    form.findChild(Count, "samples").setCurrentText(typed)
    with pytest.raises(InputError, match="samples"):
        form.value()
