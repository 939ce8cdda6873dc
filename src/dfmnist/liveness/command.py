"""A liveness detector that is a program: it is given a clip's path and prints a JSON object."""

import json

from dfmnist.core.batch import published
from dfmnist.core.plugins import PluginError, filled, run_program
from dfmnist.liveness.answer import AnswerError
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
        values = {"clip": str(clip.path.resolve()), "action": clip.action_name}
        words = filled(self._config.command, values, last="clip")
        try:
            found = self._config.answer.read(_parsed(run_program(words, self._config.timeout_s)))
        except (AnswerError, PluginError) as error:
            return Verdict.not_assessed(self.name, published(str(error), clip.path))
        reason = "" if found.live else f"rejected by {self.name}"
        return Verdict(self.name, found.live, found.score, reason)


def _parsed(printed: bytes) -> object:
    if not printed.strip():
        raise AnswerError("the program printed nothing; expected a JSON object")
    try:
        return json.loads(printed)
    except (ValueError, RecursionError):
        raise AnswerError("the program printed no valid JSON") from None
