"""Where a detector looks: class activation maps for the class FAKE.

ResNets and Xception end in average pooling and one linear layer, so the map is the last feature
maps weighted by that layer (Zhou et al., arXiv:1512.04150; the paper, section 5.3). MesoNets have
more layers after the last convolution: there the weights are averaged gradients (Grad-CAM,
arXiv:1610.02391). Behind average pooling and a linear layer, Grad-CAM is the former's positive
part, but for a factor.
"""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.functional import interpolate

from dfmnist.detectors.networks.base import Detector
from dfmnist.detectors.networks.mesonet import MesoNet
from dfmnist.detectors.networks.resnet import ResNet

Method = Literal["auto", "cam", "grad-cam"]
"""`auto` is the paper's CAM where the network allows it, else Grad-CAM."""
LEAST_SIDE = 4
"""Maps of fewer places across are computed without the network's last stride."""


def cam(
    network: Detector, frames_rgb_u8: UInt8[np.ndarray, "n h w 3"], method: Method = "auto"
) -> Float[np.ndarray, "n h w"]:
    """Heat per pixel, 0 to 1 in each frame: high where the evidence for FAKE is.

    Frames are of the network's size. The least and greatest values of a frame become 0 and 1
    (a frame without any difference is 0), so maps show places, not strengths.
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
    """Evidence for FAKE per pixel, as it is: comparable between places and frames.

    CAM gives both signs (below 0 speaks for REAL), Grad-CAM none below 0. Frames are of the
    network's size; the maps too, or of `size_hw`.
    """
    images = network.normalise(torch.from_numpy(frames_rgb_u8.copy()).permute(0, 3, 1, 2))
    network.eval()
    coarse = coarse_maps(network, images, method)
    size = size_hw or frames_rgb_u8.shape[1:3]
    maps = interpolate(coarse[:, None], size, mode="bicubic", align_corners=False)[:, 0].numpy()
    # bicubic curves swing below 0 where Grad-CAM has nothing below 0
    grown: np.ndarray = np.maximum(maps, 0) if bool((coarse >= 0).all()) else maps
    return grown


def coarse_maps(
    network: Detector, images: Float[Tensor, "n 3 h w"], method: Method = "auto"
) -> Float[Tensor, "n i j"]:
    """The maps before they are enlarged, for normalised images; the network evaluates."""
    meso = isinstance(network, MesoNet)
    if meso and method == "cam":
        raise ValueError("CAM needs average pooling and one linear layer; a MesoNet has neither")
    with torch.no_grad():
        maps = network.feature_maps(images)
        fine = maps
        if maps.shape[-1] < LEAST_SIDE and isinstance(network, ResNet):
            fine = network.dense_maps(images)
    if meso or method == "grad-cam":
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
    """The frames under their heat in the usual colours, blue to red, at `strength` opacity.

    The heat may be of another size than the frames.
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
