"""Backends against plain float32 torch, for all networks at small size."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from dfmnist.core.inference import openvino_has_bf16
from dfmnist.detectors.backends import (
    DetectorBackend,
    Frames,
    Logits,
    OpenVinoDetectorBackend,
    TorchDetectorBackend,
    choose_backend,
    frame_logits,
    score_clips,
)
from dfmnist.detectors.networks.base import Detector
from dfmnist.detectors.networks.builders import build
from dfmnist.detectors.networks.resnet import Bottleneck

KINDS = ("mesoinception4", "xception", "resnet50", "efficientnet_lite0")
"""One network of each kind; deeper ResNets have the same layers."""
LARGE = ("xception", "resnet50")
"""Those that take seconds to compile; `make soak` tries them."""
BF16_ERROR = {"efficientnet_lite0": 0.15}
"""Largest error of P(fake) in bfloat16 with random weights; 0.02 for the others. With trained
weights EfficientNet-Lite0, which has many thin layers, is wrong by up to 0.07."""
SIZE_PX = 32


def pictures(count: int, seed: int = 0) -> Frames:
    """Frames that differ in more than noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 4, 4, 3), np.uint8)
    return coarse.repeat(SIZE_PX // 4, axis=1).repeat(SIZE_PX // 4, axis=2)


def settled(name: str) -> Detector:
    """Random weights, calm as trained ones: batch norm's statistics are those of some frames, and
    a ResNet's blocks add little to their input, so that rounding is not blown up by depth."""
    network = build(name, seed=3, size_px=SIZE_PX)
    for block in network.modules():
        if isinstance(block, Bottleneck):
            nn.init.constant_(block.bn3.weight, 0.1)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = None
    network.train()
    with torch.no_grad():
        network(network.normalise(torch.from_numpy(pictures(16, 1)).permute(0, 3, 1, 2)))
    return network.eval()


def plain(network: Detector, frames: Frames) -> Logits:
    with torch.no_grad():
        tensor = torch.from_numpy(frames).permute(0, 3, 1, 2)
        logits: Logits = network(network.normalise(tensor)).numpy()
    return logits


@pytest.mark.parametrize(
    "name",
    [pytest.param(k, marks=pytest.mark.soak if k in LARGE else ()) for k in KINDS],
)
def test_backends_agree_with_plain_torch(name: str) -> None:
    """11 frames: a whole batch and a smaller one."""
    network, frames = settled(name), pictures(11)
    wanted = plain(network, frames)
    assert np.ptp(wanted) > 1e-3  # something to tell apart
    close = {"atol": 1e-3 * np.abs(wanted).max(), "rtol": 0}
    cpu = torch.device("cpu")
    for backend in (OpenVinoDetectorBackend(network), TorchDetectorBackend(network, cpu)):
        found = frame_logits(backend, frames)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, **close)
    low: list[DetectorBackend] = [TorchDetectorBackend(network, cpu, bfloat16=True)]
    if openvino_has_bf16():
        low.append(OpenVinoDetectorBackend(network, bfloat16=True))
    for backend in low:
        found = frame_logits(backend, frames)
        assert not np.allclose(found, wanted, rtol=0, atol=1e-6)  # it is another precision
        p, wanted_p = (1 / (1 + np.exp(-x.astype(np.float64))) for x in (found, wanted))
        np.testing.assert_allclose(p, wanted_p, atol=BF16_ERROR.get(name, 0.02))


class Counted:
    """The mean of each frame as its logit; remembers the batches."""

    name, precision, size_px, batch = "torch", "f32", 2, 4

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def run(self, batches: Iterator[Frames]) -> Iterator[Logits]:
        for frames in batches:
            self.sizes.append(len(frames))
            yield frames.mean((1, 2, 3)).astype(np.float32)


@pytest.mark.parametrize(
    "sizes", [[], [0], [4], [3], [9, 0, 1], [0, 0, 5, 0, 0], [1] * 9, [2, 11, 3, 0], [4, 4, 0]]
)
def test_batches_are_filled_across_clips_and_taken_apart_again(sizes: list[int]) -> None:
    backend = Counted()
    values = iter(range(100))
    clips = [
        np.stack([np.full((2, 2, 3), next(values), np.uint8) for _ in range(n)])
        if n
        else np.empty((0, 2, 2, 3), np.uint8)
        for n in sizes
    ]
    found = list(score_clips(backend, clips))
    assert [len(f) for f in found] == sizes
    np.testing.assert_array_equal(np.concatenate([*found, []]), np.arange(sum(sizes)))
    full, rest = divmod(sum(sizes), 4)
    assert backend.sizes == [4] * full + [rest] * bool(rest)


def test_what_stands_beside_a_frame_does_not_change_its_logit() -> None:
    """Nor does the fill of a smaller batch, nor an input that is no whole block of memory."""
    network = settled("mesoinception4")
    frames = pictures(9)
    wide = np.zeros((9, SIZE_PX, 2 * SIZE_PX, 3), np.uint8)
    wide[:, :, :SIZE_PX] = frames
    for backend in (
        OpenVinoDetectorBackend(network),
        TorchDetectorBackend(network, torch.device("cpu")),
    ):
        together = frame_logits(backend, frames)
        alone = np.concatenate([frame_logits(backend, frame[None]) for frame in frames])
        np.testing.assert_allclose(alone, together, atol=1e-5)
        np.testing.assert_array_equal(frame_logits(backend, wide[:, :, :SIZE_PX]), together)


def test_the_network_is_left_as_it_was() -> None:
    network = settled("mesoinception4")
    before = plain(network, pictures(2))
    for name in ("torch", "openvino"):
        frame_logits(choose_backend(network, name), pictures(2))
    np.testing.assert_array_equal(plain(network, pictures(2)), before)
    assert not network.training
