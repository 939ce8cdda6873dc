"""The list of published weights: what it says, checksums, and files placed in the cache."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from dfmnist.core.errors import InputError
from dfmnist.core.published_weights import PUBLISHED, in_cache, install


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DFMNIST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_every_entry_says_where_from_and_under_what() -> None:
    for name, known in PUBLISHED.items():
        assert known.page.startswith("http"), name
        assert known.licence
        assert known.use
        assert bool(known.network) == bool(known.trained_on), name
        assert not (known.network and known.is_motion_model), name
    # `recipes.paper` looks for <network>.pth in one folder
    assert PUBLISHED["resnet101"].path.name == "resnet101.pth"
    assert len({known.path for known in PUBLISHED.values()}) == len(PUBLISHED)


def test_torchvisions_file_names_begin_their_checksums() -> None:
    """`name-HASH8.pth`: the habit that torch.hub's `check_hash` relies on."""
    ours = {n: k for n, k in PUBLISHED.items() if k.sha256}
    assert len(ours) == 7
    for name, known in ours.items():
        assert known.file_name == f"{name.removesuffix('-v2')}-{known.sha256}.pth"
        assert known.page.endswith(known.file_name)


def test_a_known_checksum_is_demanded(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.pth"
    file.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    with pytest.raises(InputError, match=r"mine\.pth: has SHA-256 .* begins with dcbb9e9d"):
        install("vgg19", file, lambda path: pytest.fail("read in spite of its checksum"))
    assert not own_cache.exists()
    monkeypatch.setitem(PUBLISHED, "vgg19", replace(PUBLISHED["vgg19"], sha256=digest[:8]))
    read: list[Path] = []
    path, said = install("vgg19", file, read.append)
    assert read == [file]
    assert path == own_cache / "weights" / "vgg19-dcbb9e9d.pth" == in_cache("vgg19")
    assert path.read_bytes() == b"weights"
    assert said == f"SHA-256 {digest}, as published ({digest[:8]}…)"


def test_somebody_elses_md5_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.h5"
    file.write_bytes(b"weights")
    _, said = install("meso4-df", file, lambda path: None)
    assert "no published checksum is known" in said
    assert "its MD5 differs from that of this project's tests' copy" in said
    md5 = hashlib.md5(b"weights").hexdigest()
    monkeypatch.setitem(PUBLISHED, "meso4-df", replace(PUBLISHED["meso4-df"], md5=md5))
    assert "its MD5 is that of" in install("meso4-df", file, lambda path: None)[1]


def test_what_is_not_placed(tmp_path: Path, own_cache: Path) -> None:
    def unfit(path: Path) -> None:
        raise InputError("another network")

    with pytest.raises(InputError, match=r"resnet50-v2: not in the cache; expected `dfmnist fetch"):
        in_cache("resnet50-v2")
    with pytest.raises(InputError, match=r"no such file; expected Meso4_DF\.h5 from https"):
        install("meso4-df", tmp_path / "none.h5", unfit)
    for name, said in (("x.safetensors", "is not the published file"), ("x.h5", "another network")):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(InputError, match=said):
            install("meso4-df", tmp_path / name, unfit)
    assert not own_cache.exists()
