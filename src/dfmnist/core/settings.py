"""The fields of a config by name, read from text such as `epochs=3`, with their docstrings."""

import ast
import dataclasses
import inspect
import math
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from dfmnist.core.errors import InputError
from dfmnist.core.text import read_fraction

Config = TypeVar("Config")


@dataclass(frozen=True)
class Setting:
    """One field of a config, as a user sets it by name."""

    name: str
    type: Any
    """The field's type, for example `int | None`."""
    default: Any
    """The field's default; `dataclasses.MISSING` if it must be given."""
    doc: str
    """The docstring below the field, on one line; empty if there is none."""

    @property
    def values(self) -> str:
        """What can be given, in words: "a whole number", "one of raw, c23, c40"."""
        return in_words(self.type)

    def read(self, text: str, given: str) -> Any:
        """The value that `text` states. Raises `InputError`, which begins with `given`."""
        try:
            return _parsed(text, self.type)
        except (ValueError, ZeroDivisionError):
            raise InputError(f"{given}; expected {self.values}") from None

    @property
    def default_text(self) -> str:
        """The default as it would be typed; empty if there is none."""
        return "" if self.default is dataclasses.MISSING else setting_text(self.default)


def settings_of(kind: type) -> tuple[Setting, ...]:
    """The fields of the dataclass `kind`, in order, with their docstrings."""
    types, docs = _types(kind), field_docs(kind)
    return tuple(
        Setting(f.name, types[f.name], _default(f), docs.get(f.name, ""))
        for f in dataclasses.fields(kind)
    )


def setting(kind: type, name: str) -> Setting:
    """The field `name` of the dataclass `kind`."""
    return next(found for found in settings_of(kind) if found.name == name)


def field_docs(kind: type) -> Mapping[str, str]:
    """The docstrings that stand below the fields of a dataclass, each on one line, by field.

    They are read from the source file; the result is empty where there is none.
    """
    docs: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError):
            continue
        body = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
        for field, below in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
                value = below.value
                if isinstance(value, ast.Constant) and isinstance(field.target, ast.Name):
                    docs[field.target.id] = " ".join(str(value.value).split())
    return docs


def with_settings(config: Config, settings: Iterable[str]) -> Config:
    """`config` with fields replaced as `settings` says, each a text such as `epochs=3`.

    A value is read by the type of its field. `none` is None, members of a tuple stand between
    commas, and a fraction may be given as 30000/1001. A later setting wins over an earlier one.
    Raises `InputError` for an unknown field (the known ones are listed) or an unfit value.
    """
    known = {s.name: s for s in settings_of(type(config)) if _can_be_read(s.type)}
    values: dict[str, Any] = {}
    for text in settings:
        name, equals, value = (part.strip() for part in text.partition("="))
        name = name.replace("-", "_")
        if not equals:
            raise InputError(f"--set {text}; expected field=value, for example {_example(known)}")
        if name not in known:
            raise InputError(f"--set {text}: no such field; expected one of {', '.join(known)}")
        values[name] = known[name].read(value, f"--set {text}")
    return dataclasses.replace(config, **values)  # type: ignore[type-var]


def with_values(config: Config, values: Mapping[str, Any]) -> Config:
    """`config` with fields replaced by `values`.

    Text for a field that is no text is read as `with_settings` reads it, and a list becomes a
    tuple. Raises `InputError` for an unknown field (the known ones are listed) or unfit text.
    """
    known = {found.name: found for found in settings_of(type(config))}
    if unknown := sorted(set(values) - set(known)):
        raise InputError(f"{unknown[0]}: no such setting; expected one of {', '.join(known)}")
    fitting = {name: _fitting(value, known[name]) for name, value in values.items()}
    return dataclasses.replace(config, **fitting)  # type: ignore[type-var]


def _fitting(value: Any, setting: Setting) -> Any:
    if isinstance(value, list):
        value = tuple(value)
    if isinstance(value, str) and str not in _parts(setting.type):
        return setting.read(value, f"{setting.name}={value}")
    return value


def check_choices(config: object) -> None:
    """Check that each field with a `Literal` type has one of its values. Raises `InputError`."""
    config_type: Any = type(config)
    for name, allowed in _choices(config_type).items():
        found = getattr(config, name)
        if found not in allowed:
            expected = ", ".join(str(value) for value in allowed if value is not None)
            raise InputError(f"{name} is '{found}'; expected one of {expected}")


def setting_text(value: Any) -> str:
    """`value` as it is typed after `field=`."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return ",".join(map(setting_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


@cache
def _types(kind: Any) -> dict[str, Any]:
    """The type of each field of the dataclass `kind`."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


@cache
def _choices(kind: Any) -> dict[str, tuple[Any, ...]]:
    """The values of each field of the dataclass `kind` that has a `Literal` type."""
    allowed = {name: _literals(of) for name, of in _types(kind).items()}
    return {name: values for name, values in allowed.items() if values}


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _example(known: Mapping[str, Setting]) -> str:
    first = next(iter(known.values()))
    return f"{first.name}={first.default_text or '…'}"


def _parts(kind: Any) -> tuple[Any, ...]:
    """The types of a union but None, or the type itself."""
    if get_origin(kind) in (Union, UnionType):
        return tuple(part for part in get_args(kind) if part is not NoneType)
    return (kind,)


def _takes_none(kind: Any) -> bool:
    return NoneType in get_args(kind)


@cache
def _literals(kind: Any) -> tuple[Any, ...]:
    """The values of a `Literal` type, with None if it may be None; empty for another type."""
    values = [v for part in _parts(kind) if get_origin(part) is Literal for v in get_args(part)]
    return (*values, None) if values and _takes_none(kind) else tuple(values)


def _parsed(text: str, kind: Any) -> Any:
    """`text` as a value of type `kind`. Raises `ValueError`."""
    if _takes_none(kind) and text.lower() in ("none", ""):
        return None
    (kind,) = _parts(kind)
    args = get_args(kind)
    if get_origin(kind) is Literal:
        values = {str(value): value for value in args}
        return values[text] if text in values else _fail()
    if get_origin(kind) is tuple:
        items = text.split(",") if text else []
        kinds = [args[0]] * len(items) if args[-1] is Ellipsis else args
        if len(kinds) != len(items):
            raise ValueError
        return tuple(_parsed(item.strip(), one) for item, one in zip(items, kinds, strict=True))
    if kind is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        found = words.get(text.lower())
        return _fail() if found is None else found
    value = read_fraction(text) if kind is Fraction else kind(text)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError
    return value


def _can_be_read(kind: Any) -> bool:
    """True unless values of this type, such as another config, cannot be stated in text."""
    if get_origin(kind) in (Union, UnionType, tuple):
        return all(_can_be_read(part) for part in get_args(kind) if part not in (NoneType, ...))
    return get_origin(kind) is Literal or kind in _WORDS or issubclass(kind, Enum)


def _fail() -> Any:
    raise ValueError


_WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "a path",
    Fraction: "a number or a fraction such as 30000/1001",
}


def in_words(kind: Any) -> str:
    """The values of a type in words: "a whole number, or none", "one of raw, c23, c40"."""
    (plain_kind,) = _parts(kind)
    args = get_args(plain_kind)
    if get_origin(plain_kind) is Literal:
        words = "one of " + ", ".join(map(str, args))
    elif get_origin(plain_kind) is tuple and args[-1] is Ellipsis:
        words = f"any number of values with commas between them, each {in_words(args[0])}"
    elif get_origin(plain_kind) is tuple:
        words = f"{len(args)} values with commas between them, each {in_words(args[0])}"
    elif isinstance(plain_kind, type) and issubclass(plain_kind, Enum):
        words = "one of " + ", ".join(str(member.value) for member in plain_kind)
    else:
        words = _WORDS.get(plain_kind, str(plain_kind))
    return f"{words}, or none" if _takes_none(kind) else words
