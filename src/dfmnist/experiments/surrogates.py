"""Surrogates: two more attacks made from a dataset's own clips, where no other dataset is at hand.

They take the place of the paper's other datasets under their own names, never under those. Splits,
people and the encoder are the dataset's. Both are known from the literature in principle: a
picture moved by a triangulated mesh, and a face pasted over another's and blended.
"""

import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dfmnist.attacks.mesh import mesh_warp, swap_faces
from dfmnist.core.actions import Action
from dfmnist.core.choices import Quality
from dfmnist.core.config import plain, seed_of
from dfmnist.core.errors import InputError
from dfmnist.core.files import claim_folder, read_json_object
from dfmnist.core.jobs import run_jobs
from dfmnist.core.records import read_record, write_record
from dfmnist.core.text import key_of, slug
from dfmnist.dataset.clip import method_of
from dfmnist.dataset.manifest import (
    Clip,
    Manifest,
    driver_file_name,
    read_manifest,
    write_manifest,
)
from dfmnist.dataset.provenance import provenance
from dfmnist.dataset.qualities import qualities_of
from dfmnist.experiments.plan import FACE_SWAP, MESH_WARP, DatasetCounts, count_clips
from dfmnist.media.image import read_image
from dfmnist.media.noise import add_camera_noise
from dfmnist.media.video import read_frames
from dfmnist.pipeline.compress import compress
from dfmnist.pipeline.jobs import ClipResult

VERSION = 1
"""Version of the attacks: part of the generator's name, and of the seed of the fakes' noise."""


@dataclass(frozen=True)
class Task:
    """One clip to make: a fake, or a real clip that is coded again."""

    kind: str
    """`warp`, `swap`, or `again`: a real clip through the same coding as a swap."""
    root: Path
    dataset: Path
    like: Clip
    """The clip that the new one resembles, in raw quality: the fake whose source and driver are
    taken (`warp`), or the real clip on which a face is put (`swap`) or which is coded again."""
    donor: Clip | None = None
    """The clip whose face is put on (`swap`), in raw quality."""
    qualities: tuple[Quality, ...] = tuple(Quality)
    noise_sigma: float = 2.0

    @property
    def clip_id(self) -> str:
        """Name of the clip, unique within the surrogate."""
        if self.kind == "again":
            return self.like.clip_id
        if self.kind == "warp":
            return f"warp-{self.like.clip_id.removeprefix('fake-')}"
        assert self.donor is not None
        return f"swap-{self.like.clip_id.removeprefix('real-')}-{key_of(self.donor.source)}"


def tasks_of(name: str, manifest: Manifest, root: Path) -> list[Task]:
    """The clips of a surrogate: a pure function of the manifest. Raises `InputError`."""
    qualities = tuple(q for q in Quality if any(c.quality == q for c in manifest.clips))
    sigma = _noise_of(manifest.root)
    best = {
        c.clip_id: c
        for c in sorted(manifest.clips, key=lambda c: -qualities.index(Quality(c.quality)))
    }
    reals = sorted((c for c in best.values() if c.label == "real"), key=lambda c: c.clip_id)
    fakes = sorted((c for c in best.values() if c.label == "fake"), key=lambda c: c.clip_id)

    def task(kind: str, like: Clip, donor: Clip | None = None) -> Task:
        return Task(kind, root, manifest.root, like, donor, qualities, sigma)

    if name == MESH_WARP:
        return [task("warp", clip) for clip in fakes]
    performed = [c for c in reals if c.action is not Action.TALK] or reals
    made = [(clip, _donor(clip, reals)) for clip in performed]
    found = [task("swap", clip, donor) for clip, donor in made if donor is not None]
    return [*found, *(task("again", t.like) for t in found)]


def _donor(clip: Clip, reals: Sequence[Clip]) -> Clip | None:
    """The clip of another person of the same split, drawn by the clip's name; talking first."""
    others = [c for c in reals if c.split == clip.split and c.source != clip.source]
    if not others:
        return None
    people = sorted({c.source for c in others})
    person = people[seed_of("donor", clip.clip_id) % len(people)]
    return min(
        (c for c in others if c.source == person),
        key=lambda c: (c.action is not Action.TALK, c.clip_id),
    )


def _noise_of(dataset: Path) -> float:
    """The camera noise with which the dataset was built."""
    path = dataset / "build.json"
    if not path.is_file():
        return 2.0
    config = read_json_object(path).get("config")
    sigma = config.get("noise_sigma") if isinstance(config, dict) else None
    if not isinstance(sigma, int | float) or not 0 <= sigma < math.inf:
        raise InputError.of(path, "has no noise_sigma", "the settings of `dfmnist build`")
    return float(sigma)


def planned(name: str, manifest: Manifest) -> DatasetCounts:
    """The counts of a surrogate before it is made (for a plan that is only printed)."""
    tasks = tasks_of(name, manifest, Path("-"))
    if name == MESH_WARP:
        clips = [*(t.like for t in tasks), *(c for c in manifest.clips if c.label == "real")]
        return count_clips(name, Manifest(manifest.root, tuple(clips), manifest.info))
    as_fakes = [
        t.like.model_copy(
            update={"clip_id": t.clip_id, "label": "fake" if t.kind == "swap" else "real"}
        )
        for t in tasks
    ]
    counts = count_clips(name, Manifest(manifest.root, tuple(as_fakes), manifest.info))
    return replace(counts, qualities=tuple(qualities_of(manifest.clips)))


def unavailable(name: str, manifest: Manifest) -> str:
    """Why a surrogate cannot be made of this dataset; empty when it can."""
    if any(clip.origin != "built" for clip in manifest.clips):
        return "its clips were imported, not built by `dfmnist build`"
    if name == FACE_SWAP:
        tasks = [t for t in tasks_of(name, manifest, Path("-")) if t.kind == "swap"]
        lacking = {"train", "validation", "test"} - {str(t.like.split) for t in tasks}
        return f"nobody to swap with in {', '.join(sorted(lacking))}" if lacking else ""
    for task in tasks_of(name, manifest, Path("-")):
        for path in (_source(task), _driver(task)):
            if not path.is_file():
                return f"{path.relative_to(manifest.root)} is missing: not built by `dfmnist build`"
    return ""


def build_surrogate(name: str, dataset: Path, root: Path) -> Path:
    """Make the surrogate `name` of `dataset` in `root`; a killed build goes on.

    Raises `InputError` where it cannot be made.
    """
    manifest = read_manifest(dataset)
    if why := unavailable(name, manifest):
        raise InputError.of(dataset, f"no {name} can be made of it ({why})", "a built dataset")
    claim_folder(root, f"{name} of a dataset")
    tasks = tasks_of(name, manifest, root)
    outcomes = run_jobs(make, tasks, describe=f"make the {name}")
    clips = [clip for outcome in outcomes for clip in outcome.clips]
    if name == MESH_WARP:
        clips += [_take_along(clip, manifest, root) for clip in manifest.clips
                  if clip.label == "real"]  # fmt: skip
    write_manifest(root, clips)
    return root


def _take_along(clip: Clip, manifest: Manifest, root: Path) -> Clip:
    """Link a real clip of the dataset as it is; it was encoded in the same way as the fakes."""
    target = root / clip.file_name
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.is_file():
        try:
            os.link(manifest.path(clip), target)
        except OSError:
            shutil.copyfile(manifest.path(clip), target)
    return clip


def make(task: Task) -> ClipResult:
    """Make one clip or read its record; at the top level, so that another process can import it."""
    record = task.root / "work" / f"{task.clip_id}.json"
    if (known := read_record(record, ClipResult)) is not None:
        assert isinstance(known, ClipResult)
        return known
    like = task.like
    if task.kind == "warp":
        frames = mesh_warp(read_image(_source(task)), read_frames(_driver(task)))
        if task.noise_sigma:
            seed = seed_of(f"surrogate {VERSION}", task.clip_id)
            frames = add_camera_noise(frames, seed, task.noise_sigma)
    else:
        frames = read_frames(task.dataset / like.file_name)
        if task.donor is not None:
            donor = read_frames(task.dataset / task.donor.file_name)
            frames = swap_faces(frames, donor)
    outcome = ClipResult(clips=_write(task, frames), rejected=None)
    write_record(record, outcome)
    return outcome


def _write(task: Task, frames_rgb_u8: npt.NDArray[np.uint8]) -> tuple[Clip, ...]:
    fake, like = task.kind != "again", task.like
    label = "fake" if fake else "real"
    attack = FACE_SWAP if task.kind == "swap" else MESH_WARP
    what = f"{attack} of {like.source}" if fake else f"{like.source} {like.performed.value}"
    files = compress(
        frames_rgb_u8, Fraction(like.fps or 0), task.root, task.clip_id, provenance(label, what),
        task.qualities,
    )  # fmt: skip
    changes: dict[str, object] = {
        "clip_id": task.clip_id,
        "num_frames": len(frames_rgb_u8),
        "screening": (),
    }
    if fake:
        generator = f"{slug(attack)}@{VERSION}"
        changes |= {"label": "fake", "generator": generator, "source_frame": 0}
        changes["method"] = method_of(generator)
    if task.donor is not None:
        changes["driver"] = task.donor.source
        changes["identities"] = [like.source, task.donor.source]
    return tuple(
        Clip.model_validate(
            {
                **plain(like.model_dump(mode="json")),
                **changes,
                "file_name": file.file_name,
                "quality": file.quality.value,
                "sha256": file.sha256,
            }
        )
        for file in files
    )


def _source(task: Task) -> Path:
    return task.dataset / "sources" / f"{task.like.clip_id}.png"


def _driver(task: Task) -> Path:
    like = task.like
    return task.dataset / driver_file_name(like.driver, like.performed, like.take)
