"""VGG-19: torchvision's names, features and perceptual loss against float64 NumPy, bad files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from dfmnist.core.errors import InputError
from dfmnist.fomm.networks.blocks import ImagePyramid
from dfmnist.fomm.networks.vgg import Vgg19, load_vgg
from dfmnist.fomm.training.losses import perceptual

CONVS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28)
"""Indices of torchvision's VGG-19 convolutions up to relu5_1, blocks of 2, 2, 4, 4, 1."""
SEEN, HALVED = (0, 5, 10, 19, 28), (2, 7, 16, 25)


def seeded_vgg(seed: int = 0) -> Vgg19:
    """Weights that keep features at one size through all layers."""
    vgg, generator = Vgg19(), torch.Generator().manual_seed(seed)
    state = {
        name: torch.randn(value.shape, generator=generator)
        * (0.1 if value.ndim == 1 else (2 / value[0].numel()) ** 0.5)
        for name, value in vgg.state_dict().items()
    }
    vgg.load_state_dict(state)
    return vgg


def features64(vgg: Vgg19, image: np.ndarray) -> list[np.ndarray]:
    """Features of the five layers of a picture (3, h, w), computed in float64 by NumPy."""
    state = {name: value.double().numpy() for name, value in vgg.state_dict().items()}
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = (image - mean[:, None, None]) / std[:, None, None]
    seen = []
    for index in CONVS:
        windows = sliding_window_view(np.pad(x, ((0, 0), (1, 1), (1, 1))), (3, 3), axis=(1, 2))
        weight, bias = state[f"features.{index}.weight"], state[f"features.{index}.bias"]
        c, h, w = windows.shape[:3]
        columns = windows.transpose(1, 2, 0, 3, 4).reshape(h * w, c * 9)
        x = np.maximum(columns @ weight.reshape(len(weight), -1).T + bias, 0)
        x = x.T.reshape(len(weight), h, w)
        if index in SEEN:
            seen.append(x)
        if index in HALVED:
            x = x.reshape(len(x), h // 2, 2, w // 2, 2).max(axis=(2, 4))
    return seen


def blurred64(image: np.ndarray) -> np.ndarray:
    """The picture at half size: Gaussian of deviation 0.5 over 5 by 5, every other pixel."""
    line = np.exp(-(np.arange(-2, 3) ** 2) / (2 * 0.5**2))
    kernel = np.outer(line, line) / line.sum() ** 2
    windows = sliding_window_view(np.pad(image, ((0, 0), (2, 2), (2, 2))), (5, 5), axis=(1, 2))
    return (windows * kernel).sum(axis=(3, 4))[:, ::2, ::2]


def test_names_and_shapes_are_torchvisions() -> None:
    shapes = {name: tuple(value.shape) for name, value in Vgg19().state_dict().items()}
    wide = (64, 64, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512, 512)
    wanted: dict[str, tuple[int, ...]] = {}
    for index, before, after in zip(CONVS, (3, *wide), wide, strict=False):
        wanted[f"features.{index}.weight"] = (after, before, 3, 3)
        wanted[f"features.{index}.bias"] = (after,)
    assert shapes == wanted
    assert not any(p.requires_grad for p in Vgg19().parameters())


def test_perceptual_loss_in_float64() -> None:
    vgg, generator = seeded_vgg(), torch.Generator().manual_seed(1)
    made = torch.rand(1, 3, 32, 32, generator=generator)
    true = torch.rand(1, 3, 32, 32, generator=generator)
    wanted = 0.0
    one, two = made[0].double().numpy(), true[0].double().numpy()
    for _ in range(2):
        pairs = zip(features64(vgg, one), features64(vgg, two), strict=True)
        wanted += sum(float(np.abs(a - b).mean()) for a, b in pairs)
        one, two = blurred64(one), blurred64(two)
    pyramid = ImagePyramid(3, (1.0, 0.5))
    found = perceptual(vgg, pyramid(made), pyramid(true))
    assert wanted > 1
    assert found.item() == pytest.approx(wanted, rel=1e-4)
    assert perceptual(vgg, pyramid(true), pyramid(true)).item() == 0


def test_gradient_reaches_the_prediction_alone() -> None:
    made, true = (torch.rand(1, 3, 16, 16, requires_grad=True) for _ in range(2))
    perceptual(seeded_vgg(), [made], [true]).backward()
    assert made.grad is not None
    assert made.grad.abs().sum() > 0
    assert true.grad is None


def test_layers_and_sizes_are_summed() -> None:
    made, true = (
        [torch.full((1, 3, 2, 2), 0.5), torch.ones(1, 3, 1, 1)],
        [
            torch.zeros(1, 3, 2, 2),
            torch.zeros(1, 3, 1, 1),
        ],
    )
    # first size 0.5 + 3 · 0.5, second 1 + 3 · 1
    assert perceptual(lambda x: [x, 3 * x], made, true).item() == pytest.approx(6.0)


def test_loads_torchvisions_file_without_its_classifier(tmp_path: Path) -> None:
    vgg = seeded_vgg(3)
    state = {**vgg.state_dict(), "classifier.0.weight": torch.zeros(2, 2)}
    state["features.34.weight"] = torch.zeros(1)  # beyond relu5_1
    torch.save(state, tmp_path / "vgg.pth")
    loaded = load_vgg(tmp_path / "vgg.pth")
    for name, value in vgg.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_bad_files_say_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "vgg.pth"
    with pytest.raises(InputError, match=r"no such file.*download\.pytorch\.org"):
        load_vgg(path)
    path.write_text("hello")
    with pytest.raises(InputError, match="cannot be read safely"):
        load_vgg(path)
    torch.save([1, 2], path)
    with pytest.raises(InputError, match="holds a list"):
        load_vgg(path)
    state = dict(Vgg19().state_dict())
    del state["features.28.bias"], state["features.5.weight"]
    torch.save(state, path)
    with pytest.raises(InputError, match=r"lacks features\.5\.weight; lacks features\.28\.bias;"):
        load_vgg(path)
    torch.save({**Vgg19().state_dict(), "features.0.weight": torch.zeros(64, 1, 3, 3)}, path)
    with pytest.raises(InputError, match=r"features\.0\.weight is \[64, 1, 3, 3\], expected \[64,"):
        load_vgg(path)
