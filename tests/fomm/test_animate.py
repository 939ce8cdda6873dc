"""Animation end to end at tiny size: shapes, motions, odd input.

In torch, since OpenVINO takes a second to compile a network; test_backends compares the two.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fomm.test_networks import tiny

from dfmnist.core.errors import InputError
from dfmnist.fomm.checkpoint import save_networks
from dfmnist.fomm.inference.animate import Animator, animate, as_frames, hull_scale, transfer
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import Keypoints, KPDetector


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    config = tiny()
    torch.manual_seed(0)
    save_networks(path, config, KPDetector(config), OcclusionAwareGenerator(config))
    return path


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("motion", ["relative", "absolute", "relative_scaled"])
def test_cached_keypoints_give_what_animate_gives(weights: Path, motion: str) -> None:
    source, driving = noise(32, 32, 3), noise(11, 32, 32, 3)
    whole = animate(source, driving, weights=weights, motion=motion, backend="torch")  # type: ignore[arg-type]
    assert whole.shape == (11, 32, 32, 3)
    assert whole.dtype == np.uint8
    model = Animator(weights, backend="torch")
    kept = model.keypoints(driving)
    parts = model.animate(model.encode(source), kept, motion)  # type: ignore[arg-type]
    np.testing.assert_array_equal(parts, whole)


@pytest.mark.parametrize("shape", [(40, 31), (40, 31, 1), (40, 31, 3), (40, 31, 4), (1, 40, 31, 3)])
def test_odd_sources(weights: Path, shape: tuple[int, ...]) -> None:
    driving = noise(1, 50, 47, 3)  # a driver of one frame
    made = animate(noise(*shape), driving, weights=weights, backend="torch")
    assert made.shape == (1, 32, 32, 3)


def test_alpha_is_laid_on_white_and_grey_repeated() -> None:
    clear = np.zeros((8, 8, 4), np.uint8)
    assert (as_frames(clear, "source", 1, 8) == 255).all()
    grey = as_frames(np.full((2, 8, 8), 9, np.uint8), "driving", None, 8)
    assert grey.shape == (2, 8, 8, 3)
    assert (grey == 9).all()


@pytest.mark.parametrize(
    ("source", "driving"),
    [
        (np.zeros((8, 8, 3), np.float32), np.zeros((1, 8, 8, 3), np.uint8)),
        (np.zeros((8, 8, 2), np.uint8), np.zeros((1, 8, 8, 3), np.uint8)),
        (np.zeros((8, 8, 3), np.uint8), np.zeros((0, 8, 8, 3), np.uint8)),
        (np.zeros((8, 8, 3), np.uint8), np.zeros((8,), np.uint8)),
    ],
)
def test_what_is_no_picture_is_refused(
    weights: Path, source: np.ndarray, driving: np.ndarray
) -> None:
    with pytest.raises(InputError, match=r"frames are .* expected"):
        animate(source, driving, weights=weights, backend="torch")


def test_unknown_motion(weights: Path) -> None:
    with pytest.raises(InputError, match="unknown motion 'wild'"):
        animate(noise(8, 8, 3), noise(1, 8, 8, 3), weights=weights, motion="wild", backend="torch")  # type: ignore[arg-type]


def square(side: float, shift: float = 0.0) -> Keypoints:
    corners = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]]) * side / 2 + shift
    return Keypoints(corners[None], torch.eye(2).repeat(1, 4, 1, 1))


def test_relative_motion_by_hand() -> None:
    source, first, later = square(0.5), square(1.0), square(1.0, 0.2)
    driving = Keypoints(
        torch.cat([first.value, later.value]), torch.cat([first.jacobian, 2 * later.jacobian])
    )
    moved = transfer(source, driving, "relative")
    torch.testing.assert_close(moved.value[0], source.value[0])
    torch.testing.assert_close(moved.value[1], source.value[0] + 0.2)
    torch.testing.assert_close(moved.jacobian[1], 2 * torch.eye(2).expand(4, 2, 2))
    scaled = transfer(source, driving, "relative_scaled")
    torch.testing.assert_close(scaled.value[1], source.value[0] + 0.1)  # half as large a face
    assert transfer(source, driving, "absolute") is driving
    assert hull_scale(source, first) == pytest.approx(0.5)


def test_flat_hull_does_not_scale() -> None:
    line = Keypoints(torch.zeros(1, 4, 2), torch.eye(2).repeat(1, 4, 1, 1))
    assert hull_scale(square(1.0), line) == 1.0
