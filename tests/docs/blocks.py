"""The code blocks of a Markdown page, and a shell that runs them as a reader would.

A block is run exactly as it is printed: `sh` by bash, `python` in this process. A block whose title
is the name of a file is written to that file. A title, or a comment in the first line, that begins
with "Not run" says why a block is not run.
"""

import contextlib
import io
import os
import re
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfmnist import cli

FENCE = re.compile(r"^```(?P<language>\w*)(?P<about>[^\n`]*)\n(?P<text>.*?)^```[ ]*$", re.M | re.S)
RUN = ("sh", "python")
"""Languages of blocks that are run."""
SHOWN = ("text", "bibtex")
"""Languages of blocks that a reader only looks at."""
LIMIT_S = 1800
"""Longest time of one block."""
ASK = """#!/bin/sh
# Hands the words of `dfmnist …` to the tests' own process, where everything is imported already.
printf '%s\\0' "$#" "$PWD" "$@" > {ask}
read -r code < {answer}
cat {out}
cat {err} >&2
exit "$code"
"""
START = """#!/bin/sh
exec {python} -m dfmnist "$@"
"""
PYTHON = """#!/bin/sh
exec {python} "$@"
"""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    line: int
    """Line of the page on which the block begins, from 1."""
    language: str
    text: str
    title: str

    @property
    def is_file(self) -> bool:
        """True if the block is the content of the file that its title names."""
        return re.fullmatch(r"[\w.-]+\.\w+", self.title) is not None

    @property
    def reason(self) -> str:
        """Why the block is not run; empty if it is."""
        first = self.text.partition("\n")[0].removeprefix("# ")
        return next((line for line in (self.title, first) if line.startswith("Not run")), "")


def blocks_of(page: str) -> list[Block]:
    """All fenced blocks of a page, in order."""
    return [
        Block(
            line=page.count("\n", 0, found.start()) + 1,
            language=found["language"],
            text=found["text"],
            title=title[1] if (title := re.search(r'title="([^"]*)"', found["about"])) else "",
        )
        for found in FENCE.finditer(page)
    ]


class Shell:
    """Runs the blocks of one page, one after the other, in one folder.

    With `here`, the commands of `dfmnist` run in this process; without, each in one of its own.
    """

    def __init__(self, folder: Path, tools: Path, *, here: bool) -> None:
        self._folder, self._here = folder, here
        self._paths = {name: tools / name for name in ("ask", "answer", "out", "err", "said")}
        self._started: list[subprocess.Popen[bytes]] = []
        self._names: dict[str, Any] = {"__name__": "__main__"}
        quoted = {name: shlex.quote(str(path)) for name, path in self._paths.items()}
        words = tools / "dfmnist"
        words.write_text(
            ASK.format(**quoted) if here else START.format(python=shlex.quote(sys.executable))
        )
        words.chmod(0o755)
        python = tools / "python3"
        python.write_text(PYTHON.format(python=shlex.quote(sys.executable)))
        python.chmod(0o755)
        self._environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}
        if here:
            os.mkfifo(self._paths["ask"])
            os.mkfifo(self._paths["answer"])

    def run(self, block: Block) -> None:
        """Run one block; raises AssertionError with what it printed if it fails."""
        if block.is_file:
            (self._folder / block.title).write_text(block.text)
        elif block.language == "python":
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(block.text, f"line {block.line}", "exec"), self._names)
        else:
            self._bash(block)

    def _bash(self, block: Block) -> None:
        said = self._paths["said"]
        with said.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", block.text],
                cwd=self._folder, env=self._environment, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._started.append(process)
        if self._here:
            self._serve(process)
        code = process.wait(LIMIT_S)
        text = said.read_text(errors="replace")
        assert code == 0, f"line {block.line}: exit code {code}\n{text[-4000:]}"

    def _serve(self, process: subprocess.Popen[bytes]) -> None:
        """Run what the block's commands ask for, until the block ends."""
        ask = os.open(self._paths["ask"], os.O_RDWR)  # also for writing, so that it never ends
        try:
            while process.poll() is None:
                if not select.select([ask], [], [], 0.02)[0]:
                    continue
                told = b""
                while told.count(b"\0") < 2 or told.count(b"\0") < int(told.split(b"\0")[0]) + 2:
                    told += os.read(ask, 65536)
                _, place, *words = told.decode().split("\0")[:-1]
                with (
                    self._paths["out"].open("w") as out,
                    self._paths["err"].open("w") as err,
                    contextlib.chdir(place),
                    contextlib.redirect_stdout(out),
                    contextlib.redirect_stderr(err),
                ):
                    code = _command(words)
                self._paths["answer"].write_text(f"{code}\n")
        finally:
            os.close(ask)

    def close(self) -> None:
        """End whatever a block left running."""
        for process in self._started:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGTERM)


def _command(words: list[str]) -> int:
    """Exit code of `dfmnist WORDS`."""
    old, sys.argv = sys.argv, ["dfmnist", *words]
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = old
    return 0


@contextlib.contextmanager
def shell(folder: Path, tools: Path, *, here: bool) -> Iterator[Shell]:
    """A shell in `folder`, with its own files in the empty folder `tools`; ended at the end."""
    opened = Shell(folder, tools, here=here)
    try:
        with contextlib.chdir(folder):
            yield opened
    finally:
        opened.close()
