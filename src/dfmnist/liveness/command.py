"""A liveness detector that is a program: it is given a clip's path and prints a JSON object."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time

from dfmnist.core.batch import failure, published
from dfmnist.liveness.answer import MAX_ANSWER_BYTES, AnswerError
from dfmnist.liveness.base import Verdict
from dfmnist.liveness.clip_file import ClipFile
from dfmnist.liveness.detector_config import CommandDetector


class ProgramDetector:
    """A liveness detector that runs a program for each clip and never raises for its failure."""

    def __init__(self, config: CommandDetector) -> None:
        self.name = config.name
        self._config = config

    def assess(self, clip: ClipFile) -> Verdict:
        """The program's verdict on a clip's file."""
        try:
            printed = run_program(arguments(self._config.command, clip), self._config.timeout_s)
            found = self._config.answer.read(_parsed(printed))
        except AnswerError as error:
            return Verdict.not_assessed(self.name, str(error))
        except Exception as error:
            return Verdict.not_assessed(self.name, published(failure(error, clip.path), clip.path))
        reason = "" if found.live else f"rejected by {self.name}"
        return Verdict(self.name, found.live, found.score, reason)


def arguments(command: tuple[str, ...], clip: ClipFile) -> list[str]:
    """The words of `command` for one clip; its path comes last if `{clip}` is in none of them."""
    path = str(clip.path.resolve())
    words = command if any("{clip}" in word for word in command) else (*command, "{clip}")
    return [word.replace("{action}", clip.action_name).replace("{clip}", path) for word in words]


def _parsed(printed: bytes) -> object:
    if not printed.strip():
        raise AnswerError("the program printed nothing; expected a JSON object")
    try:
        return json.loads(printed)
    except (ValueError, RecursionError):
        raise AnswerError("the program printed no valid JSON") from None


def run_program(words: list[str], timeout_s: float) -> bytes:
    """What the program prints on standard output; its standard error is dropped.

    Raises `AnswerError` if there is no such program, it fails, prints too much, or does not end
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
        raise AnswerError(f"there is no program '{words[0]}'") from None
    except (OSError, ValueError) as error:
        kind = getattr(error, "strerror", None) or type(error).__name__
        raise AnswerError(f"'{words[0]}' cannot be run ({kind})") from None
    try:
        end = time.monotonic() + timeout_s
        printed = _read(process, end)
        code = process.wait(max(end - time.monotonic(), 0.001))
    except (subprocess.TimeoutExpired, TimeoutError):
        raise AnswerError(f"the program did not end within {timeout_s:g} s") from None
    finally:
        _end(process)
    if code:
        what = f"exit code {code}" if code > 0 else f"signal {-code}"
        raise AnswerError(f"the program ended with {what}; run it by hand to see its messages")
    return printed


def _read(process: "subprocess.Popen[bytes]", end: float) -> bytes:
    """Standard output up to its end. Raises `TimeoutError` at the time `end`, `AnswerError`."""
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
                raise AnswerError(f"the program printed more than {MAX_ANSWER_BYTES} bytes")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the program's group of processes, if it is still running."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
