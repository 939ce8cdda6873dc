"""The list of published weights: what it says, checksums, downloads, and files of the user's."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from tests.serving import serving

from dfmnist.core.errors import InputError
from dfmnist.core.published_weights import PUBLISHED, get, in_cache, install


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DFMNIST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_every_entry_says_where_from_and_under_what() -> None:
    for name, known in PUBLISHED.items():
        assert known.wheel or known.url.startswith("https://"), name
        assert known.by_hand == known.is_motion_model
        assert known.licence
        assert known.use or known.network
        assert known.name == name
        assert bool(known.network) == bool(known.trained_on), name
        assert not (known.network and known.is_motion_model), name
    # `recipes.paper` looks for <network>.pth in one folder
    assert PUBLISHED["resnet101"].path.name == "resnet101.pth"
    assert len({known.path for known in PUBLISHED.values()}) == len(PUBLISHED)


def test_torchvisions_file_names_begin_their_checksums() -> None:
    """`name-HASH8.pth`: the habit that torch.hub's `check_hash` relies on."""
    ours = {n: k for n, k in PUBLISHED.items() if "download.pytorch.org" in k.url}
    assert len(ours) == 7
    for name, known in ours.items():
        assert len(known.sha256) == 8
        assert known.file_name == f"{name.removesuffix('-v2')}-{known.sha256}.pth"
        assert known.url.endswith(f"/{known.file_name}")
    for name in ("resnet50", "resnet101-v2"):
        assert PUBLISHED[name].network == name.removesuffix("-v2")
    assert not PUBLISHED["vgg19"].network


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
    path = install("vgg19", file, read.append)
    assert read == [file]
    assert path == own_cache / "weights" / "vgg19-dcbb9e9d.pth" == in_cache("vgg19")
    assert path.read_bytes() == b"weights"


def test_what_is_in_the_cache_is_not_downloaded() -> None:
    path = PUBLISHED["resnet50"].path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    assert get("resnet50", lambda path: pytest.fail("read again")) == path


@pytest.mark.parametrize("served", [b"weights", b"other"])
def test_a_name_is_downloaded_and_checked(
    served: bytes,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The checksum comes first: what differs is not read."""
    digest = hashlib.sha256(b"weights").hexdigest()
    read: list[bytes] = []
    with serving({"resnet50-0676ba61.pth": served}) as server:
        url = server.url("resnet50-0676ba61.pth")
        known = replace(PUBLISHED["resnet50"], url=url, sha256=digest[:8])
        monkeypatch.setitem(PUBLISHED, "resnet50", known)

        def check(path: Path) -> None:
            read.append(path.read_bytes())

        if served == b"weights":
            assert get("resnet50", check) == known.path == in_cache("resnet50")
            assert known.path.read_bytes() == served
        else:
            with pytest.raises(
                InputError, match=rf"{url}: has SHA-256 .* begins with {digest[:8]}"
            ):
                get("resnet50", check)
            assert not known.path.exists()
    assert read == ([served] if served == b"weights" else [])
    said = " ".join(capsys.readouterr().err.split())
    assert said.startswith(f"downloading resnet50 from {url}; licence: torchvision's code is BSD-3")


def test_without_a_network_the_line_says_how() -> None:
    with pytest.raises(InputError) as raised:
        get("resnet50", lambda path: pytest.fail("read"))
    assert str(raised.value) == (
        "https://download.pytorch.org/models/resnet50-0676ba61.pth: could not be downloaded (the "
        "tests use no network); expected a network, or `dfmnist fetch resnet50 --from FILE` with "
        "the file from there"
    )


def test_what_wants_a_browser_is_asked_for() -> None:
    said = r"vox-256: not in the cache, .* browser; expected `dfmnist fetch vox-256 --from FILE`, "
    with pytest.raises(InputError, match=said + r"with vox-cpk\.pth\.tar from https://github"):
        get("vox-256", lambda path: pytest.fail("read"))
    path = PUBLISHED["vox-256"].path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    assert get("vox-256", lambda path: pytest.fail("read again")) == path


def test_what_is_not_installed(tmp_path: Path, own_cache: Path) -> None:
    def unfit(path: Path) -> None:
        raise InputError("another network")

    with pytest.raises(
        InputError, match=r"resnet50-v2: not in the cache; expected `dfmnist fetch res"
    ):
        in_cache("resnet50-v2")
    with pytest.raises(InputError, match=r"no such file; expected Meso4_DF\.h5 from https"):
        install("meso4-df", tmp_path / "none.h5", unfit)
    for name, said in (
        ("x.safetensors", "is not the published file"),
        ("x.pth", "another network"),
    ):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(InputError, match=said):
            install("xception", tmp_path / name, unfit)
    assert not own_cache.exists()
