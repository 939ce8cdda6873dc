"""Parts of the networks: sampling, flows, sizes, blending."""

import pytest
import torch

from dfmnist.core.errors import InputError
from dfmnist.fomm.config import FommConfig, actors
from dfmnist.fomm.networks.blocks import AntiAliasInterpolation2d, coordinate_grid, warp
from dfmnist.fomm.networks.dense_motion import gaussians, sparse_motions
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import Keypoints, KPDetector


def tiny(**changes: object) -> FommConfig:
    """A network that runs in milliseconds at 32 px."""
    values: dict[str, object] = {
        "image_size": 32, "num_kp": 3, "kp_expansion": 4, "kp_max_features": 8, "kp_blocks": 2,
        "motion_expansion": 4, "motion_max_features": 8, "motion_blocks": 2,
        "generator_expansion": 4, "generator_max_features": 8, "generator_bottleneck_blocks": 1,
    }  # fmt: skip
    return FommConfig(**(values | changes))  # type: ignore[arg-type]


def keypoints(batch: int, count: int, seed: int) -> Keypoints:
    generator = torch.Generator().manual_seed(seed)
    value = torch.rand(batch, count, 2, generator=generator) - 0.5
    return Keypoints(value, torch.eye(2).repeat(batch, count, 1, 1))


def test_identity_warp_is_exact() -> None:
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(warp(image, coordinate_grid(64, 64)[None]), image, atol=1e-5, rtol=0)


def test_sparse_motion_of_a_shift_and_a_turn() -> None:
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    source = Keypoints(torch.tensor([[[0.2, 0.0]]]), turn.reshape(1, 1, 2, 2))
    driving = Keypoints(torch.tensor([[[0.0, 0.5]]]), torch.eye(2).reshape(1, 1, 2, 2))
    flow = sparse_motions(source, driving, 5, 5)
    grid = coordinate_grid(5, 5)
    torch.testing.assert_close(flow[0, 0], grid)  # background stays
    # the pixel at (1, 1) is (1, 0.5) from the driving point; turned: (-0.5, 1), from (0.2, 0)
    torch.testing.assert_close(flow[0, 1, 4, 4], torch.tensor([-0.3, 1.0]))


def test_gaussian_peaks_at_its_point() -> None:
    bump = gaussians(torch.tensor([[[0.5, -0.5]]]), 9, 9, 0.01)[0, 0]
    assert bump.flatten().argmax().item() == 2 * 9 + 6
    assert bump.max().item() == pytest.approx(1.0)
    assert bump[2, 7].item() == pytest.approx(float(torch.exp(torch.tensor(-0.5 * 0.0625 / 0.01))))


def test_antialias_keeps_a_flat_field_and_every_fourth_pixel() -> None:
    down = AntiAliasInterpolation2d(3, 0.25)
    flat = down(torch.full((1, 3, 64, 64), 0.7))
    assert flat.shape == (1, 3, 16, 16)
    torch.testing.assert_close(flat[..., 3:-3, 3:-3], torch.full((1, 3, 10, 10), 0.7))
    same = torch.rand(1, 3, 8, 8)
    assert AntiAliasInterpolation2d(3, 1.0)(same) is same


@pytest.mark.parametrize("blend", [False, True])
def test_generator_shapes_and_range(blend: bool) -> None:
    config = tiny(blend=blend)
    model = OcclusionAwareGenerator(config).eval()
    image = torch.rand(2, 3, 32, 32)
    made = model(image, keypoints(2, 3, 0), keypoints(2, 3, 1))
    assert made.prediction.shape == (2, 3, 32, 32)
    assert made.deformation.shape == (2, 8, 8, 2)
    assert 0 <= made.prediction.min() <= made.prediction.max() <= 1
    assert (made.warped is not None) is blend


def test_blending_without_motion_gives_the_source() -> None:
    model = OcclusionAwareGenerator(tiny(blend=True)).eval()
    torch.nn.init.constant_(model.final.weight, 0)
    torch.nn.init.constant_(model.final.bias, 50)  # the mask is 1 everywhere
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    still = keypoints(1, 3, 0)
    made = model(image, still, still)
    torch.testing.assert_close(made.prediction, image, atol=1e-4, rtol=0)


def test_detector_gives_float32_within_the_frame() -> None:
    detector = KPDetector(tiny(kp_kernel=3, kp_padding=1)).eval()
    with torch.autocast("cpu", torch.bfloat16):
        found = detector(torch.rand(2, 3, 32, 32))
    assert found.value.dtype == found.jacobian.dtype == torch.float32
    assert found.value.abs().max() <= 1
    torch.testing.assert_close(found.jacobian, torch.eye(2).expand(2, 3, 2, 2))


def test_smaller_frames_keep_the_weights() -> None:
    config = actors(20)
    half = config.at_size(128)
    assert (half.kp_scale, half.motion_scale, half.image_size) == (0.5, 0.5, 128)
    large, small = OcclusionAwareGenerator(config), OcclusionAwareGenerator(half)
    small.load_state_dict(large.state_dict())
    assert sum(p.numel() for p in large.parameters()) < 4_000_000


def test_config_refuses_nonsense() -> None:
    with pytest.raises(InputError, match="num_kp is 0"):
        FommConfig(num_kp=0)
    with pytest.raises(InputError, match="kp_scale"):
        FommConfig(kp_scale=0.3)
    with pytest.raises(InputError, match="colour"):
        FommConfig.from_dict({"colour": 1}, "x.safetensors")
