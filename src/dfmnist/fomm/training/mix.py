"""Mixture of two sets of weights of a motion model; the second was trained from the first.

Between such weights pictures change gradually, so that a mixture can keep what the first does well
(Wortsman et al., 2022, "Robust fine-tuning of zero-shot models").
"""

import copy
import dataclasses

import torch

from dfmnist.core.errors import InputError
from dfmnist.fomm.checkpoint import Networks
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator


def mix_networks(first: Networks, second: Networks, share: float) -> Networks:
    """The second's keypoint detector, and a generator with `share` of the second's weights.

    The rest of the generator is the first's, which may have fewer bottleneck blocks; those that it
    lacks are taken as blocks that change nothing. Raises `InputError` for a share outside of 0 to
    1, and for networks of other configurations.
    """
    if not 0 <= share <= 1:  # also NaN
        raise InputError(f"share {share:g} of the second weights; expected 0 to 1")
    blocks = second.config.generator_bottleneck_blocks
    grown = dataclasses.replace(first.config, generator_bottleneck_blocks=blocks)
    own = first.config.generator_bottleneck_blocks
    if grown != second.config or own > blocks:
        raise InputError("weights of two configurations; expected one trained from the other")
    start, end = _with_blocks(first, second), second.generator.state_dict()
    mixed = copy.deepcopy(second.generator)
    mixed.load_state_dict(
        {
            name: torch.lerp(start[name], value, share) if value.is_floating_point() else value
            for name, value in end.items()
        }
    )
    return Networks(second.config, second.kp_detector, mixed.eval().requires_grad_(False))


def _with_blocks(first: Networks, second: Networks) -> dict[str, torch.Tensor]:
    """Weights of the first generator, with the blocks it lacks as ones that change nothing."""
    own = first.config.generator_bottleneck_blocks
    whole = OcclusionAwareGenerator(second.config)
    whole.load_state_dict(second.generator.state_dict())
    whole.load_state_dict(first.generator.state_dict(), strict=False)
    for name, block in whole.bottleneck.named_children():
        if int(name.removeprefix("r")) >= own:
            torch.nn.init.zeros_(block.conv2.weight)  # type: ignore[arg-type, union-attr]
            torch.nn.init.zeros_(block.conv2.bias)  # type: ignore[arg-type, union-attr]
    return whole.state_dict()
