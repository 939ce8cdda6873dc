"""Config of a published checkpoint from the shapes of its tensors, since it holds none."""

import dataclasses
from typing import Any

from torch import Tensor

from dfmnist.fomm.config import FommConfig

State = dict[str, dict[str, Tensor]]
"""Tensors of a checkpoint by module (`kp_detector`, `generator`) and name."""


def infer_config(state: State) -> FommConfig:
    """Config of the network that `state` was saved from, inferred from the tensors' shapes.

    Values that no shape shows are vox-256's: the temperature, the variance of the Gaussians, the
    padding, and without the blur's tensor the size of the frame.
    """
    detector, generator = state.get("kp_detector", {}), state.get("generator", {})
    values: dict[str, Any] = {}
    _hourglass(values, "kp", detector, "predictor.")
    _hourglass(values, "motion", generator, "dense_motion_network.hourglass.")
    if (kp := detector.get("kp.weight")) is not None and kp.ndim == 4:
        values |= {"num_kp": kp.shape[0], "kp_kernel": kp.shape[-1]}
    if (mask := generator.get("dense_motion_network.mask.weight")) is not None and mask.ndim == 4:
        values["motion_kernel"] = mask.shape[-1]
    first, final = generator.get("first.conv.weight"), generator.get("final.weight")
    if first is not None and first.ndim == 4:
        downs = _count(generator, "down_blocks.", ".conv.weight")
        values |= {"num_channels": first.shape[1], "generator_expansion": first.shape[0]}
        values |= {"generator_down_blocks": downs}
        values |= {
            "generator_bottleneck_blocks": _count(generator, "bottleneck.r", ".conv1.weight")
        }
        widths = [first.shape[0], *_outputs(generator, "down_blocks.", downs)]
        _limit(values, "generator", widths)
        if final is not None and final.ndim == 4:
            blend = final.shape[0] > first.shape[1]
            values |= {"final_kernel": final.shape[-1], "blend": blend}
    values["hint"] = "hint.weight" in generator
    _scale(values, "kp", detector.get("down.weight"))
    _scale(values, "motion", generator.get("dense_motion_network.down.weight"))
    # impossible values are left out: the comparison with vox-256 then names the tensor
    sound = {k: v for k, v in values.items() if isinstance(v, bool) or v > 0}
    return dataclasses.replace(FommConfig(), **sound)


def _hourglass(values: dict[str, Any], part: str, state: dict[str, Tensor], prefix: str) -> None:
    blocks = _count(state, f"{prefix}encoder.down_blocks.", ".conv.weight")
    last = state.get(f"{prefix}decoder.up_blocks.{blocks - 1}.conv.weight")
    if not blocks or last is None or last.ndim != 4:
        return
    values |= {f"{part}_blocks": blocks, f"{part}_expansion": last.shape[0]}
    _limit(values, part, [last.shape[0], *_outputs(state, f"{prefix}encoder.down_blocks.", blocks)])


def _limit(values: dict[str, Any], part: str, widths: list[int]) -> None:
    """Set the limit of a part's features: the widest layer if one is limited, else vox-256's."""
    unlimited = widths[0] * 2 ** (len(widths) - 1)
    default = getattr(FommConfig(), f"{part}_max_features")
    is_limited = max(widths) < unlimited
    values[f"{part}_max_features"] = max(widths) if is_limited else max(default, max(widths))


def _scale(values: dict[str, Any], part: str, blur: Tensor | None) -> None:
    """Set scale and frame size from the blur of a reduction to 1/n.

    The blur has 4 (n - 1) + 1 pixels a side, and the reduced frame has 64, as in every config of
    the public implementation: vox-256 has 1/4, vox-512 has 1/8.
    """
    if blur is None or blur.ndim != 4 or blur.shape[-1] < 5:
        return
    step = (blur.shape[-1] - 1) // 4 + 1
    values |= {f"{part}_scale": 1 / step, "image_size": 64 * step}


def _count(state: dict[str, Tensor], prefix: str, suffix: str) -> int:
    return sum(
        key.startswith(prefix)
        and key.endswith(suffix)
        and key[len(prefix) : -len(suffix)].isdigit()
        for key in state
    )


def _outputs(state: dict[str, Tensor], prefix: str, count: int) -> list[int]:
    tensors = (state.get(f"{prefix}{i}.conv.weight") for i in range(count))
    return [tensor.shape[0] for tensor in tensors if tensor is not None and tensor.ndim == 4]
