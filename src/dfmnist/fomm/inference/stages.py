"""The generation of one frame as a chain of stages with named tensors, for inference.

Three of the stages compute with positions and always run in float32: bfloat16 keeps only 8 bits of
a coordinate, which would shift a keypoint by pixels. The other two, which do nearly all of the
work, see only features.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dfmnist.fomm.guide import Guide, guided
from dfmnist.fomm.networks.dense_motion import DenseMotion
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator, blended, full_warp
from dfmnist.fomm.networks.keypoints import Keypoints

SOURCE = ("image", "reduced", "features")
"""Names of the tensors that are computed once for each source (`SourceCode`)."""
MOVES = ("source_value", "source_jacobian", "driving_value", "driving_jacobian")
"""Names of the keypoint tensors of a frame."""
GUIDE = tuple(f"guide_{name}" for name in Guide._fields)
"""Names of the tensors that guide a frame's motion (`fomm.guide.Guide`)."""


@dataclass(frozen=True)
class Stage:
    """One step of the generation: a module with named inputs and outputs."""

    module: nn.Module
    takes: tuple[str, ...]
    """Names of the input tensors."""
    gives: tuple[str, ...]
    """Names of the output tensors."""
    positions: bool
    """Whether the module computes with positions, and so always in float32."""


def stages_of(generator: OcclusionAwareGenerator, *, with_guide: bool = False) -> list[Stage]:
    """The stages of `generator.decode`; the last one gives `frame`, uint8 (b, h, w, 3).

    `with_guide`: the motion is corrected by the tensors `GUIDE`.
    """
    guide = GUIDE if with_guide else ()
    hinted = ("hinted",) if generator.hint is not None else ()
    extra = ("warped", "visibility") if generator.blend else ()
    image = ("image",) if generator.blend else ()
    return [
        Stage(_CandidateFlows(generator), ("reduced", *MOVES), ("inputs", "flows"), True),
        Stage(_PredictMasks(generator), ("inputs",), ("mask", "occlusion", *hinted), False),
        Stage(
            _WarpFeatures(generator, with_guide),
            ("features", "mask", "occlusion", "flows", *guide, *hinted, *image),
            ("warped_features", *extra),
            True,
        ),
        Stage(_Decode(generator), ("warped_features",), ("decoded",), False),
        Stage(_ToUint8(), ("decoded", *extra), ("frame",), True),
    ]


class StageChain(nn.Module):
    """All stages as one module: the tensors of `takes` in, the uint8 frame out.

    Each stage runs within its `context`.
    """

    def __init__(
        self,
        stages: list[Stage],
        context: Callable[[Stage], AbstractContextManager[Any]] = lambda stage: nullcontext(),
    ) -> None:
        super().__init__()
        self.stages, self.context = stages, context
        self.steps = nn.ModuleList(stage.module for stage in stages)
        made = {name for stage in stages for name in stage.gives}
        needed = {name for stage in stages for name in stage.takes} - made
        self.takes = tuple(name for name in (*SOURCE, *MOVES, *GUIDE) if name in needed)

    def forward(self, *tensors: Tensor) -> Tensor:
        """The uint8 frame (b, h, w, 3) from the tensors of `takes`, in order."""
        values = dict(zip(self.takes, tensors, strict=True))
        for stage in self.stages:
            with self.context(stage):
                run_stage(stage, values)
        return values["frame"]


def run_stage(stage: Stage, values: dict[str, Tensor]) -> None:
    """Run a stage on the named tensors `values` and add its outputs to them."""
    made = stage.module(*(values[name] for name in stage.takes))
    made = made if isinstance(made, tuple) else (made,)
    values.update(zip(stage.gives, made, strict=True))


class _CandidateFlows(nn.Module):
    def __init__(self, generator: OcclusionAwareGenerator) -> None:
        super().__init__()
        self.motion = generator.dense_motion_network

    def forward(
        self, reduced: Tensor, sv: Tensor, sj: Tensor, dv: Tensor, dj: Tensor
    ) -> tuple[Tensor, Tensor]:
        return self.motion.candidates(reduced, Keypoints(sv, sj), Keypoints(dv, dj))


class _PredictMasks(nn.Module):
    def __init__(self, generator: OcclusionAwareGenerator) -> None:
        super().__init__()
        motion = generator.dense_motion_network
        self.hourglass, self.hint = motion.hourglass, generator.hint
        # one convolution for mask and occlusion, which have the same input
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
    def __init__(self, generator: OcclusionAwareGenerator, with_guide: bool) -> None:
        super().__init__()
        self.blend, self.hinted = generator.blend, generator.hint is not None
        self.with_guide = with_guide
        # bound methods, which do not register the generator's weights in this module
        self._combine = generator.dense_motion_network.combine
        self._warp_features = generator.warp_features

    def forward(
        self, features: Tensor, mask: Tensor, occlusion: Tensor, flows: Tensor, *rest: Tensor
    ) -> Tensor | tuple[Tensor, ...]:
        deformation = self._combine(mask, flows)
        if self.with_guide:
            guide, rest = Guide(*rest[: len(GUIDE)]), rest[len(GUIDE) :]
            deformation = guided(deformation, guide)
        motion = DenseMotion(deformation, occlusion, mask)
        warped = self._warp_features(features, motion, rest[0] if self.hinted else None)
        return (warped, *full_warp(rest[-1], motion)) if self.blend else warped


class _Decode(nn.Module):
    def __init__(self, generator: OcclusionAwareGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, warped: Tensor) -> Tensor:
        return self.generator.decode_features(warped).float()


class _ToUint8(nn.Module):
    def forward(self, decoded: Tensor, *blend: Tensor) -> Tensor:
        picture = blended(decoded, *blend) if blend else torch.sigmoid(decoded)
        levels = (picture.permute(0, 2, 3, 1) * 255 + 0.5).clamp(0, 255)
        return levels.to(torch.uint8)
