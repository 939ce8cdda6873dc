"""Weights files are written and read, and errors name what is wrong with a file."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.fomm.test_networks import tiny

from dfmnist.core.errors import InputError
from dfmnist.fomm.checkpoint import (
    SHIPPED,
    load_networks,
    read_provenance,
    save_networks,
    weights_id,
)
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import KPDetector


def saved(path: Path) -> tuple[KPDetector, OcclusionAwareGenerator]:
    config = tiny(blend=True)
    detector, generator = KPDetector(config), OcclusionAwareGenerator(config)
    save_networks(path, config, detector, generator, {"seed": 3, "sizes": (128, 256)})
    return detector, generator


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    detector, generator = saved(path)
    networks = load_networks(path)
    assert networks.config == tiny(blend=True)
    assert not networks.generator.training
    for old, new in ((detector, networks.kp_detector), (generator, networks.generator)):
        for name, value in old.state_dict().items():
            found = new.state_dict()[name]
            assert torch.equal(found, value.half().to(value.dtype)), name
    assert networks.generator.final.weight.dtype == torch.float32
    assert read_provenance(path) == {"seed": 3, "sizes": [128, 256]}
    again = tmp_path / "again.safetensors"
    save_networks(again, networks.config, networks.kp_detector, networks.generator,
                  read_provenance(path))  # fmt: skip
    assert again.read_bytes() == path.read_bytes()
    assert weights_id(path).startswith("fomm-small@")


def test_partial_file_names_what_is_missing_and_misshapen(tmp_path: Path) -> None:
    path = tmp_path / "vox.pth.tar"
    torch.save({"kp_detector": {"kp.weight": torch.zeros(10, 35, 7, 7),
                                "kp.bias": torch.zeros(10)}}, path)  # fmt: skip
    with pytest.raises(InputError) as error:
        load_networks(path)
    text = str(error.value)
    assert "\n" not in text
    assert "vox.pth.tar" in text
    assert "lacks kp_detector.predictor.encoder.down_blocks.0.conv.weight" in text
    assert "more" in text
    torch.save({"generator": {}, "kp_detector": KPDetector(tiny()).state_dict()}, path)
    with pytest.raises(InputError, match="has no generator"):
        load_networks(path)


def test_misshapen_tensor_is_named(tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    saved(path)
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    tensors["generator.final.bias"] = torch.zeros(7)
    tensors["generator.extra"] = torch.zeros(1)
    save_file(tensors, path, metadata)
    with pytest.raises(InputError, match=r"final.bias is \[7\], expected \[4\].*unknown"):
        load_networks(path)


class _Foreign:
    """An object that only unsafe unpickling would restore."""


@pytest.mark.parametrize("name", ["a.pth.tar", "a.safetensors"])
def test_wrong_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(InputError, match="no such file"):
        load_networks(path)
    path.write_text("not weights")
    with pytest.raises(InputError, match="cannot be read"):
        load_networks(path)


def test_pickled_code_and_lists_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pth.tar"
    torch.save({"generator": _Foreign()}, path)
    with pytest.raises(InputError, match="cannot be read safely"):
        load_networks(path)
    torch.save([1, 2], path)
    with pytest.raises(InputError, match="holds a list"):
        load_networks(path)
    other = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, other)
    with pytest.raises(InputError, match="no config"):
        load_networks(other)


def test_shipped_weights_are_small_and_say_where_they_come_from() -> None:
    assert SHIPPED.stat().st_size <= 16_000_000
    assert load_networks().config.image_size == 256
    assert read_provenance()["steps"] > 0
