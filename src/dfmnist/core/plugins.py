"""Code that users bring: a Python function by its name, or a program by its command line."""

import contextlib
import importlib
import math
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from dfmnist.core.errors import InputError

_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
TAIL_BYTES = 4096
"""Number of last bytes of a program's messages that are kept."""
SHOWN = 200
"""Longest message of a program, in characters, that an error quotes."""
END_S = 10.0
"""Seconds that a program has to end after it was killed."""

# This process keeps the program: it ends it, with all that it started, as soon as its own standard
# input closes. That happens when the parent asks for it, and when the parent dies in any way.
_KEEPER = """
import os, signal, subprocess, sys, threading
program = subprocess.Popen(
    sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
)
def end():
    sys.stdin.buffer.read()
    try:
        os.killpg(program.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
threading.Thread(target=end, daemon=True).start()
code = program.wait()
os._exit(code if code >= 0 else 128 - code)
"""


def is_function_name(text: str) -> bool:
    """True for the name of a function, such as `package.module:function`."""
    return _FUNCTION.fullmatch(text) is not None


def find_function(name: str, given: str) -> Callable[..., Any]:
    """Import the function `module:function`; modules of the working directory are found too.

    Raises `InputError`, which begins with `given`, if there is no such function, and if its module
    fails to import.
    """
    module, _, path = name.partition(":")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may also call sys.exit
        problem = f"module {module} cannot be imported ({type(error).__name__}: {error})"
        raise InputError.of(given, problem[:500], "a module that can be imported") from None
    for part in path.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise InputError.of(given, f"module {module} has no function {path}", "module:function")
    return found  # type: ignore[no-any-return]


def split_command(command: str, given: str) -> list[str]:
    """The words of a command line, split as a shell does. Raises `InputError`, with `given`."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError.of(given, f"cannot be read ({error})", "a command line") from None
    if not words:
        raise InputError.of(given, "is empty", "a command line")
    return words


def run_program(words: Sequence[str], limit_s: float) -> None:
    """Run a program to its end, without a shell and without input; what it prints is dropped.

    Raises `InputError` if it ends with another exit code than 0, whose message quotes the last
    line of its standard error, or does not end within `limit_s` seconds. The program and all that
    it started are ended then, and also when this process is killed.
    """
    keeper = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _KEEPER, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert keeper.stdin is not None
    assert keeper.stderr is not None
    said = bytearray()
    reader = threading.Thread(target=_keep_tail, args=(keeper.stderr, said), daemon=True)
    reader.start()
    try:
        code = keeper.wait(limit_s)
    except subprocess.TimeoutExpired:
        raise InputError.of(
            words[0], f"did not end within {limit_s:g} s", "a faster program, or a higher limit"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            keeper.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            keeper.wait(END_S)
        reader.join(1)  # a process that it left behind may hold the pipe open
    if code:
        last = last_line(bytes(said))
        why = f" ({last})" if last else ""
        raise InputError.of(words[0], f"ended with exit code {code}{why}", "exit code 0")


def last_line(said: bytes) -> str:
    """The last line of a program's messages that is not empty, of at most `SHOWN` characters."""
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        return ""
    printable = "".join(c if c.isprintable() else " " for c in lines[-1])
    return printable if len(printable) <= SHOWN else f"{printable[:SHOWN]}…"


def _keep_tail(stream: IO[bytes], said: bytearray) -> None:
    with contextlib.suppress(OSError, ValueError):
        while chunk := stream.read1(1 << 16):  # type: ignore[attr-defined]
            said += chunk
            del said[:-TAIL_BYTES]


def check_limit(limit_s: float, given: str) -> None:
    """Check a time limit in seconds. Raises `InputError`, which begins with `given`."""
    if not (math.isfinite(limit_s) and limit_s > 0):
        raise InputError(f"{given} is {limit_s:g}; expected seconds, more than 0")
