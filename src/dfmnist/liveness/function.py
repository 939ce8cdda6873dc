"""A liveness detector that is a Python function of the user's, named `module:function`."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from dfmnist.core.actions import Action
from dfmnist.core.arrays import Frames
from dfmnist.core.plugins import PluginError, call, find_function, plain_value
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
        self._function = find_function(config.function, f"--detector python:{config.function}")

    def __call__(self, frames_rgb_u8: Frames, fps: Fraction, action: Action | None) -> Verdict:
        """The function's verdict on frames (n, 256, 256, 3)."""
        frames = frames_rgb_u8.view()
        frames.flags.writeable = False
        try:
            answer = call(self._function, frames, fps, action.value if action else None)
            return self._verdict(answer)
        except (AnswerError, PluginError) as error:
            return Verdict.not_assessed(self.name, str(error))

    def _verdict(self, answer: Any) -> Verdict:
        if isinstance(answer, Verdict):
            if not np.isfinite(answer.score):
                raise AnswerError("the verdict's score is not a finite number")
            return Verdict(
                self.name, bool(answer.live), float(answer.score), answer.reason, answer.assessed
            )
        plain = plain_value(answer)
        if isinstance(plain, bool):
            return Verdict(self.name, plain, float(plain), self._rejected(plain))
        if not isinstance(plain, Mapping):
            kind = type(answer).__name__
            raise AnswerError(f"the function returned {kind}; expected a mapping or a bool")
        found = self._rules.read(plain)
        return Verdict(self.name, found.live, found.score, self._rejected(found.live))

    def _rejected(self, live: bool) -> str:
        return "" if live else f"rejected by {self.name}"
