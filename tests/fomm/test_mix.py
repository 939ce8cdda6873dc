"""A mixture of two motion models lies between them."""

import dataclasses

import pytest
import torch
from tests.fomm.test_networks import tiny

from dfmnist.core.errors import InputError
from dfmnist.fomm.checkpoint import Networks
from dfmnist.fomm.config import FommConfig
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import KPDetector
from dfmnist.fomm.training.mix import mix_networks


def networks(config: FommConfig, seed: int) -> Networks:
    torch.manual_seed(seed)
    detector, generator = KPDetector(config).eval(), OcclusionAwareGenerator(config).eval()
    return Networks(config, detector.requires_grad_(False), generator.requires_grad_(False))


def picture(generator: OcclusionAwareGenerator, second: Networks) -> torch.Tensor:
    """What `generator` makes of one random picture at the second model's keypoints of another."""
    size = second.config.image_size
    source, driving = torch.rand(2, 1, 3, size, size, generator=torch.Generator().manual_seed(7))
    detect = second.kp_detector
    made: torch.Tensor = generator(source, detect(source), detect(driving)).prediction
    return made


def test_a_mixture_is_between_the_two() -> None:
    config = tiny(blend=True, hint=True)
    more = dataclasses.replace(
        config, generator_bottleneck_blocks=config.generator_bottleneck_blocks + 1
    )
    first, second = networks(config, 1), networks(more, 2)
    none, half, all_ = (mix_networks(first, second, share) for share in (0.0, 0.5, 1.0))
    torch.testing.assert_close(picture(none.generator, second), picture(first.generator, second))
    torch.testing.assert_close(picture(all_.generator, second), picture(second.generator, second))
    torch.testing.assert_close(
        half.generator.final.weight,
        (first.generator.final.weight + second.generator.final.weight) / 2,
    )
    assert half.kp_detector is second.kp_detector
    with pytest.raises(InputError, match="two configurations"):
        mix_networks(second, first, 0.5)
    with pytest.raises(InputError, match="expected 0 to 1"):
        mix_networks(first, second, 1.5)
