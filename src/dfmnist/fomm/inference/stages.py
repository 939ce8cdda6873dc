"""One generated frame as a chain of parts with named values, for inference.

Positions live in three of the parts, which stay float32 whatever the others use: bfloat16 keeps
8 bits of a coordinate, and a keypoint would jump by pixels. The other two, where nearly all of the
work is, see only features.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dfmnist.fomm.networks.dense_motion import DenseMotion
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator, blended, full_warp
from dfmnist.fomm.networks.keypoints import Keypoints

SOURCE = ("image", "reduced", "features")
"""What is computed once a source (`SourceCode`)."""
MOVES = ("source_value", "source_jacobian", "driving_value", "driving_jacobian")


@dataclass(frozen=True)
class Stage:
    """A step from some named tensors to others."""

    module: nn.Module
    takes: tuple[str, ...]
    gives: tuple[str, ...]
    positions: bool
    """It computes with positions: float32 always."""


def stages_of(generator: OcclusionAwareGenerator) -> list[Stage]:
    """The frame of `generator.decode`, step by step; the last gives `frame`, uint8 (b, h, w, 3)."""
    hinted = ("hinted",) if generator.hint is not None else ()
    extra = ("warped", "seen") if generator.blend else ()
    image = ("image",) if generator.blend else ()
    return [
        Stage(_Candidates(generator), ("reduced", *MOVES), ("inputs", "flows"), True),
        Stage(_Choose(generator), ("inputs",), ("mask", "occlusion", *hinted), False),
        Stage(
            _WarpFeatures(generator),
            ("features", "mask", "occlusion", "flows", *hinted, *image),
            ("hidden", *extra),
            True,
        ),
        Stage(_Decode(generator), ("hidden",), ("painted",), False),
        Stage(_ToUint8(), ("painted", *extra), ("frame",), True),
    ]


class Whole(nn.Module):
    """All parts as one: `takes` in, the frame out; each within its `context`."""

    def __init__(
        self,
        parts: list[Stage],
        context: Callable[[Stage], AbstractContextManager[Any]] = lambda part: nullcontext(),
    ) -> None:
        super().__init__()
        self.parts, self.context = parts, context
        self.steps = nn.ModuleList(part.module for part in parts)
        made = {name for part in parts for name in part.gives}
        needed = {name for part in parts for name in part.takes} - made
        self.takes = tuple(name for name in (*SOURCE, *MOVES) if name in needed)

    def forward(self, *tensors: Tensor) -> Tensor:
        """The uint8 frame from the tensors of `takes`, in order."""
        values = dict(zip(self.takes, tensors, strict=True))
        for part in self.parts:
            with self.context(part):
                run_stage(part, values)
        return values["frame"]


def run_stage(part: Stage, values: dict[str, Tensor]) -> None:
    """Run a part on `values` and add what it gives."""
    made = part.module(*(values[name] for name in part.takes))
    made = made if isinstance(made, tuple) else (made,)
    values.update(zip(part.gives, made, strict=True))


class _Candidates(nn.Module):
    def __init__(self, generator: OcclusionAwareGenerator) -> None:
        super().__init__()
        self.motion = generator.dense_motion_network

    def forward(
        self, reduced: Tensor, sv: Tensor, sj: Tensor, dv: Tensor, dj: Tensor
    ) -> tuple[Tensor, Tensor]:
        return self.motion.candidates(reduced, Keypoints(sv, sj), Keypoints(dv, dj))


class _Choose(nn.Module):
    def __init__(self, generator: OcclusionAwareGenerator) -> None:
        super().__init__()
        motion = generator.dense_motion_network
        self.hourglass, self.hint = motion.hourglass, generator.hint
        # one convolution for both: they read the same features
        self.heads = nn.Conv2d(
            motion.mask.in_channels,
            motion.mask.out_channels + 1,
            motion.mask.kernel_size,  # type: ignore[arg-type]
            padding=motion.mask.padding,  # type: ignore[arg-type]
        )
        with torch.no_grad():
            for name in ("weight", "bias"):
                both = [getattr(motion.mask, name), getattr(motion.occlusion, name)]
                getattr(self.heads, name).copy_(torch.cat(both))

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        features = self.hourglass(inputs)
        heads = self.heads(features)
        found = heads[:, :-1].float(), heads[:, -1:].float()
        return found if self.hint is None else (*found, self.hint(features).float())


class _WarpFeatures(nn.Module):
    def __init__(self, generator: OcclusionAwareGenerator) -> None:
        super().__init__()
        self.blend, self.hinted = generator.blend, generator.hint is not None
        # neither holds weights: they are kept out of this module's own
        self._choice, self._gather = generator.dense_motion_network.choice, generator.gather

    def forward(
        self, features: Tensor, mask: Tensor, occlusion: Tensor, flows: Tensor, *rest: Tensor
    ) -> Tensor | tuple[Tensor, ...]:
        motion = DenseMotion(self._choice(mask, flows), occlusion, mask)
        hidden = self._gather(features, motion, rest[0] if self.hinted else None)
        return (hidden, *full_warp(rest[-1], motion)) if self.blend else hidden


class _Decode(nn.Module):
    def __init__(self, generator: OcclusionAwareGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, hidden: Tensor) -> Tensor:
        return self.generator.paint(hidden).float()


class _ToUint8(nn.Module):
    def forward(self, painted: Tensor, *blend: Tensor) -> Tensor:
        picture = blended(painted, *blend) if blend else torch.sigmoid(painted)
        levels = (picture.permute(0, 2, 3, 1) * 255 + 0.5).clamp(0, 255)
        return levels.to(torch.uint8)
