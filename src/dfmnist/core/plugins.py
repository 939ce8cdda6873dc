"""Code that a user brings: a Python function by its name, and a program that is run for an answer.

Both are the user's own words on the command line; no file of a dataset or of weights names code.
"""

import contextlib
import importlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dfmnist.core.errors import InputError

MAX_ANSWER_BYTES = 1 << 20
"""Largest answer of a program that is read."""


class PluginError(Exception):
    """The answer of a user's program or function cannot be used; the message says why."""


def find_function(name: str, given: str) -> Callable[..., Any]:
    """The function `module:function`; modules of the working directory are found too.

    `given` is what the user typed, for the message. Raises `InputError`, also if the module fails
    to import.
    """
    module, _, path = name.partition(":")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # a user's module lies where the command is typed
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:
        problem = f"module {module} cannot be imported ({type(error).__name__}: {error})"
        raise InputError.of(given, problem, "module:function") from None
    for part in path.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        problem = f"module {module} has no function {path}"
        raise InputError.of(given, problem, "module:function")
    return found  # type: ignore[no-any-return]


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function` returns; what it prints goes to standard error, as results are printed alone.

    Raises `PluginError` for whatever it raises; Ctrl-C is passed on.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return function(*arguments)
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise PluginError(f"the function raised {text}") from None
    except SystemExit:
        raise PluginError("the function ended the program") from None


def plain_value(value: Any) -> Any:
    """Scalars of NumPy and torch as those of Python, also within mappings and lists."""
    if isinstance(value, Mapping):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    if isinstance(value, np.generic) or getattr(value, "ndim", None) == 0:
        return value.item()
    return value


def with_values(command: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """The words of `command` with `{name}` replaced by each of `values`.

    The first value comes last as a word of its own if its name is in none of the words.
    """
    first = "{" + next(iter(values)) + "}"
    words = list(command) if any(first in word for word in command) else [*command, first]
    for name, value in values.items():
        words = [word.replace("{" + name + "}", value) for word in words]
    return words


def run_program(words: Sequence[str], timeout_s: float) -> bytes:
    """What the program prints on standard output; its standard error is dropped. No shell is used.

    Raises `PluginError` if there is no such program, it fails, prints too much, or does not end
    within `timeout_s`. The program and those that it started are then ended.
    """
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise PluginError(f"there is no program '{words[0]}'") from None
    except (OSError, ValueError) as error:
        kind = getattr(error, "strerror", None) or type(error).__name__
        raise PluginError(f"'{words[0]}' cannot be run ({kind})") from None
    try:
        end = time.monotonic() + timeout_s
        printed = _read(process, end)
        code = process.wait(max(end - time.monotonic(), 0.001))
    except (subprocess.TimeoutExpired, TimeoutError):
        raise PluginError(f"the program did not end within {timeout_s:g} s") from None
    finally:
        _end(process)
    if code:
        what = f"exit code {code}" if code > 0 else f"signal {-code}"
        raise PluginError(f"the program ended with {what}; run it by hand to see its messages")
    return printed


def _read(process: "subprocess.Popen[bytes]", end: float) -> bytes:
    """Standard output up to its end. Raises `TimeoutError` at the time `end`, `PluginError`."""
    assert process.stdout is not None
    handle, printed = process.stdout.fileno(), b""
    with selectors.DefaultSelector() as selector:
        selector.register(handle, selectors.EVENT_READ)
        while True:
            if not selector.select(max(end - time.monotonic(), 0.0)):
                raise TimeoutError
            chunk = os.read(handle, 1 << 16)
            if not chunk:
                return printed
            printed += chunk
            if len(printed) > MAX_ANSWER_BYTES:
                raise PluginError(f"the program printed more than {MAX_ANSWER_BYTES} bytes")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the program's group of processes, if it is still running."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
