"""Folders as people have them: which files count, what they are, and whom they show."""

import io
import os
import unicodedata
from pathlib import Path, PurePath

import numpy as np
import pytest
from PIL import Image

from dfmnist.core.errors import InputError
from dfmnist.media.folders import VIDEOS, find_media, media_kind, person_of


def picture(kind: str) -> bytes:
    memory = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(memory, kind)
    return memory.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "AVIF"])
def test_a_photo_is_known_by_its_content(tmp_path: Path, kind: str) -> None:
    for name in ("p.jfif", "p", "p.mp4", "p.txt"):
        (tmp_path / name).write_bytes(picture(kind))
        assert media_kind(tmp_path / name) == "photo"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x20ftypisom", "video"),
        (b"\0\0\0\x08wide\0\0\1\0mdat", "video"),
        (b"\x1aE\xdf\xa3", "video"),
        (b"RIFF\0\0\0\0AVI LIST", "video"),
        (b"\0\0\1\xba", "video"),
        (b"G" + bytes(187) + b"G", "video"),
        (b"\0\0\0\x18ftypheic", None),
        (b"\0\0\0\x18ftypM4A ", None),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b"BMW and other cars", None),
        (b"Get free pictures here", None),
        (b"ffconcat version 1.0", None),
        (b"", None),
    ],
)
def test_a_kind_by_the_first_bytes(tmp_path: Path, head: bytes, kind: str | None) -> None:
    (tmp_path / "x").write_bytes(head)
    assert media_kind(tmp_path / "x") == kind
    (tmp_path / "x.mp4").write_bytes(b"damaged")
    assert media_kind(tmp_path / "x.mp4") == "video"
    assert media_kind(tmp_path / "missing.jpg") == "photo"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    os.mkfifo(tmp_path / "a.txt")
    assert media_kind(tmp_path / "a.mp4") == "video"  # by its name; reading it is refused
    assert media_kind(tmp_path / "a.txt") is None


def test_hidden_and_system_files_are_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = ["ann.jpg", "deep/down/bob", "cid.jfif"]
    others = [".trashed-1-gus.jpg", "._ann.jpg", ".thumbnails/a.jpg", "@eaDir/ann.jpg/S.jpg"]
    others += [
        "#recycle/x.jpg",
        "$RECYCLE.BIN/x.jpg",
        "Thumbs.db",
        "eve.jpg.crdownload",
        "GX010001.THM",
        "GX010001.lrv",
        "ann.jpg~",
        "ann.JPG.bak",
        "notes.md",
    ]
    for name in (*kept, *others):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"text" if name == "notes.md" else picture("JPEG"))
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x20ftypisom")
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "lost.jpg").symlink_to(tmp_path / "nothing")
    held = find_media(tmp_path)
    held.tell("people")
    found = [(p.relative_to(tmp_path).as_posix(), kind) for p, kind in held.files]
    assert found == sorted([*((name, "photo") for name in kept), ("clip.mp4", "video")])
    said = capsys.readouterr().err
    assert "people: 15 entries left out" in said
    for name in (".trashed-1-gus.jpg", "._ann.jpg", ".thumbnails/", "@eaDir/", "#recycle/"):
        assert name in said
    for part in ("neither photo nor video: notes.md", "eve.jpg.crdownload", "folders: again/",
                 "previews of cameras: GX010001.THM, GX010001.lrv",
                 "backup copies: ann.JPG.bak, ann.jpg~"):  # fmt: skip
        assert part in said
    find_media(tmp_path, VIDEOS).tell("drivers")
    assert "drivers: 18 entries left out" in (said := capsys.readouterr().err)
    assert "photos: ann.jpg, cid.jfif, deep/down/bob" in said


@pytest.mark.parametrize(
    ("path", "rule", "name"),
    [
        ("ann.mp4", "file", "ann"),
        ("ann#2.mp4", "file", "ann"),
        ("smith/ann.mp4", "file", "smith/ann"),
        ("set#2/ann.mp4", "file", "set#2/ann"),
        ("#1.mp4", "file", "#1"),
        ("J. Smith", "file", "J. Smith"),
        ("ann.1.jfif", "file", "ann.1"),
        ("smith/ann.mp4", "folder", "smith"),
        ("ann.mp4", "folder", "ann"),
        (unicodedata.normalize("NFD", "Jürg.mp4"), "file", "Jürg"),
        (" ann .mp4", "file", "ann"),
        ("train/id10282#0hTjT8jjwGE#000001#000101.mp4", "file", "id10282"),
        ("test/id10282#0hTjT8jjwGE#000200#000301.mp4", "folder", "id10282"),
        ("dev/mp4/id00012/21Uxsk56VDQ/00001.mp4", "file", "id00012"),
        ("id00012/21Uxsk56VDQ/00001.mp4", "folder", "id00012"),
        ("b\udcff.mp4", "file", "b\\xff"),
    ],
)
def test_whom_a_path_shows(path: str, rule: str, name: str) -> None:
    assert person_of(PurePath(path), rule) == name


def test_another_rule_is_refused() -> None:
    with pytest.raises(InputError, match="--person face; expected file or folder"):
        person_of(PurePath("a.mp4"), "face")
