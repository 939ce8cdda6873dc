"""Speed of reading frames in training order: from the MP4s, or from PNGs extracted beforehand.

Each way has its own process and reads the same clips of synthetic actors (`clips.make_clips`, about
half a minute). Frames per second per core are frames divided by processor seconds, with workers and
threads, over one shuffled epoch that contains every clip several times. The time to the first batch
begins when a process has loaded its libraries. This project gives the first batch when 64 clips are
decoded, however many there are; for PNGs all clips are extracted first (here each once, and few;
the table estimates 10,000 clips).

This project keeps no frames in memory here and decodes them in every epoch. The last table shows
which share of a ResNet-50 training step waits for data in that case.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from clips import Clock, Pngs, clips_in, cpu_s, extract_pngs, make_clips, samples_of
from dfmnist.core.jobs import cpu_count
from dfmnist.detectors.batches import TrainBatches, loader
from dfmnist.detectors.data import ClipFrames, decode_threads
from dfmnist.detectors.networks.builders import build
from dfmnist.detectors.precision import autocast, choose_precision
from processes import in_a_process, peak_mb

SIZE_PX, BATCH = 224, 16
WAYS = ("mp4", "png u8", "png f32")
"""The ways to read frames; workers that read PNGs give bytes, or normalised floats as is usual."""


def from_mp4(folder: Path, num_frames: int) -> dict[str, float]:
    """The measurement of this project's way, with as many decoding threads as training uses."""
    clips = clips_in(folder)
    clock = Clock()
    samples = samples_of(clips)
    repeats = -(-num_frames // sum(s.num_frames for s in samples))
    frames = ClipFrames(samples * repeats, size_px=SIZE_PX, budget_bytes=0)
    row = run_epoch(loader(TrainBatches(frames, batch_size=BATCH, seed=0, epoch=0)), clock)
    disk = sum(p.stat().st_size for p in clips)
    return row | {"extract_s": 0.0, "disk": disk, "peak_mb": peak_mb()}


def from_pngs(folder: Path, num_frames: int, *, floats: bool) -> dict[str, float]:
    """The measurement of the usual way: PNGs and a DataLoader with one worker for each core."""
    clock = Clock()
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        files = extract_pngs(clips_in(folder), Path(temporary) / "png")
        extract_s = clock.read()[0]
        repeats = -(-num_frames // len(files))
        data = DataLoader(
            Pngs(files * repeats, SIZE_PX, floats=floats),
            BATCH,
            shuffle=True,
            num_workers=cpu_count(),
            drop_last=True,
        )
        row = run_epoch(data, clock)
        disk = sum(p.stat().st_size for p, _ in files)
    return row | {"extract_s": extract_s, "disk": disk, "peak_mb": peak_mb(cpu_count())}


def run_epoch(batches: Any, clock: Clock) -> dict[str, float]:
    """Seconds to the first batch, and the epoch's frames per processor and per wall second."""
    first_s, count = 0.0, 0
    used = Clock()
    for images, _ in batches:
        first_s = first_s or clock.read()[0]
        count += len(images)
    wall_s, processor_s = used.read()
    return {"first_s": first_s, "rate": count / processor_s, "wall_rate": count / wall_s}


def waiting(folder: Path, steps: int, threads: int | None) -> dict[str, float]:
    """The share of training steps that waits for data while frames are decoded in each epoch.

    Blocks hold two clips instead of 64, so that many blocks follow each other as in a long epoch.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision, _ = choose_precision("resnet50", {"size_px": SIZE_PX}, BATCH, device)
    network = build("resnet50", size_px=SIZE_PX).train().to(device)
    optimizer = torch.optim.Adam(network.parameters(), 2e-4, fused=True)
    samples = samples_of(clips_in(folder))

    def epoch_of(frames: ClipFrames) -> tuple[float, float]:
        """Mean seconds of a step, and of its wait for data, after the first two."""
        waited, taken = [], []
        batches = iter(loader(TrainBatches(frames, batch_size=BATCH, seed=0, epoch=0)))
        for _ in range(min(steps + 2, len(samples) * samples[0].num_frames // BATCH)):
            start = time.perf_counter()
            images, targets = next(batches)
            waited.append(time.perf_counter() - start)
            with autocast(device, precision):
                logits = network(network.normalise(images.to(device)))
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                logits.float(), targets.to(device)
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            taken.append(time.perf_counter() - start)
        return float(np.mean(taken[2:])), float(np.mean(waited[2:]))

    held = ClipFrames(samples, size_px=SIZE_PX)
    held.load("", quiet=True)
    streamed = ClipFrames(samples, size_px=SIZE_PX, budget_bytes=0, threads=threads, stream_clips=2)
    held_s, _ = epoch_of(held)
    streamed_s, waited_s = epoch_of(streamed)
    return {
        "threads": streamed.threads,
        "step_s": streamed_s,
        "held_step_s": held_s,
        "share": waited_s / streamed_s,
        "bf16": float(precision == "bf16"),
    }


def tables(asked: argparse.Namespace, root: Path) -> None:
    """Print all tables."""
    for quality in asked.qualities:
        folder = root / quality
        print(
            f"\n| {quality} | frames/s per core | ratio | frames/s | first batch "
            "| extraction | of 10,000 clips | disk | ratio | peak memory |\n"
            "|---|---|---|---|---|---|---|---|---|---|"
        )
        count = len(clips_in(folder))
        length = ["--epoch-frames", str(asked.epoch_frames)]
        rows = {
            way: in_a_process(__file__, ["--way", way, "--folder", str(folder), *length])
            for way in WAYS
        }
        for way, row in rows.items():
            print(
                f"| {way} | {row['rate']:.0f} | {row['rate'] / rows['png u8']['rate']:.2f} "
                f"| {row['wall_rate']:.0f} | {row['first_s']:.2f} s | {row['extract_s']:.2f} s "
                f"| {row['extract_s'] / count * 10_000 / 60:.0f} min "
                f"| {row['disk'] / 1e6:.1f} MB | 1/{rows['png u8']['disk'] / row['disk']:.1f} "
                f"| {row['peak_mb']:.0f} MB |",
                flush=True,
            )
    print("\n| ResNet-50, batch 16, streaming | step | step, frames in memory | waits for data |")
    print("|---|---|---|---|")
    for threads in dict.fromkeys((decode_threads(), 0)):
        row = in_a_process(__file__, [
            "--way", "waiting", "--folder", str(root / asked.qualities[0]),
            "--steps", str(asked.steps), "--threads", str(threads),
        ])  # fmt: skip
        print(
            f"| {threads} threads decode, {'bf16' if row['bf16'] else 'float32'} "
            f"| {row['step_s']:.3f} s | {row['held_step_s']:.3f} s | {row['share']:.1%} |",
            flush=True,
        )


def main() -> None:
    """Print the tables, or measure one way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--way", choices=(*WAYS, "waiting"))
    parser.add_argument("--folder", type=Path, help="clips of one quality, with --way")
    parser.add_argument("--clips", type=Path, help="folder for the clips; existing clips are used")
    parser.add_argument("--qualities", nargs="+", default=["raw", "c23"])
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--copies", type=int, default=6)
    parser.add_argument(
        "--num-frames", type=int, default=50, help="frames of a clip; the default is a build's"
    )
    parser.add_argument(
        "--epoch-frames", type=int, default=12_288, help="frames that each way reads"
    )
    parser.add_argument("--steps", type=int, default=20, help="training steps in the last table")
    parser.add_argument("--threads", type=int, help="threads that decode; default: as in training")
    asked = parser.parse_args()
    if asked.way == "waiting":
        print(json.dumps(waiting(asked.folder, asked.steps, asked.threads)))
    elif asked.way == "mp4":
        print(json.dumps(from_mp4(asked.folder, asked.epoch_frames)))
    elif asked.way:
        floats = asked.way == "png f32"
        print(json.dumps(from_pngs(asked.folder, asked.epoch_frames, floats=floats)))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            root = asked.clips or Path(temporary)
            if not all((root / q).is_dir() for q in asked.qualities):
                make_clips(
                    root, asked.qualities, people=asked.people, copies=asked.copies,
                    num_frames=asked.num_frames,
                )  # fmt: skip
            device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
            print(
                f"32 frames of each clip of {asked.num_frames}, 256 to {SIZE_PX} px, "
                f"{cpu_count()} cores, {device}; {cpu_s():.0f} processor seconds to make the clips"
            )
            tables(asked, root)


if __name__ == "__main__":
    main()
