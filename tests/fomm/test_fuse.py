"""The fused modules compute the same as the plain ones."""

import pytest
import torch
from tests.fomm.test_networks import keypoints, tiny
from torch import nn

from dfmnist.fomm.inference.fuse import (
    FusedBlock,
    PhaseUp,
    SplitConv,
    TransposedUp,
    WinogradBlocks,
    WinogradConv,
    fuse,
)
from dfmnist.fomm.networks.blocks import DownBlock2d, ResBlock2d, SameBlock2d, UpBlock2d
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import KPDetector


def randomised(module: nn.Module, seed: int = 0) -> nn.Module:
    """Draw every parameter and statistic at random, so that none is the identity."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
        elif value.is_floating_point():
            fan = max(1, value[0].numel()) if value.ndim > 1 else 4
            value.copy_(torch.randn(value.shape, generator=generator) / fan**0.5)
    return module.eval()


def picture(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", [TransposedUp, PhaseUp])
@pytest.mark.parametrize("size", [(5, 8), (8, 8)])
@torch.no_grad()
def test_doubling_and_convolution_in_one(kind: type, size: tuple[int, int]) -> None:
    block = randomised(UpBlock2d(6, 4))
    x = picture(2, 6, *size)
    torch.testing.assert_close(kind(block)(x), block(x), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_batch_norm_is_part_of_the_convolution() -> None:
    x = picture(2, 3, 8, 8)
    same, down = randomised(SameBlock2d(3, 5, 7)), randomised(DownBlock2d(3, 5))
    made = FusedBlock(same.conv, same.norm, halve=False)(x)
    torch.testing.assert_close(made, same(x), atol=1e-5, rtol=1e-5)
    made = FusedBlock(down.conv, down.norm, halve=True)(x)
    torch.testing.assert_close(made, down(x), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_split_convolution() -> None:
    conv = randomised(nn.Conv2d(6, 3, 7, padding=3))
    x = picture(2, 6, 9, 11)
    torch.testing.assert_close(SplitConv(conv)(x), conv(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [(4, 4), (8, 12)])
@torch.no_grad()
def test_winograd_against_float64(size: tuple[int, int]) -> None:
    conv = randomised(nn.Conv2d(7, 5, 3, padding=1))
    x = picture(1, 7, *size)
    wanted = conv.double()(x.double())[0].permute(1, 2, 0)
    assert conv.bias is not None
    made = WinogradConv(conv.weight, conv.bias)(x[0].permute(1, 2, 0))
    torch.testing.assert_close(made.double(), wanted, atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_winograd_chain_of_blocks() -> None:
    blocks = randomised(nn.Sequential(ResBlock2d(32), ResBlock2d(32)))
    x = picture(1, 32, 8, 8)
    torch.testing.assert_close(
        WinogradBlocks(blocks)(x),  # type: ignore[arg-type]
        blocks(x),
        atol=1e-4,
        rtol=1e-4,
    )


@pytest.mark.parametrize("tiles", [True, False])
@pytest.mark.parametrize("changes", [{}, {"blend": True, "hint": True, "final_kernel": 3}])
@torch.no_grad()
def test_whole_networks(tiles: bool, changes: dict[str, object]) -> None:
    config = tiny(generator_expansion=32, generator_max_features=64, **changes)
    generator = randomised(OcclusionAwareGenerator(config))
    detector = randomised(KPDetector(config))
    image = picture(1, 3, 32, 32).sigmoid()
    source, driving = keypoints(1, 3, 2), keypoints(1, 3, 3)
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    quick = fuse(generator, tiles=tiles)
    made, wanted = quick(image, source, driving), generator(image, source, driving)
    assert wanted.prediction.std() > 0.01
    torch.testing.assert_close(made.prediction, wanted.prediction, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(made.deformation, wanted.deformation, atol=1e-4, rtol=1e-3)
    found, known = fuse(detector, tiles=tiles)(image), detector(image)
    torch.testing.assert_close(found.value, known.value, atol=1e-5, rtol=1e-4)
    kinds = {type(module) for module in quick.modules()}
    assert UpBlock2d not in kinds
    assert (WinogradBlocks in kinds) == tiles
    assert (SplitConv in kinds) == (config.final_kernel >= 5)
    for name, value in generator.state_dict().items():  # the original is left alone
        assert torch.equal(value, before[name]), name
