"""Published checkpoints become equal safetensors; files that are no checkpoint are named."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fomm.seeded import state_shapes
from tests.fomm.test_networks import tiny

from dfmnist.core.errors import InputError
from dfmnist.core.files import sha256_file
from dfmnist.fomm.checkpoint import load_networks, read_provenance, training_seeds
from dfmnist.fomm.config import FommConfig, actors
from dfmnist.fomm.convert import convert_weights
from dfmnist.fomm.infer_config import infer_config
from dfmnist.fomm.inference.animate import animate
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import KPDetector

SMALL = tiny(image_size=256)
"""Config inferred from a file without the blur, whose frames are taken to be vox-256's."""


def state(config: FommConfig, seed: int = 0) -> dict[str, dict[str, torch.Tensor]]:
    torch.manual_seed(seed)
    generator, detector = OcclusionAwareGenerator(config), KPDetector(config)
    torch.nn.init.normal_(detector.jacobian.weight, std=0.01)
    return {"generator": generator.state_dict(), "kp_detector": detector.state_dict()}


def checkpoint(path: Path, config: FommConfig = SMALL, **more: object) -> Path:
    torch.save({**state(config), "epoch": 99, **more}, path)
    return path


def pictures() -> tuple[np.ndarray, np.ndarray]:
    values = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    return values[0], values[1:]


@pytest.mark.parametrize("zipped", [True, False])  # torch 1.0, which upstream used, does not zip
def test_converted_gives_the_same_and_says_where_it_is_from(tmp_path: Path, zipped: bool) -> None:
    path, out = tmp_path / "vox.pth.tar", tmp_path / "new" / "vox.safetensors"
    whole = {**state(SMALL), "discriminator": {}, "optimizer_generator": {}, "epoch": 99}
    torch.save(whole, path, _use_new_zipfile_serialization=zipped)
    assert convert_weights(path, out) == SMALL
    for name in ("kp_detector", "generator"):
        for key, value in getattr(load_networks(out), name).state_dict().items():
            assert torch.equal(value, whole[name][key]), key
    source, driving = pictures()
    np.testing.assert_array_equal(
        animate(source, driving, weights=out, backend="torch"),
        animate(source, driving, weights=path, backend="torch"),
    )
    about = read_provenance(out)
    assert about == {"origin_file": "vox.pth.tar", "origin_sha256": sha256_file(path)}
    assert training_seeds(out) == frozenset()


def test_half_is_half_as_large_and_nearly_the_same(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "vox.pth.tar")
    full, half = tmp_path / "full.safetensors", tmp_path / "half.safetensors"
    convert_weights(path, full)
    convert_weights(path, half, half=True)
    assert half.stat().st_size < 0.7 * full.stat().st_size  # names take as much either way
    source, driving = pictures()
    one, two = (
        animate(source, driving, weights=w, backend="torch").astype(int) for w in (full, half)
    )
    assert 0 < np.abs(one - two).max() <= 8
    again = tmp_path / "again.safetensors"
    convert_weights(full, again, half=True)  # from ours, too
    assert read_provenance(again)["origin_file"] == "full.safetensors"
    torch.testing.assert_close(
        load_networks(again).generator.final.weight, load_networks(half).generator.final.weight
    )


def test_half_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    whole = state(SMALL)
    whole["generator"]["first.norm.running_var"][0] = 1e6
    torch.save(whole, tmp_path / "vox.pth.tar")
    out = tmp_path / "half.safetensors"
    with pytest.raises(InputError, match=r"first\.norm\.running_var reaches 1e\+06"):
        convert_weights(tmp_path / "vox.pth.tar", out, half=True)
    assert not out.exists()


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    path, out = checkpoint(tmp_path / "vox.pth.tar"), tmp_path / "mine.safetensors"
    out.write_text("mine")
    with pytest.raises(InputError, match=r"mine\.safetensors: exists; .*--force"):
        convert_weights(path, out)
    bad = tmp_path / "bad.pth.tar"
    bad.write_text("not weights")
    with pytest.raises(InputError, match="bad"):
        convert_weights(bad, out, force=True)
    assert out.read_text() == "mine"
    convert_weights(path, out, force=True)
    before = out.read_bytes()
    with pytest.raises(InputError, match="exists"):
        convert_weights(out, out, force=True)
    assert out.read_bytes() == before
    with pytest.raises(InputError, match=r"ends in '\.tar'"):
        convert_weights(path, tmp_path / "x.pth.tar")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "bad.pth.tar", "mine.safetensors", "vox.pth.tar"
    ]  # fmt: skip


def test_an_adversarial_checkpoint_loads(tmp_path: Path) -> None:
    """Its discriminator sees keypoints and has no spectral norm; it is not needed."""
    other = {"discs.1.down_blocks.0.conv.weight": torch.zeros(64, 13, 4, 4)}
    path = checkpoint(tmp_path / "vox-adv.pth.tar", discriminator=other)
    assert load_networks(path).config == SMALL


def test_shapes_tell_the_network() -> None:
    shapes = {
        module: {k: torch.empty(s, device="meta") for k, s in state_shapes(module).items()}
        for module in ("kp_detector", "generator")
    }
    assert infer_config(shapes) == FommConfig()
    small = state(actors(20))
    told = infer_config(small)
    unseen = {"kp_variance": 0.004, "kp_padding": 1, "generator_max_features": 96}
    assert dataclasses.replace(told, **unseen) == actors(20)
    assert infer_config({}) == FommConfig()
    blur = torch.zeros(3, 1, 29, 29)
    small["kp_detector"]["down.weight"] = blur
    small["generator"]["dense_motion_network.down.weight"] = blur
    large = infer_config(small)
    assert (large.kp_scale, large.motion_scale, large.image_size) == (0.125, 0.125, 512)


def test_one_misshapen_tensor_is_named_not_taken_for_another_network(tmp_path: Path) -> None:
    whole = state(FommConfig())
    whole["kp_detector"]["kp.weight"] = torch.zeros(7, 35, 7, 7)
    torch.save(whole, tmp_path / "vox.pth.tar")
    with pytest.raises(InputError) as error:
        load_networks(tmp_path / "vox.pth.tar")
    said = "vox.pth.tar: kp_detector.kp.weight is [7, 35, 7, 7], expected [10, 35, 7, 7]; expected"
    assert said in str(error.value)


def thin_plate_spline() -> dict[str, object]:
    tensors = {"fg_encoder.conv1.weight": torch.zeros(64, 3, 7, 7)}
    names = ("kp_detector", "inpainting_network", "dense_motion_network", "avd_network")
    return dict.fromkeys(names, tensors)


WRONG: dict[str, tuple[object, str]] = {
    "generator-only": ({"generator": state(SMALL)["generator"]}, "has no kp_detector"),
    "no-generator": ({"kp_detector": state(SMALL)["kp_detector"]}, "has no generator"),
    "thin-plate-spline": (thin_plate_spline(), "is of a Thin-Plate-Spline Motion Model"),
    "other-network": ({"conv1.weight": torch.zeros(1)}, "has no kp_detector and no generator (hol"),
    "numbers": ({"generator": 5, "kp_detector": {}}, "its generator is not a table of tensors"),
    "web-page": (b"<!DOCTYPE html><html><body>Sign in</body></html>", "is a web page"),
    "lfs-pointer": (b"version https://git-lfs.github.com/spec/v1\noid", "is a Git LFS pointer"),
    "empty": (b"", "is empty"),
    "words": (b"not weights", "cannot be read"),
}


@pytest.mark.parametrize("name", [*WRONG, "truncated"])
def test_wrong_files_say_what_they_are(tmp_path: Path, name: str) -> None:
    path, out = tmp_path / f"{name}.pth.tar", tmp_path / "out.safetensors"
    if name == "truncated":
        data = checkpoint(path).read_bytes()
        path.write_bytes(data[: len(data) // 2])
        expected = "is truncated"
    else:
        content, expected = WRONG[name]
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path)
    source, driving = pictures()
    for use in (
        lambda: convert_weights(path, out),
        lambda: animate(source, driving, weights=path, backend="torch"),
    ):
        with pytest.raises(InputError) as error:
            use()
        assert f"{name}.pth.tar: {expected}" in str(error.value)
        assert "\n" not in str(error.value)
    assert not out.exists()
