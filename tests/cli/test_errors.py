"""Bad input at the command line: one line that names the file, exit code 2, nothing lost."""

import json
import os
import signal
import time
import unicodedata
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.running import called, refused_at_last
from tests.running import refused as run

from dfmnist.detectors.scores import SCHEMA
from dfmnist.media.video import write_video


def clip(path: Path, num_frames: int = 4) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 255, (num_frames, 64, 64, 3), dtype=np.uint8)
    write_video(path, noise, Fraction(25), crf=30)
    return path


@pytest.fixture
def text_as_video(tmp_path: Path) -> Path:
    path = tmp_path / "notes.mp4"
    path.write_text("not a video\n")
    return path


@pytest.fixture
def truncated(tmp_path: Path) -> Path:
    path = clip(tmp_path / "cut.mp4", 30)
    path.write_bytes(path.read_bytes()[:-2000])
    return path


def build(*more: object) -> list[object]:
    return ["build", "--licence", "CC0-1.0", "--consent", "synthetic", *more]


def test_animate_names_a_text_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text_as_video: Path
) -> None:
    driving = clip(tmp_path / "driving.mp4")
    line = run(capsys, "animate", text_as_video, driving, tmp_path / "o.mp4")
    assert "notes.mp4" in line
    assert not (tmp_path / "o.mp4").exists()


def test_animate_names_a_truncated_driver(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, truncated: Path
) -> None:
    source = clip(tmp_path / "source.mp4")
    line = run(capsys, "animate", source, truncated, tmp_path / "o.mp4", "--no-crop")
    assert "cut.mp4" in line
    assert "truncated" in line
    assert not (tmp_path / "o.mp4").exists()


def test_animate_names_a_missing_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = run(capsys, "animate", tmp_path / "no.png", clip(tmp_path / "d.mp4"), tmp_path / "o.mp4")
    assert "no.png" in line


def test_build_names_an_empty_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    line = run(
        capsys,
        *build("--sources", tmp_path / "s", "--drivers", tmp_path, "--out", tmp_path / "o"),
    )
    assert f"{tmp_path / 's'}: holds no video or picture" in line
    assert not (tmp_path / "o").exists()


def test_build_refuses_a_folder_with_something_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("a", "b", "c"):
        clip(tmp_path / "s" / f"{name}.mp4")
    for name in ("x", "y", "z"):
        clip(tmp_path / "d" / "yaw" / f"{name}.mp4")
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.tex").write_text("mine")
    line = run(
        capsys,
        *build("--sources", tmp_path / "s", "--drivers", tmp_path / "d", "--out", out),
        "--driver-protocol",
        "shared",
    )
    assert "thesis: holds something else" in line
    assert [p.name for p in out.iterdir()] == ["chapter.tex"]


def test_build_without_a_face_says_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text_as_video: Path, truncated: Path
) -> None:
    sources = tmp_path / "s"
    sources.mkdir()
    text_as_video.rename(sources / "notes.mp4")
    truncated.rename(sources / "cut.mp4")
    clip(sources / "noise.mp4", 4)
    clip(tmp_path / "d" / "yaw" / "x.mp4")
    last = refused_at_last(
        capsys,
        *build("--sources", sources, "--drivers", tmp_path / "d"),
        *("--out", tmp_path / "o", "--driver-protocol", "shared"),
        *("--frames", 4, "--workers", 1),
    )
    assert "sources: no frame to animate" in last
    assert not (tmp_path / "o" / "metadata.jsonl").exists()


def test_consent_must_be_stated(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = run(
        capsys,
        *("build", "--licence", "CC0", "--consent", " ", "--sources", tmp_path),
        *("--drivers", tmp_path, "--out", tmp_path / "o"),
    )
    assert "--consent is empty" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fetch", "voices"], "fetch 'voices'; expected faces"),
        (["demo", "--recipe", "huge"], "'--recipe': 'huge' is not one of 'demo', 'smoke'"),
        (["dataset", "audit", "nowhere"], "no such file"),
        (["train", "nowhere"], "no such file"),
        (["score", "nowhere", "nowhere"], "nowhere"),
    ],
)
def test_other_commands(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in run(capsys, *arguments)


def test_ctrl_c_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dfmnist.pipeline.film.film_people", pressed)
    code, _, err = called(capsys, "demo", "--recipe", "smoke", "--out", tmp_path)
    assert code == 130
    last = err.splitlines()[-1]
    assert last == "dfmnist: stopped; run the same command to go on"


def test_sigterm_stops_as_ctrl_c_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch systems end a job by SIGTERM."""

    def ended(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    monkeypatch.setattr("dfmnist.dataset.manifest.read_manifest", ended)
    before = signal.getsignal(signal.SIGTERM)
    try:
        code, _, said = called(capsys, "dataset", "verify", tmp_path)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert code == 130
    assert said.splitlines()[-1] == "dfmnist: stopped; run the same command to go on"


def test_a_link_to_itself_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    loop = tmp_path / "loop.mp4"
    loop.symlink_to(loop.name)
    good, out = clip(tmp_path / "good.mp4"), tmp_path / "o.mp4"
    for arguments in ((loop, good, out), (good, loop, out)):
        line = run(capsys, "animate", *arguments, "--no-crop")
        assert "loop.mp4: no such file" in line


DETECT = ("detect", "--cropped", "--backend", "torch")
"""Without OpenVINO, which takes seconds to compile a network."""


def test_a_name_that_is_no_utf8_is_printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = clip(tmp_path / os.fsdecode(b"\xff.mp4"))
    code, out, err = called(capsys, *DETECT, path)
    assert code == 0, err
    assert "udcff.mp4: " in out
    code, out, err = called(capsys, *DETECT, path, "--json")
    assert json.loads(out)["files"][0]["path"] == str(path)


NAME = "a\nb \x1b[2J\x9b1m \u202e4pm 李雷 :smile: [red]"
"""A name that would forge a line, clear the screen and turn the text."""


def is_plain(text: str) -> bool:
    """Whether no line of what was printed holds a character that is no text."""
    return not any(unicodedata.category(c) in ("Cc", "Cf") for c in text if c != "\n")


def test_a_hostile_file_name_is_printed_as_text(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    good, bad = clip(tmp_path / f"{NAME}.mp4"), tmp_path / f"{NAME}-bad.mp4"
    bad.write_text("no video")
    code, out, err = called(capsys, *DETECT, good, bad)
    assert code == 2
    line = out.splitlines()[0]
    assert r"a\nb \u001b[2J\u009b1m \u202e4pm 李雷 :smile: [red].mp4: " in line
    assert is_plain(out + err)
    told, *_, last = err.splitlines()
    for line in (told, last):
        assert r"a\nb \u001b[2J\u009b1m \u202e4pm 李雷 :smile: [red]-bad.mp4: cannot" in line
    code, out, _ = called(capsys, *DETECT, good, "--json")
    assert is_plain(out)
    assert json.loads(out)["files"][0]["path"] == str(good)


def test_hostile_words_of_a_table_and_of_a_command_line_are_printed_as_text(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    clip(tmp_path / "one.mp4")
    table = tmp_path / "t.csv"
    for text, shown in (
        ("file,\x1b[2J\u202e\none.mp4,x\n", r"unknown column '\u001b[2j\u202e'"),
        ("file,action\none.mp4,\x1b[2J\u202e\n", r"unknown action '\u001b[2J\u202e'"),
        ("file,split\none.mp4,\x1b]0;t\x07\n", r"split '\u001b]0;t\u0007'"),
        ("file\n\u202e4pm\n", r"no such file \u202e4pm"),
    ):
        table.write_text(text)
        line = run(capsys, *build("--sources", table, "--drivers", table, "--out", tmp_path / "o"))
        assert shown in line
        assert is_plain(line)
    for arguments in (["\x1b[2J"], ["train", "\x1b[2J\u202e"], ["demo", "--recipe", "\x1b[2J"]):
        line = run(capsys, *arguments)
        assert "[2J" in line
        assert is_plain(line)


def test_hostile_people_are_printed_as_text(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The problems that `verify` finds, the notes of an import, and its list of problems."""
    for label in ("real", "fake"):
        for person in (NAME, "bob", "cid"):
            clip(tmp_path / "d" / label / person / "1.mp4")
    (tmp_path / "d" / "real" / NAME / f"{NAME}.mp4").write_text("no video")
    out = tmp_path / "o"
    code, said, err = called(
        capsys, "dataset", "import", "folder", tmp_path / "d", "--out", out,
        "--identity", "folder", "--allow-missing",
    )  # fmt: skip
    assert code == 0, err
    assert is_plain(said + err)
    assert sum(r"\u202e4pm 李雷" in line for line in err.splitlines()) == 1
    problems = (out / "import-problems.txt").read_text()
    assert is_plain(problems)
    assert len(problems.splitlines()) == 1
    next((tmp_path / "d" / "real" / NAME).glob("1.mp4")).unlink()
    code, said, err = called(capsys, "dataset", "verify", out)
    assert code == 2
    assert is_plain(said + err)
    assert r"\u202e4pm 李雷" in said


def test_scores_without_rows_are_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "none.parquet"
    pl.DataFrame(schema=SCHEMA).write_parquet(path)
    assert "none.parquet: holds no score of a clip" in run(capsys, "compare", path, path)
