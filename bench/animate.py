"""Frames a second of the motion model: ours against the algorithm as published, in one run.

Published: one frame at a time, keypoints of the source and its encoding computed anew for every
frame, contiguous NCHW. Ours: source encoded once, channels last, and for a second source the
driver's keypoints read from the first. Same weights (the shipped actors model), same thread count.
"""

import time
from collections.abc import Callable

import numpy as np
import torch

from dfmnist.fomm.animate import Animator, transfer
from dfmnist.fomm.checkpoint import load_networks

FRAMES = 24
SOURCES = 4


def published(sources: np.ndarray, driving: np.ndarray) -> None:
    """The public implementation's loop, written by us, on the same networks."""
    networks = load_networks(None)
    detector, generator = networks.kp_detector, networks.generator

    def tensor(frame: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(frame[None]).permute(0, 3, 1, 2).float().div(255).contiguous()

    with torch.inference_mode():
        for source in sources:
            first = detector(tensor(driving[0]))
            for frame in driving:
                at_rest = detector(tensor(source))
                moved = detector(tensor(frame))
                both = type(moved)(
                    torch.cat([first.value, moved.value]),
                    torch.cat([first.jacobian, moved.jacobian]),
                )
                target = transfer(at_rest, both, "relative").at(slice(1, 2))
                generator(tensor(source), at_rest, target).prediction.numpy()


def ours(sources: np.ndarray, driving: np.ndarray) -> None:
    """As a build does it."""
    model = Animator()
    keypoints = model.keypoints(driving)
    for source in sources:
        model.animate(model.encode(source), keypoints)


def rate(function: Callable[[np.ndarray, np.ndarray], None], sources: int) -> float:
    """Frames a second, the better of two runs."""
    rng = np.random.default_rng(0)
    people = rng.integers(0, 255, (sources, 256, 256, 3), dtype=np.uint8)
    driving = rng.integers(0, 255, (FRAMES, 256, 256, 3), dtype=np.uint8)
    best = 0.0
    for _ in range(2):
        start = time.perf_counter()
        function(people, driving)
        best = max(best, sources * FRAMES / (time.perf_counter() - start))
    return best


def main() -> None:
    """Print both rates and their ratio, for one source and for several."""
    torch.set_num_threads(1)
    print("shipped actors model, 256 px, one thread")
    for sources in (1, SOURCES):
        theirs, mine = rate(published, sources), rate(ours, sources)
        print(
            f"{sources} source(s) x {FRAMES} frames: published loop {theirs:.1f} frames/s, "
            f"ours {mine:.1f} frames/s, ratio {mine / theirs:.2f}"
        )


if __name__ == "__main__":
    main()
