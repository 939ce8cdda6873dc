"""Weights files are written and read, and errors name what is wrong with a file."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.fomm.test_networks import tiny

from dfmnist.core.config import plain
from dfmnist.core.errors import InputError
from dfmnist.fomm.checkpoint import (
    SHIPPED,
    load_networks,
    read_provenance,
    save_networks,
    training_seeds,
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


def wrapped(state: dict[str, torch.Tensor], before: str) -> dict[str, torch.Tensor]:
    return {f"{before}{key}": value for key, value in state.items()}


@pytest.mark.parametrize("form", ["module", "compiled", "nested", "lightning", "whole"])
def test_a_motion_model_is_found_within_its_wrappers(tmp_path: Path, form: str) -> None:
    networks, path = load_networks(), tmp_path / "w.pth.tar"
    own = {"generator": networks.generator.state_dict()}
    own["kp_detector"] = networks.kp_detector.state_dict()
    both = {f"{n}.{key}": value for n, state in own.items() for key, value in state.items()}
    torch.save(
        {
            "module": {name: wrapped(state, "module.") for name, state in own.items()},
            "compiled": {name: wrapped(state, "module._orig_mod.") for name, state in own.items()},
            "nested": {name: {"state_dict": state} for name, state in own.items()},
            "lightning": {"state_dict": wrapped(both, "model."), "epoch": 3},
            "whole": both,
        }[form],
        path,
    )
    found = load_networks(path)
    assert torch.equal(found.generator.final.weight, networks.generator.final.weight)
    assert torch.equal(found.kp_detector.kp.weight, networks.kp_detector.kp.weight)


@pytest.mark.parametrize("suffix", ["pth.tar", "safetensors"])
def test_a_motion_model_with_nan_is_refused(tmp_path: Path, suffix: str) -> None:
    config, path = tiny(blend=True), tmp_path / f"w.{suffix}"
    detector, generator = KPDetector(config), OcclusionAwareGenerator(config)
    with torch.no_grad():
        generator.final.bias[0] = torch.nan
    if suffix == "safetensors":
        save_networks(path, config, detector, generator)
    else:
        networks = load_networks()
        state = networks.generator.state_dict()
        state["final.bias"] = torch.full_like(state["final.bias"], torch.inf)
        torch.save({"generator": state, "kp_detector": networks.kp_detector.state_dict()}, path)
    with pytest.raises(InputError, match=r"final\.bias holds NaN or infinite values"):
        load_networks(path)


def test_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder; expected a First Order"):
        load_networks(tmp_path)


def with_record(path: Path, record: Any) -> Path:
    """The tiny model at `path`, with another record in its header."""
    saved(path)
    text = record if isinstance(record, str) else json.dumps(record)
    save_file(load_file(path), path, metadata={"dfmnist": text})
    return path


@pytest.mark.parametrize("record", ["no JSON", '{"config":' * 100_000, [], 7, {"config": {}}])
def test_a_header_that_is_no_record_of_ours_is_refused(tmp_path: Path, record: Any) -> None:
    path = with_record(tmp_path / "x.safetensors", record)
    for read in (load_networks, read_provenance, training_seeds):
        with pytest.raises(InputError, match=r"x\.safetensors: (has no|its metadata)"):
            read(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        *(({"kp_blocks": value}, "kp_blocks") for value in ([2], None, "2", -1, 0, 2.5, 10**6)),
        *(({"num_kp": value}, "num_kp") for value in (10**12, True)),
        *(({"temperature": value}, "temperature") for value in (float("nan"), float("inf"))),
        *(({"kp_scale": value}, "kp_scale") for value in (float("nan"), 1e-300, "1/4", 2.0)),
        *(({"kp_padding": value}, "kp_padding") for value in (-5, 8, "0")),
        ({"image_size": 10**6}, "image_size"),
        ({"blend": 7}, "blend"),
    ],
)
def test_a_setting_beyond_its_bounds_is_named(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    config = {**plain(tiny(blend=True)), **changes}
    path = with_record(tmp_path / "x.safetensors", {"config": config, "provenance": {}})
    with pytest.raises(InputError, match=rf"x\.safetensors: .*{said}") as caught:
        load_networks(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seeds", ["abc", 7, None, [{}], ["7"]])
def test_seeds_of_a_training_are_numbers(tmp_path: Path, seeds: Any) -> None:
    record = {"config": plain(tiny(blend=True)), "provenance": {"identity_seeds": seeds}}
    path = with_record(tmp_path / "x.safetensors", record)
    with pytest.raises(InputError, match="its identity_seeds are no list of numbers"):
        training_seeds(path)
