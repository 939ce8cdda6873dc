"""Speed of the motion model at vox-256's size: this project against the published algorithm.

The published algorithm, reimplemented here on the same networks, computes one frame at a time in
float32, encodes the source again for every frame, finds the driver's keypoints again for every
source, and uses torch's default memory layout. This project encodes the source once and finds the
driver's keypoints once for all sources; each backend and precision is measured. Each measurement
has its own process. Weights are random, since speed does not depend on them; outputs are compared
in tests/fomm.

A second table repeats the measurement with `ONEDNN_MAX_CPU_ISA=AVX2`, as on an older processor.
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
from processes import in_a_process, peak_mb

FRAMES = 12
"""Number of frames of the driver."""
GPU_FRAMES = 128
"""Number of frames of the driver on a GPU, which takes 32 at a time."""
GFLOP = 89.4
"""Operations for one frame in this project: dense motion, decoding, and its share of keypoints."""
MANY = 20
"""Number of sources in the measurement of many sources with one driver."""
PUBLISHED_FRAMES, PUBLISHED_SOURCES = 6, 2
"""Number of frames and sources for the published loop, whose rate does not depend on them."""
CPU_WAYS = ("published", "torch f32", "openvino f32", "openvino bf16")
GPU_WAYS = ("published", "torch f32", "torch bf16")
Timed = Callable[[int], tuple[int, float]]


def networks() -> Networks:
    """The networks of vox-256 with random weights."""
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
    """The source's keypoints moved by relative motion, as `fomm.inference.animate` computes it."""
    from dfmnist.fomm.inference.animate import transfer

    both = Keypoints(*(torch.cat(pair) for pair in zip(first, frame, strict=True)))
    return transfer(source, both, "relative").at(slice(1, 2))


def published(net: Networks) -> Timed:
    """A timed run of the published loop."""
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
    """A timed run of this project's way, as `dfmnist animate` and a build use it."""
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
    """Frames per second (the faster of two runs) and peak memory of one way, in this process."""
    net = networks()
    run = published(net) if way == "published" else ours(net, *way.split())
    run(1)
    results = [run(sources) for _ in range(2)]
    gpu = torch.cuda.is_available()
    memory = torch.cuda.max_memory_allocated() / 2**20 if gpu else peak_mb()
    return {"rate": max(n / seconds for n, seconds in results), "peak_mb": memory}


def matrix_peak(precision: torch.dtype, side: int = 8192, times: int = 20) -> float:
    """Measured TFLOP/s of one large matrix product on the GPU."""
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
    """Print one table; bfloat16 is left out where OpenVINO does not have it."""
    if torch.cuda.is_available():
        ways = GPU_WAYS
    else:
        ways = CPU_WAYS if isa is None and openvino_has_bf16() else CPU_WAYS[:-1]
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
