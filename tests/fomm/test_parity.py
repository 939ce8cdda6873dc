"""Agreement with the public implementation (vox-256, `align_corners=True`, seeded weights)."""

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from tests.fomm.seeded import DATA, seeded_state, state_shapes
from tests.fomm.test_backends import skip_without_bf16

from dfmnist.core.choices import BackendName, Motion, Precision
from dfmnist.fomm.checkpoint import Networks, load_networks
from dfmnist.fomm.config import FommConfig
from dfmnist.fomm.convert import convert_weights
from dfmnist.fomm.inference.animate import Animator, transfer
from dfmnist.fomm.inference.backends import to_tensor
from dfmnist.fomm.networks.blocks import AntiAliasInterpolation2d
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import KPDetector

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
    """A checkpoint in the public layout. Like the published files, it holds the blur's Gaussian."""
    path = tmp_path_factory.mktemp("vox") / "vox-seeded.pth.tar"
    state = {name: seeded_state(name, 0) for name in ("generator", "kp_detector")}
    blur = AntiAliasInterpolation2d(3, 0.25).weight
    assert blur.shape == (3, 1, 13, 13)
    assert float(blur[0].sum()) == pytest.approx(1)
    state["kp_detector"]["down.weight"] = blur
    state["generator"]["dense_motion_network.down.weight"] = blur
    torch.save({"epoch": 99, **state}, path)
    return path


@pytest.fixture(scope="module")
def converted(weights: Path) -> Path:
    """The same checkpoint as our safetensors, float32, which holds no blur."""
    path = weights.with_name("vox-seeded.safetensors")
    assert convert_weights(weights, path) == FommConfig()
    with safe_open(path, "pt") as file:
        assert not [name for name in file.keys() if name.endswith("down.weight")]  # noqa: SIM118
    return path


@pytest.fixture(scope="module")
def networks(weights: Path) -> Networks:
    return load_networks(weights)


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


def test_the_converted_file_holds_the_same_networks(networks: Networks, converted: Path) -> None:
    """The backends below read it."""
    again = load_networks(converted)
    for ours, theirs in (
        (again.kp_detector, networks.kp_detector),
        (again.generator, networks.generator),
    ):
        state = theirs.state_dict()
        assert ours.state_dict().keys() == state.keys()
        assert all(torch.equal(value, state[name]) for name, value in ours.state_dict().items())


def test_parity_of_keypoints(networks: Networks, reference: dict[str, np.ndarray]) -> None:
    images = np.stack([reference["source"], *reference["driving"]])
    with torch.inference_mode():
        found = networks.kp_detector(to_tensor(images))
    for part, suffix in ((slice(0, 1), "source"), (slice(1, 3), "driving")):
        ours = found.at(part)
        value, jacobian = reference[f"kp_{suffix}"], reference[f"jac_{suffix}"]
        np.testing.assert_allclose(ours.value.numpy().reshape(value.shape), value, atol=1e-4)
        np.testing.assert_allclose(
            ours.jacobian.numpy().reshape(jacobian.shape), jacobian, atol=1e-4
        )


def test_parity_of_pictures(networks: Networks, reference: dict[str, np.ndarray]) -> None:
    images = np.stack([reference["source"], *reference["driving"]])
    with torch.inference_mode():
        found = networks.kp_detector(to_tensor(images))
        source, driving = found.at(slice(0, 1)), found.at(slice(1, 3))
        targets = [transfer(source, driving, motion).at(slice(1, 2)) for motion in MOTIONS]
        pictures = [networks.generator(to_tensor(images[:1]), source, one) for one in targets]
    for motion, made in zip(MOTIONS, pictures, strict=True):
        picture = made.prediction[0].permute(1, 2, 0)[3::8, 3::8].numpy()
        wanted = reference[f"prediction_{motion}"].astype(np.float32)
        assert np.abs(picture - wanted).max() < 2e-3, motion
        occlusion = reference[f"occlusion_{motion}"].astype(np.float32)
        assert np.abs(made.occlusion[0, 0].numpy() - occlusion).max() < 2e-3, motion
        assert picture.std() > 0.05  # a picture, not a flat field


@pytest.mark.soak  # test_backends.py compares them on small networks
@pytest.mark.parametrize(
    ("backend", "precision"), [("torch", "f32"), ("openvino", "f32"), ("openvino", "bf16")]
)
def test_parity_of_backends(
    converted: Path,
    reference: dict[str, np.ndarray],
    backend: BackendName,
    precision: Precision,
) -> None:
    """Frames of the fast backends against the same published pictures.

    The motion that uses most of the keypoints' numbers; the others are compared above and, at a
    small size, in test_animate.
    """
    motion: Motion = "relative_scaled"
    skip_without_bf16(backend, precision == "bf16")
    model = _animator(converted, backend, precision)
    source, driving = model.encode(reference["source"]), model.keypoints(reference["driving"])
    np.testing.assert_allclose(
        driving.value.numpy(), reference["kp_driving"].reshape(driving.value.shape), atol=1e-4
    )
    frames = model.animate(source, driving, motion)
    wanted = reference[f"prediction_{motion}"].astype(np.float32) * 255
    off = np.abs(frames[1, 3::8, 3::8] - wanted)
    if precision == "f32":
        assert off.max() < 1.1  # 2e-3 of 255, and the rounding to whole levels
    else:
        assert -10 * np.log10((off**2).mean() / 255**2) >= 40  # dB


@functools.cache
def _animator(weights: Path, backend: BackendName, precision: Precision) -> Animator:
    return Animator(weights, backend=backend, precision=precision)
