"""`dfmnist fetch` and `dfmnist convert-weights` from the command line."""

from pathlib import Path

import pytest
import torch
from tests.fomm.test_convert import checkpoint
from tests.running import called, refused

from dfmnist.core.published_weights import PUBLISHED
from dfmnist.fomm.checkpoint import weights_id


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DFMNIST_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    code, out, err = called(capsys, *arguments)
    assert not code, err
    return out


def test_the_list_says_what_is_known(capsys: pytest.CaptureFixture[str], own_cache: Path) -> None:
    said = run(capsys, "fetch")
    for name, known in PUBLISHED.items():
        assert f"\n{name}: not in the cache\n" in f"\n{said}"
        assert known.page in said
    assert "vox-cpk.pth.tar, then `dfmnist fetch vox-256 --from FILE`" in said
    assert "no published checksum is known" in said
    assert "SHA-256 begins with dcbb9e9d" in said
    assert "faces: not in the cache" in said
    assert not own_cache.exists()
    kept = PUBLISHED["vgg19"].path
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"")
    assert f"vgg19: in the cache, {kept}" in run(capsys, "fetch")


def test_what_cannot_be_fetched(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "x.pth.tar").write_text("<html>")
    for arguments, said in (
        (("voices",), "fetch 'voices'; expected faces, actors, vox-256"),
        (("vox-256",), "expected --from FILE, with vox-cpk.pth.tar from https://github.com/"),
        (("vox-256", "--from", "none"), "none: no such file"),
        (("vox-256", "--from", "x.pth.tar"), "x.pth.tar: is a web page"),
        (("--from", "x.pth.tar"), "--from without a name"),
        (("faces", "--from", "x.pth.tar"), "--from with faces"),
    ):
        assert said in refused(capsys, "fetch", *arguments)


def test_a_detectors_weights_are_placed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, own_cache: Path, shared: Path
) -> None:
    file = shared / "data" / "weights" / "mesonet" / "MesoInception_DF.h5"
    said = run(capsys, "fetch", "mesoinception4-df", "--from", file)
    placed = own_cache / "weights" / "MesoInception_DF.h5"
    assert said.startswith(f"mesoinception4-df: {placed}\n  no published checksum is known")
    assert "its MD5 is that of" in said
    assert placed.read_bytes() == file.read_bytes()
    other = refused(capsys, "fetch", "meso4-df", "--from", file)
    assert "MesoInception_DF.h5: does not fit" in other
    assert not PUBLISHED["meso4-df"].path.exists()


def test_convert(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path, out = checkpoint(tmp_path / "vox.pth.tar"), tmp_path / "vox.safetensors"
    said = run(capsys, "convert-weights", path, out)
    assert said.startswith(f"{out}: {weights_id(out)}, float32, ")
    assert "3 keypoints, 256×256" in said
    assert "vox.safetensors: exists" in refused(capsys, "convert-weights", path, out)
    full = out.stat().st_size
    assert "float16" in run(capsys, "convert-weights", path, out, "--half", "--force")
    assert out.stat().st_size < full
    del (state := torch.load(path, weights_only=True))["kp_detector"]["kp.bias"]
    state["generator"]["final.bias"] = torch.zeros(9)
    torch.save(state, path)
    line = refused(capsys, "convert-weights", path, tmp_path / "new.safetensors")
    assert "lacks kp_detector.kp.bias; generator.final.bias is [9], expected [3]" in line
    assert not (tmp_path / "new.safetensors").exists()
    assert "not in the cache" in refused(capsys, "convert-weights", "vox-256", tmp_path / "v")
