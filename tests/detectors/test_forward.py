"""Whole networks against the same function written out from a state dict, in double precision."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, leaky_relu, max_pool2d

from dfmnist.detectors.networks import builders

State = dict[str, Tensor]
FIVE = ("resnet50", "resnet101", "resnet152", "xception", "mesoinception4")


def seeded(name: str) -> tuple[State, torch.nn.Module]:
    """A network in double precision with batch norms that do something."""
    network = builders.build(name, seed=1, size_px=64).double()
    generator = torch.Generator().manual_seed(2)
    state = network.state_dict()
    for key, value in state.items():
        if key.endswith(("running_var", "running_mean")) or (value.ndim == 1 and "fc" not in key):
            value.uniform_(0.8, 1.2, generator=generator)  # in place: the network's own
    return state, network


def norm(s: State, name: str, x: Tensor, eps: float = 1e-5) -> Tensor:
    """Batch norm in evaluation: its formula."""
    mean, var, weight, bias = (
        s[f"{name}.{part}"].view(1, -1, 1, 1)
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + eps).sqrt() * weight + bias


def bottleneck(s: State, at: str, x: Tensor, stride: int) -> Tensor:
    y = norm(s, f"{at}.bn1", conv2d(x, s[f"{at}.conv1.weight"])).clamp(min=0)
    y = norm(s, f"{at}.bn2", conv2d(y, s[f"{at}.conv2.weight"], None, stride, 1)).clamp(min=0)
    y = norm(s, f"{at}.bn3", conv2d(y, s[f"{at}.conv3.weight"]))
    if f"{at}.downsample.0.weight" in s:
        x = norm(s, f"{at}.downsample.1", conv2d(x, s[f"{at}.downsample.0.weight"], None, stride))
    return (x + y).clamp(min=0)


def resnet(s: State, x: Tensor) -> Tensor:
    x = norm(s, "bn1", conv2d(x, s["conv1.weight"], None, 2, 3)).clamp(min=0)
    x = max_pool2d(x, 3, 2, 1)
    for stage in (1, 2, 3, 4):
        block = 0
        while f"layer{stage}.{block}.conv1.weight" in s:
            x = bottleneck(s, f"layer{stage}.{block}", x, 2 if stage > 1 and block == 0 else 1)
            block += 1
    return (x.mean((2, 3)) @ s["fc.weight"].T + s["fc.bias"])[:, 0]


def separable(s: State, at: str, x: Tensor) -> Tensor:
    x = conv2d(x, s[f"{at}.conv1.weight"], None, 1, 1, groups=x.shape[1])
    return conv2d(x, s[f"{at}.pointwise.weight"])


def xception_block(s: State, number: int, x: Tensor) -> Tensor:
    """Chollet, figure 5: ReLU, separable convolution, norm; the first block starts without ReLU."""
    at, y, place = f"block{number}", x, 0 if number == 1 else 1
    stride = 2 if number in (1, 2, 3, 12) else 1
    while f"{at}.rep.{place}.pointwise.weight" in s:
        y = y if place == 0 else y.clamp(min=0)
        y = norm(s, f"{at}.rep.{place + 1}", separable(s, f"{at}.rep.{place}", y))
        place += 3
    if stride == 2:
        y = max_pool2d(y, 3, 2, 1)
        x = norm(s, f"{at}.skipbn", conv2d(x, s[f"{at}.skip.weight"], None, 2))
    return x + y


def xception(s: State, x: Tensor) -> Tensor:
    x = norm(s, "bn1", conv2d(x, s["conv1.weight"], None, 2)).clamp(min=0)
    x = norm(s, "bn2", conv2d(x, s["conv2.weight"])).clamp(min=0)
    for number in range(1, 13):
        x = xception_block(s, number, x)
    for number in (3, 4):
        x = norm(s, f"bn{number}", separable(s, f"conv{number}", x)).clamp(min=0)
    return (x.mean((2, 3)) @ s["fc.weight"].T + s["fc.bias"])[:, 0]


def inception(s: State, at: str, x: Tensor) -> Tensor:
    paths = [conv2d(x, s[f"{at}.path1.weight"], s[f"{at}.path1.bias"])]
    for path, dilation in ((2, 1), (3, 2), (4, 3)):
        name = f"{at}.path{path}"
        y = conv2d(x, s[f"{name}.0.weight"], s[f"{name}.0.bias"]).clamp(min=0)
        weight, bias = s[f"{name}.2.weight"], s[f"{name}.2.bias"]
        paths.append(conv2d(y, weight, bias, 1, dilation, dilation))
    return torch.cat(paths, 1).clamp(min=0)


def mesoinception4(s: State, x: Tensor) -> Tensor:
    """Afchar et al., figures 4 and 5; Keras' epsilon; pooling to 1/2, 1/2, 1/2, 1/4."""
    for stage in (1, 2):
        x = max_pool2d(norm(s, f"bn{stage}", inception(s, f"conv{stage}", x), 1e-3), 2)
    for stage, pool in ((3, 2), (4, 4)):
        x = conv2d(x, s[f"conv{stage}.weight"], s[f"conv{stage}.bias"], 1, 2).clamp(min=0)
        x = max_pool2d(norm(s, f"bn{stage}", x, 1e-3), pool)
    x = leaky_relu(x.flatten(1) @ s["fc1.weight"].T + s["fc1.bias"], 0.1)
    return (x @ s["fc2.weight"].T + s["fc2.bias"])[:, 0]


@pytest.mark.parametrize(
    ("name", "written_out"),
    [("resnet50", resnet), ("xception", xception), ("mesoinception4", mesoinception4)],
)
def test_forward_is_the_function_written_out(name: str, written_out: object) -> None:
    state, network = seeded(name)
    generator = torch.Generator().manual_seed(3)
    images = torch.randn(2, 3, 64, 64, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        ours, theirs = network(images), written_out(state, images)  # type: ignore[operator]
    assert ours.std() > 0
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", FIVE)
def test_forward_and_backward(name: str) -> None:
    """One logit a frame, and a gradient for every parameter, in training mode."""
    network = builders.build(name, size_px=64).train()
    frames = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8,
                           generator=torch.Generator().manual_seed(0))  # fmt: skip
    logits = network(network.normalise(frames))
    assert logits.shape == (2,)
    assert torch.isfinite(logits).all()
    torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.tensor([0.0, 1.0])
    ).backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
    assert any(bool(p.grad.abs().max() > 0) for p in network.backbone_parameters())


def test_pooling_is_an_average() -> None:
    """ResNet's head sees the mean of the last maps, whatever their size."""
    network = builders.build("resnet50", size_px=96)
    images = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        maps = network.feature_maps(images)
        pooled = avg_pool2d(maps, maps.shape[-1]).flatten(1)
        torch.testing.assert_close(network(images), network.get_submodule("fc")(pooled)[:, 0])
