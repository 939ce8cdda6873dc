"""Public checkpoints load whole under every spelling that people have; everything else is refused.

The files are made here, with the names and shapes of the published ones.
"""

from pathlib import Path

import pytest
import torch
from tests.detectors import public_states as public

from dfmnist.core.errors import InputError
from dfmnist.detectors.networks import builders
from dfmnist.detectors.networks.base import Detector
from dfmnist.detectors.networks.load import load_weights

SHAPES = {name: public.resnet(name) for name in public.DEPTHS} | {"xception": public.xception()}


def small(name: str) -> Detector:
    return builders.build(name, size_px=64)


def holds(network: Detector, shapes: public.Shapes) -> None:
    """Every tensor but the head's is the file's."""
    for key, value in network.state_dict().items():
        if key.endswith("num_batches_tracked") or key.startswith("fc."):
            continue
        assert bool((value == public.value_of(key, shapes)).all()), key


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("resnet50", 25_557_032),  # torchvision's num_params of V1 and V2
        ("resnet101", 44_549_160),
        ("resnet152", 60_192_808),
        ("xception", 22_855_952),  # Keras Applications' trainable ones
    ],
)
def test_names_and_shapes_are_the_public_ones(name: str, published: int) -> None:
    with torch.device("meta"):
        own = builders.BUILDERS[name](num_classes=1000).state_dict()
    assert {key: tuple(value.shape) for key, value in own.items()} == SHAPES[name]
    assert public.parameters(SHAPES[name]) == published


@pytest.mark.parametrize("name", ["resnet50", "xception"])
def test_a_public_file_fills_all_but_the_head(tmp_path: Path, name: str) -> None:
    network = small(name)
    head = network.get_submodule("fc").weight.clone()
    path = public.saved(tmp_path / "in.pth", public.fake(SHAPES[name]))
    assert load_weights(network, path) == "all but the head"
    holds(network, SHAPES[name])
    assert torch.equal(network.get_submodule("fc").weight, head)
    assert network.state_dict()["bn1.num_batches_tracked"] == 7


def spelled(how: str) -> dict[str, object]:
    """Xception's file as others keep it."""
    state = public.fake(SHAPES["xception"])
    if how == "last_linear":
        return {k.replace("fc.", "last_linear."): v for k, v in state.items()}
    if how == "before PyTorch 0.4.1":
        return {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    if how == "matrices":
        return {k: v[:, :, 0, 0] if "pointwise" in k else v for k, v in state.items()}
    if how == "DataParallel":
        return {f"module.{k}": v for k, v in state.items()}
    if how == "both":
        return {"model": {f"module.{k}": v for k, v in state.items()}, "epoch": 3}
    return {how: state, "optimizer": {"lr": 0.1}}


@pytest.mark.parametrize(
    "how",
    [
        "last_linear",
        "before PyTorch 0.4.1",
        "matrices",
        "DataParallel",
        "both",
        "state_dict",
        "model",
    ],
)
def test_other_spellings_of_the_same(tmp_path: Path, how: str) -> None:
    network = small("xception")
    path = public.saved(tmp_path / "in.pth", spelled(how))
    assert load_weights(network, path) == "all but the head"
    holds(network, SHAPES["xception"])


def test_a_head_under_its_old_name_is_loaded_where_it_fits(tmp_path: Path) -> None:
    shapes = public.xception(classes=1)
    state = {k.replace("fc.", "last_linear."): v for k, v in public.fake(shapes).items()}
    network = small("xception")
    assert load_weights(network, public.saved(tmp_path / "x.pth", state)) == "all layers"
    bias = network.get_submodule("fc").bias
    assert bias.item() == public.value_of("fc.bias", shapes)


def test_another_networks_file_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    files = {
        name: public.saved(tmp_path / f"{name}.pth", public.fake(shapes))
        for name, shapes in SHAPES.items()
    }
    for name, other, said in (
        ("resnet50", "resnet101", r"has unknown layer3\.6\.conv1\.weight.* of resnet50 at 64 px"),
        ("resnet101", "resnet50", r"lacks layer3\.6\.conv1\.weight.* and \d+ more"),
        ("resnet50", "xception", r"conv1\.weight is \[32, 3, 3, 3\], expected \[64, 3, 7, 7\]"),
        ("xception", "resnet50", r"conv1\.weight is \[64, 3, 7, 7\], expected \[32, 3, 3, 3\]"),
        ("mesoinception4", "resnet50", r"bn1\.weight is \[64\], expected \[11\]"),
    ):
        network = small(name)
        before = {k: v.clone() for k, v in network.state_dict().items()}
        with pytest.raises(InputError, match=said) as error:
            load_weights(network, files[other])
        assert "\n" not in str(error.value)
        assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_a_mesonet_of_another_size_is_refused(tmp_path: Path) -> None:
    state = builders.build("mesoinception4", size_px=64).state_dict()
    path = public.saved(tmp_path / "meso.pth", state)
    with pytest.raises(
        InputError, match=r"fc1\.weight is \[16, 64\], expected \[16, 256\].*128 px"
    ):
        builders.build("mesoinception4", path, size_px=128)


def test_damaged_files_are_named_for_what_they_are(tmp_path: Path) -> None:
    whole = public.saved(tmp_path / "whole.pth", public.fake(SHAPES["xception"])).read_bytes()
    bad: dict[str, bytes] = {
        "cut.pth": whole[: len(whole) // 2],
        "empty.pth": b"",
        "page.pth": b"<!DOCTYPE html><html>404</html>",
        "pointer.pth": b"version https://git-lfs.github.com/spec/v1\n",
        "cut.safetensors": b"\x10\x00\x00",
        "page.h5": b"<html>",
    }
    said = ("is truncated", "is empty", "is a web page", "is a Git LFS pointer",
            "cannot be read", "is a web page")  # fmt: skip
    for (name, content), words in zip(bad.items(), said, strict=True):
        (tmp_path / name).write_bytes(content)
        network = small("mesoinception4" if name.endswith("h5") else "xception")
        with pytest.raises(InputError, match=words) as error:
            load_weights(network, tmp_path / name)
        assert "\n" not in str(error.value)
    for value, words in (
        ([1, 2], "holds a list"),
        ({"state_dict": {"a": 1.5}}, "'a' in it is no tensor"),
        ({"epoch": 3}, "'epoch' in it is no tensor"),
    ):
        with pytest.raises(InputError, match=words):
            load_weights(small("xception"), public.saved(tmp_path / "odd.pth", value))


def test_keras_files_of_other_networks_are_refused(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["dense/dense/kernel:0"] = [[1.0]]
        file["note"] = "a data set beside the layers"
    for name, said in (("mesoinception4", r"other\.h5: does not fit"), ("resnet50", "is a Keras")):
        with pytest.raises(InputError, match=said):
            load_weights(small(name), tmp_path / "other.h5")
