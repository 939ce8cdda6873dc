"""Where a detector looks: class activation maps for the class FAKE.

ResNets and Xception end in average pooling and one linear layer, so the map is the last feature
maps weighted by that layer (Zhou et al., arXiv:1512.04150). MesoNets have more layers after the
last convolution: there the weights are averaged gradients (Grad-CAM, arXiv:1610.02391).
"""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.functional import interpolate

from dfmnist.detect.networks.base import Detector
from dfmnist.detect.networks.mesonet import MesoNet
from dfmnist.detect.networks.resnet import ResNet

LEAST_SIDE = 4
"""Maps of fewer places across are computed without the network's last stride."""


def cam(
    network: Detector, frames_rgb_u8: UInt8[np.ndarray, "n h w 3"]
) -> Float[np.ndarray, "n h w"]:
    """Heat per pixel, 0 to 1 in each frame: high where the evidence for FAKE is.

    Frames are of the network's size. The least and greatest values of a frame become 0 and 1
    (a frame without any difference is 0), so maps show places, not strengths.
    """
    images = network.normalise(torch.from_numpy(frames_rgb_u8.copy()).permute(0, 3, 1, 2))
    network.eval()
    coarse = _grad_cam(network, images) if isinstance(network, MesoNet) else _cam(network, images)
    size = frames_rgb_u8.shape[1:3]
    maps = interpolate(coarse[:, None], size, mode="bicubic", align_corners=False)[:, 0]
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    heat: np.ndarray = ((maps - low) / (high - low).clamp_min(1e-8)).numpy()
    return heat


def _cam(network: Detector, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n i j"]:
    head = network.get_submodule(network.head)
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        maps = network.feature_maps(images)
        if maps.shape[-1] < LEAST_SIDE and isinstance(network, ResNet):
            maps = network.dense_maps(images)
        return torch.einsum("nkij,k->nij", maps, head.weight[0])


def _grad_cam(network: MesoNet, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n i j"]:
    with torch.no_grad():
        maps = network.feature_maps(images)
    with torch.enable_grad():
        maps.requires_grad_(True)
        (gradient,) = torch.autograd.grad(network.logits_of(maps).sum(), maps)
    weights = gradient.mean((2, 3), keepdim=True)
    return torch.relu((weights * maps).sum(1)).detach()


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
