"""No file that is read can run code: a pickle with a payload, wherever a file is taken."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dfmnist.core.errors import InputError
from dfmnist.core.files import claim_folder
from dfmnist.detectors.networks.builders import build
from dfmnist.detectors.train import KIND, run_folder, source_of, train
from dfmnist.fomm.checkpoint import load_networks
from dfmnist.fomm.networks.vgg import load_vgg
from dfmnist.fomm.training.train_actors import train_animator
from dfmnist.fomm.training.trainer import Machine
from tests.detectors.conftest import make_dataset
from tests.detectors.test_train import TINY
from tests.fomm import test_train_actors as actors
from tests.sources import FILES


class Payload:
    """Unpickled, it writes a file."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return exec, (f"open({str(self.proof)!r}, 'w').close()",)


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    """The file that a payload writes when it runs."""
    return tmp_path / "code-ran"


def plant(path: Path, proof: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": Payload(proof), "generator": Payload(proof)}, path)
    return path


def test_the_payload_works(proof: Path, tmp_path: Path) -> None:
    torch.load(plant(tmp_path / "x.ckpt", proof), weights_only=False)
    assert proof.exists()


def test_in_the_folder_of_a_detectors_training(proof: Path, tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d")
    folder = run_folder(TINY, dataset, tmp_path / "runs", source_of(TINY))
    claim_folder(folder, KIND)
    planted = plant(folder / "last.ckpt", proof)
    with pytest.raises(InputError, match=r"last\.ckpt: cannot be read safely"):
        train(TINY, dataset, tmp_path / "runs", quiet=True)
    assert not proof.exists()
    assert planted.exists()  # nothing of the user's is deleted


def test_in_the_folder_of_a_motion_models_training(proof: Path, tmp_path: Path) -> None:
    actors.film(tmp_path / "clips")
    claim_folder(tmp_path / "out", "animator-run")
    plant(tmp_path / "out" / "last.ckpt", proof)
    with pytest.raises(InputError, match=r"last\.ckpt: cannot be read safely"):
        train_animator(
            actors.config(), tmp_path / "clips", tmp_path / "out", machine=Machine(threads=1)
        )
    assert not proof.exists()


@pytest.mark.parametrize("suffix", [".pth", ".pth.tar", ".ckpt", ".pt", ".bin"])
@pytest.mark.parametrize(
    "read",
    [load_networks, load_vgg, lambda path: build("mesoinception4", path)],
    ids=["motion model", "VGG-19", "detector"],
)
def test_as_weights(
    read: Callable[[Path], object], suffix: str, proof: Path, tmp_path: Path
) -> None:
    path = plant(tmp_path / f"weights{suffix}", proof)
    with pytest.raises(InputError):
        read(path)
    assert not proof.exists()


def test_as_an_array_in_the_cache(proof: Path, tmp_path: Path) -> None:
    """NumPy's own files hold pickles too, unless they are refused."""
    path = tmp_path / "head.npz"
    np.savez(path, points=np.array([Payload(proof)], dtype=object))
    with np.load(path) as stored, pytest.raises(ValueError, match="allow_pickle"):
        stored["points"]
    assert not proof.exists()


def test_no_reader_allows_pickles() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert "allow_pickle" not in text, path
        assert "weights_only=False" not in text, path
        assert "import pickle" not in text, path
        for loaded in text.split("torch.load(")[1:]:
            assert "weights_only=True" in loaded[:120], path
