"""Every command that the documents name is one of the command line; docs/CLI.md is fresh."""

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import typer.main
from tests.sources import FILES, SRC

from dfmnist.cli import app
from dfmnist.cli.reference import SETTINGS, reference
from dfmnist.core.settings import with_settings
from dfmnist.detectors.config import TrainConfig

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    if page.name != "LOG.md" and "example-report" not in page.parts
)
SOURCES = (*FILES, *sorted(SRC.rglob("*.html")))
ELLIPSIS = "…"
SHELL = {"|", "||", "&&", ">", "2>", ";"}
"""Words that end a command in a shell."""
ENDS = {"--help", "--version", "--json-schema"}
"""Options with which a command needs no arguments."""
PLACEHOLDER = re.compile(r"[{<]|[A-Z]{3,}")


def blocks(text: str) -> Iterator[str]:
    """The commands of indented and fenced blocks, a line each."""
    joined = re.sub(r"\\\n\s*", " ", text)
    for line in joined.splitlines():
        if match := re.match(r"(?:    )?\s*(?:\$ )?(dfmnist(?: .*)?)$", line):
            yield match[1]


def mentions(text: str) -> Iterator[str]:
    """The commands in the middle of a sentence, which may leave things out."""
    yield from re.findall(r"`(dfmnist [a-z][^`]*)`", text)
    yield from re.findall(r"<code>(dfmnist [a-z][^<]*)</code>", text)


def find(words: list[str]) -> tuple[Any, str, list[str]]:
    """The command that `words` call, its name, and what follows it."""
    command: Any = typer.main.get_command(app)
    name = []
    while hasattr(command, "commands") and words:
        if words[0] not in command.commands and hasattr(command, "default"):
            words = [command.default, *words]
        if words[0].startswith("-"):
            break
        assert words[0] in command.commands, f"no command '{' '.join([*name, words[0]])}'"
        command, words, name = command.commands[words[0]], words[1:], [*name, words[0]]
    return command, " ".join(name), words


def check_options(line: str) -> None:
    """All options of a command that may be incomplete exist."""
    command, name, words = find(shlex.split(line.replace("'", ""))[1:])
    known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"-h", "--help"}
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in known, f"{name} has no {word}"


def check(line: str) -> None:
    """A whole command can be read, and its settings can be set."""
    words = list(takewhile(lambda w: w not in SHELL, shlex.split(line, comments=True)))
    command, name, words = find(words[1:])
    if ENDS & set(words):
        return
    context = command.make_context(name, words)
    for text in context.params.get("settings") or []:
        config = TrainConfig(weights="imagenet") if name == "train" else None
        if config is not None:
            with_settings(config, [text])


def documented() -> list[tuple[str, str]]:
    return [(page.name, line) for page in PAGES for line in blocks(page.read_text("utf-8"))
            if page.name != "CLI.md"]  # fmt: skip


@pytest.mark.parametrize(("page", "line"), documented())
def test_a_documented_command_can_be_run(page: str, line: str) -> None:
    check(line)


def test_there_are_documented_commands() -> None:
    assert len(documented()) > 20


def test_a_command_that_is_mentioned_exists() -> None:
    found = {line for path in (*PAGES, *SOURCES) for line in mentions(path.read_text("utf-8"))}
    assert len(found) > 50
    for line in sorted(found):
        check_options(line)


def test_what_does_not_exist_is_noticed() -> None:
    for line in ("dfmnist audit d", "dfmnist train d --sett a=b", "dfmnist report --out o"):
        with pytest.raises(Exception):  # noqa: B017, PT011  # typer's own, of several classes
            check(line)
    with pytest.raises(AssertionError, match="train has no --betas"):
        check_options("dfmnist train … --betas 0.9 0.99")
    with pytest.raises(AssertionError, match="no command 'verify'"):
        check_options("dfmnist verify")


def test_the_reference_is_fresh() -> None:
    kept = (ROOT / "docs" / "CLI.md").read_text("utf-8")
    assert kept == reference(), "run `python -m dfmnist.cli.reference > docs/CLI.md`"


def test_the_reference_lists_the_settings() -> None:
    for config in SETTINGS.values():
        for field in config.__dataclass_fields__:
            assert f"| `{field}` |" in reference()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_document_names_exists(page: Path) -> None:
    for path, _, name in re.findall(r"`(tests/[\w/]+\.py)(::(\w+))?`", page.read_text()):
        assert (ROOT / path).is_file(), path
        assert not name or f"\ndef {name}(" in (ROOT / path).read_text(), f"{path}::{name}"
