"""Verdicts on photos and videos: every face is found, followed, cut out as in the dataset, judged.

A video of any length takes bounded memory (`detectors.watch`). A face's score is the mean
calibrated logit of its frames; `detectors.verdict` holds the records.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from glob import has_magic
from pathlib import Path
from typing import BinaryIO

import numpy as np
from scipy.special import expit

from dfmnist.core.arrays import Floats, Floats32, Frames
from dfmnist.core.batch import failure
from dfmnist.core.choices import BackendName, Precision
from dfmnist.core.console import progress_bar
from dfmnist.core.errors import InputError
from dfmnist.core.text import plural
from dfmnist.detectors.backends import DetectorBackend, choose_backend
from dfmnist.detectors.chosen import ChosenDetector
from dfmnist.detectors.overlay import write_map
from dfmnist.detectors.verdict import (
    DECIDING,
    FaceVerdict,
    FileVerdict,
    Moment,
    Word,
    overall,
)
from dfmnist.detectors.watch import (
    FaceStretch,
    Film,
    film,
    no_face,
    watch_photo,
    watch_video,
)
from dfmnist.media.folders import MEDIA, find_media, media_kind
from dfmnist.media.image import read_image
from dfmnist.media.sample import each_rgb, sample_frames
from dfmnist.media.video import probe, resize_frames
from dfmnist.stats.intervals import block_bootstrap

STDIN = "-"
"""The path that stands for standard input."""
LEAST_SEEN = 3
"""Fewest frames that must show a face of a video, if so many are looked at. Less is mostly a
picture in the background, or no face."""
DRAWS = 1000
"""Number of bootstrap draws of an interval."""


def find_files(paths: Iterable[Path]) -> list[Path]:
    """The photos and videos that `paths` name: files, folders with all that is in them, patterns.

    What is left out of folders is printed. `-` stays as it is. Raises `InputError` for a folder or
    a pattern without any.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            held = find_media(path, MEDIA)
            expected = "photos or videos with a face"
            files += [f for f, _ in held.required(path, "photo or video", expected)]
            held.tell(str(path))
        elif has_magic(str(path)) and not path.exists():
            root = Path(path.anchor) if path.is_absolute() else Path()
            found = sorted(root.glob(str(path.relative_to(path.anchor))))
            files += [f for f in found if f.is_file()]
            if not any(f.is_file() for f in found):
                raise InputError.of(path, "matches no file", "a pattern of photos or videos")
        else:
            files.append(path)
    return files


@contextmanager
def _on_disk(path: Path, stdin: BinaryIO | None) -> Iterator[Path]:
    """The file to read for `path`; what comes on standard input is kept in a file for the time."""
    if str(path) != STDIN:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="dfmnist-stdin-") as folder:
        file = Path(folder) / "stdin"
        with file.open("wb") as out:
            shutil.copyfileobj(stdin or sys.stdin.buffer, out, 1 << 20)
        if not file.stat().st_size:
            raise InputError.of("standard input", "is empty", "a photo or a video")
        try:
            yield file
        except InputError as error:
            raise InputError(str(error).replace(str(file), "standard input")) from None


@dataclass(frozen=True)
class SoFar:
    """What is known of a file while it is being looked at."""

    faces: tuple[FaceVerdict, ...]
    """The faces seen so far, judged by the frames looked at so far."""
    stretches: tuple[FaceStretch, ...]
    """The faces of the newest stretch, cut out."""


@dataclass(frozen=True)
class Looking:
    """How files are looked at."""

    cropped: bool = False
    """Take the files as face crops, like a dataset's clips, and search no face."""
    face: int | None = None
    """The only face to judge, counted from 1; None judges all."""
    looks: int | None = None
    """Number of frames of a video to look at; None means two a second (of a cropped one as many as
    in training)."""
    cam: Path | None = None
    """Folder for class activation maps; None makes none."""


def detect_files(
    paths: Iterable[Path],
    detector: ChosenDetector,
    looking: Looking | None = None,
    *,
    backend: BackendName = "auto",
    precision: Precision = "auto",
    quiet: bool = True,
    stdin: BinaryIO | None = None,
) -> Iterator[FileVerdict]:
    """The verdicts of `detector` on the photos and videos in `paths`, one after the other.

    A file that cannot be judged gives its error, and the rest goes on. `stdin` is read where a path
    is `-`; None is standard input. Raises `InputError` for `backend` and `precision`; see
    `core.inference.choose`.
    """
    looking = looking or Looking()
    model = choose_backend(
        detector.run.network, backend, precision, detector.run.frame_px, features=True
    )
    taken: dict[str, int] = {}
    for path in paths:
        stem = "stdin" if str(path) == STDIN else path.stem
        taken[stem] = taken.get(stem, 0) + 1
        stem += f"-{taken[stem]}" if taken[stem] > 1 else ""
        try:
            with _on_disk(path, stdin) as file:
                found = detect_file(
                    file, detector, looking, backend=model, quiet=quiet, name=str(path), stem=stem
                )
        except Exception as error:
            text = failure(error, path)
            found = FileVerdict(path=str(path), kind=None, verdict="none", error=text)
        yield found


def detect_file(
    path: Path,
    detector: ChosenDetector,
    looking: Looking | None = None,
    *,
    backend: DetectorBackend | None = None,
    quiet: bool = True,
    name: str = "",
    stem: str = "",
    watch: Callable[[SoFar], object] | None = None,
) -> FileVerdict:
    """The verdict of `detector` on one photo or video.

    `backend` runs the detector's network with features; pass one to judge many files, else each
    call makes its own. `name` stands for the path in the verdict, and the names of maps begin with
    `stem`; by default both are the path's. `watch` is told what is known after each stretch of the
    file. Raises `InputError` for a file that is neither, or shows no face.
    """
    looking = looking or Looking()
    run = detector.run
    model = backend or choose_backend(run.network, frame_px=run.frame_px, features=True)
    judge = _Judge(detector, model, watch)
    kind = media_kind(path)
    look = _look_at_photo if kind == "photo" else _look_at_video
    facts = look(path, judge, looking, quiet)
    faces, passed_over = judge.faces(facts, looking)
    if looking.cam is not None:
        folder, stem = looking.cam, stem or path.stem
        faces = [
            (face.model_copy(update={"cam": str(judge.write_map(
                seen, facts.film, folder / f"{stem}-face{face.face}", cropped=looking.cropped
            ))}), seen)
            for face, seen in faces
        ]  # fmt: skip
    verdicts = tuple(face for face, _ in faces)
    return FileVerdict(
        path=name or str(path),
        kind=kind or "video",
        verdict=overall(face.verdict for face in verdicts),
        width=facts.size[0],
        height=facts.size[1],
        duration_s=0.0 if facts.film.times is None else facts.film.times.duration_s,
        num_frames=1 if facts.film.times is None else len(facts.film.times.ticks),
        looked_at=len(facts.film.indices),
        passed_over=passed_over,
        faces=verdicts,
    )


@dataclass(frozen=True)
class _Facts:
    film: Film
    size: tuple[int, int]
    """Width and height."""


def _look_at_photo(path: Path, judge: "_Judge", looking: Looking, quiet: bool) -> _Facts:
    del quiet  # a photo takes no time
    if judge.consecutive > 1:
        what = "is a photo, and this detector sees two consecutive frames"
        raise InputError.of(path, what, "a video")
    one = Film(path, None, np.zeros(1, np.int64))
    if looking.cropped:
        image = read_image(path)
        size = (image.shape[1], image.shape[0])
        judge.see(one, [_whole([0], image[None], size)])
        return _Facts(one, size)
    size, faces = watch_photo(path)
    judge.see(one, faces)
    return _Facts(one, size)


def _look_at_video(path: Path, judge: "_Judge", looking: Looking, quiet: bool) -> _Facts:
    least = judge.detector.run.config.frames_per_clip
    if looking.cropped:
        side = (judge.frame_px,) * 2
        count = looking.looks or least
        indices, frames = sample_frames(path, count, side, consecutive=judge.consecutive)
        seen = film(path, least=least, looks=count)
        info = probe(path)
        judge.see(seen, [_whole(indices.tolist(), frames, (info.width, info.height))])
        return _Facts(seen, (info.width, info.height))
    seen, size = film(path, least=least, looks=looking.looks), (0, 0)
    with progress_bar() as bar:
        task = bar.add_task(f"look at {path.name}", total=len(seen.indices), visible=not quiet)
        looked = partial(bar.advance, task)
        for shown, faces in watch_video(seen, consecutive=judge.consecutive, looked=looked):
            size = shown
            judge.see(seen, faces)
    return _Facts(seen, size)


def _whole(indices: Sequence[int], frames: Frames, size: tuple[int, int]) -> FaceStretch:
    """Frames that are a face crop already, as one stretch of one face."""
    boxes = np.tile(np.array([0, 0, *size], np.float32), (len(indices), 1))
    return FaceStretch(0, tuple(indices), boxes, boxes, frames)


@dataclass
class _Seen:
    """What was measured of one person so far."""

    frames: list[int] = field(default_factory=list)
    boxes: list[Floats32] = field(default_factory=list)
    squares: list[Floats32] = field(default_factory=list)
    logits: list[float] = field(default_factory=list)
    """Calibrated logits."""
    unlikeness: list[float] = field(default_factory=list)
    """Distances in units of the limit; empty where there is none."""


class _Judge:
    """Scores stretches of faces as they come, and gives the verdicts at the end."""

    def __init__(
        self,
        detector: ChosenDetector,
        model: DetectorBackend,
        watch: Callable[[SoFar], object] | None,
    ) -> None:
        self.detector, self.consecutive, self.frame_px = detector, model.consecutive, model.size_px
        self._model, self._watch = model, watch
        self._people: dict[int, _Seen] = {}

    def see(self, film: Film, stretches: Sequence[FaceStretch]) -> None:
        """Score the frames of some faces. Raises `InputError` if a score is not finite."""
        if not stretches:
            return
        side = self.frame_px
        crops = np.concatenate([one.crops_rgb_u8 for one in stretches])
        frames = each_rgb(crops, partial(resize_frames, size_wh=(side, side)))
        step = self._model.batch
        batches = (frames[i : i + step] for i in range(0, len(frames), step))
        outputs = np.concatenate(list(self._model.run(batches)))
        if not np.isfinite(outputs[:, 0]).all():
            what = "the network's output is not a finite number, so there is no verdict"
            raise InputError.of(self.detector.run.folder, what, "a working run")
        at = 0
        for one in stretches:
            self._keep(one, outputs[at : at + len(one.frames)])
            at += len(one.frames)
        if self._watch is not None:
            people = sorted(self._people.items())
            faces = tuple(self._face(n, seen, film) for n, (_, seen) in enumerate(people, 1))
            self._watch(SoFar(faces, tuple(stretches)))

    def _keep(self, stretch: FaceStretch, outputs: Floats32) -> None:
        """Note what the network said (n, 1 + k) of the frames of one face."""
        person = self._people.setdefault(stretch.person, _Seen())
        person.frames += stretch.frames
        person.boxes += list(stretch.boxes_xyxy)
        person.squares += list(stretch.squares_xyxy)
        calibrated = self.detector.run.calibration.logits(outputs[:, 0].astype(np.float64))
        person.logits += calibrated.tolist()
        if (known := self.detector.known) is not None:
            far = known.distances(outputs[:, 1:]) / known.limit
            person.unlikeness += far.tolist()

    def write_map(self, seen: _Seen, film: Film, stem: Path, *, cropped: bool) -> Path:
        """Write the map of one face; see `overlay.write_map`."""
        squares = None if cropped else np.stack(seen.squares)
        network = self.detector.run.network
        return write_map(film, tuple(seen.frames), squares, network, self.frame_px, stem)

    def faces(self, facts: _Facts, looking: Looking) -> tuple[list[tuple[FaceVerdict, _Seen]], int]:
        """The verdicts on all faces seen often enough, and how many were passed over.

        Raises `InputError` if there are none, or not the one that was asked for.
        """
        if not self._people:
            raise no_face(facts.film.path)
        least = min(LEAST_SEEN, len(facts.film.indices))
        kept = [seen for _, seen in sorted(self._people.items()) if len(seen.frames) >= least]
        passed_over = len(self._people) - len(kept)
        if not kept:
            what = f"no face is seen in {least} of {len(facts.film.indices)} frames looked at"
            raise InputError.of(facts.film.path, what, "a video of a face")
        faces = [(self._face(n, seen, facts.film), seen) for n, seen in enumerate(kept, 1)]
        if looking.face is None:
            return faces, passed_over
        if looking.face > len(faces):
            shown = f"shows {plural(len(faces), 'face')}, not face {looking.face}"
            raise InputError.of(facts.film.path, shown, f"--face 1 to {len(faces)}")
        return [faces[looking.face - 1]], passed_over

    def _face(self, number: int, seen: _Seen, film: Film) -> FaceVerdict:
        logits = np.array(seen.logits)
        threshold = self.detector.run.calibration.threshold_logit
        mean = float(logits.mean())
        far = float(np.mean(seen.unlikeness)) if seen.unlikeness else None
        word: Word = "fake" if mean >= threshold else "real"
        if far is not None and far > 1:
            word = "outside"
        if self.detector.facts.no_verdict:
            word = "none"
        decided = _deciding(logits, fake=mean >= threshold)
        bounds = block_bootstrap(logits, draws=DRAWS) if len(logits) > 1 else None
        timeline = tuple(
            Moment(
                frame=frame,
                time_s=film.time_s(frame),
                p_fake=float(expit(logits[i])),
                box=tuple(round(float(v), 1) for v in seen.boxes[i]),  # type: ignore[arg-type]
                unlikeness=seen.unlikeness[i] if seen.unlikeness else None,
                decided=i in decided,
            )
            for i, frame in enumerate(seen.frames)
        )
        return FaceVerdict(
            face=number,
            verdict=word,
            p_fake=float(expit(mean)),
            low=None if bounds is None else float(expit(bounds[0])),
            high=None if bounds is None else float(expit(bounds[1])),
            unlikeness=far,
            timeline=timeline,
        )


def _deciding(logits: Floats, *, fake: bool) -> set[int]:
    """Positions of the frames that speak most for the side that the mean is on."""
    order = np.argsort(-logits if fake else logits, kind="stable")
    return {int(i) for i in order[:DECIDING]}
