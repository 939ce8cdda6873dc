"""A liveness detector that is a Python function of the user's, named `module:function`."""

import contextlib
import importlib
import sys
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dfmnist.core.actions import Action
from dfmnist.core.arrays import Frames
from dfmnist.core.batch import failure
from dfmnist.core.errors import InputError
from dfmnist.liveness.answer import AnswerError
from dfmnist.liveness.base import Verdict
from dfmnist.liveness.detector_config import PythonDetector


class FunctionDetector:
    """A liveness detector that calls a function for each clip and never raises for its failure.

    The function is called as `function(frames, fps, action)`: frames (n, 256, 256, 3) RGB uint8
    that cannot be written to, a `Fraction` of frames a second, and an action's name or None. It
    returns a mapping that the answer's rules read, a bool, or a `Verdict`.
    """

    def __init__(self, config: PythonDetector) -> None:
        """Raises `InputError` if there is no such module or function."""
        self.name = config.name
        self._rules = config.answer
        self._function = find_function(config.function)

    def __call__(self, frames_rgb_u8: Frames, fps: Fraction, action: Action | None) -> Verdict:
        """The function's verdict on frames (n, 256, 256, 3)."""
        frames = frames_rgb_u8.view()
        frames.flags.writeable = False
        try:
            with contextlib.redirect_stdout(sys.stderr):  # the verdicts alone are printed there
                answer = self._function(frames, fps, action.value if action else None)
            return self._verdict(answer)
        except AnswerError as error:
            reason = str(error)
        except Exception as error:
            reason = failure(error, Path(self.name))
        except SystemExit:
            reason = "the function ended the program"
        return Verdict.not_assessed(self.name, reason)

    def _verdict(self, answer: Any) -> Verdict:
        if isinstance(answer, Verdict):
            if not np.isfinite(answer.score):
                raise AnswerError("the verdict's score is not a finite number")
            return Verdict(
                self.name, bool(answer.live), float(answer.score), answer.reason, answer.assessed
            )
        plain = _plain(answer)
        if isinstance(plain, bool):
            return Verdict(self.name, plain, float(plain), self._rejected(plain))
        if not isinstance(plain, Mapping):
            kind = type(answer).__name__
            raise AnswerError(f"the function returned {kind}; expected a mapping or a bool")
        found = self._rules.read(plain)
        return Verdict(self.name, found.live, found.score, self._rejected(found.live))

    def _rejected(self, live: bool) -> str:
        return "" if live else f"rejected by {self.name}"


def find_function(name: str) -> Callable[..., Any]:
    """The function `module:function`. Raises `InputError`, also if the module fails to import."""
    module, _, path = name.partition(":")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # a user's module lies where the command is typed
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:
        problem = f"module {module} cannot be imported ({type(error).__name__}: {error})"
        raise InputError.of(f"--detector python:{name}", problem, "module:function") from None
    for part in path.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        problem = f"module {module} has no function {path}"
        raise InputError.of(f"--detector python:{name}", problem, "module:function")
    return found  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    """Scalars of NumPy and torch as those of Python, also within mappings and lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic) or getattr(value, "ndim", None) == 0:
        return value.item()
    return value
