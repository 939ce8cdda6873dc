"""The three kinds of work of a build, each a function of one job that writes its record last.

A job whose record exists is not done again: this is how a killed build goes on.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from dfmnist.core.arrays import Frames
from dfmnist.core.config import plain, seed_of
from dfmnist.core.text import slug
from dfmnist.dataset.manifest import Clip, Rejected, Screening
from dfmnist.dataset.provenance import provenance
from dfmnist.liveness.base import Verdict
from dfmnist.media.image import write_image
from dfmnist.media.noise import add_camera_noise
from dfmnist.media.video import write_video
from dfmnist.pipeline.animate import animate, animator, save_motion
from dfmnist.pipeline.compress import EncodedFile, compress
from dfmnist.pipeline.config import BuildConfig
from dfmnist.pipeline.footage import Footage
from dfmnist.pipeline.plan import Pair
from dfmnist.pipeline.screen import screen
from dfmnist.pipeline.select import FaceSelection, choose, crop, restore, save

DRIVER_CRF = 10
"""Cropped driving clips are kept for looking at; the motion itself is kept as keypoints."""


class SourceCheck(BaseModel):
    """A source's or real clip's record: where its face is, and whether it may be a real clip."""

    model_config = ConfigDict(frozen=True)

    choice: FaceSelection
    screening: tuple[Screening, ...]
    real_reason: str
    """Why it cannot be a real clip; empty when it can."""


class ClipResult(BaseModel):
    """A finished clip's record: files when it was kept, a rejection when it was not."""

    model_config = ConfigDict(frozen=True)

    clips: tuple[Clip, ...]
    rejected: Rejected | None


@dataclass(frozen=True)
class BuildJob:
    """What every job knows."""

    root: Path
    config: BuildConfig

    def record(self, kind: str, name: str) -> Path:
        """Where a record of `kind` lies."""
        return self.root / "work" / kind / f"{name}.json"

    def motion_file(self, driver: Footage) -> Path:
        """Keypoints of a driving clip."""
        return self.root / "work" / "drivers" / f"{driver.key}.safetensors"

    def crop(
        self, footage: Footage, choice: FaceSelection, num_frames: int | None = None
    ) -> Frames:
        """The face of `footage`, (n, size, size, 3); of its first `num_frames` alone if given."""
        c = self.config
        return crop(footage, choice, num_frames or c.num_frames, c.fps, c.size_px)

    def with_noise(self, frames_rgb_u8: Frames, clip_id: str) -> Frames:
        """Camera noise, seeded by the clip's name."""
        sigma = self.config.noise_sigma
        if not sigma:
            return frames_rgb_u8
        return add_camera_noise(frames_rgb_u8, self.noise_seed(clip_id), sigma)

    def compress(self, frames_rgb_u8: Frames, clip_id: str, comment: str) -> list[EncodedFile]:
        """Write the clip at every quality."""
        c = self.config
        return compress(frames_rgb_u8, c.fps, self.root, clip_id, comment, c.qualities)

    def noise_seed(self, clip_id: str) -> int:
        """Seed of a clip's camera noise."""
        return seed_of(str(self.config.seed), clip_id)


@dataclass(frozen=True)
class PersonJob(BuildJob):
    """Look at one piece of source or real footage."""

    footage: Footage

    def run(self) -> SourceCheck:
        """Find the face and the source frame; screen it as a real clip."""
        path = self.record("people", self.footage.key)
        if (seen := restore(path, SourceCheck)) is not None:
            assert isinstance(seen, SourceCheck)
            return seen
        c = self.config
        choice, faces = choose(self.footage, c.num_frames, c.fps, c.size_px)
        verdicts: tuple[Screening, ...] = ()
        reason = choice.reason if choice.box_xyxy is None else ""
        if self.footage.is_photo:
            reason = reason or "a photo"
        elif faces is not None:
            frames = self.with_noise(faces, real_id(self.footage))
            verdicts = _screening(screen(frames, c.fps, self.footage.action))
            reason = "; ".join(v.reason for v in verdicts if not v.live)
        seen = SourceCheck(choice=choice, screening=verdicts, real_reason=reason)
        save(path, seen)
        return seen


@dataclass(frozen=True)
class DriverJob(BuildJob):
    """Crop one driving clip and find its keypoints."""

    footage: Footage

    def run(self) -> str:
        """Why the clip cannot drive; empty when it can."""
        path = self.record("drivers", self.footage.key)
        if (choice := restore(path, FaceSelection)) is not None:
            assert isinstance(choice, FaceSelection)
            return choice.reason
        c = self.config
        choice, frames = choose(self.footage, c.num_frames, c.fps, c.size_px)
        choice = choice.model_copy(update={"reason": choice.reason if frames is None else ""})
        if frames is not None:
            preview = self.root / "drivers" / f"{self.footage.key}.mp4"
            write_video(preview, frames, c.fps, crf=DRIVER_CRF)
            save_motion(self.motion_file(self.footage), frames, animator(c.weights))
        save(path, choice)
        return choice.reason


@dataclass(frozen=True)
class FakeJob(BuildJob):
    """One attempt: animate, add noise, screen, and compress what the detectors let through."""

    pair: Pair
    choice: FaceSelection
    """Of the source."""
    generator: str

    def run(self) -> ClipResult:
        """Make the clip, or take up its record."""
        clip_id, c = self.pair.clip_id, self.config
        path = self.record("attempts", clip_id)
        if (outcome := restore(path, ClipResult)) is not None:
            assert isinstance(outcome, ClipResult)
            return outcome
        at = self.choice.source_frame or 0
        source = self.crop(self.pair.source, self.choice, at + 1)[at]
        frames = animate(source, self.motion_file(self.pair.driver), c.weights, c.motion)
        frames = self.with_noise(frames, clip_id)
        verdicts = screen(frames, c.fps, self.pair.action)
        if all(v.live for v in verdicts):
            write_image(self.root / "sources" / f"{clip_id}.png", source)
            pair = self.pair
            who = f"{pair.source.identity} moved as {pair.driver.identity} {pair.action.value}"
            comment = provenance("fake", f"AI-generated: {who}, by {self.generator}")
            files = self.compress(frames, clip_id, comment)
            outcome = ClipResult(clips=self._clips(files, verdicts, len(frames)), rejected=None)
        else:
            outcome = ClipResult(clips=(), rejected=self._rejected(verdicts))
        save(path, outcome)
        return outcome

    def _clips(
        self, files: list[EncodedFile], verdicts: tuple[Verdict, ...], count: int
    ) -> tuple[Clip, ...]:
        return _records(self, files, verdicts, count, self.pair.split, self._who())

    def _rejected(self, verdicts: tuple[Verdict, ...]) -> Rejected:
        who = self._who()
        return Rejected.model_validate(
            {
                **{k: v for k, v in who.items() if k != "clip_id"},
                "attempt_id": who["clip_id"],
                "split": self.pair.split,
                "screening": _screening(verdicts),
                "reason": "; ".join(v.reason for v in verdicts if not v.live),
            }
        )

    def _who(self) -> dict[str, object]:
        pair = self.pair
        return {
            "clip_id": pair.clip_id,
            "label": "fake",
            "action": pair.action.value,
            "source_id": pair.source.identity,
            "source_frame": self.choice.source_frame,
            "driver_id": pair.driver.identity,
            "take": pair.driver.take,
            "generator": self.generator,
            "seed": self.noise_seed(pair.clip_id),
        }


@dataclass(frozen=True)
class RealJob(BuildJob):
    """Compress one real clip that passed the same checks as the fakes."""

    footage: Footage
    seen: SourceCheck

    def run(self) -> ClipResult:
        """Write the clip, or take up its record."""
        footage, clip_id = self.footage, real_id(self.footage)
        path = self.record("reals", clip_id)
        if (outcome := restore(path, ClipResult)) is not None:
            assert isinstance(outcome, ClipResult)
            return outcome
        frames = self.with_noise(self.crop(footage, self.seen.choice), clip_id)
        origin = "synthetic actor, rendered" if self.config.synthetic else "camera footage"
        comment = provenance("real", f"{origin}: {footage.identity} {footage.action.value}")
        files = self.compress(frames, clip_id, comment)
        who: dict[str, object] = {
            "clip_id": clip_id,
            "label": "real",
            "action": footage.action.value,
            "source_id": footage.identity,
            "source_frame": None,
            "driver_id": "",
            "take": footage.take,
            "generator": "",
            "seed": self.noise_seed(clip_id),
        }
        clips = _records(self, files, self.seen.screening, len(frames), footage.split, who)
        outcome = ClipResult(clips=clips, rejected=None)
        save(path, outcome)
        return outcome


def real_id(footage: Footage) -> str:
    """The clip id of `footage` as a real clip."""
    return f"real-{footage.action.value}-{slug(footage.identity)}.{footage.take}"


def unused(footage: Footage, seen: SourceCheck) -> Rejected | None:
    """The record of footage that serves neither as real clip nor as source; None when it does."""
    photo = footage.is_photo
    if not (seen.choice.reason if photo else seen.real_reason):
        return None
    return Rejected(
        attempt_id=f"source-{footage.key}" if photo else real_id(footage),
        label="fake" if photo else "real",
        action=None if photo else footage.action,
        split=footage.split,  # type: ignore[arg-type]  # checked when read
        source_id=footage.identity,
        source_frame=None,
        driver_id="",
        take=footage.take,
        generator="",
        seed=0,
        screening=seen.screening,
        reason=seen.choice.reason if photo else seen.real_reason,
    )


def run(job: PersonJob | DriverJob | FakeJob | RealJob) -> object:
    """Run any job; a module-level function, so that another process can be given it."""
    np.seterr(all="ignore")  # NaN stands for "no face" in the signals
    return job.run()


def _screening(verdicts: tuple[Verdict, ...]) -> tuple[Screening, ...]:
    return tuple(Screening.model_validate(plain(v)) for v in verdicts)


def _records(
    job: BuildJob,
    files: list[EncodedFile],
    verdicts: tuple[Verdict, ...] | tuple[Screening, ...],
    count: int,
    split: str,
    who: dict[str, object],
) -> tuple[Clip, ...]:
    c = job.config
    screening = tuple(
        v if isinstance(v, Screening) else Screening.model_validate(plain(v)) for v in verdicts
    )
    return tuple(
        Clip.model_validate(
            {
                **who,
                "file_name": file.file_name,
                "quality": file.quality.value,
                "split": split,
                "screening": screening,
                "fps": str(c.fps),
                "num_frames": count,
                "width": c.size_px,
                "height": c.size_px,
                "sha256": file.sha256,
                "licence": c.licence,
                "consent": c.consent,
            }
        )
        for file in files
    )
