"""Jobs of an evaluation: each measures one clip and writes its record last.

A job whose record exists is not run again. The records' folder is named by the hash of all
settings, weights included, so that new weights never meet old records.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from dfmnist.actors.film import FPS, FilmJob, film
from dfmnist.actors.seeds import SEED_RANGES
from dfmnist.animator_eval import images as pictures
from dfmnist.animator_eval.likeness import likeness
from dfmnist.animator_eval.mesh_accuracy import measure_mesh
from dfmnist.animator_eval.metrics import (
    SignalFit,
    TrackedClip,
    compare,
    eye_fall,
    eye_reopening,
    follow,
)
from dfmnist.animator_eval.records import (
    AFFINE,
    ANIMATED,
    DRIVER,
    NOISY,
    STILL,
    TRUE,
    EyeClosure,
    LivenessAnswer,
    Record,
    Transfer,
)
from dfmnist.attacks.affine import affine_warp
from dfmnist.attacks.photo import still
from dfmnist.core.actions import Action
from dfmnist.core.arrays import Frames
from dfmnist.core.batch import failure
from dfmnist.core.choices import Motion
from dfmnist.core.config import seed_of
from dfmnist.core.records import read_record, write_record
from dfmnist.core.text import slug
from dfmnist.faces.crop import crop_clip
from dfmnist.faces.mesh import Mesh
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.faces.pose import signals
from dfmnist.fomm.inference.animate import Animator
from dfmnist.liveness.tracking import track
from dfmnist.media.noise import add_camera_noise
from dfmnist.media.video import probe, read_frames
from dfmnist.pipeline.animate import animator
from dfmnist.pipeline.config import BuildConfig
from dfmnist.pipeline.screen import detectors

NOISE_SIGMA = BuildConfig.noise_sigma
"""Camera noise of a build, on which the liveness detectors' thresholds were fitted."""
FOLLOWED: dict[Action, str] = {
    Action.YAW: "yaw_deg",
    Action.NOD: "pitch_deg",
    Action.LOOK_UP: "pitch_deg",
    Action.RIGHT_SLOPE: "roll_deg",
    Action.LEFT_SLOPE: "roll_deg",
    Action.OPEN_MOUTH: "mouth_open",
}
"""Signal of the face mesh in which an animated clip of the action should follow its driver."""


@dataclass(frozen=True)
class EvaluationJob:
    """Settings and files that every job has; the two kinds of jobs add the clip."""

    out: Path
    key: str
    """Hash of all settings on which the metrics depend, except the clip."""
    weights: Path | None
    num_frames: int
    motion: Motion
    with_pictures: bool
    """Whether the job also writes a strip of pictures."""

    @property
    def stem(self) -> str:
        """Name of the clip in file names."""
        raise NotImplementedError

    def file(self, ending: str) -> Path:
        """Path of this job's file with the given ending."""
        return self.out / "records" / self.key / f"{self.stem}{ending}"

    def done(self) -> bool:
        """Whether the record exists, and the pictures too if the job writes them."""
        record = self.file(".json")
        if not record.exists():
            return False
        return not self.with_pictures or self.file(".png").exists() or bool(self.record().problem)

    def record(self) -> Record:
        """The existing record of this job."""
        found = read_record(self.file(".json"), Record)
        assert isinstance(found, Record)
        return found

    def measure(self) -> Record:
        """Measure the clip and write its pictures; the record is returned and not written."""
        raise NotImplementedError


@dataclass(frozen=True)
class PairJob(EvaluationJob):
    """Evaluation of one performance: reconstruction, and transfer from another actor."""

    source: int
    driver: int
    action: Action
    take: int

    @property
    def stem(self) -> str:
        return f"{self.source}-{self.driver}-{self.action.value}-{self.take}"

    def films(self) -> tuple[FilmJob, FilmJob]:
        """The films of source and driver, who give the same performance."""
        seed = SEED_RANGES["evaluation"].start + self.take
        one, other = (
            FilmJob(
                who,
                self.action,
                seed,
                self.num_frames,
                self.out / "clips" / f"{who}-{self.action.value}-{seed}.mp4",
            )
            for who in (self.source, self.driver)
        )
        return one, other

    def measure(self) -> Record:
        model = animator(self.weights)
        name = f"{self.source} moved as {self.driver}, {self.action.value}, take {self.take}"
        found: list[Frames] = []
        for path in [film(job) for job in self.films()]:
            frames, info = crop_clip(read_frames(path), mtcnn(), model.size)
            if frames is None:
                return Record(name=name, problem=f"{path.name}: {info.reason}")
            found.append(frames)
        true, driving = (TrackedClip.of(frames) for frames in found)
        fits, clips = _compare_methods(model, true, driving, self.motion)
        made, warped = clips[ANIMATED], clips[AFFINE]
        if self.with_pictures:
            shown = [clip.frames for clip in (driving, true, made, warped)]
            pictures.save(self.file(".png"), pictures.strip(shown))
            column = pictures.column(self.action, true.frames, driving, made.frames)
            pictures.save(self.file(".column.png"), column)
        return Record(
            name=name,
            frames=len(true.frames),
            unseen=true.unseen,
            reconstruction=_compare_methods(model, true, true, self.motion)[0],
            transfer=self._transfer(fits, true, driving, made, warped),
        )

    def _transfer(
        self,
        fits: dict[str, SignalFit],
        true: TrackedClip,
        driving: TrackedClip,
        made: TrackedClip,
        warped: TrackedClip,
    ) -> Transfer:
        seed = seed_of("evaluate-animator", self.stem)
        screening = {}
        noisy, screening[TRUE] = _screen(true.frames, seed, self.action)
        for kind, clip in ((ANIMATED, made), (AFFINE, warped)):
            screening[kind] = _screen(clip.frames, seed, self.action)[1]
        correlation = gain = float("nan")
        if signal := FOLLOWED.get(self.action):
            correlation, gain = follow(
                getattr(made.signals, signal), getattr(driving.signals, signal)
            )
        return Transfer(
            action=self.action,
            source=self.source,
            driver=self.driver,
            take=self.take,
            fits={**fits, DRIVER: compare(driving, true), NOISY: compare(noisy, true)},
            correlation=correlation,
            gain=gain,
            eyes=_eyes(made),
            driver_eyes=_eyes(driving),
            screening=screening,
            mesh_accuracy=measure_mesh(self.films()[0].path, true.signals),
        )


@dataclass(frozen=True)
class ClipJob(EvaluationJob):
    """Evaluation of the reconstruction of one clip file."""

    clip: Path
    name: str
    sha256: str
    crop: bool

    @property
    def stem(self) -> str:
        return f"{slug(self.name)}-{self.sha256[:8]}"

    def measure(self) -> Record:
        model = animator(self.weights)
        try:
            probe(self.clip)  # also reports a truncation behind the frames that are read
            frames = read_frames(self.clip, 0, self.num_frames)
        except Exception as error:
            return Record(name=self.name, problem=failure(error, self.clip))
        if self.crop:
            cut, info = crop_clip(frames, mtcnn(), model.size)
            if cut is None:
                return Record(name=self.name, problem=info.reason)
            frames = cut
        height, width = frames.shape[1:3]
        if (height, width) != (model.size, model.size):
            problem = f"is {width}x{height}; expected {model.size}x{model.size}, or --crop"
            return Record(name=self.name, problem=problem)
        true = TrackedClip.of(frames)
        if true.unseen == 1:
            return Record(name=self.name, problem="no face found")
        fits, clips = _compare_methods(model, true, true, self.motion)
        if self.with_pictures:
            shown = [clip.frames for clip in (true, clips[ANIMATED], clips[AFFINE])]
            pictures.save(self.file(".png"), pictures.strip(shown))
        return Record(
            name=self.name,
            frames=len(frames),
            unseen=true.unseen,
            reconstruction=fits,
            likeness={name: likeness(clip, true, true) for name, clip in clips.items()},
        )


def run_job(job: EvaluationJob) -> Record:
    """The record of `job`, measured unless it exists; a function for `core.jobs.run_jobs`."""
    if job.done():
        return job.record()
    record = job.measure()
    write_record(job.file(".json"), record)
    return record


def film_pair(job: FilmJob) -> None:
    """Film one clip unless it exists; a function for `core.jobs.run_jobs`."""
    film(job)


def _compare_methods(
    model: Animator, true: TrackedClip, driving: TrackedClip, motion: Motion
) -> tuple[dict[str, SignalFit], dict[str, TrackedClip]]:
    """Metrics and clips by method, all from `true`'s first frame.

    Relative and absolute motion are the same if `true` is its own driver.
    """
    source = true.frames[0]
    made = TrackedClip.of(model.move(source, driving.frames, motion))
    warped = TrackedClip.of(affine_warp(source, true.meshes, driving.meshes))
    first: list[Mesh | None] = [true.meshes[0]] * len(true.frames)
    motionless = TrackedClip.of(still(source, len(true.frames)), first)
    clips = {ANIMATED: made, STILL: motionless, AFFINE: warped}
    return {name: compare(clip, true) for name, clip in clips.items()}, clips


def _screen(
    frames: Frames, seed: int, action: Action
) -> tuple[TrackedClip, dict[str, LivenessAnswer]]:
    """The clip with the build's camera noise, and the answers of both liveness detectors."""
    noisy = add_camera_noise(frames, seed, NOISE_SIGMA)
    tracked = TrackedClip.of(noisy, track(noisy))  # `track` keeps the meshes for the detectors
    answers = {}
    for detector in detectors():
        verdict = detector(noisy, Fraction(FPS), action)
        answers[verdict.detector] = LivenessAnswer(live=verdict.live, reason=verdict.reason)
    return tracked, answers


def _eyes(clip: TrackedClip) -> EyeClosure:
    mesh_alone = signals([mesh and replace(mesh, eyes=None) for mesh in clip.meshes])
    return EyeClosure(
        fall=eye_fall(clip.signals),
        reopening=eye_reopening(clip.signals),
        mesh_fall=eye_fall(mesh_alone),
    )
