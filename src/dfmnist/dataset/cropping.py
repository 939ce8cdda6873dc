"""Face crops of imported clips, made once into a folder beside the manifest.

Each clip is cropped as in a build: one square around the union of the face's boxes, with its frame
rate and all its frames. Real and fake go through one encoder with one setting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from dfmnist.core.batch import failure, published
from dfmnist.core.jobs import run_jobs
from dfmnist.core.records import read_record, write_record
from dfmnist.dataset.clip import Clip
from dfmnist.faces.crop import face_box_union, square_crop, squared
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.media.video import frame_times, iter_frames, probe, write_video

CROPS = "crops"
"""Folder of the crops of MP4 files."""
CONVERTED = "crops-converted"
"""Folder of the crops of other files, which become MP4."""
CRF = 10
"""Rate factor of the crops: they keep the traces of the forgery that detectors look for."""


class Crop(BaseModel):
    """Record of one crop, by which a second import knows that it is done."""

    model_config = ConfigDict(frozen=True)

    size_bytes: int
    """Size of the clip's file."""
    changed_ns: int
    """Time at which the clip's file was last changed, in nanoseconds."""
    size_px: int
    num_frames: int = 0
    """Number of frames written."""
    fps: str = ""
    """Frames a second of what was written."""
    reason: str = ""
    """Why there is no crop; empty if there is one."""


@dataclass(frozen=True)
class CropJob:
    """One clip to crop."""

    source: Path
    target: Path
    record: Path
    size_px: int


def crop_all(
    clips: Sequence[Clip], root: Path, out: Path, size_px: int
) -> tuple[tuple[Clip, ...], tuple[str, ...]]:
    """Crop `clips`, whose files lie in `root`, into `out`.

    Returns the records of the crops, and a line with the reason for each clip that has none.
    """
    names = [crop_name(clip.file_name) for clip in clips]
    jobs = [
        CropJob(root / clip.file_name, out / name, out / "work" / f"{name}.json", size_px)
        for clip, name in zip(clips, names, strict=True)
    ]
    kept, lost = [], []
    done = run_jobs(crop_one, jobs, describe="crop faces")
    for clip, name, found in zip(clips, names, done, strict=True):
        if found.reason:
            lost.append(f"{clip.file_name}: {found.reason}")
            continue
        changes = {
            "num_frames": found.num_frames,
            "fps": found.fps,
            "width": size_px,
            "height": size_px,
        }
        kept.append(clip.model_copy(update={"file_name": name, "sha256": None, **changes}))
    return tuple(kept), tuple(lost)


def crop_name(file_name: str) -> str:
    """Path of a clip's crop within the dataset's folder; different clips have different crops."""
    if file_name.endswith(".mp4"):
        return f"{CROPS}/{file_name}"
    return f"{CONVERTED}/{file_name}.mp4"


def crop_one(job: CropJob) -> Crop:
    """Crop one clip, or read the record of its crop; at the top level, for other processes.

    A clip without a face, or one that cannot be read, gives a record with the reason.
    """
    try:
        state = job.source.stat()
        known = read_record(job.record, Crop)
        now = Crop(size_bytes=state.st_size, changed_ns=state.st_mtime_ns, size_px=job.size_px)
        if known is not None and _same(known, now) and (known.reason or job.target.is_file()):
            return known
        made = _crop(job, now)
    except Exception as error:
        reason = published(failure(error, job.source), job.source)
        return Crop(size_bytes=0, changed_ns=0, size_px=job.size_px, reason=reason)
    write_record(job.record, made)
    return made


def _same(known: Crop, now: Crop) -> bool:
    fields = ("size_bytes", "changed_ns", "size_px")
    return all(getattr(known, name) == getattr(now, name) for name in fields)


def _crop(job: CropJob, now: Crop) -> Crop:
    box, reason = face_box_union(iter_frames(job.source), mtcnn())
    if box is None:
        return now.model_copy(update={"reason": reason})
    square, times = squared(box), frame_times(job.source)
    frames = (square_crop(f[None], square, job.size_px)[0] for f in iter_frames(job.source))
    count = write_video(job.target, frames, times.fps, crf=CRF, times=times)
    return now.model_copy(update={"num_frames": count, "fps": str(probe(job.target).fps)})
