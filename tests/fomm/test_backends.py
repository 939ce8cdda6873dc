"""Backends against plain torch at tiny size, and what `auto` means."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fomm.test_fuse import randomised
from tests.fomm.test_networks import tiny

from dfmnist.core.errors import InputError
from dfmnist.core.inference import has_amx, openvino_has_bf16
from dfmnist.fomm.checkpoint import Networks, save_networks
from dfmnist.fomm.config import FommConfig
from dfmnist.fomm.inference.animate import Animator
from dfmnist.fomm.inference.backends import (
    MotionBackend,
    OpenVinoMotionBackend,
    TorchMotionBackend,
    choose_backend,
    to_tensor,
)
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import Keypoints, KPDetector

BLEND: dict[str, object] = {"blend": True, "hint": True, "final_kernel": 3}
NO_TILES: dict[str, object] = {"image_size": 40, "kp_blocks": 1, "motion_blocks": 1}


def networks(config: FommConfig) -> Networks:
    detector, generator = KPDetector(config), OcclusionAwareGenerator(config)
    randomised(detector, 1)
    randomised(generator, 2)
    with (
        torch.no_grad()
    ):  # near the identity, as trained ones are, so that no point leaves the frame
        detector.jacobian.weight.mul_(0.01)
        detector.jacobian.bias.copy_(torch.tensor([1.0, 0, 0, 1]).repeat(config.num_kp))
    return Networks(config, detector.requires_grad_(False), generator.requires_grad_(False))


def frames(count: int, size: int = 32) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), np.uint8)
    return coarse.repeat(size // 4, axis=1).repeat(size // 4, axis=2)


def plain(net: Networks, images: np.ndarray) -> tuple[Keypoints, np.ndarray]:
    """Keypoints of all images, and the first image animated by the others, as levels of 255."""
    with torch.inference_mode():
        found = net.kp_detector(to_tensor(images))
        code = net.generator.encode(to_tensor(images[:1]))
        made = [
            net.generator.decode(code, found.at(slice(0, 1)), found.at(slice(i, i + 1))).prediction
            for i in range(1, len(images))
        ]
    return found, torch.cat(made).permute(0, 2, 3, 1).numpy() * 255


def skip_without_bf16(backend: str, bfloat16: bool) -> None:
    """Skip a test of bfloat16 if OpenVINO has none on this processor."""
    if backend == "openvino" and bfloat16 and not openvino_has_bf16():
        pytest.skip("OpenVINO has no bfloat16 on this processor")


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(np.float64) - b) ** 2)))


@pytest.mark.parametrize("changes", [{}, BLEND, NO_TILES])
@pytest.mark.parametrize("name", ["torch", "openvino"])
@pytest.mark.parametrize("bfloat16", [False, True])
def test_against_plain_torch(name: str, bfloat16: bool, changes: dict[str, object]) -> None:
    """Frames agree to one level of 255 in float32, to 40 dB in bfloat16; positions in both.

    At 40 px the features' sides are no multiple of Winograd's tiles.
    """
    skip_without_bf16(name, bfloat16)
    net = networks(tiny(**changes))
    images = frames(4, net.config.image_size)
    backend: MotionBackend = (
        TorchMotionBackend(net, torch.device("cpu"), bfloat16)
        if name == "torch"
        else OpenVinoMotionBackend(net, bfloat16)
    )
    found, wanted = plain(net, images)
    ours = backend.detect(images)
    torch.testing.assert_close(ours.value, found.value, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(ours.jacobian, found.jacobian, atol=1e-4, rtol=1e-3)
    code = backend.encode(images[:1])
    made = backend.decode(code, found.at(slice(0, 1)), found.at(slice(1, None)))
    assert made.shape == wanted.shape
    assert made.dtype == np.uint8
    assert wanted.std() > 2  # no empty picture
    if bfloat16:
        assert psnr(made, wanted) >= 40
    else:
        assert np.abs(made - wanted).max() <= 1


def test_batches_give_the_frames_of_one_pass() -> None:
    """A backend may take several frames a pass, as on a GPU; the last batch may be shorter."""
    net = networks(tiny(**BLEND))
    images = frames(4, net.config.image_size)
    single, pairs = (TorchMotionBackend(net, torch.device("cpu")) for _ in range(2))
    pairs.batch = 2
    keypoints = single.detect(images)
    source, driving = keypoints.at(slice(0, 1)), keypoints.at(slice(1, None))
    code = single.encode(images[:1])
    wanted, made = (backend.decode(code, source, driving) for backend in (single, pairs))
    assert made.shape == wanted.shape == (3, *images.shape[1:])
    assert np.abs(made.astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("backend", ["torch", "openvino"])
@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_a_still_driver_gives_a_still_clip(tmp_path: Path, backend: str, precision: str) -> None:
    """Equal frames give equal keypoints and equal pictures, without any jitter."""
    skip_without_bf16(backend, precision == "bf16")
    net = networks(tiny())
    path = tmp_path / "tiny.safetensors"
    save_networks(path, net.config, net.kp_detector, net.generator)
    model = Animator(path, backend=backend, precision=precision)  # type: ignore[arg-type]
    still = frames(1).repeat(6, axis=0)
    keypoints = model.keypoints(still)
    assert (keypoints.value == keypoints.value[0]).all()
    made = model.animate(model.encode(frames(2)[1]), keypoints)
    assert (made == made[0]).all()


@pytest.mark.usefixtures("as_shipped")
def test_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    net = networks(tiny())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    chosen = choose_backend(net)
    assert isinstance(chosen, OpenVinoMotionBackend)
    assert chosen.precision == ("bf16" if has_amx() else "f32")
    assert chosen.batch == 1
    assert isinstance(choose_backend(net, "torch", "f32"), TorchMotionBackend)
    with pytest.raises(InputError, match="--backend is 'tpu'; expected one of auto, openvino"):
        choose_backend(net, "tpu")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="--precision is 'f16'"):
        choose_backend(net, "auto", "f16")  # type: ignore[arg-type]


def test_bf16_is_refused_where_openvino_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dfmnist.core.inference.openvino_has_bf16", lambda: False)
    with pytest.raises(InputError, match="--precision bf16: OpenVINO has no bfloat16"):
        choose_backend(networks(tiny()), "openvino", "bf16")
