"""The liveness detectors that a command line names, in one form, whoever made them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import isfinite
from pathlib import Path

from dfmnist.core.actions import Action
from dfmnist.core.batch import failure, published
from dfmnist.core.errors import InputError
from dfmnist.liveness.action import ActionDetector
from dfmnist.liveness.base import Verdict
from dfmnist.liveness.clip_file import ClipFile
from dfmnist.liveness.command import ProgramDetector
from dfmnist.liveness.detector_config import (
    BuiltInDetector,
    CommandDetector,
    DetectorConfig,
    HttpDetector,
    MiniFasNetFiles,
    PythonDetector,
    detector_key,
    parse_detector,
)
from dfmnist.liveness.function import FunctionDetector
from dfmnist.liveness.load import LoadedClip
from dfmnist.liveness.minifasnet import MiniFasNetDetector
from dfmnist.liveness.remote import RemoteDetector
from dfmnist.liveness.thresholds import read_thresholds
from dfmnist.liveness.universal import UniversalDetector

DEFAULT = ("action", "universal")
"""The detectors that are asked where none is named: the two of the pipeline."""


@dataclass(frozen=True)
class ChosenDetector:
    """A liveness detector under test. It is given decoded frames or a file."""

    config: DetectorConfig
    needs_action: bool
    """True if it judges a requested action; it is not asked about a clip without one."""
    from_frames: Callable[[LoadedClip], Verdict] | None = None
    from_file: Callable[[ClipFile], Verdict] | None = None

    @property
    def name(self) -> str:
        """Name of the detector in verdicts and tables."""
        return self.config.name

    @property
    def key(self) -> str:
        """Name and hash of the settings; a verdict under another key is not reused."""
        return f"{self.name}-{detector_key(self.config)}"

    @property
    def is_service(self) -> bool:
        """True for a service, whose calls are limited: one process asks it, clip after clip."""
        return isinstance(self.config, HttpDetector)

    @property
    def may_try_again(self) -> bool:
        """True if a failure may pass: a clip that was not assessed is then asked about again."""
        return isinstance(self.config, HttpDetector | CommandDetector)

    def is_asked(self, action: Action | None) -> bool:
        """Whether the detector is asked about a clip in which `action` is requested."""
        return not self.needs_action or action not in (None, Action.TALK)

    def assess(self, file: ClipFile, clip: LoadedClip | None) -> Verdict:
        """The verdict on a clip, which is not None for a detector that is given frames.

        A detector that fails gives the verdict "not assessed"; output that cannot be written
        raises `StorageError`.
        """
        try:
            if self.from_file is not None:
                verdict = self.from_file(file)
            else:
                assert self.from_frames is not None
                assert clip is not None
                verdict = self.from_frames(clip)
            if isfinite(verdict.score):
                return verdict
            return Verdict.not_assessed(self.name, "its score is not a finite number")
        except Exception as error:
            return Verdict.not_assessed(self.name, published(failure(error, file.path), file.path))


def choose_detectors(
    texts: Sequence[str], thresholds: Path | None = None
) -> tuple[ChosenDetector, ...]:
    """The detectors that values of `--detector` stand for; none means `DEFAULT`.

    `thresholds` are those of the built-in action and universal detectors, None the shipped ones.
    Raises `InputError`, also for two detectors of one name.
    """
    configs = [_with_thresholds(parse_detector(t), thresholds) for t in texts or DEFAULT]
    names = [config.name for config in configs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"--detector: two detectors named '{twice}'; expected a name for each")
    return tuple(build_detector(config) for config in configs)


def _with_thresholds(config: DetectorConfig, thresholds: Path | None) -> DetectorConfig:
    if thresholds is None or not isinstance(config, BuiltInDetector) or config.name == "minifasnet":
        return config
    return config.model_copy(update={"thresholds": thresholds})


@cache
def _built_in(config: BuiltInDetector) -> ChosenDetector:
    if config.name == "minifasnet":
        return ChosenDetector(config, False, partial(_minifasnet, MiniFasNetDetector()))
    bounds = None if config.thresholds is None else read_thresholds(config.thresholds)
    if config.name == "action":
        return ChosenDetector(config, True, partial(_by_action, ActionDetector(bounds)))
    return ChosenDetector(config, False, partial(_universal, UniversalDetector(bounds)))


def build_detector(config: DetectorConfig) -> ChosenDetector:
    """The detector of these settings. Raises `InputError` where it cannot be made."""
    if isinstance(config, BuiltInDetector):
        return _built_in(config)
    if isinstance(config, MiniFasNetFiles):
        detector = MiniFasNetDetector(config.v2, config.v1se)
        return ChosenDetector(config, False, partial(_minifasnet, detector))
    needs_action = config.needs_action
    if isinstance(config, HttpDetector):
        return ChosenDetector(config, needs_action, from_file=RemoteDetector(config).assess)
    if isinstance(config, CommandDetector):
        return ChosenDetector(config, needs_action, from_file=ProgramDetector(config).assess)
    assert isinstance(config, PythonDetector)
    return ChosenDetector(config, needs_action, partial(_called, FunctionDetector(config)))


def _by_action(detector: ActionDetector, clip: LoadedClip) -> Verdict:
    assert clip.file.action is not None
    return detector.judge(clip.signals, clip.fps, clip.file.action)


def _universal(detector: UniversalDetector, clip: LoadedClip) -> Verdict:
    return detector.judge(clip.frames_rgb_u8, clip.meshes)


def _minifasnet(detector: MiniFasNetDetector, clip: LoadedClip) -> Verdict:
    return detector.judge(clip.filmed_rgb_u8, clip.searched, clip.boxes_xyxy)


def _called(detector: FunctionDetector, clip: LoadedClip) -> Verdict:
    return detector(clip.frames_rgb_u8, clip.fps, clip.file.action)
