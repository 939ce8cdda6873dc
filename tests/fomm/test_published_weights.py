"""Motion models and VGG-19 by name: checked, installed in the cache, found again."""

from functools import partial
from pathlib import Path

import pytest
import torch
from tests.fomm.seeded import state_shapes
from tests.fomm.test_convert import SMALL, checkpoint

from dfmnist.core import published_weights
from dfmnist.core.errors import InputError
from dfmnist.fomm.checkpoint import check_published, resolve_weights, weights_id
from dfmnist.fomm.networks.vgg import Vgg19


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DFMNIST_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def install(name: str, file: Path) -> Path:
    return published_weights.install(name, file, partial(check_published, name))


@pytest.fixture(scope="module")
def vox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of vox-256's shapes; each tensor is one stored zero, repeated."""
    path = tmp_path_factory.mktemp("vox") / "download.pth.tar"
    zero = torch.zeros(())
    state = {
        name: {key: zero.expand(shape) for key, shape in state_shapes(name).items()}
        for name in ("generator", "kp_detector")
    }
    torch.save(state, path)
    return path


def test_installed_weights_are_found_by_name(vox: Path, own_cache: Path) -> None:
    with pytest.raises(InputError, match=r"vox-256: not in the cache.*vox-cpk\.pth\.tar from http"):
        resolve_weights(Path("vox-256"))
    path = install("vox-256", vox)
    assert path == own_cache / "weights" / "vox-cpk.pth.tar" == resolve_weights(Path("vox-256"))
    assert path.read_bytes() == vox.read_bytes()
    assert weights_id(Path("vox-256")) == weights_id(path)
    assert weights_id(path).startswith("fomm-vox-cpk@")
    install("vox-256", path)  # again, from the cache itself
    assert [p.name for p in path.parent.iterdir()] == ["vox-cpk.pth.tar"]
    assert install("vox-adv-256", vox).read_bytes() == vox.read_bytes()


def test_a_file_of_that_name_wins(tmp_path: Path) -> None:
    (tmp_path / "vox-256").write_text("mine")
    assert resolve_weights(Path("vox-256")) == Path("vox-256")
    assert resolve_weights(Path("other.pth.tar")) == Path("other.pth.tar")
    with pytest.raises(InputError, match="resnet50: is no motion model; expected vox-256 or"):
        resolve_weights(Path("resnet50"))


def test_another_network_is_not_installed(tmp_path: Path, own_cache: Path) -> None:
    small = checkpoint(tmp_path / "small.pth.tar", SMALL)
    with pytest.raises(InputError, match=r"small\.pth\.tar: is another motion model"):
        install("vox-256", small)
    (tmp_path / "page.pth.tar").write_text("<html>quota exceeded</html>")
    with pytest.raises(InputError, match="is a web page"):
        install("vox-256", tmp_path / "page.pth.tar")
    with pytest.raises(InputError, match="no such file"):
        install("vox-256", tmp_path / "none.pth.tar")
    (tmp_path / "x.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="is not the published file"):
        install("vox-256", tmp_path / "x.safetensors")
    assert not own_cache.exists()


def test_all_of_vgg_is_read(tmp_path: Path) -> None:
    file = tmp_path / "vgg.pth"
    state = {k: torch.zeros(1).expand(v.shape) for k, v in Vgg19().state_dict().items()}
    torch.save(state, file)
    check_published("vgg19", file)
    del state["features.28.bias"]
    torch.save(state, file)
    with pytest.raises(InputError, match=r"lacks features\.28\.bias"):
        check_published("vgg19", file)
    file.write_text("<html>")
    with pytest.raises(InputError, match=r"is a web page: .*; expected torchvision's VGG-19"):
        check_published("vgg19", file)
