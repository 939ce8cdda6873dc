"""The presentations that detectors are tested with: a dataset's clips, and attacks made of them.

Real clips are bona fide presentations. The dataset's fakes are an attack by animation. Six more
attacks (`core.choices.Attack`) are made from real clips of the same people. All are given to a
detector as files, so each is an injection attack or, for print and replay, an injected recording
of a presentation attack (ISO/IEC 30107-3; CEN/TS 18099:2025).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from dfmnist.attacks.affine import affine_warp
from dfmnist.attacks.display import printed, replayed
from dfmnist.attacks.lids import painted_lids
from dfmnist.attacks.mesh import mesh_warp, track_face
from dfmnist.attacks.photo import still
from dfmnist.core.actions import Action
from dfmnist.core.arrays import Frames
from dfmnist.core.batch import failure, published
from dfmnist.core.choices import ATTACK_TITLES, Attack, Quality
from dfmnist.core.config import seed_of
from dfmnist.core.text import key_of
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.manifest import Manifest
from dfmnist.dataset.people import groups_of
from dfmnist.dataset.qualities import qualities_of
from dfmnist.media.noise import add_camera_noise
from dfmnist.media.video import probe, read_frames, write_video

BONA_FIDE = "bona fide"
"""Kind of a presentation that is no attack."""
TITLES: dict[str, str] = {BONA_FIDE: "Bona fide"} | {
    kind.value: title for kind, title in ATTACK_TITLES.items()
}
"""Names of the kinds of presentations in tables."""
NOISE_SIGMA = 2.0
"""Standard deviation in grey levels of the camera noise that is added to made attacks."""
MADE = "clips"
"""Folder of the made attacks within the folder of an evaluation."""


@dataclass(frozen=True)
class Presentation:
    """One clip that detectors are asked about, and what it really is."""

    kind: str
    """`BONA_FIDE`, or a type of attack."""
    clip_id: str
    """Name of the clip, or of the real clip that the attack is made from."""
    action: Action | None
    """The action requested: the one that the clip is said to show; None where none is known."""
    quality: str
    person: str
    """Group of people that the clip counts to (`dataset.people.groups_of`)."""
    path: Path

    @property
    def name(self) -> str:
        """The presentation's own path in the folder of an evaluation, without a suffix."""
        return "/".join(map(key_of, (self.kind, self.quality, self.clip_id)))

    @property
    def action_name(self) -> str:
        """Name of the action; empty where none is known."""
        return "" if self.action is None else self.action.value


@dataclass(frozen=True)
class AttackJob:
    """One attack to make from a real clip, in every wanted quality."""

    kind: str
    source: Path
    driver: Path | None
    """Real clip of another person who does the same; for the warps."""
    seed: int
    targets: tuple[tuple[str, Path], ...]
    """Quality and file of each clip to write."""


@dataclass(frozen=True)
class Plan:
    """All presentations of an evaluation, and the attacks that are made first."""

    presentations: tuple[Presentation, ...]
    attacks: tuple[AttackJob, ...]
    without_driver: int
    """Number of real clips of which no warp is made: nobody else does the same action."""


def plan(manifest: Manifest, folder: Path, kinds: Sequence[Attack], per_action: int) -> Plan:
    """Plan the presentations of all clips of `manifest`, and attacks made into `folder`.

    `per_action`: number of real clips of each action that attacks are made from; people take
    turns.
    """
    groups = dict(
        zip((c.file_name for c in manifest.clips), groups_of(manifest.clips), strict=True)
    )
    found = [
        Presentation(_kind(clip), clip.clip_id, clip.action, clip.quality,
                     groups[clip.file_name], manifest.path(clip))
        for clip in manifest.clips
        if clip.label == "real" or Attack.ANIMATION in kinds
    ]  # fmt: skip
    jobs: list[AttackJob] = []
    lonely = 0
    by_id = _real_clips(manifest)
    for clips in attacked(by_id, per_action):
        driver = _driver(clips[0], by_id)
        lonely += driver is None
        for kind in kinds:
            if kind == "animation" or (driver is None and kind.endswith("_warp")):
                continue
            job = _job(manifest, clips, driver, kind, folder / MADE)
            jobs.append(job)
            first = clips[0]
            person = groups[first.file_name]
            found += [
                Presentation(kind, first.clip_id, first.action, quality, person, path)
                for quality, path in job.targets
            ]
    warps = any(kind.endswith("_warp") for kind in kinds)
    return Plan(tuple(found), tuple(jobs), lonely if warps else 0)


def _kind(clip: Clip) -> str:
    """Kind of a dataset's clip: an animation, or the method by which others made their fake."""
    if clip.label == "real":
        return BONA_FIDE
    return "animation" if clip.method in ("", "fomm") else clip.method


def _real_clips(manifest: Manifest) -> list[list[Clip]]:
    """The real clips, each with its qualities from the best to the worst."""
    order = {name: place for place, name in enumerate(qualities_of(manifest.clips))}
    real = sorted(
        (clip for clip in manifest.clips if clip.label == "real"),
        key=lambda clip: (clip.clip_id, order[clip.quality]),
    )
    return [list(clips) for _, clips in groupby(real, key=lambda clip: clip.clip_id)]


def attacked(clips: Sequence[list[Clip]], per_action: int) -> list[list[Clip]]:
    """The first `per_action` real clips of each action, each person's first one before seconds."""
    kept: list[list[Clip]] = []
    for action in (*Action, None):
        mine = [found for found in clips if found[0].action is action]
        turn: dict[str, int] = {}
        ranked = []
        for found in mine:
            person = found[0].source
            turn[person] = turn.get(person, -1) + 1
            ranked.append((turn[person], person, found))
        kept += [found for _, _, found in sorted(ranked, key=lambda r: r[:2])[:per_action]]
    return kept


def _driver(clip: Clip, clips: Sequence[list[Clip]]) -> Clip | None:
    """A real clip of another person doing the same: the next one by name; None without any."""
    same = [
        found[0]
        for found in clips
        if found[0].action is clip.action and found[0].source != clip.source
    ]
    later = [other for other in same if other.clip_id > clip.clip_id]
    return next(iter((*later, *same)), None)


def _job(
    manifest: Manifest, clips: Sequence[Clip], driver: Clip | None, kind: str, folder: Path
) -> AttackJob:
    first = clips[0]
    targets = tuple(
        (clip.quality, folder / kind / key_of(clip.quality) / f"{key_of(first.clip_id)}.mp4")
        for clip in clips
    )
    driving = manifest.path(driver) if driver is not None and kind.endswith("_warp") else None
    return AttackJob(kind, manifest.path(first), driving, seed_of(first.clip_id, kind), targets)


def make_attack(job: AttackJob) -> str:
    """Write an attack in its qualities unless it exists; the reason if it cannot be made."""
    if all(path.is_file() for _, path in job.targets):
        return ""
    try:
        frames, fps = read_frames(job.source), probe(job.source).fps
        driving = None if job.driver is None else read_frames(job.driver)
        made = MAKERS[job.kind](frames, driving, np.random.default_rng(job.seed), float(fps))
        if len(made) > 1 and job.kind.endswith("_warp") and (made[1:] == made[0]).all():
            return f"{job.source.name}: no face to warp"
        noisy = add_camera_noise(made, job.seed, NOISE_SIGMA)
        for quality, path in job.targets:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_video(path, noisy, fps, crf=_crf(quality))
    except Exception as error:
        return published(failure(error, job.source), job.source)
    return ""


def _crf(quality: str) -> int:
    """Constant rate factor of a quality; a quality that is none of ours is kept as `raw`."""
    known = {one.value: one.crf for one in Quality}
    return known.get(quality, Quality.RAW.crf)


Maker = Callable[[Frames, Frames | None, np.random.Generator, float], Frames]
"""Makes an attack from a real clip, a driver's clip, random numbers and a frame rate."""


def _mesh_warp(
    frames: Frames, driving: Frames | None, rng: np.random.Generator, fps: float
) -> Frames:
    assert driving is not None
    return mesh_warp(frames[0], driving)


def _affine_warp(
    frames: Frames, driving: Frames | None, rng: np.random.Generator, fps: float
) -> Frames:
    assert driving is not None
    return affine_warp(frames[0], track_face(frames[:1]), track_face(driving))


MAKERS: dict[str, Maker] = {
    "mesh_warp": _mesh_warp,
    "affine_warp": _affine_warp,
    "print": lambda frames, _, rng, fps: printed(frames[0], len(frames), rng, fps),
    "replay": lambda frames, _, rng, fps: replayed(frames, rng, fps),
    "still": lambda frames, _, rng, fps: still(frames[0], len(frames)),
    "painted_lids": lambda frames, _, rng, fps: painted_lids(frames[0], len(frames), rng, fps),
}
"""The function that makes each type of attack."""
