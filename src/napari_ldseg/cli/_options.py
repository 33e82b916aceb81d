"""Options of a command, made from the fields of the settings."""

import inspect
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, Literal, TypeVar

import typer
from typer.models import OptionInfo

from ..config import Config, Setting, settings_of

C = TypeVar("C", bound=Config)


@dataclass(frozen=True)
class Given:
    """The options that a person gave, by the name of their field."""

    values: Mapping[str, object]

    def of(self, config: type[Config]) -> dict[str, object]:
        """Return those that are fields of this class."""
        return {name: value for name, value in self.values.items() if name in config.model_fields}

    def config(self, config: type[C]) -> C:
        """Return the settings, with defaults for what was not given.

        Raises
        ------
        InputError
            If a value does not fit.
        """
        return config.parse(self.of(config))


def options(
    *configs: Config | type[Config], only: Collection[str] | None = None, without: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each field of these settings, in place of its parameter ``given: Given``.

    Parameters
    ----------
    *configs : Config or type of Config
        Defaults in the help are those of the class, or the values of the object.
    only, without : collection of str
        The fields that this command has; those that it has not.

    Raises
    ------
    TypeError
        If two options of the command would have one flag or one name.
    """
    offered = [
        one
        for config in configs
        for one in settings_of(config)
        if one.flags and one.name not in without and (only is None or one.name in only)
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command)
        parameters: list[inspect.Parameter] = []
        for parameter in signature.parameters.values():
            if parameter.name == "given":
                parameters += [_parameter(one) for one in offered]
            elif any(old.kind is inspect.Parameter.KEYWORD_ONLY for old in parameters):
                parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            else:
                parameters.append(parameter)
        _refuse_doubles(command.__name__, parameters)
        lists = {one.name for one in offered if tuple in one.types}

        @wraps(command)
        def run(**values: Any) -> None:
            chosen = {one.name: values.pop(one.name, None) for one in offered}
            found = {name: value for name, value in chosen.items() if value is not None}
            command(given=Given(found | {name: found[name].split(",") for name in lists & set(found)}), **values)

        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate


def _parameter(one: Setting) -> inspect.Parameter:
    kind, metavar = _type(one)
    said = (
        ""
        if one.default is None or one.default is False
        else f" Default: {'yes' if one.default is True else one.default}."
    )
    info = typer.Option(
        *_flags(one),
        help=f"{one.description}{said}",
        show_default=False,
        metavar=metavar,
        rich_help_panel=one.group or None,
    )
    return inspect.Parameter(
        one.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, info]
    )


def _flags(one: Setting) -> tuple[str, ...]:
    """Return its flags; one that is on unless turned off, or neither, can also be turned off."""
    if bool not in one.types or one.default is False:
        return one.flags
    return tuple(f"{flag}/--no-{flag.removeprefix('--')}" for flag in one.flags)


def _type(one: Setting) -> tuple[Any, str | None]:
    """Return what Typer reads, and what it calls that; the settings themselves check all values."""
    if not one.types and all(isinstance(choice, str) for choice in one.choices):
        return Literal[one.choices], None
    if not one.types:
        return type(one.choices[0]), f"<{'|'.join(map(str, one.choices))}>"
    if tuple in one.types:
        return str, "<int,int,...>"
    if one.choices:
        return str, f"<{'|'.join([*map(str, one.choices), one.types[0].__name__])}>"
    return one.types[0], None


def _refuse_doubles(command: str, parameters: list[inspect.Parameter]) -> None:
    """Refuse two options of one name, or with one flag."""
    found = Counter(parameter.name for parameter in parameters)
    for parameter in parameters:
        for info in getattr(parameter.annotation, "__metadata__", ()):
            if isinstance(info, OptionInfo):  # Typer keeps the first flag of an Annotated option as `default`
                flags = [info.default, *(info.param_decls or ())]
                found.update(list(dict.fromkeys("/".join(flag for flag in flags if isinstance(flag, str)).split("/"))))
    double = [name for name, count in found.items() if count > 1]
    if double:
        raise TypeError(f"The command {command} would have two options called {', '.join(double)}.")
