"""Losses of the motion model's training; each returns a scalar mean."""

import copy
from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dfmnist.fomm.networks.blocks import coordinate_grid, warp
from dfmnist.fomm.networks.keypoints import Keypoints, inverse_2x2

Image = Float[Tensor, "b 3 h w"]
Weight = Float[Tensor, "b 1 h w"]


def weighted_mean(error: Float[Tensor, "b c h w"], weight: Weight | None) -> Tensor:
    """Mean of `error` weighted by `weight`, Σ w·e / Σ w; the plain mean if `weight` is None."""
    if weight is None:
        return error.mean()
    return (error.mean(dim=1, keepdim=True) * weight).sum() / weight.sum()


def pyramid_l1(
    prediction: Image, target: Image, weight: Weight | None = None, levels: int = 4
) -> Tensor:
    """Mean absolute difference at full, half, quarter … size, averaged over the levels.

    It replaces the perceptual loss of the published recipe if VGG-19's weights are not given.
    """
    errors = [
        weighted_mean((made - true).abs(), share)
        for made, true, share in _pyramid(prediction, target, weight, levels)
    ]
    return torch.stack(errors).mean()


def _pyramid(
    prediction: Image, target: Image, weight: Weight | None, levels: int
) -> Iterator[tuple[Image, Image, Weight | None]]:
    """Prediction, target and weight at full, half, quarter … size."""
    for level in range(levels):
        if level:
            prediction, target = F.avg_pool2d(prediction, 2), F.avg_pool2d(target, 2)
            weight = None if weight is None else F.avg_pool2d(weight, 2)
        yield prediction, target, weight


def gradient_l1(prediction: Image, target: Image, weight: Weight | None = None) -> Tensor:
    """Mean absolute difference of the pixel gradients, horizontal plus vertical."""
    error = prediction - target
    across = (error[..., :, 1:] - error[..., :, :-1]).abs()
    down = (error[..., 1:, :] - error[..., :-1, :]).abs()
    right = None if weight is None else weight[..., :, 1:]
    below = None if weight is None else weight[..., 1:, :]
    return weighted_mean(across, right) + weighted_mean(down, below)


def texture_l1(
    prediction: Image, target: Image, weight: Weight | None = None, levels: int = 2
) -> Tensor:
    """Mean absolute difference of the amount of fine detail, wherever it lies.

    Detail is the root mean square, in patches of 8 by 8 pixels, of the picture minus its 3 by 3
    mean. A loss that compares pixels favours blur where the position of a detail is uncertain;
    this loss penalises blur, and not detail that lies a pixel off.
    """
    errors = []
    for made, true, share in _pyramid(prediction, target, weight, levels):
        patches = None if share is None else F.avg_pool2d(share, 8, 4)
        errors.append(weighted_mean((_detail(made) - _detail(true)).abs(), patches))
    return torch.stack(errors).mean()


def _detail(image: Image) -> Float[Tensor, "b 3 p q"]:
    high = image - F.avg_pool2d(image, 3, 1, 1, count_include_pad=False)
    return (F.avg_pool2d(high * high, 8, 4) + 1e-5).sqrt()


def keypoint_l1(found: Keypoints, true: Keypoints) -> tuple[Tensor, Tensor]:
    """Mean absolute differences of positions, and of Jacobians.

    Points outside of the frame do not count, because no picture shows them.
    """
    seen = (true.value.abs().amax(dim=-1) <= 1).float()
    count = seen.sum().clamp(min=1)
    value = ((found.value - true.value).abs().mean(dim=-1) * seen).sum() / count
    jacobian = ((found.jacobian - true.jacobian).abs().mean(dim=(-2, -1)) * seen).sum() / count
    return value, jacobian


class RandomTransform:
    """Random affine plus thin-plate-spline warp of the plane, for the equivariance losses.

    `x -> A [x, 1] + Σ_c w_c |x - c| ² log|x - c|` over a 5×5 grid of centres (supplement of the
    paper). It is drawn on the CPU from `generator`, so that every device gets the same.
    """

    def __init__(
        self,
        batch: int,
        generator: torch.Generator,
        affine: float = 0.05,
        spline: float = 0.005,
        device: torch.device | None = None,
    ) -> None:
        noise = torch.randn(batch, 2, 3, generator=generator) * affine
        self.theta = (noise + torch.eye(2, 3)).to(device)
        self.centres = coordinate_grid(5, 5, device).reshape(-1, 2)
        control = torch.randn(batch, len(self.centres), 1, generator=generator) * spline
        self.control = control.to(device)

    def at(self, index: slice) -> "RandomTransform":
        """The transforms of the pictures at `index`."""
        chosen = copy.copy(self)
        chosen.theta, chosen.control = self.theta[index], self.control[index]
        return chosen

    def points(self, xy: Float[Tensor, "b n 2"]) -> Float[Tensor, "b n 2"]:
        """Positions of the points `xy` after the transform."""
        with torch.autocast(xy.device.type, enabled=False):  # products of coordinates: float32
            moved = xy @ self.theta[:, :, :2].transpose(1, 2) + self.theta[:, None, :, 2]
            # |x - c| is the sum of absolute differences, as in the public implementation
            distance = (xy[:, :, None] - self.centres).abs().sum(-1)
            bend = distance**2 * torch.log(distance + 1e-6) @ self.control
        return moved + bend

    def jacobian(self, xy: Float[Tensor, "b n 2"]) -> Float[Tensor, "b n 2 2"]:
        """Derivative of `points` at each of the points `xy`."""
        # `xy` may be the detector's output: its graph is kept, as in the published loss
        xy = xy if xy.requires_grad else xy.detach().requires_grad_(True)
        with torch.enable_grad():
            moved = self.points(xy)
            rows = [
                torch.autograd.grad(moved[..., i].sum(), xy, create_graph=True)[0] for i in (0, 1)
            ]
        return torch.stack(rows, dim=-2)

    def image(self, image: Image) -> Image:
        """The transformed picture, which shows at x what `image` shows at `points(x)`."""
        batch, _, height, width = image.shape
        grid = coordinate_grid(height, width, image.device).reshape(1, -1, 2).expand(batch, -1, 2)
        grid = self.points(grid).reshape(batch, height, width, 2)
        return warp(image, grid, padding="reflection")


def equivariance(
    original: Keypoints, transformed: Keypoints, transform: RandomTransform
) -> tuple[Tensor, Tensor]:
    """Equivariance losses of keypoints in a picture and in its transformed version.

    The first is |kp - T(kp_T)| of the positions, the second |I - J⁻¹ · T'(kp_T) · J_T| of the
    Jacobians; equations 8 to 11 of the paper.
    """
    value = (original.value - transform.points(transformed.value)).abs().mean()
    with torch.autocast(value.device.type, enabled=False):
        moved = transform.jacobian(transformed.value) @ transformed.jacobian
        product = inverse_2x2(original.jacobian) @ moved
    return value, (torch.eye(2, device=value.device) - product).abs().mean()


def perceptual(
    features: Callable[[Image], Sequence[Tensor]],
    predictions: Sequence[Image],
    targets: Sequence[Image],
) -> Tensor:
    """Perceptual loss: mean absolute difference of features, summed over layers and sizes.

    `predictions` and `targets` are the pictures at each size; gradients reach the predictions
    alone. Section 3.3 and equation 7 of the paper.
    """
    terms = []
    for made, true in zip(predictions, targets, strict=True):
        with torch.no_grad():
            wanted = features(true)
        found = features(made)
        terms += [(a.float() - b.float()).abs().mean() for a, b in zip(found, wanted, strict=True)]
    return torch.stack(terms).sum()


def feature_matching(real: Sequence[Tensor], generated: Sequence[Tensor]) -> Tensor:
    """Feature matching loss: mean absolute difference of the discriminator's features, summed."""
    pairs = zip(real, generated, strict=True)
    return torch.stack([(a.float() - b.float()).abs().mean() for a, b in pairs]).sum()


def lsgan_generator(score: Tensor) -> Tensor:
    """Generator's least squares GAN loss (1 - D(generated))²; Mao et al., 2017."""
    return ((1 - score.float()) ** 2).mean()


def lsgan_discriminator(real: Tensor, generated: Tensor) -> Tensor:
    """Discriminator's least squares GAN loss (1 - D(real))² + D(generated)²; Mao et al., 2017."""
    return ((1 - real.float()) ** 2).mean() + (generated.float() ** 2).mean()


def weighted_lsgan(score: Float[Tensor, "b 1 p q"], wanted: float, weight: Weight) -> Tensor:
    """Mean of (score - wanted)², weighted by the full-size `weight` of each patch's centre."""
    share = F.adaptive_avg_pool2d(weight, (score.shape[-2], score.shape[-1]))
    return weighted_mean((score.float() - wanted) ** 2, share)
