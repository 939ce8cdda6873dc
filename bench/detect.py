"""Speed of `dfmnist detect` on a 720p clip of one face: this project against the plain loop.

The plain loop is what most people write: OpenCV decodes every frame, MTCNN searches every frame at
full size, the crop is resized by OpenCV, and torch judges one crop at a time in float32. MTCNN and
the detector have the same weights in both. `detect` looks at two frames a second, and with
`--frames` at every frame, which is the plain loop's work. Each measurement has its own process and
counts everything from Python's start on: imports, models, the verdict.

The clip is a photo (matplotlib's sample) that moves within a 720p frame, with a camera's noise; its
face is about 220 pixels high.
"""

import argparse
import json
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from processes import in_a_process, peak_mb

FPS, SIZE_WH = 30, (1280, 720)
WAYS = ("plain loop", "detect", "detect, every frame")


def make_clip(path: Path, seconds: int) -> None:
    """Write the clip."""
    from matplotlib import cbook
    from PIL import Image, ImageFilter

    from dfmnist.media.noise import add_camera_noise
    from dfmnist.media.video import write_video

    photo = Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)).convert("RGB")
    width, height = SIZE_WH
    room = photo.resize(SIZE_WH).filter(ImageFilter.GaussianBlur(40))
    person = photo.resize((round(photo.width * height / photo.height), height))

    def frame(index: int) -> np.ndarray:
        phase = 2 * np.pi * index / (4 * FPS)
        picture = room.copy()
        left, top = (width - person.width) / 2 + 60 * np.sin(phase), 20 * np.cos(phase)
        picture.paste(person, (round(left), round(top)))
        noisy: np.ndarray = add_camera_noise(np.asarray(picture)[None], seed=index)[0]
        return noisy

    write_video(path, (frame(i) for i in range(seconds * FPS)), Fraction(FPS), crf=23)


def plain(path: Path) -> tuple[int, float]:
    """The plain loop: number of frames judged and the mean P(fake)."""
    import cv2
    import torch

    from dfmnist.detectors import shipped
    from dfmnist.detectors.run import load_run
    from dfmnist.faces.crop import squared
    from dfmnist.faces.mtcnn import Mtcnn

    network, finder = load_run(shipped.FOLDER).network, Mtcnn()
    video, found = cv2.VideoCapture(str(path)), []
    while True:
        there, bgr = video.read()
        if not there:
            break
        image = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        faces = finder.detect(image)
        if (best := faces.largest()) is None:
            continue
        left, top, right, bottom = squared(faces.boxes_xyxy[best]).round().astype(int)
        cut = image[max(top, 0) : bottom, max(left, 0) : right]
        crop = torch.from_numpy(cv2.resize(cut, (256, 256))).permute(2, 0, 1)[None]
        with torch.no_grad():
            found.append(float(network(network.normalise(crop)).sigmoid()))
    return len(found), float(np.mean(found))


def ours(path: Path, frames: int | None) -> tuple[int, float]:
    """`dfmnist.detect`: number of frames judged and P(fake)."""
    import dfmnist

    (face,) = dfmnist.detect(path, frames=frames).faces
    return len(face.timeline), face.p_fake


def measure(way: str, path: Path, seconds: int, threads: int) -> None:
    """Print the measurement of one way as JSON."""
    import torch

    torch.set_num_threads(threads)
    if way == "plain loop":
        judged, p_fake = plain(path)
    else:
        judged, p_fake = ours(path, seconds * FPS if way != "detect" else None)
    print(json.dumps({"judged": judged, "p_fake": p_fake, "peak_mb": peak_mb()}))


def main() -> None:
    """Measure every way and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20, help="length of the clip")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--clip", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        measure(given.way, given.clip, given.seconds, given.threads)
        return
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        make_clip(clip, given.seconds)
        print(f"{given.seconds} s of {SIZE_WH[0]}x{SIZE_WH[1]} at {FPS}/s, {given.threads} threads")
        print("| | seconds | times real time | ratio | frames judged | P(fake) | peak memory |")
        print("|---|---|---|---|---|---|---|")
        first = 0.0
        for way in WAYS:
            start = time.perf_counter()
            arguments = ["--way", way, "--clip", str(clip), "--seconds", str(given.seconds)]
            found = in_a_process(__file__, [*arguments, "--threads", str(given.threads)])
            took = time.perf_counter() - start
            first = first or took
            print(
                f"| {way} | {took:.1f} | {given.seconds / took:.2f} | {first / took:.2f} | "
                f"{found['judged']} | {found['p_fake']:.3f} | {found['peak_mb']:,.0f} MB |"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
