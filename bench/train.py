"""Images a second in training: ours against the plain loop that most peers ship.

Plain: float32, NCHW, Adam as torch has it by default, frames from PNGs extracted beforehand, read
with OpenCV and normalised by the workers of a DataLoader, one for each core. Ours: `detect.fit.Fit`
under Lightning as `dfmnist train` runs it: channels-last, the precision that `choose_precision`
times, fused Adam, frames from the MP4s, decoded in every epoch. Same network, batch and clips.

Each way runs in a process of its own, for its peak memory, all in one run of this file; on a CPU
once more with `ONEDNN_MAX_CPU_ISA=AVX2`, as on an older processor. The share of peak is the
network's multiplications over those of a large square matrix product in the same precision.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from clips import Pngs, clips_in, extract_pngs, make_clips, samples_of
from dfmnist.core.jobs import cpu_count
from dfmnist.core.lightning import run
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.data import ClipFrames
from dfmnist.detectors.module import DetectorModule
from dfmnist.detectors.networks.builders import build
from dfmnist.detectors.networks.names import NETWORKS
from dfmnist.detectors.precision import choose_precision
from dfmnist.detectors.run import CHECKPOINT
from ways import in_a_process, peak_mb

QUALITY = "c23"
WARM_UP = 2
"""Steps before the clock runs."""
WAYS = ("plain", "ours")
EPOCH_CLIPS = 4096
"""Clips come again and again, as one long epoch."""


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def now() -> float:
    """Seconds, when all that was asked of a GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def plain(name: str, folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """The loop as peers ship it."""
    network = build(name, size_px=asked.size).to(memory_format=torch.contiguous_format)
    network = network.train().to(device())
    optimizer = torch.optim.Adam(network.parameters(), 2e-4)
    loss_of = nn.BCEWithLogitsLoss()
    found = sorted((folder / "png").glob("*/*.png"))
    files = [(path, bool(number % 2)) for number, path in enumerate(found)]
    repeats = -(-EPOCH_CLIPS * 32 // len(files))
    data = DataLoader(
        Pngs(files * repeats, asked.size, floats=True),
        asked.batch,
        shuffle=True,
        num_workers=cpu_count(),
        drop_last=True,
        pin_memory=torch.cuda.is_available(),
    )
    start = 0.0
    for step, (images, targets) in enumerate(data):
        if step == WARM_UP:
            start = now()
        if step == WARM_UP + asked.steps:
            break
        logits = network(images.to(device()))
        loss = loss_of(logits, targets.float().to(device()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    rate = asked.steps * asked.batch / (now() - start)
    return {"rate": rate, "precision": "f32"} | peaks(workers=cpu_count())


class _Clock(pl.Callback):
    """When the warm-up and the last step were over."""

    def __init__(self, steps: int) -> None:
        self.steps, self.start, self.seconds = steps, 0.0, 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        if index == WARM_UP - 1:
            self.start = now()
        elif index == WARM_UP + self.steps - 1:
            self.seconds = now() - self.start


def ours(name: str, folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """As `detect.train` does it, but for validation and checkpoints."""
    config = TrainConfig(network=name, batch_size=asked.batch, size_px=asked.size, epochs=1)
    network = build(name, **config.network_options)
    precision, seconds = choose_precision(name, config.network_options, asked.batch, device())
    torch.set_flush_denormal(True)
    samples = samples_of(clips_in(folder / QUALITY))
    frames = ClipFrames(
        samples * -(-EPOCH_CLIPS // len(samples)), size_px=asked.size, budget_bytes=0
    )
    if asked.compile:
        network.compile()
    with tempfile.TemporaryDirectory() as temporary:
        module = DetectorModule(
            config, network, frames, frames, folder=Path(temporary), precision=precision, quiet=True
        )
        clock = _Clock(asked.steps)
        trainer = pl.Trainer(
            max_epochs=1,
            limit_train_batches=WARM_UP + asked.steps,
            limit_val_batches=0,
            devices=1,
            precision="bf16-mixed" if precision == "bf16" else "32-true",
            default_root_dir=temporary,
            callbacks=[clock],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        run(module, trainer, Path(temporary) / CHECKPOINT)
    rate = asked.steps * asked.batch / clock.seconds
    return {"rate": rate, "precision": precision, "timed": seconds} | peaks()


def peaks(workers: int = 0) -> dict[str, float]:
    """Peak memory of the process and its workers, and of the GPU, in MB."""
    gpu = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0
    return {"peak_mb": peak_mb(workers), "gpu_mb": gpu}


def image_flops(name: str, size_px: int) -> float:
    """Floating-point operations of a training step for one image.

    A multiplication and its addition are two; the way back is twice the way there (torch's counter
    is wrong for the way back of grouped convolutions).
    """
    network = build(name, size_px=size_px)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, size_px, size_px))
    return 3.0 * counter.get_total_flops()


def peak_flops(precision: str) -> float:
    """Floating-point operations a second of a large square matrix product: the best of three."""
    side = 8192 if torch.cuda.is_available() else 2048
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.rand(side, side, device=device()).to(kind) for _ in range(2))
    best = float("inf")
    for _ in range(4):
        start = now()
        torch.mm(a, b)
        best = min(best, now() - start)
    return 2 * side**3 / best


def measure(way: str, name: str, folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """One way, in this process."""
    row = (plain if way == "plain" else ours)(name, folder, asked)
    reached = row["rate"] * image_flops(name, asked.size)
    return row | {"share": reached / peak_flops(row["precision"])}


def table(names: list[str], folder: Path, asked: argparse.Namespace, isa: str | None) -> None:
    """Every way in a process of its own."""
    print(
        f"\n| {isa or 'all instructions'} | images/s | ratio | precision | share of peak "
        "| peak memory | of the GPU |\n|---|---|---|---|---|---|---|"
    )
    for name in names:
        base = 0.0
        for way in WAYS:
            arguments = ["--way", way, "--networks", name,
                       "--clips", str(folder), "--batch", str(asked.batch),
                       "--steps", str(asked.steps), "--size", str(asked.size),
                       *(["--compile"] if asked.compile else [])]  # fmt: skip
            row = in_a_process(__file__, arguments, isa)
            base = base or row["rate"]
            timed = row.get("timed", {})
            print(
                f"| {name}, {way} | {row['rate']:.2f} | {row['rate'] / base:.2f} "
                f"| {row['precision']} {timed or ''} | {row['share']:.0%} "
                f"| {row['peak_mb']:.0f} MB | {row['gpu_mb']:.0f} MB |",
                flush=True,
            )


def main() -> None:
    """Print the tables, or measure one way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["resnet50"])
    parser.add_argument("--size", type=int, default=224, help="side of the frames in pixels")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=10, help="timed, after two to warm up")
    parser.add_argument("--clips", type=Path, help="keep the clips here, and take those there are")
    parser.add_argument("--compile", action="store_true", help="torch.compile our network")
    asked = parser.parse_args()
    if asked.way:
        print(json.dumps(measure(asked.way, asked.networks[0], asked.clips, asked)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.clips or Path(temporary)
        if not (folder / QUALITY).is_dir():
            make_clips(folder, [QUALITY], people=4, copies=4, num_frames=50)
        extract_pngs(clips_in(folder / QUALITY), folder / "png")
        kind = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
        print(
            f"{asked.size} px, batch {asked.batch}, {kind}, {cpu_count()} cores, "
            f"{torch.get_num_threads()} threads"
        )
        table(asked.networks, folder, asked, None)
        if not torch.cuda.is_available():
            table(asked.networks, folder, asked, "AVX2")


if __name__ == "__main__":
    main()
