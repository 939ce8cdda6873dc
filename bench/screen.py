"""Screening speed: two liveness detectors on one decoding and one mesh, or one after the other.

In the usual way each detector is a program of its own: it decodes the clip and follows the face
frame by frame for itself. This project decodes and meshes a clip once for both. Both ways run the
same detectors with the same verdicts, in as many processes as there are cores, one thread each, on
the same clips of synthetic actors. Frames per second are those of clips, not of meshes; the faster
of two runs counts, after one to warm up.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path

from dfmnist.actors.film import FilmJob, film
from dfmnist.core.actions import TEN, Action
from dfmnist.core.jobs import cpu_count
from dfmnist.faces.crop import crop_clip
from dfmnist.faces.mesh import face_mesh
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.faces.pose import signals
from dfmnist.liveness.base import Verdict
from dfmnist.media.noise import add_camera_noise
from dfmnist.media.video import iter_frames, read_frames, write_video
from dfmnist.pipeline.screen import detectors, screen

FPS = Fraction(25)
FRAMES = 50
FIRST_PERSON = 400_000
"""The first identity seed for evaluation."""
Way = Callable[[tuple[Path, Action]], tuple[Verdict, ...]]


def make_clips(folder: Path, people: int, copies: int) -> list[tuple[Path, Action]]:
    """Write clips of 50 frames at 256 px with camera noise; returns each with its action."""
    found = []
    for person in range(people):
        action = TEN[person % len(TEN)]
        wide = film(FilmJob(FIRST_PERSON + person, action, person, FRAMES, folder / "wide.mp4"))
        faces, info = crop_clip(read_frames(wide), mtcnn())
        assert faces is not None, info.reason
        for copy in range(copies):
            path = folder / f"{person}-{copy}.mp4"
            write_video(path, add_camera_noise(faces, copy, 2.0), FPS, crf=18)
            found.append((path, action))
    return found


def together(clip: tuple[Path, Action]) -> tuple[Verdict, ...]:
    """Both verdicts from one decoding and one mesh, as a build screens."""
    path, action = clip
    return screen(read_frames(path), FPS, action)


def apart(clip: tuple[Path, Action]) -> tuple[Verdict, ...]:
    """Both verdicts, each detector with its own decoding and its own mesh, frame by frame."""
    path, action = clip
    by_action, universal = detectors()
    meshes = face_mesh().track(iter_frames(path))
    first = by_action.judge(signals(meshes), FPS, action)  # type: ignore[attr-defined]
    meshes = face_mesh().track(iter_frames(path))
    second = universal.judge(read_frames(path), meshes)  # type: ignore[attr-defined]
    return first, second


def measure(
    pool: Pool, way: Way, clips: list[tuple[Path, Action]]
) -> tuple[float, list[tuple[Verdict, ...]]]:
    """Frames per second of a way, and its verdicts."""
    pool.map(way, clips[: 2 * cpu_count()])
    seconds, found = [], []
    for _ in range(2):
        start = time.perf_counter()
        found = pool.map(way, clips, chunksize=1)
        seconds.append(time.perf_counter() - start)
    return FRAMES * len(clips) / min(seconds), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=5, help="actors to film")
    parser.add_argument("--copies", type=int, default=4, help="clips of each actor")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, get_context("spawn").Pool(cpu_count()) as pool:
        clips = make_clips(Path(name), options.people, options.copies)
        usual, apart_found = measure(pool, apart, clips)
        ours, together_found = measure(pool, together, clips)
    pairs = list(zip(apart_found, together_found, strict=True))
    same = sum([v.live for v in a] == [v.live for v in b] for a, b in pairs)
    print(f"{len(clips)} clips of {FRAMES} frames, 256 px, {cpu_count()} processes of one thread")
    print("| way | frames/s |\n|---|---|")
    print(f"| each detector alone, frame by frame | {usual:.1f} |")
    print(f"| decoded and meshed once for both | {ours:.1f} ({ours / usual:.1f} times) |")
    print(f"equal verdicts: {same} of {len(pairs)}")


if __name__ == "__main__":
    main()
