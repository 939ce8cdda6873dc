"""The reference of all commands: `python -m dfmnist.cli.reference > docs/CLI.md`."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo, ParameterInfo

from dfmnist.cli import app, build, dataset, detect, settings
from dfmnist.core.settings import in_words, setting_text, settings_of
from dfmnist.core.text import markdown_table
from dfmnist.dataset.export.config import ExportConfig
from dfmnist.detectors.config import TrainConfig
from dfmnist.pipeline.config import BuildConfig

SETTINGS = {
    detect.train: TrainConfig,
    build.build: BuildConfig,
    dataset.export: ExportConfig,
}
"""The config behind `--set` of a command."""
HEAD = """# Commands

Written by `python -m dfmnist.cli.reference > docs/CLI.md`; a test compares it with the program.
`dfmnist COMMAND --help` shows the same in a terminal.
"""


@dataclass(frozen=True)
class Parameter:
    """An argument or option of a command."""

    name: str
    type: Any
    info: ParameterInfo
    default: Any
    """`inspect.Parameter.empty` if it must be given."""

    @property
    def is_option(self) -> bool:
        """True for an option, False for an argument that is known by its place."""
        return isinstance(self.info, OptionInfo)

    @property
    def required(self) -> bool:
        """True if it must be given."""
        return self.default is inspect.Parameter.empty

    @property
    def shown(self) -> str:
        """The name as it is typed: `--out`, `-v, --verbose`, `DATASET`."""
        if not self.is_option:
            return self.info.metavar or self.name.upper()
        given = [self.info.default, *(self.info.param_decls or ())]
        names = [name for name in given if isinstance(name, str)]
        flag = "--" + self.name.replace("_", "-")
        if not names:
            both = f"{flag} / --no-{flag[2:]}"
            names = [both if self.type is bool else flag]
        return ", ".join(sorted(names, key=len))

    @property
    def default_text(self) -> str:
        """The default as it would be typed; empty where there is none to tell."""
        if self.required or self.default is None or self.default is False or self.default == []:
            return ""
        if self.default is True:
            return self.shown.split(" / ")[0]
        if isinstance(self.default, tuple):
            return " ".join(map(setting_text, self.default))
        return setting_text(self.default)

    @property
    def values(self) -> str:
        """What can be given, in words; empty for a flag and for what goes without saying."""
        kind = self.type
        if get_origin(kind) is list:
            (kind,) = get_args(kind)
        words = in_words(kind).removesuffix(", or none")
        return f"{words[0].upper()}{words[1:]}." if words.startswith("one of") else ""


def reference() -> str:
    """The page: every command with its arguments, options and settings, as Markdown."""
    parts = [HEAD, "## dfmnist\n", _table("option", list(_parameters(settings)))]
    for words, function in _commands():
        parts += _command(words, function)
    return "\n".join(parts)


def _commands() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every command by its words: those of the top level, then those of the groups."""
    for words, level in (("", app), *((f"{g.name} ", g.typer_instance) for g in _groups())):
        assert isinstance(level, typer.Typer)
        for info in level.registered_commands:
            assert info.callback is not None
            yield f"{words}{info.name or info.callback.__name__}", info.callback


def _groups() -> list[Any]:
    return list(app.registered_groups)


def _command(words: str, function: Callable[..., Any]) -> list[str]:
    parameters = list(_parameters(function))
    arguments = [p for p in parameters if not p.is_option]
    options = [p for p in parameters if p.is_option]
    places = [p.shown if p.required or p.shown[0] == "[" else f"[{p.shown}]" for p in arguments]
    needed = [f"{p.shown} {p.name.upper()}" for p in options if p.required]
    usage = " ".join(["dfmnist", words, *places, *needed, "[OPTION]..."])
    parts = [f"## dfmnist {words}\n", f"    {usage}\n", f"{inspect.getdoc(function)}\n"]
    parts += [_table("argument", arguments)] if arguments else []
    parts.append(_table("option", options))
    if function in SETTINGS:
        parts.append(f"Settings of `{words} --set FIELD=VALUE`:\n")
        parts.append(_settings_table(SETTINGS[function]))
    return parts


def _parameters(function: Callable[..., Any]) -> Iterator[Parameter]:
    hints = get_type_hints(function, include_extras=True)
    for name, given in inspect.signature(function).parameters.items():
        if get_origin(hints[name]) is Annotated:
            kind, info = get_args(hints[name])
            assert isinstance(info, OptionInfo | ArgumentInfo)
            kind = next((p for p in get_args(kind) if get_origin(p) is list), kind)
            yield Parameter(name, kind, info, given.default)


def _table(title: str, parameters: list[Parameter]) -> str:
    rows = [
        (f"`{p.shown}`", _code(p.default_text), " ".join(filter(None, (p.info.help, p.values))))
        for p in parameters
    ]
    return markdown_table((title, "default", "meaning"), rows)


def _settings_table(config: type) -> str:
    rows = [
        (f"`{s.name}`", _code(s.default_text), f"{s.doc} *{s.values[0].upper()}{s.values[1:]}.*")
        for s in settings_of(config)
    ]
    return markdown_table(("field", "default", "meaning"), rows)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    print(reference(), end="")
