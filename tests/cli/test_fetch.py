"""`dfmnist fetch` and `dfmnist animator convert` from the command line."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.fomm.test_convert import checkpoint
from tests.running import called, refused, refused_at_last
from tests.serving import serving

from dfmnist.core.files import sha256_file
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
        assert (known.wheel or known.url) in said
        assert known.licence in said
    assert "by `dfmnist fetch vox-256 --from vox-cpk.pth.tar`" in said
    assert "by `dfmnist fetch resnet50`\n" in said
    assert "checksum: none is published" in said
    assert "SHA-256 dcbb9e9d…" in said
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
        (("vox-256",), "fetch vox-256 --from FILE`, with vox-cpk.pth.tar from https://github.com/"),
        (("vox-256", "--from", "none"), "none: no such file"),
        (("vox-256", "--from", "x.pth.tar"), "x.pth.tar: is a web page"),
        (("--from", "x.pth.tar"), "--from without a name"),
        (("faces", "--from", "x.pth.tar"), "--from with faces"),
    ):
        assert said in refused(capsys, "fetch", *arguments)


def test_a_name_is_downloaded(
    capsys: pytest.CaptureFixture[str],
    own_cache: Path,
    shared: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = shared / "data" / "weights" / "mesonet" / "Meso4_DF.h5"
    with serving({file.name: file.read_bytes()}) as server:
        known = replace(PUBLISHED["meso4-df"], url=server.url(file.name))
        monkeypatch.setitem(PUBLISHED, "meso4-df", known)
        first = run(capsys, "fetch", "meso4-df")
    assert run(capsys, "fetch", "meso4-df") == first  # from the cache
    kept = own_cache / "weights" / "Meso4_DF.h5"
    assert kept.read_bytes() == file.read_bytes()
    assert first == (
        f"meso4-df: {kept}\n  SHA-256 {sha256_file(kept)}, as expected\n  licence: Apache-2.0\n"
    )


def test_a_page_in_place_of_the_file_is_called_that(
    capsys: pytest.CaptureFixture[str], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a network's sign-in page answers to every address."""
    with serving({"resnet50-0676ba61.pth": b"<!DOCTYPE html><p>Sign in"}) as server:
        known = replace(PUBLISHED["resnet50"], url=server.url("resnet50-0676ba61.pth"))
        monkeypatch.setitem(PUBLISHED, "resnet50", known)
        line = refused_at_last(capsys, "fetch", "resnet50")
    assert "and is a web page: the host's page was saved in place of the file; expected" in line
    assert not PUBLISHED["resnet50"].path.exists()


def test_without_a_network_it_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = called(capsys, "fetch", "xception")
    assert code == 2
    last = "".join(err.split("dfmnist: ")[1:])
    assert len(last.strip().splitlines()) == 1
    assert "could not be downloaded (the tests use no network)" in last


def test_a_detectors_weights_are_installed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, own_cache: Path, shared: Path
) -> None:
    file = shared / "data" / "weights" / "mesonet" / "MesoInception_DF.h5"
    said = run(capsys, "fetch", "mesoinception4-df", "--from", file)
    placed = own_cache / "weights" / "MesoInception_DF.h5"
    assert said.startswith(f"mesoinception4-df: {placed}\n  SHA-256 234586d4")
    assert placed.read_bytes() == file.read_bytes()
    other = refused(capsys, "fetch", "meso4-df", "--from", file)
    assert "MesoInception_DF.h5: has SHA-256 234586d4" in other
    assert not PUBLISHED["meso4-df"].path.exists()


def test_convert(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path, out = checkpoint(tmp_path / "vox.pth.tar"), tmp_path / "vox.safetensors"
    said = run(capsys, "animator", "convert", path, out)
    assert said.startswith(f"{out}: {weights_id(out)}, float32, ")
    assert "3 keypoints, 256×256" in said
    assert "vox.safetensors: exists" in refused(capsys, "animator", "convert", path, out)
    full = out.stat().st_size
    assert "float16" in run(capsys, "animator", "convert", path, out, "--half", "--force")
    assert out.stat().st_size < full
    del (state := torch.load(path, weights_only=True))["kp_detector"]["kp.bias"]
    state["generator"]["final.bias"] = torch.zeros(9)
    torch.save(state, path)
    line = refused(capsys, "animator", "convert", path, tmp_path / "new.safetensors")
    assert "lacks kp_detector.kp.bias; generator.final.bias is [9], expected [3]" in line
    assert not (tmp_path / "new.safetensors").exists()
    assert "not in the cache" in refused(capsys, "animator", "convert", "vox-256", tmp_path / "v")
