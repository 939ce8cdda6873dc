"""Settings of filming, building and animating. Importing this module loads no torch."""

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dfmnist.core.actions import TEN, Action
from dfmnist.core.choices import BackendName, DriverProtocol, Motion, Precision, Quality, ScreenRule
from dfmnist.core.errors import InputError
from dfmnist.core.plugins import Plugin, check_limit, parse_plugin
from dfmnist.core.settings import check_choices

HIGHEST_FPS = 240
PLACEHOLDERS = ("{source}", "{driver}", "{out}")
"""Words of an animator's command that stand for the files of one pair."""


@dataclass(frozen=True)
class FilmConfig:
    """Settings of a film of synthetic actors: who performs what, and how often."""

    people: tuple[int, int, int] = (14, 3, 3)
    """Number of actors in train, validation and test; each is both source and real."""
    clips_per_action: tuple[int, int, int] = (10, 3, 3)
    """Clips of each action in train, validation and test, dealt evenly among the actors."""
    drivers: tuple[int, int, int] = (2, 1, 1)
    """Number of driving actors in train, validation and test; each performs all the actions."""
    takes: int = 2
    """Number of times that each driver performs each action."""
    num_frames: int = 50
    """Number of frames of every clip, at 25 a second."""
    actions: tuple[Action, ...] = TEN
    """Actions to perform, beside talking."""
    first_person: int = 300_000
    """Identity seed of the first actor (range `dataset`)."""
    first_driver: int = 100_000
    """Identity seed of the first driver (range `drivers`)."""
    seed: int = 0
    """Seed of the performances."""

    def __post_init__(self) -> None:
        """Check the counts. Raises `InputError`."""
        if min(self.people) < 1 or min(self.drivers) < 1 or self.takes < 1:
            raise InputError("film: every split needs at least one actor and one driver")


@dataclass(frozen=True)
class BuildConfig:
    """Settings of a build, without its inputs. Equal configs and inputs give equal datasets."""

    per_action: int = 10
    """Number of accepted fakes of each action, over all splits; the paper has 1000."""
    attempts_per_clip: int = 4
    """An action is given up after this many attempts for each clip wanted."""
    num_frames: int = 50
    """Number of frames of every clip."""
    fps: Fraction = Fraction(25)
    """Frames a second of every clip: a number, or a fraction such as 30000/1001."""
    size_px: int = 256
    """Side of every clip in pixels."""
    noise_sigma: float = 2.0
    """Camera noise added to both classes, in levels of 255; 0 turns it off."""
    motion: Motion = "relative"
    """How the driver's motion reaches the source; the paper: relative."""
    weights: Path | None = None
    """Motion model: .pth.tar, .safetensors, or a name of `dfmnist fetch`; none is the shipped
    one."""
    qualities: tuple[Quality, ...] = tuple(Quality)
    """Compression levels at which each clip is written."""
    driver_protocol: DriverProtocol = "disjoint"
    """`disjoint`: the drivers of one split serve that split alone. `shared`: every driver serves
    every split, as in the paper (one volunteer), so that only sources are disjoint."""
    screen: ScreenRule = "all"
    """Liveness detectors that decide on a clip. `all`: the action-specific and the universal one,
    for all ten actions. `paper`: both for blink, yaw, nod and open mouth, the universal one alone
    for the other six (section 3.2). Both are asked and recorded in any case."""
    thresholds: Path | None = None
    """Thresholds of the two detectors: a file that `dfmnist liveness fit` wrote; none means the
    shipped ones."""
    seed: int = 0
    """Seed of pairing, splits and noise."""
    licence: str | None = None
    """Licence of the footage, and so of the dataset; a table's column `licence` says it of a
    file."""
    consent: str | None = None
    """How the people shown agreed to the dataset; a table's column `consent` says it of a file."""
    cropped: bool = False
    """Take all footage as square crops of a face already; find no face and crop nothing."""
    synthetic: bool = False
    """True if the people shown are synthetic actors."""
    animator: str | None = None
    """Other animator than the motion model: a command line with {source}, {driver} and {out}, or a
    Python function as module:function (docs/ANIMATORS.md)."""
    animator_name: str | None = None
    """Name of the other animator, which becomes the `method` of its clips; none is the name of
    the program's or the function's file."""
    animator_version: str | None = None
    """Version of the other animator, for the clips' `generator`; none is the version that a
    function's module states."""
    animator_limit_s: float = 600.0
    """Seconds that the other animator has for one clip."""

    def __post_init__(self) -> None:
        """Check what the user typed. Raises `InputError`."""
        self._check_animator()
        check_choices(self)
        for name, least in (("per_action", 1), ("attempts_per_clip", 1), ("num_frames", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; expected {least} or more")
        if not 0 < self.fps <= HIGHEST_FPS:
            raise InputError(f"fps is {self.fps}; expected more than 0 and at most {HIGHEST_FPS}")
        for name in ("licence", "consent"):
            value = getattr(self, name)
            if value is not None and not value.strip():
                raise InputError(f"--{name} is empty; expected the {name} that covers the footage")

    @property
    def own_animator(self) -> Plugin:
        """The program or function of `animator`, which there must be."""
        assert self.animator is not None
        return parse_plugin(self.animator, "--animator")

    def _check_animator(self) -> None:
        """Check the settings of another animator. Raises `InputError`."""
        check_limit(self.animator_limit_s, "animator_limit_s")
        if self.animator is None:
            if self.animator_name or self.animator_version:
                raise InputError("--animator-name and --animator-version name an --animator")
            return
        if self.weights is not None or self.motion != BuildConfig.motion:
            raise InputError("--weights and --motion have no effect with --animator")
        for name in ("animator_name", "animator_version"):
            if (value := getattr(self, name)) is not None and not value.strip():
                raise InputError(f"--{name.replace('_', '-')} is empty; expected a text")
        plugin = self.own_animator
        if plugin.kind == "function":
            return
        missing = [one for one in PLACEHOLDERS if not any(one in word for word in plugin.words)]
        if missing:
            raise InputError.of(
                f"--animator '{self.animator}'",
                f"lacks {', '.join(missing)}",
                f"a command with {', '.join(PLACEHOLDERS)}, or module:function",
            )


@dataclass(frozen=True)
class AnimateConfig:
    """Settings for animating files outside any dataset."""

    weights: Path | None = None
    """Motion model: .pth.tar, .safetensors, or a name of `dfmnist fetch`; none is the shipped
    one."""
    motion: Motion = "auto"
    """How the driver's motion reaches the source: relative to its first face, absolute, relative in
    the scale of the source's face, or so and guided by the face mesh. `auto` is guided with the
    shipped model where the mesh finds both faces, and relative with a published one."""
    best_frame: bool = False
    """Measure the motion from the driving frame whose face is shaped most like the source's,
    instead of from the first frame that shows a face."""
    crop: bool = True
    """Find the face in source and driver first and crop to it."""
    face: int | None = None
    """Which face of the driver to follow, counted from 1 from left to right in the first frame that
    shows one; none is the largest."""
    source_frame: int | None = None
    """Frame of a source video to animate, counted from 0; none is the first."""
    source_time_s: float | None = None
    """Frame of a source video to animate, in seconds after the first frame."""
    source_face: int | None = None
    """Which face of the source to animate, counted from 1 from left to right in its first picture
    with a face; none is the largest."""
    frame_by_frame: bool = False
    """Animate a source video frame by frame: the driver's motion is added to the source's own,
    until the shorter of the two ends."""
    start_s: float = 0.0
    """Start of the stretch of the driver that is used, in seconds after its first frame."""
    end_s: float | None = None
    """End of the stretch of the driver that is used, in seconds; none is the driver's end."""
    sound: bool = False
    """Give the result the driver's sound."""
    paste_back: bool = False
    """Put the animated face back into the full picture or video of the source, at its own size."""
    frames: Path | None = None
    """New folder for the frames as PNG, beside the MP4; for a folder of sources, it gets a folder
    for each."""
    cache: bool = True
    """Keep the driver's keypoints in the cache for the next time."""
    backend: BackendName = "auto"
    """Library that runs the networks; auto takes torch on a GPU and openvino on a CPU."""
    precision: Precision = "auto"
    """Number format of the networks' arithmetic; auto takes bf16 on a GPU and on a CPU with AMX.
    Keypoints are f32 in any case."""

    def __post_init__(self) -> None:
        """Check what the user typed. Raises `InputError`."""
        check_choices(self)
        if self.best_frame and self.motion == "absolute":
            raise InputError(
                "--best-frame with --motion absolute has no effect; expected another --motion"
            )
        if self.face is not None and (self.face < 1 or not self.crop):
            raise InputError(f"--face {self.face}; expected 1 or more, without --no-crop")
        if self.source_frame is not None and self.source_time_s is not None:
            raise InputError("--source-frame and --source-time are both given; expected one")
        self._check_stretch()
        if self.source_face is not None and (self.source_face < 1 or not self.crop):
            raise InputError(
                f"--source-face {self.source_face}; expected 1 or more, without --no-crop"
            )
        if self.paste_back and not self.crop:
            raise InputError("--paste-back needs the crop; expected no --no-crop")
        if self.frame_by_frame and self.picks_frame:
            raise InputError(
                "--frame-by-frame takes all frames; expected no --source-frame or --source-time"
            )
        if self.source_frame is not None and self.source_frame < 0:
            raise InputError(f"--source-frame {self.source_frame}; expected 0 or more")

    def _check_stretch(self) -> None:
        """Check start and end. Raises `InputError`."""
        for name, value in (("--start", self.start_s), ("--end", self.end_s or 0.0)):
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"{name} {value:g}; expected seconds, 0 or more")
        if self.end_s is not None and self.end_s <= self.start_s:
            raise InputError(f"--end {self.end_s:g}; expected more than --start {self.start_s:g}")

    @property
    def picks_frame(self) -> bool:
        """True if the user chose a frame of the source."""
        return self.source_frame is not None or self.source_time_s is not None


FIRST_PERSON = 500_000
"""Identity seed of the first actor (range `detector`)."""
MESH_WARP, AFFINE_WARP = "mesh-warp", "affine-warp"
"""Fakes made without a network."""


@dataclass(frozen=True)
class CorpusConfig:
    """What is filmed and how the fakes are made. Equal configs give equal corpora."""

    people: tuple[int, int, int] = (320, 40, 60)
    """Actors in train, validation and test; each a multiple of `group`."""
    group: int = 4
    """Actors who give the same performances and drive one another."""
    takes: int = 3
    """Performances of each actor, each of another action."""
    num_frames: int = 10
    """Frames of each clip."""
    makers: tuple[str, ...] = ("fomm=0.7", "mesh-warp=0.2", "affine-warp=0.1")
    """Ways to make fakes, each as NAME=SHARE: NAME is `fomm` (the shipped motion model), a file of
    motion-model weights, `mesh-warp` or `affine-warp`; SHARE is its share of the fakes."""
    noise_sigma: float = 2.0
    """Camera noise of both classes, in levels of 255."""
    first_person: int = FIRST_PERSON
    """Identity seed of the first actor (range `detector`)."""
    seed: int = 0
    """Seed of performances, windows and the choice of makers."""

    def __post_init__(self) -> None:
        """Check the counts."""
        if self.group < 2 or any(n % self.group for n in self.people):
            raise InputError(
                f"people {self.people} in groups of {self.group}; expected multiples of 2 or more"
            )
        for maker in self.makers:
            maker_share(maker)


def maker_share(maker: str) -> tuple[str, float]:
    """Name and share of a text such as `fomm=0.7`. Raises `InputError`."""
    name, _, text = maker.rpartition("=")
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not name or not 0 < share <= 1:
        raise InputError(f"makers: '{maker}'; expected NAME=SHARE, such as fomm=0.7")
    return name, share
