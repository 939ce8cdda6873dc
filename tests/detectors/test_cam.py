"""Maps are where the evidence is."""

import numpy as np
import pytest
import torch

from dfmnist.detectors.cam import cam, coarse_maps, evidence, overlay
from dfmnist.detectors.networks import builders
from dfmnist.detectors.networks.base import Detector
from dfmnist.detectors.networks.resnet import ResNet


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
    network = builders.build(name, size_px=64, **options)
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    heat = cam(network, frames)
    assert heat.shape == (2, 64, 64)
    assert heat.min() >= 0
    assert heat.max() <= 1
    assert np.isfinite(heat).all()


def test_the_map_of_a_resnet_explains_its_logit() -> None:
    network = builders.build("resnet50", size_px=64)
    images = torch.randn(2, 3, 64, 64, generator=seeded())
    with torch.no_grad():
        maps = torch.einsum("nkij,k->nij", network.feature_maps(images), network.fc.weight[0])
        logits = maps.mean((1, 2)) + network.fc.bias
        torch.testing.assert_close(logits, network(images))


@pytest.mark.parametrize("last_stride", [1, 2])
def test_dense_maps_hold_the_maps(last_stride: int) -> None:
    network = builders.build("resnet50", size_px=64, last_stride=last_stride)
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
    network = builders.build("mesoinception4", size_px=128)
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


def undecided(network: Detector, images: torch.Tensor) -> Detector:
    """Its head moved so that the mean evidence over `images` is 0: both signs occur."""
    with torch.no_grad():
        mean = network.feature_maps(images).mean((0, 2, 3))
        weight = network.get_submodule(network.head).weight[0]
        weight -= (mean @ weight) / (mean @ mean) * mean
    return network


def by_hand(network: Detector, layer: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Grad-CAM from one pass through the whole network: activations and gradients of `layer`."""
    kept: list[torch.Tensor] = []

    def keep(_: object, __: object, output: torch.Tensor) -> None:
        output.retain_grad()
        kept.append(output)

    handle = layer.register_forward_hook(keep)
    network(images).sum().backward()
    handle.remove()
    maps, gradient = kept[0].detach(), kept[0].grad
    assert gradient is not None
    return torch.stack(
        [
            sum(g.mean() * m for g, m in zip(gs, ms, strict=True)).clamp(min=0)
            for gs, ms in zip(gradient, maps, strict=True)
        ]
    )


@pytest.mark.parametrize(
    ("name", "layer", "size_px"),
    [("resnet50", "layer4", 128), ("mesoinception4", "bn4", 64), ("meso4", "bn4", 64)],
)
def test_grad_cam_is_that_of_the_whole_network(name: str, layer: str, size_px: int) -> None:
    network = builders.build(name, size_px=size_px)
    images = torch.rand(2, 3, size_px, size_px, generator=seeded())
    expected = by_hand(network, network.get_submodule(layer), images)
    ours = coarse_maps(network, images, "grad-cam")
    assert expected.std() > 0
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6 * float(expected.max()))


@pytest.mark.parametrize(
    ("name", "layer", "size_px"), [("resnet50", "layer4", 128), ("mesoinception4", "bn4", 64)]
)
def test_captum_gives_the_same(name: str, layer: str, size_px: int) -> None:
    attr = pytest.importorskip("captum.attr")
    network = builders.build(name, size_px=size_px)
    images = torch.rand(2, 3, size_px, size_px, generator=seeded())
    judge = attr.LayerGradCam(network, network.get_submodule(layer))
    expected = judge.attribute(images, relu_attributions=True)[:, 0].detach()
    ours = coarse_maps(network, images, "grad-cam")
    assert expected.std() > 0
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6 * float(expected.max()))


@pytest.mark.parametrize(("name", "size_px"), [("resnet50", 128), ("resnet50", 64),
                                               ("xception", 128)])  # fmt: skip
def test_cam_and_grad_cam_agree_but_for_the_sign(name: str, size_px: int) -> None:
    """Behind average pooling the gradient of a map is its weight over the number of places."""
    network = builders.build(name, size_px=size_px)
    images = torch.randn(3, 3, size_px, size_px, generator=seeded())
    undecided(network, images)
    places = network.feature_maps(images).shape[-1] ** 2
    weighted = coarse_maps(network, images, "cam")
    averaged = coarse_maps(network, images, "grad-cam")
    torch.testing.assert_close(averaged * places, weighted.relu(), rtol=1e-4, atol=1e-5)
    assert bool((weighted < 0).any())
    assert bool((weighted > 0).any())
    both = torch.stack([weighted.relu().flatten(), averaged.flatten()]).double()
    assert torch.corrcoef(both)[0, 1] > 0.99999


def test_evidence_has_signs_and_any_size() -> None:
    network = builders.build("resnet50", size_px=64)
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    undecided(network, network.normalise(torch.from_numpy(frames).permute(0, 3, 1, 2)))
    signed = evidence(network, frames, size_hw=(100, 120))
    assert signed.shape == (2, 100, 120)
    assert signed.min() < 0 < signed.max()
    assert evidence(network, frames, "grad-cam").min() >= 0
    heat = cam(network, frames)
    plain = evidence(network, frames)
    np.testing.assert_allclose(
        heat[0], (plain[0] - plain[0].min()) / (plain[0].max() - plain[0].min()), atol=1e-6
    )
    meso = builders.build("meso4", size_px=64)
    assert evidence(meso, frames).min() >= 0
    with pytest.raises(ValueError, match="average pooling"):
        evidence(meso, frames, "cam")


def test_a_frozen_backbone_has_maps_too() -> None:
    network = builders.build("resnet50", size_px=64).requires_grad_(False)
    images = torch.randn(1, 3, 64, 64, generator=seeded())
    assert torch.isfinite(coarse_maps(network, images, "grad-cam")).all()


def test_maps_of_overlapping_crops_are_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    def ones(network: object, images: torch.Tensor, method: str = "auto") -> torch.Tensor:
        return torch.ones(len(images), 2, 2)

    monkeypatch.setattr("dfmnist.detectors.cam.coarse_maps", ones)
    meso = builders.build("meso4", size_px=64)
    maps = evidence(meso, np.zeros((1, 80, 100, 3), np.uint8))
    np.testing.assert_allclose(maps, np.ones((1, 80, 100)), atol=1e-6)
