"""Backends of the motion model: OpenVINO on a CPU, torch on a GPU or on request.

Both have the same inputs and outputs: pictures as uint8, keypoints as float32 tensors.
"""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dfmnist.core.arrays import Frames
from dfmnist.core.choices import BackendName, Precision
from dfmnist.core.inference import Compiled, choose
from dfmnist.fomm.checkpoint import Networks
from dfmnist.fomm.config import FommConfig
from dfmnist.fomm.guide import Guide, still_guide
from dfmnist.fomm.inference.fuse import fuse
from dfmnist.fomm.inference.stages import (
    GUIDE,
    MOVES,
    SOURCE,
    Stage,
    StageChain,
    run_stage,
    stages_of,
)
from dfmnist.fomm.networks.generator import SourceCode
from dfmnist.fomm.networks.keypoints import Keypoints

GPU_BATCH = 32
"""Frames in one pass on a GPU; a CPU takes one, since larger batches are no faster there."""


class MotionBackend(Protocol):
    """A motion model that is ready to run."""

    batch: int
    """Number of frames for which `decode` is fastest."""
    precision: str
    """Number format of the arithmetic: `f32`, or `bf16` for everything except positions."""

    def detect(self, frames_rgb_u8: Frames) -> Keypoints:
        """Keypoints of frames (n, size, size, 3), as float32 tensors on the CPU."""
        ...

    def encode(self, frames_rgb_u8: Frames) -> Any:
        """Features of a source (1, size, size, 3) for `decode`, in this backend's own form."""
        ...

    def decode(
        self, code: Any, source: Keypoints, driving: Keypoints, guide: Guide | None = None
    ) -> Frames:
        """Frames (n, size, size, 3) of the encoded source at the driving keypoints.

        Shapes: keypoints of the source (1, k, …), driving keypoints and guide (n, …). A `guide`
        corrects the motion within the face.
        """
        ...


def choose_backend(
    networks: Networks, backend: BackendName = "auto", precision: Precision = "auto"
) -> MotionBackend:
    """The motion model `networks` on the requested backend.

    `core.inference.choose` decides what `auto` means. Raises `InputError`.
    """
    chosen = choose(backend, precision)
    if chosen.backend == "torch":
        return TorchMotionBackend(networks, chosen.device, chosen.bfloat16)
    return OpenVinoMotionBackend(networks, chosen.bfloat16)


def _tiles(config: FommConfig) -> bool:
    """Whether the sides of the features are multiples of Winograd's tiles."""
    return config.image_size % (4 << config.generator_down_blocks) == 0


def to_tensor(frames_rgb_u8: Frames) -> Tensor:
    """Frames (n, h, w, 3) uint8 as a tensor (n, 3, h, w) in [0, 1], channels last in memory."""
    x = torch.from_numpy(frames_rgb_u8).permute(0, 3, 1, 2).float().div(255)
    return x.contiguous(memory_format=torch.channels_last)


class TorchMotionBackend:
    """Backend on torch, channels last, in float32, or in bfloat16 except for positions."""

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
        self._plain, self._guided = (self._stage_chain(with_guide) for with_guide in (False, True))

    def _stage_chain(self, with_guide: bool) -> StageChain:
        stages = stages_of(self._generator, with_guide=with_guide)
        for stage in stages:
            stage.module.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return StageChain(stages, self._context).requires_grad_(False)

    def _context(self, stage: Stage) -> torch.autocast:
        low = self.precision == "bf16" and not stage.positions
        return torch.autocast(self.device.type, torch.bfloat16, enabled=low)

    @torch.inference_mode()
    def detect(self, frames_rgb_u8: Frames) -> Keypoints:
        """Keypoints as of `MotionBackend.detect`, computed in float32."""
        found = self._detector(to_tensor(frames_rgb_u8).to(self.device))
        return Keypoints(*(value.cpu() for value in found))

    @torch.inference_mode()
    def encode(self, frames_rgb_u8: Frames) -> SourceCode:
        """Features as of `MotionBackend.encode`, in float32, because they are computed once."""
        code: SourceCode = self._generator.encode(to_tensor(frames_rgb_u8).to(self.device))
        return code

    @torch.inference_mode()
    def decode(
        self, code: SourceCode, source: Keypoints, driving: Keypoints, guide: Guide | None = None
    ) -> Frames:
        """Frames as of `MotionBackend.decode`."""
        parts = []
        for i in range(0, len(driving.value), self.batch):
            now = slice(i, i + self.batch)
            parts.append(self._decode(code, source, driving.at(now), guide and guide.at(now)))
        return np.concatenate(parts)

    def _decode(
        self, code: SourceCode, source: Keypoints, driving: Keypoints, guide: Guide | None
    ) -> Frames:
        n = len(driving.value)
        values = dict(zip(SOURCE, (t.expand(n, *t.shape[1:]) for t in code), strict=True))
        moves = (*(t.expand(n, *t.shape[1:]) for t in source), *driving)
        values |= {k: t.to(self.device) for k, t in zip(MOVES, moves, strict=True)}
        chain = self._plain
        if guide is not None:
            chain = self._guided
            values |= {k: t.to(self.device) for k, t in zip(GUIDE, guide, strict=True)}
        made = chain(*(values[name] for name in chain.takes))
        frames: Frames = made.cpu().numpy()
        return frames


class OpenVinoMotionBackend:
    """Backend on OpenVINO, compiled for this CPU, with torch's number of threads.

    In float32 all stages of a frame are one compiled model. In bfloat16 each stage is a model of
    its own, so that those with positions stay float32.
    """

    batch = 1

    def __init__(self, networks: Networks, bfloat16: bool = False) -> None:
        self._config, tiles = networks.config, not bfloat16 and _tiles(networks.config)
        self.precision = "bf16" if bfloat16 else "f32"
        size = self._config.image_size
        self._picture = torch.zeros(1, self._config.num_channels, size, size)
        self._generator = fuse(networks.generator, tiles=tiles)
        detector = fuse(networks.kp_detector, tiles=tiles)
        self._detect = Compiled(detector, [self._picture], False)
        self._encode = Compiled(_Encode(self._generator), [self._picture], False)
        self._chains: dict[bool, list[tuple[Stage, Compiled]]] = {}

    def _chain(self, with_guide: bool) -> list[tuple[Stage, Compiled]]:
        """The compiled stages, made when they are first needed."""
        if with_guide not in self._chains:
            self._chains[with_guide] = self._compile(with_guide)
        return self._chains[with_guide]

    def _compile(self, with_guide: bool) -> list[tuple[Stage, Compiled]]:
        config, bfloat16 = self._config, self.precision == "bf16"
        with torch.no_grad():
            code = self._generator.encode(self._picture)
        k = config.num_kp
        matrix = torch.eye(2).expand(1, k, 2, 2).contiguous()
        moves = (torch.zeros(1, k, 2), matrix, torch.zeros(1, k, 2), matrix)
        values = dict(zip((*SOURCE, *MOVES), (*code, *moves), strict=True))
        if with_guide:
            values |= dict(zip(GUIDE, still_guide(config.motion_size_hw), strict=True))
        stages = stages_of(self._generator, with_guide=with_guide)
        if not bfloat16:
            whole = StageChain(stages)
            stages = [Stage(whole, whole.takes, ("frame",), True)]
        chain: list[tuple[Stage, Compiled]] = []
        with torch.no_grad():
            for stage in stages:
                example = [values[name].contiguous() for name in stage.takes]
                low = bfloat16 and not stage.positions
                chain.append((stage, Compiled(stage.module, example, low)))
                run_stage(stage, values)
        return chain

    def detect(self, frames_rgb_u8: Frames) -> Keypoints:
        """Keypoints as of `MotionBackend.detect`, computed in float32."""
        found = [self._detect([to_tensor(frame[None]).numpy()]) for frame in frames_rgb_u8]
        value, jacobian = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        return Keypoints(torch.from_numpy(value), torch.from_numpy(jacobian))

    def encode(self, frames_rgb_u8: Frames) -> tuple[npt.NDArray[Any], ...]:
        """Features as of `MotionBackend.encode`, in float32, because they are computed once."""
        image = to_tensor(frames_rgb_u8).numpy()
        return (image, *self._encode([image]))

    def decode(
        self,
        code: tuple[npt.NDArray[Any], ...],
        source: Keypoints,
        driving: Keypoints,
        guide: Guide | None = None,
    ) -> Frames:
        """Frames as of `MotionBackend.decode`."""
        fixed = dict(zip(SOURCE, code, strict=True))
        fixed |= {name: t.numpy() for name, t in zip(MOVES[:2], source, strict=True)}
        moving = dict(zip(MOVES[2:], driving, strict=True))
        if guide is not None:
            moving |= dict(zip(GUIDE, guide, strict=True))
        out = []
        for i in range(len(driving.value)):
            values = fixed | {name: t[i : i + 1].numpy() for name, t in moving.items()}
            for stage, compiled in self._chain(guide is not None):
                made = compiled([values[name] for name in stage.takes])
                values.update(zip(stage.gives, made, strict=True))
            out.append(values["frame"])
        return np.concatenate(out)


class _Encode(nn.Module):
    def __init__(self, generator: Any) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        _, reduced, features = self.generator.encode(image)
        return reduced, features
