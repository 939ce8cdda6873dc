"""Networks of the package timm: built, trained, scored and judged like the five."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dfmnist.core import extras
from dfmnist.core.errors import InputError
from dfmnist.detectors.cam import cam
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.networks.builders import build
from dfmnist.detectors.score import score
from dfmnist.detectors.train import train

try:
    import timm
except (ImportError, RuntimeError):  # the second: a torchvision of another torch
    timm = None
needs_timm = pytest.mark.skipif(timm is None, reason="the extra timm is not installed")


def test_without_timm_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "have", lambda module: False)
    with pytest.raises(InputError, match=r"needs the extra 'timm': pip install 'dfmnist\[timm\]'"):
        build("timm:resnet10t")


def test_a_name_that_is_neither_ours_nor_timms() -> None:
    for name in ("resnet5", "timm:", "timm:../x", "Timm:resnet18"):
        with pytest.raises(InputError, match=r"expected one of resnet50, .*, or timm:NAME"):
            TrainConfig(network=name)


@needs_timm
def test_it_is_trained_and_scored_like_the_five(dataset: Path, tmp_path: Path) -> None:
    config = TrainConfig(
        network="timm:resnet10t", size_px=32, frames_per_clip=2, epochs=1, batch_size=8,
        precision="f32",
    )  # fmt: skip
    run = train(config, dataset, tmp_path, quiet=True)
    assert run.name.startswith("timm_resnet10t-raw-")
    table = score(run, dataset, backend="torch", quiet=True)
    ours = score(run, dataset, backend="openvino", precision="f32", quiet=True)
    np.testing.assert_allclose(table["logit"], ours["logit"], atol=1e-3)


@needs_timm
def test_a_network_of_two_heads_is_refused() -> None:
    with pytest.raises(InputError, match=r"deit_tiny_distilled.*: has several heads or none"):
        build("timm:deit_tiny_distilled_patch16_224", size_px=32)


@needs_timm
@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224", "swin_s3_tiny_224"])
def test_features_maps_and_seeds(name: str) -> None:
    one, same, other = (build(f"timm:{name}", seed=seed, size_px=224) for seed in (1, 1, 2))
    frames = torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8)
    with torch.no_grad():
        images = one.normalise(frames)
        logits, found = one.frame_logits(images), one.frame_features(images)
        assert torch.allclose(found[:, 0], logits, atol=1e-5)
        assert found.shape == (2, 1 + one.model.num_features)  # type: ignore[union-attr]
        assert torch.equal(same.frame_logits(images), logits)
        assert not torch.equal(other.frame_logits(images), logits)
    pixels = frames.permute(0, 2, 3, 1).numpy()
    if one.has_maps:
        assert cam(one, pixels).shape == (2, 224, 224)
    else:
        with pytest.raises(InputError, match="has no maps of places"):
            cam(one, pixels)


@needs_timm
def test_a_name_that_timm_does_not_know() -> None:
    with pytest.raises(InputError, match="network timm:resnet9999: timm cannot make it at 224 px"):
        build("timm:resnet9999")
