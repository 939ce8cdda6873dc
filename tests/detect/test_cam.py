"""Maps are where the evidence is."""

import numpy as np
import pytest
import torch

from dfmnist.detect import networks
from dfmnist.detect.cam import cam, overlay
from dfmnist.detect.networks.resnet import ResNet


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet50", {}),
        ("resnet50", {"last_stride": 1}),
        ("xception", {}),
        ("mesoinception4", {}),
    ],
)
def test_maps_are_of_the_frames_size_and_range(name: str, options: dict[str, int]) -> None:
    network = networks.build(name, size_px=64, **options)
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    heat = cam(network, frames)
    assert heat.shape == (2, 64, 64)
    assert heat.min() >= 0
    assert heat.max() <= 1
    assert np.isfinite(heat).all()


def test_the_map_of_a_resnet_explains_its_logit() -> None:
    network = networks.build("resnet50", size_px=64)
    images = torch.randn(2, 3, 64, 64, generator=seeded())
    with torch.no_grad():
        maps = torch.einsum("nkij,k->nij", network.feature_maps(images), network.fc.weight[0])
        logits = maps.mean((1, 2)) + network.fc.bias
        torch.testing.assert_close(logits, network(images))


@pytest.mark.parametrize("last_stride", [1, 2])
def test_dense_maps_hold_the_maps(last_stride: int) -> None:
    network = networks.build("resnet50", size_px=64, last_stride=last_stride)
    assert isinstance(network, ResNet)
    network.double()
    images = torch.randn(2, 3, 64, 64, generator=seeded(), dtype=torch.float64)
    with torch.no_grad():
        network.train()(images)  # statistics that are not 0 and 1
        network.eval()
        coarse, dense = network.feature_maps(images), network.dense_maps(images)
    assert dense.shape[-1] == 4
    torch.testing.assert_close(dense[..., ::last_stride, ::last_stride], coarse)


def test_grad_cam_finds_the_only_place_that_counts() -> None:
    network = networks.build("mesoinception4", size_px=128)
    with torch.no_grad():  # a network that looks at the upper right corner alone
        for conv in (network.conv3, network.conv4):
            conv.weight.abs_()
        network.fc1.weight.zero_()
        network.fc1.weight.view(16, 16, 4, 4)[:, :, 0, 3] = 1
        network.fc2.weight.fill_(1)
    frames = np.zeros((1, 128, 128, 3), np.uint8)
    frames[:, :40, 88:] = 255
    frames[:, 88:, :40] = 128
    heat = cam(network, frames)[0]
    assert heat[:32, 96:].mean() > heat[96:, :32].mean() + 0.1


def test_overlay_is_blue_where_cold_and_red_where_hot() -> None:
    heat = np.zeros((1, 8, 8), np.float32)
    heat[:, :4] = 1
    painted = overlay(np.full((1, 16, 16, 3), 100, np.uint8), heat)
    assert painted.shape == (1, 16, 16, 3)
    assert painted[0, 0, 0, 0] > painted[0, 0, 0, 2]
    assert painted[0, 15, 0, 2] > painted[0, 15, 0, 0]
