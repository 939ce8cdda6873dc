"""Class activation maps for the class FAKE: which parts of a frame a detector uses.

ResNets and Xception end in average pooling and one linear layer; their map is the sum of the last
feature maps, weighted by that layer (Zhou et al., arXiv:1512.04150; the paper, section 5.5).
MesoNets have more layers after the last convolution; their weights are averaged gradients
(Grad-CAM, arXiv:1610.02391). For ResNets and Xception, Grad-CAM equals the positive part of the
first map, up to a factor.
"""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.functional import interpolate

from dfmnist.core.errors import InputError
from dfmnist.detectors.crops import crop, grid
from dfmnist.detectors.networks.base import Detector
from dfmnist.detectors.networks.resnet import ResNet

Method = Literal["auto", "cam", "grad-cam"]
"""How a map is computed: `auto` is the paper's CAM if the network allows it, else Grad-CAM."""
LEAST_SIDE = 4
"""Smallest side of feature maps, in positions; smaller ones are computed without a ResNet's last
stride."""


def cam(
    network: Detector, frames_rgb_u8: UInt8[np.ndarray, "n h w 3"], method: Method = "auto"
) -> Float[np.ndarray, "n h w"]:
    """Evidence for FAKE per pixel, scaled to 0..1 in each frame.

    Frames have the network's size or are larger. The smallest and largest values of a frame
    become 0 and 1 (all are 0 where they are equal), so maps show positions and cannot be compared
    in strength.
    """
    maps = evidence(network, frames_rgb_u8, method)
    low, high = maps.min((1, 2), keepdims=True), maps.max((1, 2), keepdims=True)
    heat: np.ndarray = (maps - low) / np.maximum(high - low, 1e-8)
    return heat


def evidence(
    network: Detector,
    frames_rgb_u8: UInt8[np.ndarray, "n h w 3"],
    method: Method = "auto",
    size_hw: tuple[int, int] | None = None,
) -> Float[np.ndarray, "n h w"]:
    """Evidence for FAKE per pixel without scaling: comparable between positions and frames.

    CAM has both signs (negative values are evidence for REAL); Grad-CAM has no negative values.
    Frames have the network's size or are larger; the maps have the frames' size, or `size_hw`. A
    network that takes one size alone gives a map for each crop of the grid that it scores;
    where crops overlap, their maps are averaged.
    """
    images = network.normalise(torch.from_numpy(frames_rgb_u8.copy()).permute(0, 3, 1, 2))
    network.eval()
    height, width = frames_rgb_u8.shape[1:3]
    side = network.size_px
    if network.any_size or (height, width) == (side, side):
        maps = _enlarged(coarse_maps(network, images, method), size_hw or (height, width))
        return np.asarray(maps.numpy())
    total, count = torch.zeros(len(images), height, width), torch.zeros(height, width)
    for top, left in grid(height, width, side):
        part = coarse_maps(network, crop(images, (top, left), side), method)
        total[:, top : top + side, left : left + side] += _enlarged(part, (side, side))
        count[top : top + side, left : left + side] += 1
    maps = total / count
    return np.asarray((maps if size_hw is None else _enlarged(maps, size_hw)).numpy())


def _enlarged(maps: Float[Tensor, "n i j"], size_hw: tuple[int, int]) -> Float[Tensor, "n h w"]:
    """The maps at another size; maps without negative values stay so."""
    grown = interpolate(maps[:, None], size_hw, mode="bicubic", align_corners=False)[:, 0]
    # bicubic interpolation can give negative values where Grad-CAM has none
    return grown.clamp(min=0) if bool((maps >= 0).all()) else grown


def coarse_maps(
    network: Detector, images: Float[Tensor, "n 3 h w"], method: Method = "auto"
) -> Float[Tensor, "n i j"]:
    """The maps before they are enlarged, for normalised images and a network in evaluation mode.

    Raises `InputError` for a network without maps, and `ValueError` for the method `cam` and a
    network that has no such head, as a MesoNet.
    """
    if not network.has_maps:
        what = "has no maps of places, as most transformers"
        raise InputError.of(f"network {network.name}", what, "a convolutional network")
    if not network.averages and method == "cam":
        raise ValueError("CAM needs average pooling and one linear layer after the last maps")
    with torch.no_grad():
        maps = network.feature_maps(images)
        fine = maps
        if maps.shape[-1] < LEAST_SIDE and isinstance(network, ResNet):
            fine = network.dense_maps(images)
    if not network.averages or method == "grad-cam":
        with torch.enable_grad():
            maps.requires_grad_(True)
            (gradient,) = torch.autograd.grad(network.logits_of(maps).sum(), maps)
        weights = gradient.mean((2, 3))
        return torch.einsum("nkij,nk->nij", fine.detach(), weights).relu()
    head = network.get_submodule(network.head)
    assert isinstance(head, nn.Linear)
    return torch.einsum("nkij,k->nij", fine, head.weight[0].detach())


def overlay(
    frames_rgb_u8: UInt8[np.ndarray, "n h w 3"],
    heat: Float[np.ndarray, "n h w"],
    strength: float = 0.45,
) -> UInt8[np.ndarray, "n h w 3"]:
    """Frames with their heat (0..1) painted over them from blue to red, `strength` opaque.

    The heat may have another size than the frames.
    """
    from matplotlib import colormaps

    size = frames_rgb_u8.shape[1:3]
    grown = interpolate(
        torch.from_numpy(heat)[:, None].float(), size, mode="bilinear", align_corners=False
    )[:, 0].numpy()
    colours = colormaps["jet"](grown)[..., :3] * 255
    mixed: np.ndarray = (1 - strength) * frames_rgb_u8 + strength * colours
    painted: np.ndarray = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return painted
