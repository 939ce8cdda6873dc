"""Losses against values computed by hand or in float64."""

import numpy as np
import pytest
import torch

from dfmnist.fomm.networks.blocks import coordinate_grid, warp
from dfmnist.fomm.networks.keypoints import Keypoints, inverse_2x2
from dfmnist.fomm.training.losses import (
    RandomTransform,
    equivariance,
    feature_matching,
    gradient_l1,
    keypoint_l1,
    lsgan_discriminator,
    lsgan_generator,
    pyramid_l1,
    texture_l1,
    weighted_lsgan,
    weighted_mean,
)


def picture(*values: float) -> torch.Tensor:
    """A picture (1, 1, 2, 2) with these values."""
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, 2, 2)


def test_pyramid_averages_over_levels() -> None:
    a, b = picture(0, 0, 0, 0), picture(1, 0, 0, -3)
    # full size: (1 + 3) / 4 = 1; half size: |mean| = |-2 / 4| = 0.5
    assert pyramid_l1(a, b, levels=1).item() == pytest.approx(1.0)
    assert pyramid_l1(a, b, levels=2).item() == pytest.approx(0.75)


def test_pyramid_with_weight() -> None:
    a, b = picture(0, 0, 0, 0), picture(1, 0, 0, -3)
    weight = picture(3, 1, 1, 1)
    # (3·1 + 1·3) / 6 = 1; half size has one pixel, so its weight cancels
    assert pyramid_l1(a, b, weight, levels=1).item() == pytest.approx(1.0)
    assert pyramid_l1(a, b, picture(1, 0, 0, 0), levels=1).item() == pytest.approx(1.0)
    assert pyramid_l1(a, b, picture(0, 0, 0, 1), levels=2).item() == pytest.approx(1.75)


def test_weighted_mean_averages_channels_first() -> None:
    error = torch.stack([picture(1, 1, 1, 1)[0, 0], picture(3, 3, 3, 3)[0, 0]])[None]
    assert weighted_mean(error, picture(1, 2, 3, 4)).item() == pytest.approx(2.0)


def test_gradient_sees_edges_and_not_brightness() -> None:
    a = picture(0, 0, 0, 0)
    assert gradient_l1(a, a + 0.5).item() == 0
    # error [[1, 0], [0, 0]]: across |-1|, |0| -> 0.5; down |-1|, |0| -> 0.5
    assert gradient_l1(picture(1, 0, 0, 0), a).item() == pytest.approx(1.0)
    # the weight of the right or lower pixel counts: 0 for both changes
    assert gradient_l1(picture(1, 0, 0, 0), a, picture(1, 0, 0, 1)).item() == pytest.approx(0.0)


def test_texture_minds_how_much_detail_there_is_and_not_where() -> None:
    checks = (torch.arange(32)[:, None] + torch.arange(32)) % 2 / 2 + 0.25
    sharp = checks.expand(1, 3, 32, 32)
    blurred = torch.full_like(sharp, 0.5)
    moved = sharp.roll(1, dims=-1)  # every pixel is wrong, the detail is the same
    assert (moved - sharp).abs().min() == pytest.approx(0.5)
    assert texture_l1(moved, sharp).item() == pytest.approx(0, abs=1e-6)
    # full size: a pixel against the mean of its 3 by 3 is off by 4/9 of 0.5; half size: flat
    inner = texture_l1(blurred, sharp, levels=1).item()
    assert inner == pytest.approx(0.5 * 4 / 9, rel=0.05)
    assert texture_l1(blurred, sharp).item() == pytest.approx(inner / 2, rel=1e-3)
    nowhere = torch.zeros(1, 1, 32, 32)
    nowhere[..., :8, :8] = 1
    half = sharp.clone()
    half[..., 16:] = 0.5
    assert texture_l1(half, sharp, nowhere).item() == pytest.approx(0, abs=1e-6)


def test_keypoints_outside_the_frame_do_not_count() -> None:
    eye = torch.eye(2).expand(1, 2, 2, 2)
    found = Keypoints(torch.zeros(1, 2, 2), eye * 3)
    true = Keypoints(torch.tensor([[[0.5, -0.1], [1.5, 0.0]]]), eye)
    value, jacobian = keypoint_l1(found, true)
    assert value.item() == pytest.approx(0.3)
    assert jacobian.item() == pytest.approx(1.0)  # |3 - 1| on two of four entries


def test_inverse_against_numpy() -> None:
    m = np.random.default_rng(0).normal(size=(7, 3, 2, 2))
    np.testing.assert_allclose(inverse_2x2(torch.from_numpy(m)), np.linalg.inv(m), atol=1e-9)


def test_transform_points_and_jacobian_in_float64() -> None:
    transform = RandomTransform(2, torch.Generator().manual_seed(3), affine=0.2, spline=0.05)
    points = torch.rand(2, 5, 2, generator=torch.Generator().manual_seed(4)) * 1.6 - 0.8

    def reference(b: int, xy: np.ndarray) -> np.ndarray:
        theta = transform.theta[b].double().numpy()
        control = transform.control[b, :, 0].double().numpy()
        distance = np.abs(xy - transform.centres.double().numpy()).sum(1)
        return theta[:, :2] @ xy + theta[:, 2] + control @ (distance**2 * np.log(distance + 1e-6))

    moved, slope = transform.points(points), transform.jacobian(points)
    for b in range(2):
        for k in range(5):
            xy = points[b, k].double().numpy()
            np.testing.assert_allclose(moved[b, k], reference(b, xy), atol=1e-5)
            for j in range(2):
                step = np.eye(2)[j] * 1e-5
                difference = (reference(b, xy + step) - reference(b, xy - step)) / 2e-5
                np.testing.assert_allclose(slope[b, k, :, j].detach(), difference, atol=1e-3)


def test_equivariance_is_zero_for_an_equivariant_detector() -> None:
    """An equivariant detector finds p' with T(p') = p, and J' with T'(p')·J' = J."""
    transform = RandomTransform(3, torch.Generator().manual_seed(1))
    moved = torch.rand(3, 6, 2, generator=torch.Generator().manual_seed(2)) - 0.5
    slope = transform.jacobian(moved).detach()
    j_moved = torch.randn(3, 6, 2, 2, generator=torch.Generator().manual_seed(5)) + 2 * torch.eye(2)
    original = Keypoints(transform.points(moved), slope @ j_moved)
    value, jacobian = equivariance(original, Keypoints(moved, j_moved), transform)
    assert value.item() < 1e-6
    assert jacobian.item() < 1e-4
    other = Keypoints(moved + 0.1, j_moved * 1.5)
    worse_value, worse_jacobian = equivariance(original, other, transform)
    assert worse_value.item() > 0.05
    assert worse_jacobian.item() > 0.2


def test_equivariance_of_a_picture_without_noise_is_the_picture() -> None:
    image = torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    still = RandomTransform(1, torch.Generator().manual_seed(0), affine=0.0, spline=0.0)
    torch.testing.assert_close(still.image(image), image, atol=1e-5, rtol=0)


def find_colours(image: torch.Tensor, colours: torch.Tensor) -> Keypoints:
    """A detector that is always equivariant: it finds where a picture shows given colours.

    (b, 3, h, w) and (k, 2): by Newton's method on the first two channels, from the nearest pixel.
    The Jacobian is that of place by colour.
    """
    batch, _, height, width = image.shape
    grid, step = coordinate_grid(height, width).reshape(-1, 2), 2 / (width - 1)
    shown = image[:, :2].flatten(2).transpose(1, 2)  # (b, pixels, 2)
    xy = grid[torch.cdist(colours.expand(batch, -1, -1), shown).argmin(dim=2)]

    def at(points: torch.Tensor) -> torch.Tensor:
        return warp(image[:, :2], points[:, :, None], padding="border")[..., 0].transpose(1, 2)

    for _ in range(4):
        slope = torch.stack(
            [(at(xy + step * e) - at(xy - step * e)) / (2 * step) for e in torch.eye(2)], dim=-1
        )
        xy = xy + (inverse_2x2(slope) @ (colours - at(xy))[..., None])[..., 0]
    return Keypoints(xy, inverse_2x2(slope))


def test_equivariance_is_zero_for_an_equivariant_detector_of_pictures() -> None:
    """The warped picture, the points found in it, and the transform agree, computed from pixels."""
    ramp = coordinate_grid(65, 65).permute(2, 0, 1)  # each pixel's colour is its position
    image = torch.cat([ramp, torch.zeros(1, 65, 65)])[None].expand(3, -1, -1, -1)
    transform = RandomTransform(3, torch.Generator().manual_seed(6))
    colours = torch.rand(7, 2, generator=torch.Generator().manual_seed(7)) - 0.5
    original = find_colours(image, colours)
    moved = find_colours(transform.image(image), colours)
    assert (original.value - moved.value).abs().max() > 0.03  # there is something to follow
    value, jacobian = equivariance(original, moved, transform)
    assert value.item() < 2e-4
    assert jacobian.item() < 3e-3
    # one that gives the same whatever it is shown is not
    value, jacobian = equivariance(original, original, transform)
    assert value.item() > 0.02
    assert jacobian.item() > 0.02


def test_transforms_of_some_pictures() -> None:
    whole = RandomTransform(4, torch.Generator().manual_seed(2))
    xy = torch.rand(4, 5, 2)
    assert torch.equal(whole.at(slice(1, 3)).points(xy[1:3]), whole.points(xy)[1:3])


def test_least_squares_gan_by_hand() -> None:
    real, fake = torch.tensor([1.0, 0.5]), torch.tensor([0.0, -2.0])
    # generator wants 1: (1² + 3²) / 2; discriminator 1 and 0: (0 + 0.25) / 2 + (0 + 4) / 2
    assert lsgan_generator(fake).item() == pytest.approx(5.0)
    assert lsgan_discriminator(real, fake).item() == pytest.approx(2.125)
    assert lsgan_discriminator(torch.ones(3), torch.zeros(3)).item() == 0
    assert lsgan_generator(torch.ones(3)).item() == 0


def test_feature_matching_by_hand() -> None:
    real = [torch.tensor([1.0, 2.0]), torch.tensor([[3.0]])]
    fake = [torch.tensor([0.0, 4.0]), torch.tensor([[2.5]])]
    # layers are summed, each a mean: (1 + 2) / 2 + 0.5
    assert feature_matching(real, fake).item() == pytest.approx(2.0)
    assert feature_matching(real, real).item() == 0


def test_patches_without_weight_do_not_count() -> None:
    score = torch.zeros(1, 1, 2, 2)
    score[..., 1] = 1.0
    left = torch.zeros(1, 1, 8, 8)
    left[..., :4] = 1
    assert weighted_lsgan(score, 1.0, left).item() == pytest.approx(1)
    assert weighted_lsgan(score, 0.0, left).item() == pytest.approx(0)
    assert weighted_lsgan(score, 0.0, torch.ones(1, 1, 8, 8)).item() == pytest.approx(0.5)
