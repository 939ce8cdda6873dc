"""Jobs of a build: check a person, crop a driver, make a fake, compress a real clip.

Each job writes its record last. A job with a record is not done again, so a killed build goes on
where it was.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from dfmnist.core.actions import Action
from dfmnist.core.arrays import Frames
from dfmnist.core.batch import failure, published
from dfmnist.core.config import seed_of
from dfmnist.core.jobs import run_jobs
from dfmnist.core.records import read_record, write_record
from dfmnist.core.text import key_of
from dfmnist.dataset.clip import AnyClip, AnyRejected, method_of
from dfmnist.dataset.fingerprint import first_frames, hashes_of, text_of
from dfmnist.dataset.manifest import (
    Clip,
    Rejected,
    Screening,
    clip_file_name,
    driver_file_name,
)
from dfmnist.dataset.provenance import clipped, moved_as, provenance
from dfmnist.liveness.base import Verdict
from dfmnist.media.image import write_image
from dfmnist.media.noise import add_camera_noise
from dfmnist.media.video import write_video
from dfmnist.pipeline.animate import animate, animator, save_motion
from dfmnist.pipeline.animators import animate_by
from dfmnist.pipeline.compress import EncodedFile, compress
from dfmnist.pipeline.config import BuildConfig
from dfmnist.pipeline.footage import Footage
from dfmnist.pipeline.plan import Pair
from dfmnist.pipeline.screen import driver_refusal, refusal, screen
from dfmnist.pipeline.select import FaceSelection, choose, crop

DRIVER_CRF = 10
"""Rate factor of the cropped driving clips, which are kept for people to look at."""


class SourceCheck(BaseModel):
    """Record of a source or real clip: where its face is, and whether it can be a real clip."""

    model_config = ConfigDict(frozen=True)

    choice: FaceSelection
    screening: tuple[Screening, ...]
    real_reason: str
    """Reason why it cannot be a real clip; empty if it can."""
    picture: str = ""
    """Perceptual hash of its beginning (`fingerprint.text_of`); empty for a photo."""


class ClipResult(BaseModel):
    """Record of a finished clip: its files if it was kept, else its rejection."""

    model_config = ConfigDict(frozen=True)

    clips: tuple[AnyClip, ...]
    rejected: AnyRejected | None


@dataclass(frozen=True)
class BuildJob:
    """Folder and config of a build, and what all jobs do with them."""

    root: Path
    config: BuildConfig

    def record(self, kind: str, name: str) -> Path:
        """Path of a record of `kind`."""
        return self.root / "work" / kind / f"{name}.json"

    def motion_file(self, driver: Footage) -> Path:
        """Path of a driving clip's keypoints."""
        return self.root / "work" / "drivers" / f"{driver.key}.safetensors"

    def driver_file(self, driver: Footage) -> Path:
        """Path of a cropped driving clip."""
        return self.root / driver_file_name(driver.identity, driver.action, driver.take)

    def crop(
        self, footage: Footage, choice: FaceSelection, num_frames: int | None = None
    ) -> Frames:
        """Read the face of `footage` (n, size, size, 3), or of its first `num_frames` if given."""
        c = self.config
        return crop(footage, choice, num_frames or c.num_frames, c.fps, c.size_px)

    def with_noise(self, frames_rgb_u8: Frames, clip_id: str) -> Frames:
        """Add camera noise to frames (n, h, w, 3), seeded by the clip's name."""
        sigma = self.config.noise_sigma
        if not sigma:
            return frames_rgb_u8
        return add_camera_noise(frames_rgb_u8, self.noise_seed(clip_id), sigma)

    def screened(self, frames_rgb_u8: Frames, action: Action) -> tuple[tuple[Verdict, ...], str]:
        """The detectors' verdicts on frames that show `action`, and the reason of a refusal."""
        c = self.config
        verdicts = screen(frames_rgb_u8, c.fps, action, c.thresholds)
        return verdicts, refusal(verdicts, action, c.screen)

    def compress(self, frames_rgb_u8: Frames, clip_id: str, comment: str) -> list[EncodedFile]:
        """Encode the clip at every quality."""
        c = self.config
        return compress(frames_rgb_u8, c.fps, self.root, clip_id, comment, c.qualities)

    def remove_clip(self, clip_id: str) -> None:
        """Remove what a failed job has written of a clip."""
        for quality in self.config.qualities:
            (self.root / clip_file_name(clip_id, quality.value)).unlink(missing_ok=True)

    def noise_seed(self, clip_id: str) -> int:
        """Seed of a clip's camera noise."""
        return seed_of(str(self.config.seed), clip_id)


@dataclass(frozen=True)
class PersonJob(BuildJob):
    """Check of one piece of source or real footage."""

    footage: Footage

    def run(self) -> SourceCheck:
        """Find the face and the source frame, and screen the footage as a real clip."""
        path = self.record("people", self.footage.key)
        if (check := read_record(path, SourceCheck)) is not None:
            return check
        c = self.config
        choice, faces = choose(self.footage, c.num_frames, c.fps, c.size_px, cropped=c.cropped)
        verdicts: tuple[Screening, ...] = ()
        picture = ""
        reason = choice.reason if choice.box_xyxy is None else ""
        if self.footage.is_photo:
            reason = reason or "a photo"
        elif faces is not None:
            picture = text_of(hashes_of(first_frames(faces, c.fps)))
            frames = self.with_noise(faces, real_id(self.footage))
            found, reason = self.screened(frames, self.footage.action)
            verdicts = _screening(found)
        check = SourceCheck(choice=choice, screening=verdicts, real_reason=reason, picture=picture)
        write_record(path, check)
        return check

    def failed(self, error: Exception) -> SourceCheck:
        """The check of footage at which the job failed: it cannot be used."""
        reason = _reason(error, self.footage.path)
        choice = FaceSelection(box_xyxy=None, source_frame=None, reason=reason)
        return SourceCheck(choice=choice, screening=(), real_reason=reason)


@dataclass(frozen=True)
class DriverJob(BuildJob):
    """Crop, screening and keypoints of one driving clip."""

    footage: Footage

    def run(self) -> str:
        """Crop and screen the clip; returns the reason why it cannot be a driver, empty if none.

        A driver that does not show the action would cost attempts that cannot pass.
        """
        path = self.record("drivers", self.footage.key)
        if (choice := read_record(path, FaceSelection)) is not None:
            return choice.reason
        c = self.config
        choice, frames = choose(self.footage, c.num_frames, c.fps, c.size_px, cropped=c.cropped)
        reason = choice.reason
        if frames is not None:
            noisy = self.with_noise(frames, self.footage.key)
            reason = driver_refusal(noisy, c.fps, self.footage.action, c.screen, c.thresholds)
        choice = choice.model_copy(update={"reason": reason})
        if frames is not None and not reason:
            write_video(self.driver_file(self.footage), frames, c.fps, crf=DRIVER_CRF)
            if c.animator is None:
                motion = self.motion_file(self.footage)
                save_motion(motion, frames, animator(c.weights), faces=True)
        write_record(path, choice)
        return choice.reason

    def failed(self, error: Exception) -> str:
        """Reason why the clip cannot be a driver if the job failed."""
        return _reason(error, self.footage.path)


@dataclass(frozen=True)
class FakeJob(BuildJob):
    """One attempt: animate, add noise, screen, and compress if the detectors accept it."""

    pair: Pair
    choice: FaceSelection
    """Face and frame of the source."""
    generator: str
    method: str = ""
    """The clip's method; empty if the generator's name states it."""

    def run(self) -> ClipResult:
        """Make the clip, or read its record."""
        clip_id = self.pair.clip_id
        path = self.record("attempts", clip_id)
        if (result := read_record(path, ClipResult)) is not None:
            return result
        at = self.choice.source_frame or 0
        source = self.crop(self.pair.source, self.choice, at + 1)[at]
        frames = self.with_noise(self._animated(source), clip_id)
        verdicts, reason = self.screened(frames, self.pair.action)
        if not reason:
            write_image(self.root / "sources" / f"{clip_id}.png", source)
            pair = self.pair
            detail = moved_as(
                pair.source.identity, pair.driver.identity, pair.action.value, self.generator
            )
            comment = provenance("fake", detail)
            files = self.compress(frames, clip_id, comment)
            result = ClipResult(clips=self._clips(files, verdicts, len(frames)), rejected=None)
        else:
            result = ClipResult(clips=(), rejected=self._rejected(verdicts, reason))
        write_record(path, result)
        return result

    def failed(self, error: Exception) -> ClipResult:
        """The rejection of an attempt at which the job failed; what it had written is removed."""
        self.remove_clip(self.pair.clip_id)
        (self.root / "sources" / f"{self.pair.clip_id}.png").unlink(missing_ok=True)
        rejected = self._rejected((), _reason(error, self.pair.source.path))
        unscreened = rejected.model_copy(update={"action": None})
        return ClipResult(clips=(), rejected=unscreened)

    def _animated(self, source_rgb_u8: Frames) -> Frames:
        """The source (h, h, 3) moved as the driver: frames (n, h, h, 3)."""
        c, driver = self.config, self.pair.driver
        if c.animator is None:
            return animate(source_rgb_u8, self.motion_file(driver), c.weights, c.motion)
        folder = self.root / "work" / "animating" / self.pair.clip_id
        return animate_by(c, source_rgb_u8, self.driver_file(driver), folder)

    def _clips(
        self, files: list[EncodedFile], verdicts: tuple[Verdict, ...], count: int
    ) -> tuple[Clip, ...]:
        people = (self.pair.source, self.pair.driver)
        who = self._who() | {"method": self.method or method_of(self.generator)}
        return _records(self, files, verdicts, count, self.pair.split, who, people)

    def _rejected(self, verdicts: tuple[Verdict, ...], reason: str) -> Rejected:
        who = self._who()
        return Rejected.model_validate(
            {
                **{k: v for k, v in who.items() if k != "clip_id"},
                "attempt_id": who["clip_id"],
                "split": self.pair.split,
                "screening": _screening(verdicts),
                "reason": reason,
            }
        )

    def _who(self) -> dict[str, object]:
        pair = self.pair
        return {
            "clip_id": pair.clip_id,
            "label": "fake",
            "action": pair.action.value,
            "source": pair.source.identity,
            "source_frame": self.choice.source_frame,
            "driver": pair.driver.identity,
            "take": pair.driver.take,
            "generator": self.generator,
            "seed": self.noise_seed(pair.clip_id),
        }


@dataclass(frozen=True)
class RealJob(BuildJob):
    """Compression of one real clip that passed the same checks as the fakes."""

    footage: Footage
    check: SourceCheck

    def run(self) -> ClipResult:
        """Write the clip, or read its record."""
        footage, clip_id = self.footage, real_id(self.footage)
        path = self.record("reals", clip_id)
        if (result := read_record(path, ClipResult)) is not None:
            return result
        frames = self.with_noise(self.crop(footage, self.check.choice), clip_id)
        origin = "synthetic actor, rendered" if self.config.synthetic else "camera footage"
        comment = provenance(
            "real", f"{origin}: {clipped(footage.identity)} {footage.action.value}"
        )
        files = self.compress(frames, clip_id, comment)
        who: dict[str, object] = {
            "clip_id": clip_id,
            "label": "real",
            "action": footage.action.value,
            "source": footage.identity,
            "source_frame": None,
            "driver": "",
            "take": footage.take,
            "generator": "",
            "method": "",
            "seed": self.noise_seed(clip_id),
        }
        clips = _records(
            self, files, self.check.screening, len(frames), footage.split, who, (footage,)
        )
        result = ClipResult(clips=clips, rejected=None)
        write_record(path, result)
        return result

    def failed(self, error: Exception) -> ClipResult:
        """The rejection of a real clip at which the job failed; what was written is removed."""
        self.remove_clip(real_id(self.footage))
        rejected = _rejected_footage(self.footage, _reason(error, self.footage.path))
        return ClipResult(clips=(), rejected=rejected)


def real_id(footage: Footage) -> str:
    """Clip id of `footage` as a real clip."""
    return f"real-{footage.action.value}-{key_of(footage.identity)}.{footage.take}"


def unused(footage: Footage, check: SourceCheck) -> Rejected | None:
    """Record of footage that can be neither real clip nor source; None if it can."""
    reason = check.choice.reason if footage.is_photo else check.real_reason
    return _rejected_footage(footage, reason, check.screening) if reason else None


def _rejected_footage(
    footage: Footage, reason: str, screening: tuple[Screening, ...] = ()
) -> Rejected:
    """Record of footage that is not used, and why."""
    photo = footage.is_photo
    return Rejected(
        attempt_id=f"source-{footage.key}" if photo else real_id(footage),
        label="fake" if photo else "real",
        action=None if photo else footage.action,
        split=footage.split,  # type: ignore[arg-type]  # checked when read
        source=footage.identity,
        source_frame=None,
        driver="",
        take=footage.take,
        generator="",
        seed=0,
        screening=screening,
        reason=reason,
    )


AnyJob = PersonJob | DriverJob | FakeJob | RealJob


def run(job: AnyJob) -> object:
    """Run any job; at module level, so that another process can import it.

    A job that fails gives the result for that, which is not kept: a build that goes on tries it
    again. Raises what ends a build, such as a full disk.
    """
    np.seterr(all="ignore")  # NaN stands for "no face" in the signals
    try:
        return job.run()
    except Exception as error:
        return job.failed(error)


def run_all(
    jobs: Sequence[AnyJob], describe: str, *, gpu: float = 0, seen: Sequence[Path] = ()
) -> Iterator[object]:
    """Run jobs of a build on the engine in use, as `core.jobs.run_jobs`; yields their results.

    A job whose process or machine was lost three times gives the result for a job that failed.
    """
    return run_jobs(run, jobs, describe=describe, gpu=gpu, failed=give_up, seen=seen)


def give_up(job: AnyJob, error: Exception) -> object:
    """The result of a job that no process could finish."""
    return job.failed(error)


def _reason(error: Exception, path: Path) -> str:
    return published(failure(error, path), path)


def _screening(verdicts: tuple[Verdict, ...]) -> tuple[Screening, ...]:
    """The verdicts as the manifest has them: a clip not assessed is not live, with its reason."""
    return tuple(map(_as_screening, verdicts))


def _as_screening(verdict: Verdict) -> Screening:
    return Screening(
        detector=verdict.detector, live=verdict.live, score=verdict.score, reason=verdict.reason
    )


def _terms(of_each: Sequence[str]) -> str:
    """Terms of a clip: of the person seen and, where they differ, of the person who drives."""
    seen, *driving = of_each
    return "; driver: ".join([seen, *(term for term in driving if term != seen)])


def _records(
    job: BuildJob,
    files: list[EncodedFile],
    verdicts: tuple[Verdict, ...] | tuple[Screening, ...],
    count: int,
    split: str,
    who: dict[str, object],
    people: Sequence[Footage],
) -> tuple[Clip, ...]:
    c = job.config
    screening = tuple(v if isinstance(v, Screening) else _as_screening(v) for v in verdicts)
    return tuple(
        Clip.model_validate(
            {
                **who,
                "file_name": file.file_name,
                "identities": tuple(dict.fromkeys(f.identity for f in people)),
                "origin": "built",
                "quality": file.quality.value,
                "split": split,
                "screening": screening,
                "fps": str(c.fps),
                "num_frames": count,
                "width": c.size_px,
                "height": c.size_px,
                "sha256": file.sha256,
                "licence": _terms([f.licence or c.licence or "" for f in people]),
                "consent": _terms([f.consent or c.consent or "" for f in people]),
            }
        )
        for file in files
    )
