"""Published weights by name: checked, placed in the cache, found again."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.fomm.seeded import state_shapes
from tests.fomm.test_convert import SMALL, checkpoint

from dfmnist.core.errors import InputError
from dfmnist.fomm.checkpoint import weights_id
from dfmnist.fomm.known_weights import PUBLISHED, resolve_weights
from dfmnist.fomm.place import place


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DFMNIST_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def vox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of vox-256's shapes."""
    path = tmp_path_factory.mktemp("vox") / "download.pth.tar"
    names = ("generator", "kp_detector")
    torch.save(
        {n: {k: torch.zeros(s) for k, s in state_shapes(n).items()} for n in names}, path
    )  # fmt: skip
    return path


def test_placed_weights_are_found_by_name(vox: Path, own_cache: Path) -> None:
    with pytest.raises(InputError, match=r"vox-256: not in the cache.*vox-cpk\.pth\.tar from http"):
        resolve_weights(Path("vox-256"))
    path, said = place("vox-256", vox)
    assert path == own_cache / "weights" / "vox-cpk.pth.tar" == resolve_weights(Path("vox-256"))
    assert path.read_bytes() == vox.read_bytes()
    assert said.startswith("no published checksum is known; SHA-256 ")
    assert hashlib.sha256(vox.read_bytes()).hexdigest() in said
    assert weights_id(Path("vox-256")) == weights_id(path)
    assert weights_id(path).startswith("fomm-vox-cpk@")
    place("vox-256", path)  # again, from the cache itself
    assert [p.name for p in path.parent.iterdir()] == ["vox-cpk.pth.tar"]
    _, said = place("vox-adv-256", vox)
    assert "its MD5 differs from that of Avatarify's" in said


def test_a_file_of_that_name_wins(tmp_path: Path) -> None:
    (tmp_path / "vox-256").write_text("mine")
    assert resolve_weights(Path("vox-256")) == Path("vox-256")
    assert resolve_weights(Path("other.pth.tar")) == Path("other.pth.tar")
    with pytest.raises(InputError, match="resnet50: is no motion model; expected vox-256 or"):
        resolve_weights(Path("resnet50"))


def test_what_is_not_the_network_is_not_placed(tmp_path: Path, own_cache: Path) -> None:
    small = checkpoint(tmp_path / "small.pth.tar", SMALL)
    with pytest.raises(InputError, match=r"small\.pth\.tar: is another motion model"):
        place("vox-256", small)
    (tmp_path / "page.pth.tar").write_text("<html>quota exceeded</html>")
    with pytest.raises(InputError, match="is a web page"):
        place("vox-256", tmp_path / "page.pth.tar")
    with pytest.raises(InputError, match="no such file"):
        place("vox-256", tmp_path / "none.pth.tar")
    (tmp_path / "x.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="is not the published file"):
        place("vox-256", tmp_path / "x.safetensors")
    assert not own_cache.exists()


def test_a_known_checksum_is_demanded(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "vgg.pth"
    known = PUBLISHED["vgg19"]
    torch.save({name: torch.zeros(shape) for name, shape in known.marks}, file)
    with pytest.raises(InputError, match=r"vgg\.pth: has SHA-256 .* begins with dcbb9e9d"):
        place("vgg19", file)
    assert not own_cache.exists()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setitem(PUBLISHED, "vgg19", replace(known, sha256=digest[:8]))
    path, said = place("vgg19", file)
    assert path == own_cache / "weights" / "vgg19-dcbb9e9d.pth"
    assert said == f"SHA-256 {digest}, as published ({digest[:8]}…)"


def test_tensors_that_tell_a_file_are_looked_for(tmp_path: Path) -> None:
    file = tmp_path / "xception.pth"
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, file)
    with pytest.raises(InputError, match=r"conv1\.weight is \[64, 3, 7, 7\], expected \[32"):
        place("xception", file)
    torch.save({}, file)
    with pytest.raises(InputError, match=r"lacks conv1\.weight"):
        place("xception", file)
    file.write_text("<html>")
    with pytest.raises(InputError, match=r"is a web page: .*; expected xception-43020ad28\.pth"):
        place("xception", file)


def test_every_entry_says_where_from_and_under_what() -> None:
    for name, known in PUBLISHED.items():
        assert known.page.startswith("http"), name
        assert known.licence
        assert known.use
    # `recipes.paper` looks for <network>.pth in one folder
    assert PUBLISHED["resnet101"].path.name == "resnet101.pth"
