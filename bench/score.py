"""Scoring speed of ResNet-50 at 224 px: this project against the usual plain float32 torch loop.

The plain loop, reimplemented here on the same network, reads clips one after another, resizes each
wanted frame, and scores batches of 32 in NCHW memory and float32. This project scores with
`detectors.backends`, as `dfmnist score` does. Each way has its own process. There are two measures:

- network: from frames in memory (uint8) to logits;
- clips: from MP4 files to logits, with decoding and resizing.

Weights are random, which does not change the speed. Since random weights make a network's output
unstable, batch norm's statistics are taken from some frames, and blocks add little to their input.
On a CPU a second table repeats the measurement with `ONEDNN_MAX_CPU_ISA=AVX2`, as on an older
processor. On a GPU both ways run there.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dfmnist.core.inference import has_amx, openvino_has_bf16
from dfmnist.core.prefetch import prefetch_map
from dfmnist.detectors.backends import choose_backend, score_clips
from dfmnist.detectors.data import decode
from dfmnist.detectors.networks.base import Detector
from dfmnist.detectors.networks.builders import build
from dfmnist.detectors.networks.resnet import Bottleneck
from dfmnist.media.sample import evenly
from dfmnist.media.video import iter_frames, write_video
from processes import in_a_process, peak_mb

SIZE_PX, CLIP_PX, CLIP_FRAMES = 224, 256, 100
PLAIN_BATCH = 32
CPU_WAYS = ("plain", "torch f32", "openvino f32", "openvino bf16")
GPU_WAYS = ("plain", "torch f32", "torch bf16")
Logits = np.ndarray
Run = Callable[[], Logits]


def network() -> Detector:
    """A ResNet-50 with random weights whose outputs are as stable as those of a trained one."""
    net = build("resnet50", seed=0, size_px=SIZE_PX)
    for module in net.modules():
        if isinstance(module, Bottleneck):
            nn.init.constant_(module.bn3.weight, 0.1)
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    net.train()
    with torch.no_grad():
        net(net.normalise(torch.from_numpy(pictures(8, SIZE_PX)).permute(0, 3, 1, 2)))
    return net.eval().requires_grad_(False)


def pictures(count: int, side_px: int, seed: int = 0) -> np.ndarray:
    """Random frames (count, side, side, 3) of coarse blocks."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 8, 8, 3), np.uint8)
    return coarse.repeat(side_px // 8, axis=1).repeat(side_px // 8, axis=2)


def write_clips(folder: Path, count: int) -> None:
    """Write clips of 100 frames at the dataset's size in which one picture moves over another."""
    for number in range(count):
        a, b = pictures(2, CLIP_PX, number)
        frames = (np.roll(np.where(np.arange(CLIP_PX)[:, None] < 128, a, b), 2 * i, 1)
                  for i in range(CLIP_FRAMES))  # fmt: skip
        write_video(folder / f"{number:03}.mp4", frames, Fraction(25), crf=23)


def plain(net: Detector, frames: Sequence[np.ndarray]) -> Logits:
    """The plain loop's logits for frames (n, h, w, 3): float32, NCHW, batches of 32."""
    device = next(net.parameters()).device
    mean = torch.tensor(net.mean, device=device).view(1, 3, 1, 1)
    std = torch.tensor(net.std, device=device).view(1, 3, 1, 1)
    found = []
    with torch.no_grad():
        for i in range(0, len(frames), PLAIN_BATCH):
            batch = np.stack(frames[i : i + PLAIN_BATCH])
            pixels = torch.from_numpy(batch).to(device).permute(0, 3, 1, 2).contiguous()
            found.append(net((pixels.float().div(255) - mean) / std).cpu().numpy())
    return np.concatenate(found)


def plain_clips(net: Detector, paths: list[Path], per_clip: int) -> Logits:
    """The plain loop's logits for clips; it decodes every frame of a clip and takes some."""
    from PIL import Image

    found = []
    for path in paths:
        frames = list(iter_frames(path))
        taken = [frames[i] for i in evenly(len(frames), per_clip)]
        size = (SIZE_PX, SIZE_PX)
        resized = [Image.fromarray(f).resize(size, Image.Resampling.LANCZOS) for f in taken]
        found.append(plain(net, [np.asarray(r) for r in resized]))
    return np.concatenate(found)


def runs(way: str, folder: Path, frames: int, per_clip: int) -> tuple[Run, Run]:
    """The two measures of one way, as functions that return all logits."""
    net, paths = network(), sorted(folder.glob("*.mp4"))
    held = pictures(frames, SIZE_PX, 1)
    if way == "plain":
        device = "cuda" if torch.cuda.is_available() else "cpu"
        net = net.to(device, memory_format=torch.contiguous_format)
        return lambda: plain(net, held), lambda: plain_clips(net, paths, per_clip)
    model = choose_backend(net, *way.split())

    def from_clips() -> Logits:
        threads = torch.get_num_threads()
        decoded = prefetch_map(
            lambda path: decode(path, per_clip, SIZE_PX)[1], paths, threads=threads, most=threads
        )
        return np.concatenate(list(score_clips(model, decoded)))

    return lambda: np.concatenate(list(score_clips(model, [held]))), from_clips


def measure(way: str, folder: Path, frames: int, per_clip: int) -> dict[str, object]:
    """Images per second (the faster of two runs), peak memory and logits, in this process."""
    result: dict[str, object] = {}
    network_alone, clips = runs(way, folder, frames, per_clip)
    for name, run in (("network", network_alone), ("clips", clips)):
        logits = run()  # to warm up
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        result[name] = len(logits) / min(seconds)
        result[f"{name}_logits"] = logits.tolist()
    result["peak_mb"] = peak_mb()
    return result


def table(isa: str | None, arguments: list[str]) -> None:
    """Print one table; bfloat16 is left out where OpenVINO does not have it."""
    if torch.cuda.is_available():
        ways = GPU_WAYS
    else:
        ways = CPU_WAYS if isa is None and openvino_has_bf16() else CPU_WAYS[:-1]
    print(f"\n| {isa or 'all instructions'} | network, images/s | ratio | clips, images/s | ratio "
          "| peak memory | largest difference of logits |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    base: dict[str, object] = {}
    for way in ways:
        found = in_a_process(__file__, ["--way", way, *arguments], isa)
        base = base or found
        gap = max(
            np.abs(np.subtract(found[key], base[key])).max()
            for key in ("network_logits", "clips_logits")
        )
        cells = [
            f"{found[key]:.1f} | {found[key] / base[key]:.2f}"  # type: ignore[operator]
            for key in ("network", "clips")
        ]
        print(
            f"| {way} | {' | '.join(cells)} | {found['peak_mb']:.0f} MB | {gap:.2g} |", flush=True
        )


def main() -> None:
    """Print the tables, or measure one way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--way", choices=sorted({*CPU_WAYS, *GPU_WAYS}))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--frames", type=int, default=128, help="frames in memory")
    parser.add_argument("--clips", type=int, default=6, help="number of clips")
    parser.add_argument("--per-clip", type=int, default=32, help="frames scored of a clip")
    asked = parser.parse_args()
    if asked.way:
        print(json.dumps(measure(asked.way, asked.folder, asked.frames, asked.per_clip)))
        return
    threads = torch.get_num_threads()
    gpu = torch.cuda.is_available()
    kind = torch.cuda.get_device_name() if gpu else "CPU"
    print(f"ResNet-50, {SIZE_PX} px, {kind}, {threads} threads, AMX: {has_amx()}")
    print(f"{asked.clips} clips of {CLIP_FRAMES} frames at {CLIP_PX} px, {asked.per_clip} scored")
    with tempfile.TemporaryDirectory() as folder:
        write_clips(Path(folder), asked.clips)
        arguments = ["--folder", folder, "--frames", str(asked.frames),
                     "--per-clip", str(asked.per_clip)]  # fmt: skip
        table(None, arguments)
        if not gpu:
            table("AVX2", arguments)


if __name__ == "__main__":
    main()
