"""One field of the settings, and the places where a person finds it: a flag, a row of a form."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import Field
from pydantic.fields import FieldInfo

from ._base import Config

Show = Literal["main", "more"]


def setting(
    default: Any,
    *,
    title: str,
    description: str,
    show: Show | None = None,
    group: str = "",
    flags: tuple[str, ...] | None = None,
    absent: str = "model default",
    offers: tuple[float, ...] = (),
    **limits: Any,
) -> Any:
    """Return a pydantic field that also says where it is shown.

    Parameters
    ----------
    default : Any
        Its value unless another is given.
    title : str
        Label of its row in a form; it should be short.
    description : str
        Tooltip of its row, and help of its flag.
    show : {"main", "more"}, optional
        The part of a form that has a row for it: what is always seen, or *More settings*. By default it has no row.
    group : str
        Heading above its row, and title of its panel in ``--help``.
    flags : tuple of str, optional
        By default ``--name``, with hyphens. An empty tuple: the command line does not offer it.
    absent : str
        What a form shows for None.
    offers : tuple of float
        Numbers that a form offers beside a word such as 'auto'; others can be typed in.
    **limits
        For pydantic: ``ge``, ``gt``, ``le``, ``lt``.
    """
    shown: dict[str, Any] = {"show": show, "group": group, "absent": absent, "offers": list(offers)}
    shown["flags"] = None if flags is None else list(flags)
    return Field(default, title=title, description=description, json_schema_extra=shown, **limits)


@dataclass(frozen=True)
class Setting:
    """What a form or a command line needs to know of one field.

    Attributes
    ----------
    name, title, description, group, absent, offers
        As in :func:`setting`.
    show : {"main", "more"} or None
        The part of a form that has a row for it.
    flags : tuple of str
        What it is called at the command line; empty where it is not offered there.
    default : Any
        Its default, or its value where the settings were given as an object.
    types : tuple of type
        The types that a value may have (``int``, ``float``, ``bool``, ``str``, ``tuple``).
    choices : tuple
        The words or numbers that may be chosen, besides values of ``types``.
    optional : bool
        Whether it may be None.
    lowest, highest : float or None
        Its limits; the pydantic model knows whether they belong to the range.
    """

    name: str
    title: str
    description: str
    show: Show | None
    group: str
    flags: tuple[str, ...]
    absent: str
    offers: tuple[float, ...]
    default: Any
    types: tuple[type, ...]
    choices: tuple[Any, ...]
    optional: bool
    lowest: float | None
    highest: float | None


def settings_of(config: Config | type[Config]) -> Iterator[Setting]:
    """Yield the settings of a class, or of an object with its values as defaults, in the order of the fields.

    Fields that were not made by :func:`setting` are left out: they are no one's choice at a form or command line.
    """
    kind = config if isinstance(config, type) else type(config)
    for name, info in kind.model_fields.items():
        shown = info.json_schema_extra
        if not isinstance(shown, dict) or "flags" not in shown:
            continue
        default = info.get_default(call_default_factory=True) if config is kind else getattr(config, name)
        yield _read(name, info, dict(shown), default)


def _read(name: str, info: FieldInfo, shown: dict[str, Any], default: Any) -> Setting:
    alternatives = list(_alternatives(info.annotation))
    flags = (f"--{name.replace('_', '-')}",) if shown["flags"] is None else tuple(shown["flags"])
    lower = [m.ge if isinstance(m, Ge) else m.gt for m in info.metadata if isinstance(m, Ge | Gt)]
    upper = [m.le if isinstance(m, Le) else m.lt for m in info.metadata if isinstance(m, Le | Lt)]
    return Setting(
        name=name,
        title=info.title or name,
        description=info.description or "",
        show=shown["show"],
        group=shown["group"],
        flags=flags,
        absent=shown["absent"],
        offers=tuple(shown["offers"]),
        default=default,
        types=tuple(one for one in alternatives if isinstance(one, type) and one is not NoneType),
        choices=tuple(one for one in alternatives if not isinstance(one, type)),
        optional=NoneType in alternatives,
        lowest=float(str(lower[0])) if lower else None,
        highest=float(str(upper[0])) if upper else None,
    )


def _alternatives(annotation: Any) -> Iterator[Any]:
    """Flatten ``Annotated[int, ...] | Literal["auto"] | None`` to ``int``, ``"auto"`` and ``NoneType``."""
    origin = get_origin(annotation)
    if isinstance(annotation, type) and origin is None:
        yield annotation
    elif origin is tuple:
        yield tuple
    elif origin is Literal:
        yield from get_args(annotation)
    elif origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    else:
        for one in get_args(annotation):
            yield from _alternatives(one)
