"""Time that a user waits for `dfmnist animate`: a photo moved as in a driver of 10 seconds.

The command runs in a process of its own, from its start to its exit: loading, the search for the
face in the driver, its keypoints, the animation, the encoding. The driver is new, so that nothing
of it is in the cache. The number of cores is limited by the process's affinity. Rates are frames
of the output per second of wall time; they hold only on an otherwise idle machine, so the
processor time, which hardly depends on other work, is printed beside them.

A second run, of the same steps in one process, says where the processor time goes.
"""

import argparse
import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import cbook
from PIL import Image

from dfmnist.media.video import write_video
from processes import in_a_process

SECONDS, FPS = 10, 25
SIZE_WH = (640, 480)
"""Size of the driver's frames."""


def make_inputs(folder: Path) -> tuple[Path, Path]:
    """Write a photo of a face, and a driver in which the same face moves; returns their paths."""
    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    photo, driver = folder / "photo.png", folder / "driver.mp4"
    portrait = Image.open(path).convert("RGB")
    portrait.save(photo)

    def frames() -> Iterator[np.ndarray]:
        for number in range(SECONDS * FPS):
            phase = number / FPS
            page = Image.new("RGB", SIZE_WH, (90, 110, 100))
            turned = portrait.resize((384, 450)).rotate(6 * np.sin(2 * phase), Image.BILINEAR)
            page.paste(turned, (128 + round(30 * np.sin(phase)), 15))
            yield np.asarray(page)

    write_video(driver, frames(), Fraction(FPS), crf=18)
    return photo, driver


def command(photo: Path, driver: Path, out: Path, cores: int) -> dict[str, float]:
    """Wall and processor seconds of one `dfmnist animate` on the first `cores` cores."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    line = [sys.executable, "-m", "dfmnist", "animate", str(photo), str(driver), str(out)]
    line += ["--no-cache"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        line, check=False, capture_output=True, text=True,
        preexec_fn=functools.partial(os.sched_setaffinity, 0, allowed),
    )  # fmt: skip
    wall = time.perf_counter() - start
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "cpu": cpu}


class Shares:
    """Processor seconds by step; a step that is called within another counts for itself alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._at = 0.0

    def _tick(self) -> None:
        now = time.process_time()
        if self._open:
            self.seconds[self._open[-1]] += now - self._at
        self._at = now

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count what happens within the `with` block as `name`."""
        self._tick()
        self._open.append(name)
        try:
            yield
        finally:
            self._tick()
            self._open.pop()

    def watch(self, owner: Any, name: str, step: str) -> None:
        """Count each call of the function `name` of a module or class as `step`."""
        inner: Callable[..., Any] = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            with self.step(step):
                return inner(*args, **kwargs)

        setattr(owner, name, watched)

    def watch_stream(self, owner: Any, name: str, step: str) -> None:
        """Count each item of the generator function `name` as `step`."""
        inner: Callable[..., Iterator[Any]] = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Iterator[Any]:
            items = inner(*args, **kwargs)
            while True:
                with self.step(step):
                    item = next(items, None)
                if item is None:
                    return
                yield item

        setattr(owner, name, watched)


def where_the_time_goes(photo: Path, driver: Path, out: Path) -> dict[str, float]:
    """Processor seconds by step of one animation in this process."""
    shares = Shares()
    with shares.step("loading code and weights"):
        from dfmnist.faces.mesh import FaceMesh, face_mesh
        from dfmnist.faces.mtcnn import Mtcnn, mtcnn
        from dfmnist.pipeline import animate, files
        from dfmnist.pipeline.config import AnimateConfig

        model = animate.animator(None)
        mtcnn()
        face_mesh()
    backend: Any = model._backend
    shares.watch(Mtcnn, "detect", "finding the face (MTCNN)")
    shares.watch(FaceMesh, "follow", "landmarks (face mesh)")
    shares.watch(type(backend), "detect", "keypoints")
    shares.watch(type(backend), "decode", "generating frames")
    shares.watch(type(backend), "encode", "encoding the source")
    shares.watch(files, "square_crop", "cropping and resizing")
    shares.watch_stream(files, "iter_frames", "decoding the driver, twice")
    shares.watch(files, "write_video", "writing the MP4")
    with shares.step("everything else"):
        files.animate_file(photo, driver, out, AnimateConfig(cache=False))
    return dict(shares.seconds)


def main() -> None:
    """Print both tables, or the shares of one process as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shares", nargs=3, type=Path, metavar=("PHOTO", "DRIVER", "OUT"))
    asked = parser.parse_args()
    if asked.shares:
        print(json.dumps(where_the_time_goes(*asked.shares)))
        return
    frames = SECONDS * FPS
    with tempfile.TemporaryDirectory(prefix="dfmnist-bench-") as name:
        folder = Path(name)
        photo, driver = make_inputs(folder)
        print(f"{frames} frames of {SIZE_WH[0]}x{SIZE_WH[1]}, load {os.getloadavg()[0]:.1f}")
        print("\n| cores | wall (s) | frames/s | processor (s) | frames per processor second |")
        print("|---|---|---|---|---|")
        for cores in range(1, min(2, len(os.sched_getaffinity(0))) + 1):
            found = command(photo, driver, folder / f"{cores}.mp4", cores)
            print(
                f"| {cores} | {found['wall']:.1f} | {frames / found['wall']:.1f} "
                f"| {found['cpu']:.1f} | {frames / found['cpu']:.1f} |",
                flush=True,
            )
        seconds = in_a_process(__file__, ["--shares", *map(str, (photo, driver, folder / "s.mp4"))])
        total = sum(seconds.values())
        print("\n| step | processor (s) | share | ms a frame |")
        print("|---|---|---|---|")
        for step, value in sorted(seconds.items(), key=lambda pair: -pair[1]):
            print(f"| {step} | {value:.1f} | {value / total:.0%} | {1000 * value / frames:.1f} |")


if __name__ == "__main__":
    main()
