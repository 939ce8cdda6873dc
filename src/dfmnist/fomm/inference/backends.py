"""What runs the networks: OpenVINO on a CPU, torch on a GPU or where it is asked for.

Both take and give the same: pictures as uint8, keypoints as float32 tensors.
"""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dfmnist.core.choices import BackendName, Precision
from dfmnist.core.inference import Compiled, choose
from dfmnist.fomm.checkpoint import Networks
from dfmnist.fomm.config import FommConfig
from dfmnist.fomm.inference.fuse import fuse
from dfmnist.fomm.inference.stages import MOVES, SOURCE, Stage, Whole, run_stage, stages_of
from dfmnist.fomm.networks.generator import SourceCode
from dfmnist.fomm.networks.keypoints import Keypoints

Frames = npt.NDArray[np.uint8]
GPU_BATCH = 32
"""Frames a pass on a GPU. A CPU takes one: larger batches are no faster there."""


class MotionBackend(Protocol):
    """Runs one motion model."""

    batch: int
    """Frames that `decode` takes best at a time."""
    precision: str
    """`f32`, or `bf16` for all but positions."""

    def detect(self, frames_rgb_u8: Frames) -> Keypoints:
        """Keypoints of (n, size, size, 3) frames, float32 on the CPU."""
        ...

    def encode(self, frames_rgb_u8: Frames) -> Any:
        """What `decode` needs of a source (1, size, size, 3), in this backend's own form."""
        ...

    def decode(self, code: Any, source: Keypoints, driving: Keypoints) -> Frames:
        """Frames (n, size, size, 3) of the source (1, k, …) at driving keypoints (n, k, …)."""
        ...


def choose_backend(
    networks: Networks, backend: BackendName = "auto", precision: Precision = "auto"
) -> MotionBackend:
    """The backend asked for, as `core.inference.choose` reads it. Raises `InputError`."""
    chosen = choose(backend, precision)
    if chosen.backend == "torch":
        return TorchMotionBackend(networks, chosen.device, chosen.bfloat16)
    return OpenVinoMotionBackend(networks, chosen.bfloat16)


def _tiles(config: FommConfig) -> bool:
    """Whether the features' sides are multiples of Winograd's tiles."""
    return config.image_size % (4 << config.generator_down_blocks) == 0


def to_tensor(frames_rgb_u8: Frames) -> Tensor:
    """(n, h, w, 3) uint8 to (n, 3, h, w) in [0, 1], channels last in memory."""
    x = torch.from_numpy(frames_rgb_u8).permute(0, 3, 1, 2).float().div(255)
    return x.contiguous(memory_format=torch.channels_last)


class TorchMotionBackend:
    """Torch, channels last: float32, or bfloat16 but for positions; one thread will do."""

    def __init__(self, networks: Networks, device: torch.device, bfloat16: bool = False) -> None:
        self.device, self.precision = device, "bf16" if bfloat16 else "f32"
        gpu = device.type != "cpu"
        self.batch = GPU_BATCH if gpu else 1
        tiles = not gpu and not bfloat16 and _tiles(networks.config)
        generator = networks.generator
        self._detector: nn.Module = networks.kp_detector
        if not gpu:
            generator = fuse(generator, tiles=tiles)
            self._detector = fuse(networks.kp_detector, tiles=tiles)
        self._generator = generator.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._detector = self._detector.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._parts = stages_of(self._generator)
        for part in self._parts:
            part.module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._whole = Whole(self._parts, self._context).requires_grad_(False)

    def _context(self, part: Stage) -> torch.autocast:
        low = self.precision == "bf16" and not part.positions
        return torch.autocast(self.device.type, torch.bfloat16, enabled=low)

    @torch.inference_mode()
    def detect(self, frames_rgb_u8: Frames) -> Keypoints:
        """As `MotionBackend.detect`; float32 throughout."""
        found = self._detector(to_tensor(frames_rgb_u8).to(self.device))
        return Keypoints(*(value.cpu() for value in found))

    @torch.inference_mode()
    def encode(self, frames_rgb_u8: Frames) -> SourceCode:
        """As `MotionBackend.encode`; float32: it is done once."""
        code: SourceCode = self._generator.encode(to_tensor(frames_rgb_u8).to(self.device))
        return code

    @torch.inference_mode()
    def decode(self, code: SourceCode, source: Keypoints, driving: Keypoints) -> Frames:
        """As `MotionBackend.decode`."""
        size = self.batch
        parts = [
            self._decode(code, source, driving.at(slice(i, i + size)))
            for i in range(0, len(driving.value), size)
        ]
        return np.concatenate(parts)

    def _decode(self, code: SourceCode, source: Keypoints, driving: Keypoints) -> Frames:
        n = len(driving.value)
        values = dict(zip(SOURCE, (t.expand(n, *t.shape[1:]) for t in code), strict=True))
        moves = (*(t.expand(n, *t.shape[1:]) for t in source), *driving)
        values |= {k: t.to(self.device) for k, t in zip(MOVES, moves, strict=True)}
        made = self._whole(*(values[name] for name in self._whole.takes))
        frames: Frames = made.cpu().numpy()
        return frames


class OpenVinoMotionBackend:
    """Compiled by OpenVINO for this CPU, with torch's number of threads.

    In float32 a frame is one compiled model. With bfloat16 each part is one, so that those with
    positions stay float32.
    """

    batch = 1

    def __init__(self, networks: Networks, bfloat16: bool = False) -> None:
        config, tiles = networks.config, not bfloat16 and _tiles(networks.config)
        self.precision = "bf16" if bfloat16 else "f32"
        size, k = config.image_size, config.num_kp
        picture = torch.zeros(1, config.num_channels, size, size)
        generator = fuse(networks.generator, tiles=tiles)
        self._detect = Compiled(fuse(networks.kp_detector, tiles=tiles), [picture], False)
        self._encode = Compiled(_Encode(generator), [picture], False)
        with torch.no_grad():
            code = generator.encode(picture)
        matrix = torch.eye(2).expand(1, k, 2, 2).contiguous()
        moves = (torch.zeros(1, k, 2), matrix, torch.zeros(1, k, 2), matrix)
        values = dict(zip((*SOURCE, *MOVES), (*code, *moves), strict=True))
        parts = stages_of(generator)
        if not bfloat16:
            whole = Whole(parts)
            parts = [Stage(whole, whole.takes, ("frame",), True)]
        self._chain: list[tuple[Stage, Compiled]] = []
        with torch.no_grad():
            for part in parts:
                example = [values[name].contiguous() for name in part.takes]
                low = bfloat16 and not part.positions
                self._chain.append((part, Compiled(part.module, example, low)))
                run_stage(part, values)

    def detect(self, frames_rgb_u8: Frames) -> Keypoints:
        """As `MotionBackend.detect`; float32 throughout."""
        found = [self._detect([to_tensor(frame[None]).numpy()]) for frame in frames_rgb_u8]
        value, jacobian = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        return Keypoints(torch.from_numpy(value), torch.from_numpy(jacobian))

    def encode(self, frames_rgb_u8: Frames) -> tuple[npt.NDArray[Any], ...]:
        """As `MotionBackend.encode`; float32: it is done once."""
        image = to_tensor(frames_rgb_u8).numpy()
        return (image, *self._encode([image]))

    def decode(
        self, code: tuple[npt.NDArray[Any], ...], source: Keypoints, driving: Keypoints
    ) -> Frames:
        """As `MotionBackend.decode`."""
        fixed = dict(zip(SOURCE, code, strict=True))
        fixed |= {name: t.numpy() for name, t in zip(MOVES[:2], source, strict=True)}
        out = []
        for i in range(len(driving.value)):
            values = fixed | {
                name: t[i : i + 1].numpy() for name, t in zip(MOVES[2:], driving, strict=True)
            }
            for part, compiled in self._chain:
                made = compiled([values[name] for name in part.takes])
                values.update(zip(part.gives, made, strict=True))
            out.append(values["frame"])
        return np.concatenate(out)


class _Encode(nn.Module):
    def __init__(self, generator: Any) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        _, reduced, features = self.generator.encode(image)
        return reduced, features
