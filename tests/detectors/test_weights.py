"""The setting `weights`: none, imagenet, a published name, a file or a run, each recorded."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.detectors import public_states as public
from tests.serving import serving

from dfmnist.core import published_weights
from dfmnist.core.errors import InputError
from dfmnist.core.files import sha256_file
from dfmnist.core.published_weights import PUBLISHED
from dfmnist.detectors.networks import builders
from dfmnist.detectors.networks.load import load_weights
from dfmnist.detectors.networks.weights import Source, check, resolve


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DFMNIST_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def put(name: str) -> Path:
    """Something in the cache's place for `name`; `install` reads content, `resolve` does not."""
    path = PUBLISHED[name].path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(name.encode())
    return path


def run_folder(root: Path, name: str, **config: object) -> Path:
    """A finished run's folder, with the weights of its network."""
    folder = root / name
    folder.mkdir()
    network = builders.build(str(config["network"]), seed=5, size_px=64)
    save_file({k: v.contiguous() for k, v in network.state_dict().items()},
              folder / "weights.safetensors")  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "run.json").write_text("{}")
    return folder


def test_none_is_random_and_says_so() -> None:
    assert resolve("resnet50", "none") == Source(None, "", "random, every layer")


@pytest.mark.parametrize("network", ["resnet50", "resnet101", "resnet152", "xception"])
def test_imagenet_is_the_networks_file_in_the_cache(network: str) -> None:
    said = rf"https://.*/{network}-.*\.pth: could not be downloaded .*; expected a network, or "
    with pytest.raises(InputError, match=said + rf"`dfmnist fetch {network} --from FIL") as error:
        resolve(network, "imagenet")
    assert "\n" not in str(error.value)
    path = put(network)
    source = resolve(network, "imagenet")
    assert source == Source(path, sha256_file(path), f"ImageNet, {PUBLISHED[network].file_name}")


def test_there_is_no_imagenet_for_mesonets() -> None:
    with pytest.raises(InputError, match="no ImageNet weights of mesoinception4; expected none, "
                       "mesoinception4-df, mesoinception4-f2f, a file") as error:  # fmt: skip
        resolve("mesoinception4", "imagenet")
    assert "imagenet," not in str(error.value).split("expected")[1]


def test_a_published_name() -> None:
    with pytest.raises(InputError, match=r"resnet50-11ad3fa6\.pth: could not be down.*fetch resn"):
        resolve("resnet50", "resnet50-v2")
    for name in ("resnet50-v2", "resnet50", "mesoinception4-df"):
        put(name)
    assert resolve("resnet50", "resnet50-v2").words == "ImageNet, resnet50-11ad3fa6.pth"
    assert resolve("resnet50", "resnet50") == resolve("resnet50", "imagenet")
    assert resolve("mesoinception4", "mesoinception4-df").words == (
        "Deepfakes, by MesoNet's authors, MesoInception_DF.h5"
    )
    for name, said in (
        ("resnet101-v2", "is for resnet101, not for resnet50"),
        ("vox-256", "is for no detector"),
        ("resnet-50", "no such file, and no published weights.*imagenet, resnet50, resnet50-v2"),
    ):
        with pytest.raises(InputError, match=f"^weights {name}: .*{said}"):
            resolve("resnet50", name)


def test_a_file_is_known_by_its_content_and_wins_over_a_name(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.pth").write_bytes(b"same")
    first, second = (resolve("xception", f"{folder}/mine.pth") for folder in "ab")
    assert first.sha256 == second.sha256 == sha256_file(tmp_path / "a" / "mine.pth")
    assert first.words == "mine.pth"
    assert first.path == Path("a/mine.pth")
    (tmp_path / "resnet50").write_bytes(b"mine")
    assert resolve("resnet50", "resnet50").path == Path("resnet50")


def test_a_finished_run_gives_all_its_layers(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, "mesoinception4-raw-abcdef123456", network="mesoinception4",
                        size_px=64)  # fmt: skip
    source = resolve("mesoinception4", str(folder), 64)
    assert source.words == "run mesoinception4-raw-abcdef123456"
    assert source.sha256 == sha256_file(folder / "weights.safetensors")
    network = builders.build("mesoinception4", seed=6, size_px=64)
    assert source.path is not None
    assert load_weights(network, source.path) == "all layers"
    same = builders.build("mesoinception4", seed=5, size_px=64)
    assert torch.equal(network.get_submodule("fc2").weight, same.get_submodule("fc2").weight)


def test_runs_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, "run", network="mesoinception4", size_px=64)
    with pytest.raises(
        InputError, match="run: is a run of mesoinception4; expected a run of resnet50"
    ):
        resolve("resnet50", str(folder))
    with pytest.raises(InputError, match=r"is a run at 64 px.*expected a run .* at 256 px"):
        resolve("mesoinception4", str(folder), 256)
    source = resolve("mesoinception4", str(folder))  # size not told: seen when it is loaded
    with pytest.raises(InputError, match=r"fc1\.weight is \[16, 64\], expected \[16, 1024\]"):
        builders.build("mesoinception4", source.path)
    (folder / "weights.safetensors").unlink()
    with pytest.raises(InputError, match=r"weights\.safetensors: no such file"):
        resolve("mesoinception4", str(folder))
    (folder / "run.json").unlink()
    with pytest.raises(InputError, match=r"a folder without run\.json"):
        resolve("mesoinception4", str(folder))
    with pytest.raises(InputError, match=r"^network is 'vgg'"):
        resolve("vgg", "none")


def test_what_is_installed_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the user brings the file or it is downloaded."""
    shapes = public.xception()
    path = public.saved(tmp_path / "x.pth", public.fake(shapes))
    kept = published_weights.install("xception", path, partial(check, "xception"))
    assert resolve("xception", "imagenet").path == kept
    kept.unlink()
    name = PUBLISHED["xception"].file_name
    with serving({f"whole/{name}": path.read_bytes(), f"page/{name}": b"<html>"}) as server:
        for folder in ("page", "whole"):
            known = replace(PUBLISHED["xception"], url=server.url(f"{folder}/{name}"))
            monkeypatch.setitem(PUBLISHED, "xception", known)
            if folder == "page":
                with pytest.raises(InputError, match=rf"/page/{name}: is a web page"):
                    resolve("xception", "imagenet")
                assert not kept.exists()
        assert resolve("xception", "imagenet").sha256 == sha256_file(path)
    assert kept.is_file()
    for change, words in (
        ({k: v for k, v in shapes.items() if k != "bn4.bias"}, r"lacks bn4\.bias"),
        (public.xception(classes=2), r"lacks a fitting fc\.weight; expected xception-43020ad28"),
        (public.resnet("resnet50"), r"conv1\.weight is \[64, 3, 7, 7\], expected \[32"),
    ):
        public.saved(path, public.fake(change))
        with pytest.raises(InputError, match=words):
            check("xception", path)


def test_the_mesonet_authors_files_are_checked_and_used(shared: Path) -> None:
    folder = shared / "data" / "weights" / "mesonet"
    for name, known in PUBLISHED.items():
        if known.file_name.endswith(".h5"):
            file = folder / known.file_name
            published_weights.install(name, file, partial(check, name))
            source = resolve(known.network, name)
            network = builders.build(known.network, source.path)
            assert torch.isfinite(network(torch.zeros(1, 3, 256, 256))).all()
    with pytest.raises(InputError, match=r"has SHA-256 23458.*; expected one that begins with 036"):
        published_weights.install(
            "meso4-df", folder / "MesoInception_DF.h5", partial(check, "meso4-df")
        )
    with pytest.raises(InputError, match="does not fit"):
        check("meso4-df", folder / "MesoInception_DF.h5")


@pytest.mark.parametrize("before", ["module.", "_orig_mod.", "model.", "module.backbone.", "net."])
def test_names_within_wrappers_are_found(tmp_path: Path, before: str) -> None:
    path, network = tmp_path / "w.ckpt", builders.build("meso4", seed=5, size_px=64)
    state = {f"{before}{key}": value for key, value in network.state_dict().items()}
    torch.save({"model_state_dict": state, "best": np.float64(0.9)}, path)
    other = builders.build("meso4", seed=6, size_px=64)
    assert load_weights(other, path) == "all layers"
    for key, value in network.state_dict().items():
        assert torch.equal(other.state_dict()[key], value)


def test_one_parameter_under_two_names_is_refused(tmp_path: Path) -> None:
    path, network = tmp_path / "w.pth", builders.build("meso4", seed=5, size_px=64)
    key, value = next(iter(network.state_dict().items()))
    torch.save(network.state_dict() | {f"model.{key}": value + 1}, path)
    with pytest.raises(InputError, match=f"has unknown model.{key}"):
        load_weights(network, path)


def test_detector_weights_with_nan_are_refused(tmp_path: Path) -> None:
    path, network = tmp_path / "w.safetensors", builders.build("meso4", seed=5, size_px=64)
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    key = next(key for key, value in state.items() if value.is_floating_point())
    state[key] = torch.full_like(state[key], torch.nan)
    save_file(state, path)
    with pytest.raises(InputError, match=f"{key} holds NaN or infinite values"):
        load_weights(network, path)


def test_a_folder_of_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder; expected weights"):
        load_weights(builders.build("meso4", seed=5, size_px=64), tmp_path)
