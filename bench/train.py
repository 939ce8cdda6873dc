"""Training speed in images per second: this project against the usual plain loop.

The plain loop uses float32, NCHW memory, torch's default Adam, and PNGs extracted beforehand that
the workers of a DataLoader, one for each core, read with OpenCV and normalise. This project uses
`detectors.module.DetectorModule` under Lightning as `dfmnist train` does: channels-last memory, the
precision that `choose_precision` finds, fused Adam, and frames decoded from the MP4s in every
epoch. Network, batch and clips are the same. With `--crop` both train on random crops of
native pixels, which is the default of `dfmnist train`; without, on whole frames resized.

Each way has its own process; on a CPU a second table repeats the measurement with
`ONEDNN_MAX_CPU_ISA=AVX2`, as on an older processor. The share of peak is the rate of the network's
multiplications relative to that of a large square matrix product in the same precision.
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
from dfmnist.media.video import probe
from processes import in_a_process, peak_mb

QUALITY = "c23"
WARM_UP = 2
"""Number of steps before the timed ones."""
WAYS = ("plain", "ours")
EPOCH_CLIPS = 4096
"""Number of clips in the epoch; the clips are repeated to make it long."""


def device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def now() -> float:
    """The time in seconds, after the GPU has finished its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def plain(name: str, folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """The measurement of the plain loop."""
    network = build(name, size_px=asked.size).to(memory_format=torch.contiguous_format)
    network = network.train().to(device())
    optimizer = torch.optim.Adam(network.parameters(), 2e-4)
    loss_of = nn.BCEWithLogitsLoss()
    found = sorted((folder / "png").glob("*/*.png"))
    files = [(path, bool(number % 2)) for number, path in enumerate(found)]
    repeats = -(-EPOCH_CLIPS * 32 // len(files))
    data = DataLoader(
        Pngs(files * repeats, asked.size, floats=True, crop=asked.crop),
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
    """A clock that starts after the warm-up and stops after the last step."""

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
    """The measurement of this project's training, without validation and checkpoints."""
    sides: dict[str, int] = {"crop_px" if asked.crop else "size_px": asked.size}
    config = TrainConfig(network=name, batch_size=asked.batch, epochs=1, **sides)
    network = build(name, **config.network_options)
    precision, seconds = choose_precision(name, config.network_options, asked.batch, device())
    torch.set_flush_denormal(True)
    samples = samples_of(clips_in(folder / QUALITY))
    side = config.frame_px(probe(samples[0].paths[0]).width)
    frames = ClipFrames(samples * -(-EPOCH_CLIPS // len(samples)), size_px=side, budget_bytes=0)
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

    A multiplication and its addition count as two. The backward pass counts as two forward passes,
    since torch's counter is wrong for the backward pass of grouped convolutions.
    """
    network = build(name, size_px=size_px)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, size_px, size_px))
    return 3.0 * counter.get_total_flops()


def peak_flops(precision: str) -> float:
    """Floating-point operations per second of a large square matrix product, the best of four."""
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
    """The measurement of one way, in this process."""
    row = (plain if way == "plain" else ours)(name, folder, asked)
    reached = row["rate"] * image_flops(name, asked.size)
    return row | {"share": reached / peak_flops(row["precision"])}


def table(names: list[str], folder: Path, asked: argparse.Namespace, isa: str | None) -> None:
    """Print one table; each way is measured in its own process."""
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
                       *(["--crop"] if asked.crop else []),
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
    parser.add_argument("--crop", action="store_true", help="random crops in place of resizing")
    parser.add_argument("--batch", type=int, default=16, help="images in a batch")
    parser.add_argument("--steps", type=int, default=10, help="timed steps, after two to warm up")
    parser.add_argument("--clips", type=Path, help="folder for the clips; existing clips are used")
    parser.add_argument("--compile", action="store_true", help="torch.compile the network")
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
            f"{asked.size} px{' crops' if asked.crop else ''}, batch {asked.batch}, {kind}, "
            f"{cpu_count()} cores, {torch.get_num_threads()} threads"
        )
        table(asked.networks, folder, asked, None)
        if not torch.cuda.is_available():
            table(asked.networks, folder, asked, "AVX2")


if __name__ == "__main__":
    main()
