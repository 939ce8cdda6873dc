"""Code that users bring: a Python function by its name, or a program by its command line.

Detectors, liveness detectors and animators of other people are found and run here alone. Both kinds
are the user's own words on the command line or in a file of settings; no file of a dataset or of
weights names code.
"""

import contextlib
import importlib
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from dfmnist.core.errors import InputError
from dfmnist.core.files import sha256_file

PluginKind = Literal["function", "program"]
FUNCTION_PATTERN = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
"""Pattern of the name of a function: `package.module:function`."""
_FUNCTION = re.compile(FUNCTION_PATTERN, re.ASCII)
MAX_ANSWER_BYTES = 1 << 20
"""Largest answer in bytes that is read."""
MAX_MESSAGE = 500
"""Length in characters from which the message of an error is cut."""
SECRET_NAME = re.compile(r"auth|cookie|key|token|secret|passw|credential", re.IGNORECASE)
"""Names of variables and headers whose values are secrets."""
SHORTEST_SECRET = 6
"""Number of characters from which a value of such a variable is masked in messages."""
END_S = 10.0
"""Seconds that a program has to end after it was killed."""
_TAIL_BYTES = 4096
_INTERPRETER = re.compile(r"(python|pypy|bash|sh|dash|zsh|perl|ruby|node|Rscript)[\d.]*", re.ASCII)
_SCRIPTS = frozenset({".py", ".sh", ".pl", ".rb", ".js", ".R"})
_SIGNALS = range(129, 193)
"""Exit codes of a program that a signal ended, as shells give them: 128 and the signal's number."""

# This process keeps the program: it ends it, with all that it started, when the program ends, and
# as soon as its own standard input closes. That happens when the parent asks for it, and when the
# parent dies in any way.
_KEEPER = """
import os, signal, subprocess, sys, threading
try:
    program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
except (OSError, ValueError) as error:
    print("it cannot be run:", getattr(error, "strerror", None) or error, file=sys.stderr)
    sys.stderr.flush()
    os._exit(126)
def end():
    try:
        os.killpg(program.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
def follow():
    sys.stdin.buffer.read()
    end()
threading.Thread(target=follow, daemon=True).start()
os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
end()
code = program.wait()
os._exit(code if code >= 0 else 128 - code)
"""


class PluginError(Exception):
    """A user's program or function that gave nothing to use. The message is one line that says why.

    Values of the environment's secrets are masked in it.
    """


@dataclass(frozen=True)
class Plugin:
    """A function or a program of the user's."""

    kind: PluginKind
    text: str
    """`module:function`, or the program's command line."""

    @property
    def words(self) -> list[str]:
        """The words of the program's command line."""
        return shlex.split(self.text)

    @property
    def program_name(self) -> str:
        """The program's name, or that of the script or module that an interpreter runs."""
        words = self.words
        if _INTERPRETER.fullmatch(Path(words[0]).name) and "-m" in words[1:-1]:
            return words[words.index("-m") + 1]
        return Path(next((w for w in words if Path(w).suffix in _SCRIPTS), words[0])).stem


def parse_plugin(text: str, given: str) -> Plugin:
    """The function or program that `text` names.

    `module:function` is a function, and anything else a program with its arguments. The words
    `python:` and `command:` before them say it where it is not clear. Raises `InputError`, which
    begins with `given`, for a text that names neither.
    """
    kind, colon, rest = text.partition(":")
    stated = kind if colon and kind in ("python", "command") else ""
    bare = (rest if stated else text).strip()
    if stated == "python" or (not stated and _FUNCTION.fullmatch(bare)):
        if not _FUNCTION.fullmatch(bare):
            raise InputError.of(given, "names no function", "module:function")
        return Plugin("function", bare)
    try:
        words = shlex.split(bare)
    except ValueError as error:
        raise InputError.of(given, f"cannot be read ({error})", "a command line") from None
    if not words:
        raise InputError.of(given, "is empty", "module:function or a command line")
    return Plugin("program", bare)


def code_of(plugin: Plugin) -> tuple[str, ...]:
    """What a function or program is made of: its name or words, and a hash of each file in them.

    A function stands for its module's file, and a program's word for the file of that name. The
    interpreter of a script counts by its name alone. Files that these read are not looked at.
    """
    if plugin.kind == "function":
        file = _module_file(plugin.text.partition(":")[0])
        return (plugin.text, *([sha256_file(file)] if file else []))
    first, *others = plugin.words
    if _INTERPRETER.fullmatch(Path(first).name):
        return Path(first).name, *map(_hashed, others)
    return _hashed(shutil.which(first) or first), *map(_hashed, others)


def _module_file(module: str) -> Path | None:
    """The file of a module, which may lie in the working directory; it is not imported."""
    parts = module.split(".")
    for folder in (Path.cwd(), *map(Path, sys.path)):
        base = folder.joinpath(*parts)
        for path in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
            if path.is_file():
                return path
    return None


def _hashed(word: str) -> str:
    """A word of a command; of one that names a file, the name and the hash of the content."""
    option, equals, value = word.partition("=")
    for before, path in (("", word), (option + equals, value)):
        with contextlib.suppress(OSError, ValueError):
            if path and Path(path).is_file():
                return f"{before}{Path(path).name}:{sha256_file(Path(path))}"
    return word


def find_function(name: str, given: str) -> Callable[..., Any]:
    """Import the function `module:function`; modules of the working directory are found too.

    Raises `InputError`, which begins with `given`, if there is no such function, and if its module
    fails to import.
    """
    module, _, path = name.partition(":")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # a user's module lies where the command is typed
    try:
        found: Any = importlib.import_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may also call sys.exit
        problem = f"module {module} cannot be imported ({said(error)})"
        raise InputError.of(given, problem, "a module that can be imported") from None
    for part in path.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise InputError.of(given, f"module {module} has no function {path}", "module:function")
    return found  # type: ignore[no-any-return]


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function` returns; what it prints goes to standard error, as results are printed alone.

    Raises `PluginError` for whatever it raises; Ctrl-C is passed on.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return function(*arguments)
    except Exception as error:
        raise PluginError(f"the function raised {said(error)}") from None
    except SystemExit:
        raise PluginError("the function ended the program") from None


def said(error: BaseException) -> str:
    """Type and message of a user's error, in one line and without secrets."""
    return _cleaned(f"{type(error).__name__}: {error}")


def _cleaned(text: str) -> str:
    """`text` in one printable line of at most `MAX_MESSAGE` characters, without secrets."""
    for name, value in os.environ.items():
        if SECRET_NAME.search(name) and len(value) >= SHORTEST_SECRET:
            text = text.replace(value, f"${name}")
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= MAX_MESSAGE else f"{line[:MAX_MESSAGE]}…"


def plain_value(value: Any) -> Any:
    """Scalars of NumPy and torch as those of Python, also within mappings and lists."""
    if isinstance(value, Mapping):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    if getattr(value, "ndim", None) == 0:
        return value.item()
    return value


def filled(words: Sequence[str], values: Mapping[str, str], last: str = "") -> list[str]:
    """The words of a command with `{name}` replaced by each of `values`.

    The value named `last` is added as the last word if its name is in none of the words.
    """
    if last and not any(f"{{{last}}}" in word for word in words):
        words = [*words, f"{{{last}}}"]
    pattern = "|".join(re.escape(f"{{{name}}}") for name in values)
    return [re.sub(pattern, lambda found: values[found[0][1:-1]], word) for word in words]


def run_program(words: Sequence[str], limit_s: float, *, answer: bool = True) -> bytes:
    """What a program prints on standard output; without `answer` that is dropped.

    No shell is used, and standard input is empty. Raises `PluginError` if there is no such program,
    it ends with another exit code than 0, prints more than `MAX_ANSWER_BYTES`, or does not end
    within `limit_s` seconds. When it has ended, and then, all that it started is ended too, and
    also when this process is killed.
    """
    if shutil.which(words[0]) is None:
        raise PluginError(f"there is no program '{words[0]}'")
    with _kept(words, answer) as keeper:
        printed = _Reader(keeper.stdout, keeper) if answer else None
        messages = _Reader(keeper.stderr)
        try:
            code = keeper.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise PluginError(f"the program did not end within {limit_s:g} s") from None
        content = printed.content() if printed else b""
        if len(content) > MAX_ANSWER_BYTES:
            raise PluginError(f"the program printed more than {MAX_ANSWER_BYTES} bytes")
        if code:
            what = f"signal {code - 128}" if code in _SIGNALS else f"exit code {code}"
            last = _last_line(messages.content())
            raise PluginError(f"the program ended with {what}" + (f" ({last})" if last else ""))
    return content


_KEEPERS: set["subprocess.Popen[bytes]"] = set()


@contextlib.contextmanager
def _kept(words: Sequence[str], answer: bool) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a program; at the end of the `with` block it is ended with all that it started."""
    keeper = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _KEEPER, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if answer else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    _KEEPERS.add(keeper)
    try:
        yield keeper
    finally:
        _KEEPERS.discard(keeper)
        _end(keeper)
        with contextlib.suppress(subprocess.TimeoutExpired):
            keeper.wait(END_S)


def end_programs() -> None:
    """End the programs that other threads of this process run; each raises `PluginError` there."""
    for keeper in list(_KEEPERS):
        _end(keeper)


def _end(keeper: "subprocess.Popen[bytes]") -> None:
    assert keeper.stdin is not None
    with contextlib.suppress(OSError):
        keeper.stdin.close()


class _Reader:
    """A thread that reads a pipe, so that its program never waits for somebody to read."""

    def __init__(
        self, pipe: IO[bytes] | None, bounded: "subprocess.Popen[bytes] | None" = None
    ) -> None:
        """Read all, up to a bound at which the keeper `bounded` is ended; without one, the end."""
        assert pipe is not None
        self._pipe, self._bounded, self._read = pipe, bounded, bytearray()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._pipe:
            while chunk := self._pipe.read1(1 << 16):  # type: ignore[attr-defined]
                self._read += chunk
                if self._bounded is None:
                    del self._read[:-_TAIL_BYTES]
                elif len(self._read) > MAX_ANSWER_BYTES:
                    _end(self._bounded)
                    return

    def content(self) -> bytes:
        """What was read; a process that the program left behind may hold the pipe open."""
        self._thread.join(1)
        return bytes(self._read)


def _last_line(messages: bytes) -> str:
    """The last line of a program's messages that is not empty."""
    lines = [line.strip() for line in messages.decode("utf-8", "replace").splitlines()]
    return _cleaned(next((line for line in reversed(lines) if line), ""))


def check_limit(limit_s: float, given: str) -> None:
    """Check a time limit in seconds. Raises `InputError`, which begins with `given`."""
    if not (math.isfinite(limit_s) and limit_s > 0):
        raise InputError(f"{given} is {limit_s:g}; expected seconds, more than 0")
