"""The discriminator: public names and shapes, sizes by hand, spectral norm against torch's."""

import pytest
import torch
from tests.fomm.seeded import state_shapes
from tests.fomm.test_networks import keypoints, tiny
from torch import nn

from dfmnist.core.errors import InputError
from dfmnist.fomm.config import FommConfig
from dfmnist.fomm.networks.discriminator import (
    DiscriminatorConfig,
    MultiScaleDiscriminator,
    SpectralConv2d,
)


def test_names_and_shapes_are_the_public_ones() -> None:
    model = MultiScaleDiscriminator(DiscriminatorConfig(), FommConfig())
    shapes = {name: list(value.shape) for name, value in model.state_dict().items()}
    assert shapes == state_shapes("discriminator")
    assert sum(p.numel() for p in model.parameters()) == 2_758_849


def test_vox_adv_sees_keypoints_and_has_no_spectral_norm() -> None:
    config = DiscriminatorConfig(spectral_norm=False, use_kp=True)
    state = MultiScaleDiscriminator(config, FommConfig()).state_dict()
    public = {n: s for n, s in state_shapes("discriminator").items() if n[-2:] not in ("_u", "_v")}
    wanted = {name.replace("weight_orig", "weight"): shape for name, shape in public.items()}
    wanted["discs.1.down_blocks.0.conv.weight"] = [64, 3 + 10, 4, 4]
    assert {name: list(value.shape) for name, value in state.items()} == wanted


def small(**changes: object) -> MultiScaleDiscriminator:
    torch.manual_seed(0)
    values: dict[str, object] = {"expansion": 4, "max_features": 16, "blocks": 3}
    config = DiscriminatorConfig(**(values | changes))  # type: ignore[arg-type]
    return MultiScaleDiscriminator(config, tiny())


def test_sizes_by_hand() -> None:
    outputs = small(scales=(1.0, 0.5))(torch.rand(2, 3, 64, 64))
    # 64 -4+1-> 61 /2-> 30 -> 27 -> 13 -> 10, which is not halved
    assert [list(f.shape) for f in outputs[0].features] == [
        [2, 8, 30, 30], [2, 16, 13, 13], [2, 16, 10, 10]
    ]  # fmt: skip
    assert outputs[0].score.shape == (2, 1, 10, 10)
    assert outputs[1].score.shape == (2, 1, 2, 2)  # 32 -> 29 -> 14 -> 11 -> 5 -> 2
    assert {name.split(".")[1] for name in small(scales=(1.0, 0.5)).state_dict()} == {"1", "0-5"}


def test_keypoints_change_the_score() -> None:
    model = small(use_kp=True, spectral_norm=False)
    image = torch.rand(1, 3, 64, 64)
    one, two = model(image, keypoints(1, 3, 0)), model(image, keypoints(1, 3, 1))
    assert not torch.equal(one[0].score, two[0].score)


def test_spectral_norm_is_torchs() -> None:
    torch.manual_seed(1)
    ours = SpectralConv2d(3, 5, 4)
    theirs = torch.nn.utils.spectral_norm(nn.Conv2d(3, 5, 4))
    theirs.load_state_dict(ours.state_dict())
    for module in (ours, theirs):
        module.train()
    for _ in range(3):
        x = torch.randn(2, 3, 9, 9)
        torch.testing.assert_close(ours(x), theirs(x), atol=1e-6, rtol=1e-6)
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(value, theirs.state_dict()[name])
    x = torch.randn(2, 3, 9, 9)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), atol=1e-6, rtol=1e-6)


def test_largest_singular_value_becomes_one_even_under_autocast() -> None:
    torch.manual_seed(2)
    conv = SpectralConv2d(3, 6, 4)
    with torch.autocast("cpu", torch.bfloat16):
        for _ in range(60):
            conv(torch.randn(1, 3, 4, 4))
    assert conv.weight_u.dtype == torch.float32
    sigma = torch.linalg.matrix_norm(conv.weight_orig.double().flatten(1), ord=2)
    u, v = conv.weight_u.double(), conv.weight_v.double()
    assert (u @ conv.weight_orig.double().flatten(1) @ v / sigma).item() == pytest.approx(1, 1e-4)


def test_refuses_nothing_to_build() -> None:
    with pytest.raises(InputError, match="scales"):
        DiscriminatorConfig(scales=())
