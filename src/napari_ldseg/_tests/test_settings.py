"""One list of settings for all doors: what the commands offer, the widgets offer, and the other way round."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args

import numpy as np
import pytest
import typer
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QAbstractSpinBox, QCheckBox, QComboBox, QLabel, QLineEdit, QWidget
from typer.main import get_command
from typer.testing import CliRunner, Result

from .._qt import CardiacWidget, FolderWidget, MeasureWidget, SegmentWidget, TrainWidget
from .._qt.controls._forms import ConfigForm
from .._util import follow
from ..checkpoints import load_model, save_model
from ..cli import _app as cli
from ..cli._options import Given, options
from ..config import (
    BatchConfig,
    CardiacConfig,
    Config,
    MeasureConfig,
    PartConfig,
    SegmentConfig,
    Setting,
    TrainConfig,
    WrittenFormat,
    setting,
    settings_of,
)
from ..data import WRITABLE, Image
from ..inference import segment
from ..networks import LDSeg
from .builders import make_ramp, save_picture

CONFIGS: tuple[type[Config], ...] = (SegmentConfig, PartConfig, BatchConfig, MeasureConfig, CardiacConfig, TrainConfig)
# The command of each class of settings, and the widgets that have rows for it.
COMMANDS = {
    SegmentConfig: "segment",
    PartConfig: "segment",
    BatchConfig: "segment",
    MeasureConfig: "measure",
    CardiacConfig: "cardiac",
    TrainConfig: "fine-tune",
}
WIDGETS: dict[type[Config], type[QWidget]] = {
    SegmentConfig: FolderWidget,
    PartConfig: FolderWidget,
    BatchConfig: FolderWidget,
    MeasureConfig: MeasureWidget,
    CardiacConfig: CardiacWidget,
    TrainConfig: TrainWidget,
}
BY_BUDGET = "the Train widget has one row, Budget, for minutes or epochs"
CLUSTER = "the viewer segments one image at a time, so that Pause and Cancel act at the next step"
EXPERT = "it needs experience with this architecture; the Train widget is for annotators, who set a budget"
# Fields with a flag whose row is another than the form's, or which have no row, and why.
NO_ROW = {
    "BatchConfig.workers": CLUSTER,
    "BatchConfig.scheduler": CLUSTER,
    "BatchConfig.server": CLUSTER,
    "TrainConfig.minutes": BY_BUDGET,
    "TrainConfig.epochs": BY_BUDGET,
    "TrainConfig.autoencoder_steps": EXPERT,
    "TrainConfig.denoiser_steps": EXPERT,
    "TrainConfig.crop": EXPERT,
    "TrainConfig.timesteps_per_image": EXPERT,
    "TrainConfig.backbone_rate": EXPERT,
    "TrainConfig.autoencoder_learning_rate": EXPERT,
    "TrainConfig.weight_decay": EXPERT,
    "TrainConfig.warmup": EXPERT,
    "TrainConfig.ema": EXPERT,
    "TrainConfig.latent_noise": EXPERT,
    "TrainConfig.guess_weight": EXPERT,
    "TrainConfig.validate_every": EXPERT,
    "TrainConfig.validation_samples": EXPERT,
    "TrainConfig.residual_sd": EXPERT,
    "TrainConfig.timestep_shift": EXPERT,
    "TrainConfig.decoded_weight": EXPERT,
    "TrainConfig.decoded_share": EXPERT,
    "TrainConfig.recycle": EXPERT,
    "TrainConfig.guess_dice": EXPERT,
    "TrainConfig.guess_damage": EXPERT,
    "TrainConfig.guess_noise": EXPERT,
    "TrainConfig.guess_drop": EXPERT,
    "TrainConfig.embedding_drop": EXPERT,
    "TrainConfig.cached_views": EXPERT,
    "TrainConfig.noise": EXPERT,
    "TrainConfig.degrade": EXPERT,
    "TrainConfig.scanner": EXPERT,
    "TrainConfig.zoom": EXPERT,
    "TrainConfig.restain": EXPERT,
    "TrainConfig.select": EXPERT,
}
# Fields that a command has not, and why.
NO_FLAG = {
    "train": {"learn": "a new model has no parts to keep", "scale": "a new model has no pixel size to keep"},
}


def forms_of(widget: QWidget, config: type[Config]) -> list[ConfigForm[Any]]:
    return [form for form in widget.findChildren(ConfigForm) if isinstance(form._base, config)]


def rows_of(qtbot: QtBot, kind: type[QWidget], config: type[Config]) -> list[str]:
    widget = kind(ViewerModel())
    qtbot.addWidget(widget)
    return [name for form in forms_of(widget, config) for name in form.names]


def flags_of(command: str) -> dict[str, list[str]]:
    """Return the flags of a command by the name of their parameter."""
    group: Any = get_command(cli.app)
    return {one.name: [*one.opts, *one.secondary_opts] for one in group.commands[command].params}


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.__name__)
def test_every_field_has_a_flag_and_a_row_or_a_reason(qtbot: QtBot, config: type[Config]) -> None:
    assert [one.name for one in settings_of(config)] == list(config.model_fields)
    rows, flags = rows_of(qtbot, WIDGETS[config], config), flags_of(COMMANDS[config])
    assert len(rows) == len(set(rows))
    assert {f"{config.__name__}.{name}" for name in set(config.model_fields) - set(rows)} == {
        name for name in NO_ROW if name.startswith(f"{config.__name__}.")
    }
    assert set(config.model_fields) <= set(flags)


def test_train_has_all_flags_but_two_of_fine_tuning() -> None:
    assert set(TrainConfig.model_fields) - set(flags_of("train")) == set(NO_FLAG["train"])


def test_segment_and_folder_widget_have_the_same_settings(qtbot: QtBot) -> None:
    single, many = (rows_of(qtbot, kind, SegmentConfig) for kind in (SegmentWidget, FolderWidget))
    assert single == many


def test_help_and_forms_list_the_same_settings(qtbot: QtBot, run: Callable[..., Result]) -> None:
    """What a person reads: the flags in the text of the help, and the labels of the Segment folder widget."""
    text = run("segment", "--help").output
    settings = [one for config in (SegmentConfig, PartConfig, BatchConfig) for one in settings_of(config)]
    own = {"--out", "--model", "--prompts", "--help"}
    assert set(re.findall(r"^\W*(--[a-z-]+)", text, re.MULTILINE)) == own | {one.flags[0] for one in settings}
    widget = FolderWidget(ViewerModel())
    qtbot.addWidget(widget)
    labels = {one.text() for kind in (QLabel, QCheckBox) for one in widget.findChildren(kind)}
    absent = {one.name for one in settings if one.title not in labels}
    assert absent == {"workers", "scheduler", "server"}
    assert all(one.description in text for one in settings)


@pytest.mark.parametrize("kind", [SegmentWidget, FolderWidget, MeasureWidget, CardiacWidget, TrainWidget])
def test_every_row_has_a_tooltip(qtbot: QtBot, kind: type[QWidget]) -> None:
    widget = kind(ViewerModel())
    qtbot.addWidget(widget)
    forms = widget.findChildren(ConfigForm)
    assert forms
    for form in forms:
        layout = form.layout()
        for name in form.names:
            editor = form.findChild(QWidget, name)
            assert editor.toolTip().startswith("<qt>")
            label = layout.labelForField(editor)
            if not isinstance(editor, QCheckBox):
                assert label.toolTip() == editor.toolTip()


def other_value(one: Setting) -> Any:
    """Return a value that differs from the default."""
    if one.choices and not one.types:
        return next(choice for choice in one.choices if choice != one.default)
    if bool in one.types:
        return not one.default
    if float in one.types:
        return 0.25 if one.default != 0.25 else 0.5
    return {int: 60, str: "tyx", tuple: (32, 64)}[one.types[0]]


def typed(editor: QWidget, value: Any) -> None:
    """Give an editor a value as a person does."""
    if isinstance(editor, QComboBox):
        editor.setCurrentText(("yes" if value else "no") if isinstance(value, bool) else str(value))
    elif isinstance(editor, QCheckBox):
        editor.setChecked(value)
    elif isinstance(editor, QLineEdit):
        editor.setText(value)
    else:
        assert isinstance(editor, QAbstractSpinBox)
        editor.setValue(value)


def flagged(config: type[Config], *arguments: str) -> Config:
    """Return the settings that a command with these options gets."""
    found: list[Config] = []

    def command(given: Given) -> None:
        found.append(given.config(config))

    app = typer.Typer()
    app.command()(options(config)(command))
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return found[0]


CASES = [
    pytest.param(config, one, id=f"{config.__name__}.{one.name}") for config in CONFIGS for one in settings_of(config)
]


@pytest.mark.parametrize(("config", "one"), CASES)
def test_flag_and_row_give_the_same_settings(qtbot: QtBot, config: type[Config], one: Setting) -> None:
    value = other_value(one)
    if isinstance(value, bool):
        arguments = [one.flags[0] if value else one.flags[0].replace("--", "--no-", 1)]
    else:
        arguments = [one.flags[-1], ",".join(map(str, value)) if isinstance(value, tuple) else str(value)]
    wanted = config().replace(**{one.name: value})
    assert wanted != config()
    assert flagged(config, *arguments) == wanted
    assert flagged(config) == config()
    if one.show is None or f"{config.__name__}.{one.name}" in NO_ROW:
        return
    form = ConfigForm(config(), one.show)
    qtbot.addWidget(form)
    typed(form.findChild(QWidget, one.name), value)
    assert form.value() == wanted


class Twice(Config):
    first: int = setting(1, title="First", description="The first.", flags=("--number", "-n"))
    second: int = setting(2, title="Second", description="The second.", flags=("--number",))


class Once(Config):
    first: int = setting(1, title="First", description="The first.", flags=("--number", "-n"))
    off: bool | None = setting(None, title="Off", description="Off.", flags=("--x",))


def test_two_options_with_one_flag_are_refused() -> None:
    def command(given: Given) -> None:
        raise AssertionError

    def with_short(other: Annotated[str, typer.Option("--other", "-n")], given: Given) -> None:
        raise AssertionError

    def with_off(other: Annotated[bool, typer.Option("--no-x")], given: Given) -> None:
        raise AssertionError

    def with_name(first: Annotated[str, typer.Argument()], given: Given) -> None:
        raise AssertionError

    for refused, configs, name in (
        (command, (Twice,), "--number"),
        (command, (Once, Twice), "first, --number, -n"),
        (with_short, (Once,), "-n"),
        (with_off, (Once,), "--no-x"),
        (with_name, (Once,), "first"),
    ):
        with pytest.raises(TypeError, match=rf"two options called {name}\."):
            options(*configs)(refused)
    options(Once)(command)
    options(Twice, without=("second",))(command)


def test_help_says_the_defaults_of_the_object_that_it_was_given() -> None:
    def defaults(command: str) -> str:
        group: Any = get_command(cli.app)
        return str(next(one.help for one in group.commands[command].params if one.name == "denoiser_steps"))

    assert (defaults("train")[-14:], defaults("fine-tune")[-14:]) == ("Default: 6000.", "Default: 1000.")


def test_formats_to_choose_from_are_those_that_can_be_written() -> None:
    assert set(get_args(WrittenFormat)) == set(WRITABLE)


def test_masks_of_samples_are_kept_at_every_door_that_can_review(
    run: Callable[..., Result], qtbot: QtBot, tmp_path: Path, tiny_model_2d: LDSeg
) -> None:
    model = save_model(tiny_model_2d, tmp_path / "model.safetensors")
    save_picture(tmp_path / "a.png", make_ramp((20, 30, 3)))
    quick = SegmentConfig(samples=2, steps=1, device="cpu")
    result = follow(segment(load_model(model, "cpu"), Image(np.asarray(make_ramp((20, 30, 3))), "yxc"), quick))
    assert result.masks is not None
    assert result.masks.count == 2
    for kind in (SegmentWidget, FolderWidget):
        widget = kind(ViewerModel())
        qtbot.addWidget(widget)
        assert widget.more_settings.value().keep_mb == quick.keep_mb == 256
    command = ("segment", tmp_path / "a.png", "-m", model, "-n", 2, "--steps", 1, "--device", "cpu")
    for name, flags, written in (
        ("none", (), False),
        ("masks", ("--masks",), True),
        ("megabytes", ("--keep-mb", 1), True),
        ("zero", ("--keep-mb", 0), False),
    ):
        found = run(*command, *flags, "--out", tmp_path / name)
        assert found.exit_code == 0, found.output
        assert (tmp_path / name / "a_samples.tif").exists() == written
