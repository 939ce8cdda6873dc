"""Celeb-DF, versions 1 and 2.

`Celeb-real/id0_0000.mp4`, `YouTube-real/00000.mp4` and `Celeb-synthesis/id0_id16_0000.mp4` (the
person of the video, the person whose face was put there, the number). `List_of_testing_videos.txt`
has lines such as `1 YouTube-real/00170.mp4` without a header, and 1 means real. Version 1 lists 100
test videos, version 2 lists 518 (the README of the dataset's repository). There is no official
validation split.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from dfmnist.core.errors import InputError
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.layouts.base import Layout, below, clip, read_lines, videos

FOLDERS = {"Celeb-real": "real", "YouTube-real": "real", "Celeb-synthesis": "fake"}
LIST = "List_of_testing_videos.txt"
LINE = re.compile(r"([01])\s+((Celeb-real|YouTube-real|Celeb-synthesis)/([\w-]+)\.mp4)")
TESTED_IN_1 = 100
"""Number of test videos of version 1; version 2 has more."""


def read(root: Path) -> Iterator[Clip]:
    """Yield the clips of Celeb-DF: the listed test videos, and the others for training.

    Raises `InputError` for a missing list, or a line whose label is not that of its folder.
    """
    tested = _tested(root)
    there = {below(root, path) for folder in FOLDERS for path in videos(root / folder)}
    for name in sorted(there | tested):
        folder, _, file = name.partition("/")
        split = "test" if name in tested else "train"
        yield _clip(name, folder, file.removesuffix(".mp4"), split)


def _clip(name: str, folder: str, stem: str, split: str) -> Clip:
    if folder == "YouTube-real":
        return clip(name, "real", (f"youtube-{stem}",), split=split, clip_id=f"YouTube-real-{stem}")
    people = re.findall(r"id\d+", stem)
    fake = FOLDERS[folder] == "fake"
    if len(people) != (2 if fake else 1):
        expected = "id0_id16_0000.mp4" if fake else "id0_0000.mp4"
        raise InputError.of(name, "names no person", f"a name such as {expected}")
    return clip(
        name, FOLDERS[folder], tuple(dict.fromkeys(people)), split=split,
        method="celeb-df" if fake else "", clip_id=f"{folder}-{stem}",
    )  # fmt: skip


def _tested(root: Path) -> set[str]:
    """Paths of the listed test videos; the first line is a video like the others."""
    found = set()
    for number, line in read_lines(root / LIST, "the list of test videos of Celeb-DF"):
        parts = LINE.fullmatch(line)
        if parts is None:
            raise InputError.of(
                f"{root / LIST}:{number}", f"'{line[:80]}'", "1 YouTube-real/00170.mp4"
            )
        if (parts[1] == "1") != (FOLDERS[parts[3]] == "real"):
            what = f"{parts[2]} has label {parts[1]}, where 1 means real"
            raise InputError.of(f"{root / LIST}:{number}", what, "the label of its folder")
        found.add(parts[2])
    return found


def _looks_like(root: Path) -> bool:
    return any((root / folder).is_dir() for folder in ("Celeb-real", "Celeb-synthesis"))


def _list_length(root: Path) -> int:
    try:
        return len(read_lines(root / LIST, "a list"))
    except InputError:
        return 0


def looks_like_1(root: Path) -> bool:
    """Whether a folder holds Celeb-DF with no more test videos than version 1."""
    return _looks_like(root) and _list_length(root) <= TESTED_IN_1


def looks_like_2(root: Path) -> bool:
    """Whether a folder holds Celeb-DF with a list that is not that of version 1."""
    return _looks_like(root) and _list_length(root) != TESTED_IN_1


EXPECTED = f"the folders {', '.join(FOLDERS)} and {LIST}"
V1 = Layout("celeb-df-v1", "Celeb-DF v1", read, looks_like_1, EXPECTED)
V2 = Layout("celeb-df-v2", "Celeb-DF v2", read, looks_like_2, EXPECTED)
