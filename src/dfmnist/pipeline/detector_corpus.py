"""Corpus for the detector that ships: many actors, short clips, several ways to make a fake.

Actors of one group give the same performances. Each performance of each actor is one real clip; it
also drives the next actor of the group, so that every real clip has a fake counterpart of the same
person doing the same action, and nothing is filmed twice. Nothing is screened: a detector should
also know fakes that a liveness detector would reject.

A clip is a few frames of a two-second performance, begun anywhere in it. Real and fake clips
share crop, camera noise, encoder and length, as in `pipeline.build`.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from dfmnist.actors.film import FPS, WIDE
from dfmnist.actors.identity import sample_identity
from dfmnist.actors.performance import perform
from dfmnist.actors.seeds import check_range
from dfmnist.attacks.affine import affine_warp
from dfmnist.attacks.mesh import mesh_warp, track_face
from dfmnist.core.actions import TEN, Action
from dfmnist.core.choices import SPLITS, Quality
from dfmnist.core.config import plain, seed_of
from dfmnist.core.errors import InputError
from dfmnist.core.files import holds_folder, read_json, write_json
from dfmnist.core.jobs import run_jobs
from dfmnist.dataset.clip import AnyClip, method_of
from dfmnist.dataset.manifest import Clip, write_manifest, write_rejected
from dfmnist.dataset.provenance import provenance
from dfmnist.faces.crop import crop_clip
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.fomm.checkpoint import check_weights, weights_id
from dfmnist.media.noise import add_camera_noise
from dfmnist.pipeline.animate import animator
from dfmnist.pipeline.compress import compress
from dfmnist.pipeline.config import AFFINE_WARP, MESH_WARP, CorpusConfig, maker_share

KIND = "detector corpus"
SETTINGS = "corpus.json"
"""The `CorpusConfig` in the corpus's folder."""
PERFORMANCE_FRAMES = 50
"""Length of the performance that a clip is a part of."""


@dataclass(frozen=True)
class GroupJob:
    """One group of actors: film them, make their fakes, write the clips, then the record."""

    root: Path
    config: CorpusConfig
    people: tuple[int, ...]
    """Identity seeds."""
    actions: tuple[Action, ...]
    split: str

    @property
    def record(self) -> Path:
        """The file that says that the group is done."""
        return self.root / "work" / f"{self.people[0]}.json"

    def run(self) -> list[Clip]:
        """Make the group's clips, or take up their record."""
        if self.record.is_file():
            return TypeAdapter(list[AnyClip]).validate_python(read_json(self.record))
        clips: list[Clip] = []
        filmed = {
            (person, action): self._film(person, action)
            for person in self.people
            for action in self.actions
        }
        for number, person in enumerate(self.people):
            driver = self.people[(number + 1) % len(self.people)]
            for action in self.actions:
                own, driving = filmed[person, action], filmed[driver, action]
                if own is None or driving is None:  # no face was found in one of them
                    continue
                clips += self._write("real", person, action, own[1:], "", "")
                maker = self._maker(person, action)
                made, generator = make_fake(maker, own[0], driving)
                clips += self._write("fake", person, action, made[1:], f"a{driver}", generator)
        write_json(self.record, [clip.model_dump(mode="json") for clip in clips])
        return clips

    def _film(self, person: int, action: Action) -> Any:
        """The first frame and a window of the performance, cropped to the face; None: no face."""
        c = self.config
        seed = seed_of(str(c.seed), str(person), action.value)
        performance = perform(action, seed, PERFORMANCE_FRAMES, FPS)
        start = 1 + seed % (PERFORMANCE_FRAMES - c.num_frames)
        indices = [0, *range(start, start + c.num_frames)]
        wide = _renderer().render(sample_identity(person), performance, indices)
        return crop_clip(wide, mtcnn())[0]

    def _maker(self, person: int, action: Action) -> str:
        names, shares = zip(*map(maker_share, self.config.makers), strict=True)
        at = seed_of(str(self.config.seed), "maker", str(person), action.value) / 2**31
        edges = np.cumsum(shares) / sum(shares)
        return str(names[int(np.searchsorted(edges, at, side="right"))])

    def _write(
        self,
        label: str,
        person: int,
        action: Action,
        frames_rgb_u8: Any,
        driver: str,
        generator: str,
    ) -> list[Clip]:
        c, fake = self.config, label == "fake"
        clip_id = f"{label}-{action.value}-a{person}"
        seed = seed_of(str(c.seed), clip_id)
        noisy = add_camera_noise(frames_rgb_u8, seed, c.noise_sigma)
        how = f"a{person} moved as {driver} by {generator}" if fake else f"a{person}"
        kind = "AI-generated" if fake else "synthetic actor, rendered"
        comment = provenance(label, f"{kind}: {how} {action.value}")
        fps = Fraction(FPS)
        return [
            Clip.model_validate(
                {
                    "file_name": file.file_name,
                    "clip_id": clip_id,
                    "label": label,
                    "action": action.value,
                    "quality": file.quality.value,
                    "split": self.split,
                    "source": f"a{person}",
                    "source_frame": 0 if fake else None,
                    "driver": driver,
                    "identities": list(dict.fromkeys([f"a{person}", *filter(None, [driver])])),
                    "method": method_of(generator) if fake else "",
                    "origin": "built",
                    "take": 0,
                    "generator": generator,
                    "seed": seed,
                    "screening": (),
                    "fps": str(fps),
                    "num_frames": len(noisy),
                    "width": noisy.shape[2],
                    "height": noisy.shape[1],
                    "sha256": file.sha256,
                    "licence": "CC0-1.0 (synthetic actors; MakeHuman data, CC0)",
                    "consent": "none needed: the people are synthetic and depict nobody",
                }
            )
            for file in compress(noisy, fps, self.root, clip_id, comment, tuple(Quality))
        ]


def make_fake(maker: str, source_rgb_u8: Any, driving_rgb_u8: Any) -> tuple[Any, str]:
    """The source (h, w, 3) moved as the driver (n, h, w, 3), and the name of what made it.

    Motion is relative to the driver's first frame.
    """
    if maker == MESH_WARP:
        return mesh_warp(source_rgb_u8, driving_rgb_u8), MESH_WARP
    if maker == AFFINE_WARP:
        meshes = track_face(driving_rgb_u8)
        return affine_warp(source_rgb_u8, track_face(source_rgb_u8[None]), meshes), AFFINE_WARP
    weights = None if maker == "fomm" else Path(maker)
    model = animator(weights)
    moved = model.animate(model.encode(source_rgb_u8), model.keypoints(driving_rgb_u8))
    return moved, weights_id(weights)


def plan_groups(config: CorpusConfig, root: Path) -> list[GroupJob]:
    """The groups of every split; actions take turns over the groups, talking among them."""
    acts = (*TEN, Action.TALK)
    jobs: list[GroupJob] = []
    first, turn = config.first_person, 0
    for split, count in zip(SPLITS, config.people, strict=True):
        for start in range(first, first + count, config.group):
            people = tuple(range(start, start + config.group))
            actions = tuple(acts[(turn + i) % len(acts)] for i in range(config.takes))
            jobs.append(GroupJob(root, config, people, actions, split))
            turn += config.takes
        first += count
    check_range("detector", [person for job in jobs for person in job.people])
    return jobs


def run_group(job: GroupJob) -> list[Clip]:
    """Run one job; a module-level function, so that another process can be given it."""
    return job.run()


@holds_folder("root", KIND)
def film_detector_corpus(config: CorpusConfig, root: Path) -> Path:
    """Film the corpus and make its fakes below `root`; returns the dataset's folder.

    Groups that are done are kept. Raises `InputError` for a folder of other content or settings,
    and for weights of a motion model that cannot be used.
    """
    for name, _ in map(maker_share, config.makers):
        if name not in ("fomm", MESH_WARP, AFFINE_WARP):
            check_weights(Path(name))  # before anything is filmed
    settings = root / SETTINGS
    if settings.exists() and read_json(settings) != plain(config):
        raise InputError.of(settings, "another corpus lies here", "a new folder")
    write_json(settings, plain(config))
    jobs: Sequence[GroupJob] = plan_groups(config, root)
    clips = [
        clip for made in run_jobs(run_group, jobs, describe="detector corpus") for clip in made
    ]
    write_rejected(root, [])
    write_manifest(root, clips)
    return root


@functools.lru_cache(maxsize=1)
def _renderer() -> Any:
    """The renderer of this process; it keeps the last actor's stage."""
    from dfmnist.actors.render import Renderer

    return Renderer(WIDE)
