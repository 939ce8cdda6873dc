"""Backends that run a detector for scoring: OpenVINO on a CPU, torch on a GPU or on request.

Both take frames as decoded (uint8, RGB) and give raw logits in float32. The backend normalises
the frames, so that no Python code touches them.
"""

import copy
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dfmnist.core.arrays import Frames
from dfmnist.core.inference import Compiled, choose
from dfmnist.detectors.networks.base import Detector

Logits = NDArray[np.float32]
GPU_BATCH = 256
"""Number of frames in a batch on a GPU."""
CPU_BATCH = 8
"""Number of frames in a batch on a CPU. Measured on one core: ResNet-50 at 224 px is as fast with
1 as with 16 (3% faster on AVX2), but at 64 px, where reading the weights takes as long as using
them, 8 is 1.5 times as fast as 1."""
MAX_STREAMS = 16
"""Largest number of OpenVINO streams; each holds the activations of one batch."""


class DetectorBackend(Protocol):
    """A backend that runs one detector."""

    name: str
    """The backend's name: `openvino` or `torch`."""
    precision: str
    """The number format of the arithmetic: `f32` or `bf16`."""
    size_px: int
    """Side of the frames in pixels."""
    batch: int
    """Largest number of frames in one batch."""
    consecutive: int
    """Number of consecutive frames in each input, which has three channels for each of them."""

    def run(self, batches: Iterable[Frames]) -> Iterator[Logits]:
        """Yield the raw logits (n,) of each batch (n, size_px, size_px, c), in order.

        A batch holds up to `batch` frames. Batches are fetched while earlier ones are computed. A
        backend that was made for features gives (n, 1 + k): the logit and the pooled features.
        """
        ...


def choose_backend(
    network: Detector,
    backend: str = "auto",
    precision: str = "auto",
    frame_px: int | None = None,
    *,
    features: bool = False,
) -> DetectorBackend:
    """A backend that runs `network`; `core.inference.choose` explains `backend` and `precision`.

    `frame_px` is the side of the whole frames that it takes, which may be larger than the
    network's crops; None means the network's size. With `features` it gives the pooled features
    beside each logit. The network itself stays unchanged on the CPU. Raises `InputError`.
    """
    chosen = choose(backend, precision)
    if chosen.backend == "torch":
        return TorchDetectorBackend(
            network, chosen.device, chosen.bfloat16, frame_px, features=features
        )
    return OpenVinoDetectorBackend(network, chosen.bfloat16, frame_px, features=features)


def score_clips(backend: DetectorBackend, clips: Iterable[Frames]) -> Iterator[Logits]:
    """Yield the raw logits (n,) of each clip's frames (n, size_px, size_px, c), in order.

    A clip may have no frames. Batches are filled across clips, and the next clips are fetched
    while batches are computed.
    """
    sizes: deque[int] = deque()

    def batches() -> Iterator[Frames]:
        held: list[Frames] = []
        count = 0
        for frames in clips:
            sizes.append(len(frames))
            start = 0
            while count + len(frames) - start >= backend.batch:
                stop = start + backend.batch - count
                yield np.concatenate([*held, frames[start:stop]])
                held, count, start = [], 0, stop
            held.append(frames[start:])
            count += len(frames) - start
        if count:
            yield np.concatenate(held)

    ready = np.empty(0, np.float32)
    for logits in backend.run(batches()):
        ready = np.concatenate([ready, logits])
        while sizes and sizes[0] <= len(ready):
            size = sizes.popleft()
            yield ready[:size]
            ready = ready[size:]
    while sizes:  # clips without frames after the last frame
        assert sizes.popleft() == 0
        yield ready


def frame_logits(backend: DetectorBackend, frames_rgb_u8: Frames) -> Logits:
    """The raw logits of FAKE (n,) for frames (n, size_px, size_px, c)."""
    (logits,) = score_clips(backend, [frames_rgb_u8])
    return logits


class _FromPixels(nn.Module):
    """A network with its normalisation: frames (n, h, w, c) uint8 to logits (n,).

    With `features` it gives (n, 1 + k): the logit and the pooled features.
    """

    def __init__(self, network: Detector, *, features: bool = False) -> None:
        super().__init__()
        self.network, self.features = network, features

    def forward(self, frames_rgb_u8: Tensor) -> Tensor:
        images = self.network.normalise(frames_rgb_u8.permute(0, 3, 1, 2))
        if self.features:
            return self.network.frame_features(images)
        logits: Tensor = self.network.frame_logits(images)
        return logits


class TorchDetectorBackend:
    """Torch without compilation; on a GPU the next batch is fetched while one is computed."""

    name = "torch"

    def __init__(
        self,
        network: Detector,
        device: torch.device,
        bfloat16: bool = False,
        frame_px: int | None = None,
        *,
        features: bool = False,
    ) -> None:
        self.device, self.precision = device, "bf16" if bfloat16 else "f32"
        self.size_px, self.consecutive = frame_px or network.size_px, network.consecutive
        gpu = device.type != "cpu"
        self.batch = GPU_BATCH if gpu else CPU_BATCH
        own = copy.deepcopy(network).to(device) if gpu else network
        self._model = _FromPixels(own, features=features).eval()

    def run(self, batches: Iterable[Frames]) -> Iterator[Logits]:
        """Yield the raw logits of each batch, as `DetectorBackend.run` does."""
        running: Tensor | None = None
        for frames in batches:
            started = self._start(frames)
            if running is not None:
                yield running.cpu().numpy()
            running = started
        if running is not None:
            yield running.cpu().numpy()

    @torch.inference_mode()
    def _start(self, frames: Frames) -> Tensor:
        pixels = torch.from_numpy(frames)
        if self.device.type == "cuda":
            pixels = pixels.pin_memory().to(self.device, non_blocking=True)
        low = self.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=low):
            logits: Tensor = self._model(pixels)
        return logits.float()


class OpenVinoDetectorBackend:
    """A network compiled by OpenVINO for this CPU and one batch size.

    It uses as many threads as torch, each with a stream and batches of its own, so that no thread
    waits for another inside a layer. A smaller last batch is filled up with black frames.
    """

    name = "openvino"
    batch = CPU_BATCH

    def __init__(
        self,
        network: Detector,
        bfloat16: bool = False,
        frame_px: int | None = None,
        *,
        features: bool = False,
    ) -> None:
        self.precision = "bf16" if bfloat16 else "f32"
        self.size_px, self.consecutive = frame_px or network.size_px, network.consecutive
        streams = min(torch.get_num_threads(), MAX_STREAMS)
        shape = (self.batch, self.size_px, self.size_px, 3 * self.consecutive)
        example = torch.zeros(shape, dtype=torch.uint8)
        model = _FromPixels(network, features=features).eval()
        self._compiled = Compiled(model, [example], bfloat16, streams)

    def run(self, batches: Iterable[Frames]) -> Iterator[Logits]:
        """Yield the raw logits of each batch, as `DetectorBackend.run` does."""
        sizes: deque[int] = deque()

        def filled() -> Iterator[list[Frames]]:
            for frames in batches:
                sizes.append(len(frames))
                missing = self.batch - len(frames)
                yield [np.pad(frames, ((0, missing), (0, 0), (0, 0), (0, 0)))]

        for (logits,) in self._compiled.many(filled()):
            yield logits[: sizes.popleft()].astype(np.float32)
