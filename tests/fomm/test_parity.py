"""Agreement with the public implementation (vox-256, `align_corners=True`, seeded weights)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fomm.seeded import DATA, seeded_state, state_shapes

from dfmnist.fomm.animate import Animator, Motion, animate, transfer
from dfmnist.fomm.blocks import AntiAliasInterpolation2d
from dfmnist.fomm.checkpoint import load_networks
from dfmnist.fomm.config import FommConfig
from dfmnist.fomm.convert import convert_weights
from dfmnist.fomm.generator import OcclusionAwareGenerator
from dfmnist.fomm.keypoints import KPDetector

pytestmark = pytest.mark.parity
MOTIONS: tuple[Motion, ...] = ("absolute", "relative", "relative_scaled")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(DATA / "fomm_parity.npz") as stored:
        return {name: stored[name] for name in stored.files}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint in the public layout, without the fixed blur."""
    path = tmp_path_factory.mktemp("vox") / "vox-seeded.pth.tar"
    names = ("generator", "kp_detector")
    torch.save({"epoch": 99, **{name: seeded_state(name, 0) for name in names}}, path)
    return path


@pytest.fixture(scope="module")
def converted(weights: Path) -> Path:
    """The same as our safetensors, float32."""
    path = weights.with_name("vox-seeded.safetensors")
    assert convert_weights(weights, path) == FommConfig()
    return path


@pytest.fixture(scope="module", params=["pth.tar", "safetensors"])
def model(request: pytest.FixtureRequest, weights: Path, converted: Path) -> Animator:
    return Animator(weights if request.param == "pth.tar" else converted)


def test_parity_of_names_and_shapes() -> None:
    config = FommConfig()
    modules = {"kp_detector": KPDetector(config), "generator": OcclusionAwareGenerator(config)}
    for name, module in modules.items():
        ours = {key: list(value.shape) for key, value in module.state_dict().items()}
        theirs = state_shapes(name)
        blur = [key for key in theirs if key.endswith("down.weight")]
        assert [theirs.pop(key) for key in blur] == [[3, 1, 13, 13]]
        assert ours == theirs
    assert sum(p.numel() for p in modules["kp_detector"].parameters()) > 14_000_000


def test_parity_of_keypoints(model: Animator, reference: dict[str, np.ndarray]) -> None:
    source = model.encode(reference["source"]).keypoints
    driving = model.keypoints(reference["driving"])
    for found, suffix in ((source, "source"), (driving, "driving")):
        value, jacobian = reference[f"kp_{suffix}"], reference[f"jac_{suffix}"]
        np.testing.assert_allclose(found.value.numpy().reshape(value.shape), value, atol=1e-4)
        np.testing.assert_allclose(
            found.jacobian.numpy().reshape(jacobian.shape), jacobian, atol=1e-4
        )


@pytest.mark.parametrize("motion", MOTIONS)
def test_parity_of_pictures(
    model: Animator, reference: dict[str, np.ndarray], motion: Motion
) -> None:
    source = model.encode(reference["source"])
    target = transfer(source.keypoints, model.keypoints(reference["driving"]), motion)
    with torch.inference_mode():
        made = model._generator.decode(source.code, source.keypoints, target.at(slice(1, 2)))
    picture = made.prediction[0].permute(1, 2, 0)[3::8, 3::8].numpy()
    wanted = reference[f"prediction_{motion}"].astype(np.float32)
    assert np.abs(picture - wanted).max() < 2e-3
    occlusion = reference[f"occlusion_{motion}"].astype(np.float32)
    assert np.abs(made.occlusion[0, 0].numpy() - occlusion).max() < 2e-3
    assert picture.std() > 0.05  # a picture, not a flat field that anything would match


def test_parity_of_animate(weights: Path, reference: dict[str, np.ndarray]) -> None:
    frames = animate(reference["source"], reference["driving"], weights=weights)
    assert frames.shape == (2, 256, 256, 3)
    assert frames.dtype == np.uint8
    wanted = reference["prediction_relative"].astype(np.float32) * 255
    assert np.abs(frames[1, 3::8, 3::8] - wanted).max() < 1.1


def test_parity_with_the_blur_in_the_file(weights: Path, tmp_path: Path) -> None:
    """Published files hold the blur's Gaussian, ours do not: both load, to the same networks."""
    state = torch.load(weights, weights_only=True)
    blur = AntiAliasInterpolation2d(3, 0.25).weight
    state["kp_detector"]["down.weight"] = blur
    state["generator"]["dense_motion_network.down.weight"] = blur
    path = tmp_path / "vox-with-blur.pth.tar"
    torch.save(state, path)
    without, with_blur = load_networks(weights), load_networks(path)
    assert torch.equal(without.kp_detector.kp.weight, with_blur.kp_detector.kp.weight)
    assert blur.shape == (3, 1, 13, 13)
    assert float(blur[0].sum()) == pytest.approx(1)
