"""Training pairs straight from MP4 clips: identities, check of the clips, and random draws.

Every draw is a function of (seed, epoch, index) alone. A resumed run therefore draws what an
uninterrupted one would have drawn, and several processes share an epoch without communication.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from dfmnist.core.batch import failure
from dfmnist.core.config import config_hash
from dfmnist.core.console import say
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, write_json
from dfmnist.core.jobs import run_jobs
from dfmnist.fomm.training.jitter import draw_jitter, jitter_colours
from dfmnist.media.folders import VIDEOS, find_media, person_of
from dfmnist.media.video import count_frames, frames_at

TRAIN, TEST = "train", "test"
"""Subfolders of a prepared VoxCeleb; without `train` the folder itself is trained on."""
EXPECTED = "complete videos of two frames or more, or --skip-broken"


@dataclass(frozen=True)
class TrainingClip:
    """One complete clip of one person."""

    path: Path
    identity: str
    num_frames: int


@dataclass(frozen=True)
class _CheckedFile:
    """Result of checking a clip, with the size and time of the file that was checked."""

    size: int
    changed_ns: int
    num_frames: int
    problem: str


People = tuple[tuple[TrainingClip, ...], ...]
"""Clips of each person."""


def find_clips(folder: Path, person: str = "file") -> list[tuple[Path, str]]:
    """Path and identity of every video under `folder`, sorted by path.

    `person` says what names the identity (`media.folders.person_of`). Raises `InputError` for a
    folder without videos and, by the rule `folder`, for a video outside of a subfolder.
    """
    if not folder.is_dir():
        raise InputError.of(folder, "no such folder", "a folder of video clips")
    found = []
    held = find_media(folder, VIDEOS)
    for path, _ in held.required(folder, "video", "video clips"):
        below = path.relative_to(folder)
        if person == "folder" and len(below.parts) < 2:
            raise InputError.of(path, "lies in no person's folder", f"{folder}/<person>/<clip>")
        found.append((path, person_of(below, person)))
    held.tell(str(folder))
    return found


def training_folder(folder: Path) -> Path:
    """The subfolder `train` of `folder` if it exists, else `folder`."""
    return folder / TRAIN if (folder / TRAIN).is_dir() else folder


def check_clip(path: Path) -> _CheckedFile:
    """Check a clip by decoding all of it, so that a training does not end at a damaged frame."""
    stat = path.stat()
    try:
        count = count_frames(path)
    except Exception as error:
        problem = failure(error, path).removeprefix(f"{path}: ").split("; expected")[0]
        return _CheckedFile(stat.st_size, stat.st_mtime_ns, 0, problem)
    problem = "" if count > 1 else "holds one frame"
    return _CheckedFile(stat.st_size, stat.st_mtime_ns, count, problem)


def load_people(
    folder: Path,
    record: Path,
    *,
    person: str = "file",
    skip_broken: bool = False,
) -> People:
    """The complete clips under `folder`, by person; each file is checked once.

    `record` is the JSON file that keeps the results of the check. Broken clips raise `InputError`,
    which names them in one line, or with `skip_broken` are left out and counted.
    """
    found = find_clips(folder, person)
    known = {k: _CheckedFile(**v) for k, v in read_json(record).items()} if record.is_file() else {}
    names = [path.relative_to(folder).as_posix() for path, _ in found]
    fresh = [
        i
        for i, ((path, _), name) in enumerate(zip(found, names, strict=True))
        if name not in known or not _same(known[name], path)
    ]
    checked = run_jobs(check_clip, [found[i][0] for i in fresh], describe="check clips")
    for i, result in zip(fresh, checked, strict=True):
        known[names[i]] = result
    if fresh:
        write_json(record, {name: asdict(known[name]) for name in names})
    broken = [name for name in names if known[name].problem]
    if broken:
        listed = "; ".join(f"{name} {known[name].problem}" for name in broken[:8])
        more = f" and {len(broken) - 8} more (in {record})" if len(broken) > 8 else ""
        text = f"{len(broken)} of {len(names)} clips cannot be used: {listed}{more}"
        if not skip_broken:
            raise InputError.of(folder, text, EXPECTED)
        if fresh:  # reported when found, not each time the run resumes
            said = f"{folder}: {text}; left out"
            say(said)
    people: dict[str, list[TrainingClip]] = {}
    for (path, identity), name in zip(found, names, strict=True):
        if name not in broken:
            people.setdefault(identity, []).append(
                TrainingClip(path, identity, known[name].num_frames)
            )
    if not people:
        raise InputError.of(folder, "holds no complete clip", EXPECTED)
    return tuple(tuple(clips) for clips in people.values())


def _same(checked: _CheckedFile, path: Path) -> bool:
    """Whether the file at `path` has not changed since it was checked."""
    stat = path.stat()
    return (checked.size, checked.changed_ns) == (stat.st_size, stat.st_mtime_ns)


def summary(people: People, folder: Path) -> dict[str, Any]:
    """Record of the training clips: counts, and a hash that changes with the list of clips."""
    clips = [clip for own in people for clip in own]
    named = [(c.path.relative_to(folder).as_posix(), c.identity, c.num_frames) for c in clips]
    return {
        "people": len(people),
        "clips": len(clips),
        "frames": sum(clip.num_frames for clip in clips),
        "hash": config_hash(named),
    }


def actor_seeds(people: People) -> set[int]:
    """Seeds of the synthetic actors among `people`, from the truth (`.json`) beside their clips.

    They are recorded in the weights, so that a build with one of these actors is refused.
    """
    sidecars = (clip.path.with_suffix(".json") for own in people for clip in own)
    found = (read_json(path) for path in sidecars if path.is_file())
    return {int(t["identity_seed"]) for t in found if isinstance(t, dict) and "identity_seed" in t}


class TrainingPair(NamedTuple):
    """Two frames of one clip, RGB in [0, 1]: (3, h, w) each, or (b, 3, h, w) in a batch."""

    source: Tensor
    driving: Tensor


@dataclass(frozen=True)
class PairDraw:
    """The random choice of a pair's frames, before its colours are drawn."""

    clip: TrainingClip
    frames: tuple[int, int]
    """Indices of the source and driving frame; the source is the later one after a time flip."""
    mirrored: bool


class Pairs(Dataset[TrainingPair]):
    """Training pairs of one epoch: each person is drawn `repeats` times, in random order.

    A draw takes one of the person's clips and two frames of it. The frames swap places with
    probability 1/2; if they do not, both are mirrored with probability 1/2. Both frames get the
    same change of colours.
    """

    def __init__(
        self, people: People, *, repeats: int, size: int, jitter: float, seed: int, epoch: int
    ) -> None:
        self.people, self.size, self.jitter = people, size, jitter
        self.seed, self.epoch = seed, epoch
        order = np.random.default_rng([seed, epoch]).permutation(len(people) * repeats)
        self.order = order % len(people)

    def __len__(self) -> int:
        return len(self.order)

    def _rng(self, index: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.epoch, index])

    def draw(self, index: int) -> PairDraw:
        """The random choice of frames for the pair at `index`; nothing is decoded."""
        return self._draw(index, self._rng(index))

    def _draw(self, index: int, rng: np.random.Generator) -> PairDraw:
        clips = self.people[self.order[index]]
        clip = clips[int(rng.integers(len(clips)))]
        first, last = sorted(int(i) for i in rng.choice(clip.num_frames, 2, replace=False))
        flip, mirror = rng.random(2) < 0.5
        frames = (last, first) if flip else (first, last)
        return PairDraw(clip, frames, bool(mirror and not flip))

    def __getitem__(self, index: int) -> TrainingPair:
        rng = self._rng(index)
        drawn = self._draw(index, rng)
        first, last = (
            to_size(f, self.size) for f in frames_at(drawn.clip.path, sorted(drawn.frames))
        )
        ordered = [first, last] if drawn.frames[0] < drawn.frames[1] else [last, first]
        images = torch.from_numpy(np.stack(ordered)).permute(0, 3, 1, 2).float().div_(255)
        if drawn.mirrored:
            images = images.flip(-1)
        if self.jitter:
            images = jitter_colours(images, draw_jitter(rng, self.jitter))
        return TrainingPair(*images.contiguous())


def to_size(frame: np.ndarray[Any, np.dtype[np.uint8]], size: int) -> np.ndarray[Any, Any]:
    """The full frame (h, w, 3) resized to (size, size, 3), whatever its shape."""
    if frame.shape[:2] == (size, size):
        return frame
    return np.asarray(Image.fromarray(frame).resize((size, size), Image.Resampling.LANCZOS))


def batches(draws: int, batch_size: int, rank: int = 0, world: int = 1) -> list[list[int]]:
    """Indices of the pairs in each step, for process `rank` of `world`.

    `batch_size` counts the pairs of all processes together, so that a step has the same pairs for
    any number of processes. An incomplete last step is left out.
    """
    share = batch_size // world
    starts: Iterable[int] = range(0, draws - batch_size + 1, batch_size)
    return [list(range(s + rank * share, s + (rank + 1) * share)) for s in starts]
