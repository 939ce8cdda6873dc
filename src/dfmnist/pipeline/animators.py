"""Animators of other people: a program or a function that moves a photo as a driving clip.

Both get the same two pictures of a pair: the source's face and the driver's cropped clip, as
`docs/ANIMATORS.md` says. What they give is checked here; a failure is an `InputError`, which a
build lists as a rejection.
"""

import contextlib
import json
import os
import re
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dfmnist.core.arrays import Frames
from dfmnist.core.errors import InputError
from dfmnist.core.files import sha256_text
from dfmnist.core.plugins import END_S, PluginError, code_of, filled, run_program
from dfmnist.fomm.checkpoint import weights_id
from dfmnist.media.image import write_image
from dfmnist.media.video import frames_at, probe, resize_frames
from dfmnist.pipeline.config import BuildConfig
from dfmnist.pipeline.function_process import problem_of, shape_problem

HASH_DIGITS = 8


@dataclass(frozen=True)
class Generator:
    """What moves the photos of a build, as the manifest names it."""

    text: str
    """Name, version and hash: `fomm-actors@0123abcd`, `liveportrait-1.1@0123abcd`."""
    method: str
    """The clips' `method`: the name alone; empty for the motion model, whose name states it."""


def generator_of(config: BuildConfig) -> Generator:
    """The animator of a build, which must be there.

    The hash of a program is of its command's words, and of each file that a word names. That of a
    function is of its name and its module's file. Raises `InputError` for a program or a function
    that cannot be found.
    """
    if config.animator is None:
        return Generator(weights_id(config.weights), "")
    plugin, version = config.own_animator, ""
    if plugin.kind == "function":
        name = plugin.text.partition(":")[0]
        with contextlib.closing(_FunctionProcess(plugin.text, config.animator_limit_s)) as one:
            version = one.version
    else:
        name = plugin.program_name
        if shutil.which(plugin.words[0]) is None:
            raise InputError.of(
                "--animator", f"there is no program '{plugin.words[0]}'", "one that runs"
            )
    name = config.animator_name or name
    version = config.animator_version or version
    digits = sha256_text("\n".join([name, version, *code_of(plugin)]))[:HASH_DIGITS]
    shown = "-".join(part for part in (name, version) if part)
    return Generator(f"{' '.join(shown.split())}@{digits}", _method(name))


def _method(name: str) -> str:
    """`name` as a manifest's method: lower-case letters, digits, dots, dashes."""
    method = re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-._")[:64]
    if not method:
        raise InputError.of(
            "--animator-name", f"'{name}' has no letter a to z and no digit", "such a name"
        )
    return method


def animate_by(config: BuildConfig, source_rgb_u8: Frames, driver: Path, folder: Path) -> Frames:
    """Animate the source (h, h, 3) by the animator of `config`: frames (n, h, h, 3).

    `driver` is the cropped driving clip of n frames; `folder` is made for the work and removed.
    Square frames of another size are resized. Raises `InputError`, which names the animator, if
    it fails, is too slow, or gives anything but n square frames.
    """
    plugin, clip, side = config.own_animator, probe(driver), source_rgb_u8.shape[0]
    # a program, and a function's process that is kept, may work in another folder
    driver, folder = driver.resolve(), folder.resolve()
    with _scratch(folder):
        pair = {"source": folder / "source.png", "driver": driver}
        write_image(pair["source"], source_rgb_u8)
        if plugin.kind == "function":
            out = _call(config, {**pair, "out": folder / "out.npy"}, clip.fps)
            made = np.load(out, mmap_mode="r")
            _refuse(plugin.text, problem_of(made, clip.num_frames))
            return resize_frames(made, (side, side)).copy()
        out = _run(config, {**pair, "out": folder / "out.mp4"})
        found = probe(out)
        shape = (found.num_frames, found.height, found.width, 3)
        _refuse(plugin.program_name, shape_problem(shape, clip.num_frames))
        return frames_at(out, range(clip.num_frames), (side, side))


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[None]:
    """A new, empty folder; one that a killed build left is removed first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _refuse(name: str, problem: str) -> None:
    """Raise `InputError` if there is a problem."""
    if problem:
        raise InputError(f"{name}: {problem}")


def _run(config: BuildConfig, paths: Mapping[str, Path]) -> Path:
    """Run the program for one pair and return the file that it wrote."""
    plugin = config.own_animator
    words = filled(plugin.words, {name: str(path) for name, path in paths.items()})
    try:
        run_program(words, config.animator_limit_s, answer=False)
    except PluginError as error:
        raise InputError.of(plugin.program_name, str(error), "exit code 0 and a video") from None
    if not paths["out"].is_file():
        raise InputError.of(plugin.program_name, "ended without the file {out}", "an MP4 there")
    return paths["out"]


def _call(config: BuildConfig, paths: Mapping[str, Path], fps: Fraction) -> Path:
    """Have the function called for one pair and return the file with its frames."""
    function = config.own_animator.text
    request = {name: str(path) for name, path in paths.items()} | {"fps": str(fps)}
    try:
        process = _process(function, config.animator_limit_s)
        process.ask(request, config.animator_limit_s)
    except _EndedError as error:
        end_animators()  # the next pair gets a new process
        raise InputError(str(error)) from None
    return paths["out"]


class _EndedError(InputError):
    """A function's process that ended, or that had to be ended."""


class _FunctionProcess:
    """A process that has imported a function and calls it as asked."""

    def __init__(self, function: str, limit_s: float) -> None:
        """Start the process. Raises `InputError` if the function cannot be imported in time."""
        self.function = function
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dfmnist.pipeline.function_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        try:
            about = self.ask({"function": function}, limit_s)
        except BaseException:
            self.close()
            raise
        self.version = about["version"]

    def ask(self, request: dict[str, Any], limit_s: float) -> dict[str, str]:
        """The answer to a request. Raises `InputError` if it is an error, or none comes in time."""
        try:
            line = self._answer((json.dumps(request) + "\n").encode(), limit_s)
        except TimeoutError:
            raise _EndedError.of(
                self.function,
                f"did not end within {limit_s:g} s",
                "a faster function, or a higher animator_limit_s",
            ) from None
        except OSError:
            line = b""
        if not line:
            self.close()
            code = self._process.returncode
            raise _EndedError.of(
                self.function, f"ended its process (exit code {code})", "a function that returns"
            )
        answer: dict[str, str] = json.loads(line)
        if problem := answer.get("error"):
            given = problem if self.function in problem else f"{self.function}: {problem}"
            raise InputError(given)
        return answer

    def _answer(self, request: bytes, limit_s: float) -> bytes:
        """The line that answers `request`; empty if the process ended. Raises `TimeoutError`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(request)
        self._process.stdin.flush()
        handle, line, end = self._process.stdout.fileno(), b"", time.monotonic() + limit_s
        with selectors.DefaultSelector() as selector:
            selector.register(handle, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(end - time.monotonic(), 0)):
                    raise TimeoutError
                chunk = os.read(handle, 1 << 16)
                if not chunk:
                    return b""
                line += chunk
        return line

    def close(self) -> None:
        """End the process."""
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        try:
            self._process.wait(0.2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(END_S)
        self._process.stdout.close()


_RUNNING: dict[str, _FunctionProcess] = {}
"""The functions' processes of this worker, kept from pair to pair, since models load slowly."""


def _process(function: str, limit_s: float) -> _FunctionProcess:
    if function not in _RUNNING:
        _RUNNING[function] = _FunctionProcess(function, limit_s)
    return _RUNNING[function]


def end_animators() -> None:
    """End the processes of functions that this process has started."""
    while _RUNNING:
        _RUNNING.popitem()[1].close()
