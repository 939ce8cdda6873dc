"""Weights files as they are found: wrapped, nested, packed, with NumPy's scalars, with NaN."""

import argparse
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dfmnist.core.checkpoints import bare_name, read_pickle, require_finite, unnested
from dfmnist.core.errors import InputError


def test_numpys_scalars_and_options_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    held = {
        "epoch": np.int64(3),
        "best": np.float32(0.5),
        "done": np.bool_(True),
        "args": argparse.Namespace(lr=np.float64(0.1)),
        "weight": torch.ones(2),
    }
    torch.save(held, path)
    found = read_pickle(path, "weights")
    assert (found["epoch"], found["best"], found["args"].lr) == (3, 0.5, 0.1)


class _Planted:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("planted"),)


def test_no_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for value in (_Planted(), np.array([_Planted()], dtype=object)):
        torch.save({"a": value}, tmp_path / "a.pth")
        with pytest.raises(InputError, match="cannot be read safely"):
            read_pickle(tmp_path / "a.pth", "weights")
        assert not (tmp_path / "planted").exists()


def test_a_packed_or_unpacked_file_is_named_for_what_it_is(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "a.pth")

    def refused(path: Path) -> str:
        with pytest.raises(InputError) as error:
            read_pickle(path, "weights")
        return str(error.value)

    with tarfile.open(tmp_path / "b.pth.tar", "w") as archive:
        archive.add(tmp_path / "a.pth", "a.pth")
    assert "b.pth.tar: is a tar archive" in refused(tmp_path / "b.pth.tar")
    with tarfile.open(tmp_path / "b.tgz", "w:gz") as archive:
        archive.add(tmp_path / "a.pth", "a.pth")
    assert "archive, which must be unpacked first" in refused(tmp_path / "b.tgz")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as zipped:
        zipped.write(tmp_path / "a.pth", "deep/a.pth")
    assert "is a zip archive, which must be unpacked first (holds deep/a.pth)" in refused(
        tmp_path / "c.zip"
    )
    with zipfile.ZipFile(tmp_path / "a.pth") as whole:
        whole.extractall(tmp_path / "d")
    assert "is a folder, into which a checkpoint was unpacked" in refused(tmp_path / "d")
    (tmp_path / "e").mkdir()
    assert "e: is a folder; expected weights" in refused(tmp_path / "e")


@pytest.mark.parametrize(
    "nests", [("state_dict",), ("model_state_dict",), ("net",), ("model", "state_dict"), ()]
)
def test_parameters_lie_within_what_a_script_stores(nests: tuple[str, ...]) -> None:
    held: dict[str, Any] = {"weight": torch.ones(1)}
    for nest in nests:
        held = {nest: held, "optimizer": {"state": {}}, "epoch": 3}
    assert set(unnested(held)) == {"weight"}


def test_a_name_without_what_wrappers_add() -> None:
    own = {"conv.weight", "model.head.weight"}
    for before in ("", "module.", "_orig_mod.", "model.", "module.backbone.", "net.network."):
        assert bare_name(f"{before}conv.weight", own) == "conv.weight"
    assert bare_name("module.model.head.weight", own) == "model.head.weight"
    assert bare_name("module.other", own) == "module.other"
    assert bare_name("module.other") == "other"


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_refused(bad: float) -> None:
    state = {"n": torch.tensor(3), "a": torch.ones(2), "b": torch.tensor([0.0, bad])}
    with pytest.raises(InputError, match=r"w\.pth: b holds NaN or infinite values"):
        require_finite(Path("w.pth"), state, "weights")
    require_finite(Path("w.pth"), {"a": state["a"], "n": state["n"]}, "weights")
