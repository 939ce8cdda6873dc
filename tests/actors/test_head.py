"""The shared head in the cache: made once, and anew where the file is damaged."""

from pathlib import Path

import numpy as np
import pytest
from tests import permissions

from dfmnist.actors import extract, head


def test_a_damaged_head_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = []
    monkeypatch.setattr(head, "head_file", lambda: tmp_path / "head.npz")
    monkeypatch.setattr(head, "_model", lambda arrays: arrays["mean"])
    monkeypatch.setattr(
        extract, "extract_head", lambda: (made.append(1), {"mean": np.arange(900.0)})[1]
    )
    load = head.load_head.__wrapped__
    assert len(load()) == len(load()) == 900
    assert len(made) == 1
    whole = (tmp_path / "head.npz").read_bytes()
    for content in (b"", whole[: len(whole) // 2], whole[:99] + b"x" * 200 + whole[299:]):
        (tmp_path / "head.npz").write_bytes(content)
        assert len(load()) == 900
        assert (tmp_path / "head.npz").read_bytes() == whole
    assert len(made) == 4
    assert "head.npz is damaged; it is made anew" in capsys.readouterr().err


def test_a_head_that_cannot_be_kept_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(head, "head_file", lambda: tmp_path / "cache" / "head.npz")
    monkeypatch.setattr(head, "_model", lambda arrays: arrays["mean"])
    monkeypatch.setattr(extract, "extract_head", lambda: {"mean": np.arange(9.0)})
    with permissions.set_to(tmp_path, 0o555):
        assert len(head.load_head.__wrapped__()) == 9
    assert "the head is not kept for the next time" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
