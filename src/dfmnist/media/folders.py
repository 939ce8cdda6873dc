"""Folders of people's photos and videos: which files count, what they are, and whom they show.

Every command that reads a folder of footage follows these rules.
"""

import contextlib
import os
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal, get_args

from dfmnist.core.choices import PersonRule
from dfmnist.core.console import say
from dfmnist.core.errors import InputError
from dfmnist.core.text import plural
from dfmnist.media.image import IMAGE_SUFFIXES
from dfmnist.media.video import VIDEO_SUFFIXES

MediaKind = Literal["photo", "video"]
MEDIA: tuple[MediaKind, ...] = get_args(MediaKind)
VIDEOS: tuple[MediaKind, ...] = ("video",)

OTHER_SUFFIXES = frozenset(
    {
        *(".jfif", ".jpe", ".avif", ".heic", ".heif", ".gif", ".3gp", ".3g2", ".qt", ".wmv"),
        *(".asf", ".flv", ".ts", ".mts", ".m2ts", ".mpe", ".vob", ".ogv", ".mxf"),
    }
)
"""Endings of photos and videos that are known by their content alone."""
UNFINISHED = frozenset(
    {".part", ".partial", ".filepart", ".crdownload", ".opdownload", ".download", ".!ut", ".tmp"}
)
PREVIEWS = frozenset({".thm", ".lrv", ".lrf"})
"""Endings of the small copies that cameras keep beside a recording: JPEG and MP4 by content."""
BACKUPS = (".bak", ".orig", ".old", "~")
"""Endings that programs give to the copy of a file before they change it."""
SYSTEM = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "lost+found", "lost.dir"),
        *("#recycle", "#snapshot", "$recycle.bin", "recycler", "system volume information"),
    }
)
"""Names, in lower case, that operating systems and network drives add to folders."""
SHOWN = 5
"""Number of names that a line lists before it counts the rest."""
_HEAD_BYTES = 256
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF = frozenset({b"avif", b"avis"})
_SOUND = frozenset({b"M4A ", b"M4B "})
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)

_VOXCELEB_NAME = re.compile(r"(.+?)#[\w-]{11}#\d{6}#\d{6}")
"""File name of a clip of VoxCeleb1 as the motion model's authors prepare it."""
_VOXCELEB_FOLDERS = re.compile(r"(?:.*/)?(id\d{5})/[\w-]{11}/\d{5}")
"""Path of a clip as VoxCeleb1 and VoxCeleb2 are published: person, video, number."""


def media_kind(path: Path) -> MediaKind | None:
    """What the file `path` is by its first bytes: a photo, a video, or None for anything else.

    A file whose content says nothing is judged by its suffix, so that a damaged video is still
    treated, and rejected, as a video.
    """
    head = b""
    with contextlib.suppress(OSError):
        if path.is_file():  # to open a pipe would wait for its writer
            with path.open("rb") as file:
                head = file.read(_HEAD_BYTES)
    return _kind_of(head, path.suffix.lower())


def _kind_of(head: bytes, suffix: str) -> MediaKind | None:
    box, brand = head[4:8], head[8:12]
    if box == b"ftyp" and brand in _HEIC | _SOUND:
        return None
    if box == b"ftyp" and brand in _AVIF:
        return "photo"
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*")):
        return "photo"
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "photo"
    if head.startswith(b"RIFF"):
        kinds: dict[bytes, MediaKind] = {b"WEBP": "photo", b"AVI ": "video"}
        return kinds.get(brand)
    quicktime = box in (b"ftyp", b"moov", b"wide", b"free", b"skip", b"pnot") and head[0] == 0
    if quicktime or box == b"mdat":
        return "video"
    known = (b"\x1aE\xdf\xa3", b"\0\0\1\xba", b"\0\0\1\xb3", b"FLV\1", b"0&\xb2u\x8ef\xcf\x11")
    if head.startswith((*known, b"\x06\x0e+4\2\5\1\1", b"OggS")):
        return "video"
    if head[:1] == head[188:189] == b"G" or head[4:5] == head[196:197] == b"G":
        return "video"  # packets of a transport stream
    if suffix in VIDEO_SUFFIXES:
        return "video"
    return "photo" if suffix in IMAGE_SUFFIXES else None


@dataclass(frozen=True)
class MediaFolder:
    """What a folder holds."""

    files: tuple[tuple[Path, MediaKind], ...]
    """Photos and videos, sorted by path."""
    left_out: Mapping[str, Sequence[str]]
    """Paths within the folder of everything else, by the reason."""

    @property
    def words(self) -> str:
        """How many files were left out, with reasons and names; empty if none was."""
        if not self.left_out:
            return ""
        parts = []
        for reason, names in sorted(self.left_out.items()):
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            parts.append(f"{reason}: {', '.join(sorted(names)[:SHOWN])}{more}")
        count = plural(sum(map(len, self.left_out.values())), "entry", "entries")
        return f"{count} left out ({'; '.join(parts)})"

    def tell(self, what: str) -> None:
        """Print what was left out of the folder, which is called `what`, if anything was."""
        if self.words:
            say(f"  {what}: {self.words}")

    def required(
        self, folder: Path, kind: str, expected: str
    ) -> tuple[tuple[Path, MediaKind], ...]:
        """The files. Raises `InputError` if there are none, with what was left out."""
        if not self.files:
            more = f", {self.words}" * bool(self.words)
            raise InputError.of(folder, f"holds no {kind}{more}", expected)
        return self.files


def find_media(folder: Path, kinds: Collection[MediaKind] = MEDIA) -> MediaFolder:
    """Every file of one of `kinds` below `folder`, and what is left out.

    Hidden files and folders, those that operating systems add, previews of cameras, backup copies
    and unfinished downloads are nobody's.
    """
    found: list[tuple[Path, MediaKind]] = []
    left_out: dict[str, list[str]] = {}

    def leave_out(path: Path, reason: str, end: str = "") -> None:
        left_out.setdefault(reason, []).append(path.relative_to(folder).as_posix() + end)

    def unreadable(error: OSError) -> None:
        leave_out(Path(error.filename), "that cannot be read", "/")

    for here, folders, names in os.walk(folder, onerror=unreadable):
        for name in sorted(folders):
            path = Path(here, name)
            if reason := _not_footage(name) or ("links to folders" if path.is_symlink() else ""):
                leave_out(path, reason, "/")
                folders.remove(name)
        for name in names:
            path = Path(here, name)
            reason = _not_footage(name) or ("" if path.is_file() else "that are no files")
            kind = None if reason else media_kind(path)
            if kind is not None and kind in kinds:
                found.append((path, kind))
            else:
                leave_out(path, reason or (f"{kind}s" if kind else "neither photo nor video"))
    return MediaFolder(tuple(sorted(found)), left_out)


def _not_footage(name: str) -> str:
    """Reason why a file or folder of this name is no footage, whatever it holds; else empty."""
    if name.startswith("."):
        return "hidden"
    if name.lower() in SYSTEM or name.startswith("@"):
        return "of the system"
    suffix = PurePath(name).suffix.lower()
    if suffix in PREVIEWS:
        return "previews of cameras"
    if name.lower().endswith(BACKUPS):
        return "backup copies"
    return "unfinished downloads" if suffix in UNFINISHED else ""


def person_of(below: PurePath, person: str = "file") -> str:
    """Name of the person in the clip or photo at the path `below` within a folder of people.

    `file`: the path without suffix, and the file's name only up to a first `#`. `folder`: the
    first subfolder, and for a file that lies in none the name by the rule `file`. In VoxCeleb's
    layouts it is the person's id, whatever the partition. No other function makes a name out of a
    path. Raises `InputError` for another rule.
    """
    if person not in get_args(PersonRule):
        raise InputError(f"--person {person}; expected {' or '.join(get_args(PersonRule))}")
    name = below.name
    stem = name[: -len(below.suffix)] if _is_media_suffix(below.suffix) else name
    path = (below.parent / stem).as_posix()
    if found := _VOXCELEB_NAME.fullmatch(stem) or _VOXCELEB_FOLDERS.fullmatch(path):
        return clean_name(found[1])
    if person == "folder" and len(below.parts) > 1:
        return clean_name(below.parts[0])
    return clean_name((below.parent / (stem.split("#")[0] or stem)).as_posix())


def _is_media_suffix(suffix: str) -> bool:
    return suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES | OTHER_SUFFIXES


def clean_name(text: str) -> str:
    """`text` as the name of a person: without outer space, and with composed letters.

    A file system that takes letters apart (`u` and two dots) thus names the same person as one
    that does not. Bytes that are no UTF-8 become escapes.
    """
    readable = os.fsencode(text).decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", readable).strip() or repr(text)
