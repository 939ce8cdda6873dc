"""Speed of the motion model at vox-256's size, ours against the algorithm as published.

The published way is our reimplementation of its loop on the same networks: one frame at a time in
float32, in torch's usual memory layout, with the source encoded again for every frame and the
driver's keypoints found again for every source. Our way encodes the source once and finds the
driver's keypoints once for all sources, with each backend and precision. Each way runs in a process
of its own, for its peak memory, all in one run of this file. The weights are random, because speed
does not depend on them; tests/fomm compares the frames of the ways.

A second table repeats this with `ONEDNN_MAX_CPU_ISA=AVX2`, as on an older processor.
"""

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import torch

from dfmnist.core.inference import has_amx, openvino_has_bf16
from dfmnist.fomm.checkpoint import Networks
from dfmnist.fomm.config import FommConfig
from dfmnist.fomm.inference.backends import choose_backend
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import Keypoints, KPDetector
from ways import in_a_process, peak_mb

FRAMES = 12
"""Number of driving frames."""
GPU_FRAMES = 128
"""Number of driving frames on a GPU, which takes 32 at a time."""
GFLOP = 89.4
"""Work of one frame on a GPU: dense motion, decoding, and the driving frame's keypoints."""
MANY = 20
"""Number of sources in the second measurement, all with one driver."""
PUBLISHED_FRAMES, PUBLISHED_SOURCES = 6, 2
"""Numbers for the published loop, which shares no work, so that a few frames show its rate."""
CPU_WAYS = ("published", "torch f32", "openvino f32", "openvino bf16")
GPU_WAYS = ("published", "torch f32", "torch bf16")
Timed = Callable[[int], tuple[int, float]]


def networks() -> Networks:
    """vox-256 with random weights."""
    config = FommConfig()
    torch.manual_seed(0)
    detector, generator = KPDetector(config), OcclusionAwareGenerator(config)
    return Networks(
        config, detector.eval().requires_grad_(False), generator.eval().requires_grad_(False)
    )


def pictures(count: int) -> np.ndarray:
    """Random pictures (count, 256, 256, 3)."""
    return np.random.default_rng(0).integers(0, 256, (count, 256, 256, 3), np.uint8)


def moved(source: Keypoints, first: Keypoints, frame: Keypoints) -> Keypoints:
    """Keypoints of one frame under the relative motion of `fomm.inference.animate.transfer`."""
    from dfmnist.fomm.inference.animate import transfer

    both = Keypoints(*(torch.cat(pair) for pair in zip(first, frame, strict=True)))
    return transfer(source, both, "relative").at(slice(1, 2))


def published(net: Networks) -> Timed:
    """A timed run of the public implementation's loop."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    detector, generator = net.kp_detector.to(device), net.generator.to(device)

    def tensor(frame: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(frame[None]).permute(0, 3, 1, 2).float().div(255).to(device)

    @torch.inference_mode()
    def run(sources: int) -> tuple[int, float]:
        people, driving = pictures(min(sources, PUBLISHED_SOURCES)), pictures(PUBLISHED_FRAMES)
        start = time.perf_counter()
        for person in people:
            image = tensor(person).contiguous()
            source, first = detector(image), detector(tensor(driving[0]).contiguous())
            for frame in driving:
                target = moved(source, first, detector(tensor(frame).contiguous()))
                generator(image, source, target).prediction.cpu().numpy()
        return len(people) * len(driving), time.perf_counter() - start

    return run


def ours(net: Networks, backend: str, precision: str) -> Timed:
    """A timed run of the animation as in `dfmnist animate` and a build."""
    from dfmnist.fomm.inference.animate import transfer

    model = choose_backend(net, backend, precision)  # type: ignore[arg-type]

    def run(sources: int) -> tuple[int, float]:
        frames = GPU_FRAMES if torch.cuda.is_available() else FRAMES
        people, driving = pictures(sources), pictures(frames)
        start = time.perf_counter()
        keypoints = model.detect(driving)
        for person in people:
            source = model.detect(person[None])
            model.decode(
                model.encode(person[None]), source, transfer(source, keypoints, "relative")
            )
        return sources * frames, time.perf_counter() - start

    return run


def measure(way: str, sources: int) -> dict[str, float]:
    """Frames per second (the better of two runs) and peak memory of one way, in this process."""
    net = networks()
    run = published(net) if way == "published" else ours(net, *way.split())
    run(1)
    results = [run(sources) for _ in range(2)]
    gpu = torch.cuda.is_available()
    memory = torch.cuda.max_memory_allocated() / 2**20 if gpu else peak_mb()
    return {"rate": max(n / seconds for n, seconds in results), "peak_mb": memory}


def matrix_peak(precision: torch.dtype, side: int = 8192, times: int = 20) -> float:
    """Measured TFLOP/s of one large product of matrices on the GPU."""
    a, b = (torch.randn(side, side, device="cuda", dtype=precision) for _ in range(2))
    for _ in range(3):
        a @ b
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(times):
        a @ b
    torch.cuda.synchronize()
    return 2 * side**3 * times / (time.perf_counter() - start) / 1e12


def table(isa: str | None) -> None:
    """Print one table; OpenVINO has no bfloat16 on an older processor."""
    ways = CPU_WAYS if isa is None and openvino_has_bf16() else CPU_WAYS[:-1]
    if torch.cuda.is_available():
        ways = GPU_WAYS
    print(f"\n| {isa or 'all instructions'} | sources | frames/s | ratio | peak memory |")
    print("|---|---|---|---|---|")
    for sources in (1, MANY):
        base = 0.0
        for way in ways:
            found = in_a_process(__file__, ["--way", way, "--sources", str(sources)], isa)
            base = base or found["rate"]
            print(
                f"| {way} | {sources} | {found['rate']:.2f} | {found['rate'] / base:.2f} "
                f"| {found['peak_mb']:.0f} MB |",
                flush=True,
            )


def main() -> None:
    """Print the tables, or measure one way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--way", choices=sorted({*CPU_WAYS, *GPU_WAYS}))
    parser.add_argument("--sources", type=int, default=1)
    asked = parser.parse_args()
    if asked.way:
        print(json.dumps(measure(asked.way, asked.sources)))
        return
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    print(f"vox-256, 256 px, {device}, {torch.get_num_threads()} threads, AMX: {has_amx()}")
    table(None)
    if torch.cuda.is_available():
        peak = matrix_peak(torch.bfloat16)
        print(
            f"\nmeasured peak of bfloat16 products: {peak:.0f} TFLOP/s; a frame is {GFLOP} GFLOP, "
            f"so each frame/s is {GFLOP / peak / 10:.4f}% of it"
        )
    else:
        table("AVX2")


if __name__ == "__main__":
    main()
