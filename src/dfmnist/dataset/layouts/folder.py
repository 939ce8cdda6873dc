"""A plain folder: `real` and `fake`, with splits above or below them, or without.

Person and clip are read from the path by one of three rules. `name`: a clip shows the person whose
name its file's name begins with, up to the first `_`, `-` or `#`; a file of VoxCeleb is known by
its longer name. `folder`: the person is the folder that the file lies in. `csv`: a table says it.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

from dfmnist.core.actions import parse_action
from dfmnist.core.choices import SPLITS, Split
from dfmnist.core.errors import InputError
from dfmnist.core.tables import read_table
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.layouts.base import Layout, all_published, below, clip, none_published
from dfmnist.media.folders import VIDEOS, clean_name, find_media, person_of

IdentityRule = Literal["name", "folder"]
SPLIT_NAMES: dict[str, Split] = {
    **{split: split for split in SPLITS},
    "val": "validation",
    "valid": "validation",
    "training": "train",
    "testing": "test",
}
"""Names of folders that are splits."""
COLUMNS = ("file", "identity", "action", "method", "quality", "split")
"""Columns that a table of identities may have; the first two are needed."""
EXPECTED = "subfolders real and fake, with or without train, validation and test"
RULES: dict[str, str] = {
    "name": "the part of the file's name before its first '_', '-' or '#'",
    "folder": "the folder that the file lies in",
    "csv": "the column identity of the table",
}
"""Who is the person of a clip, by rule, in words."""


def looks_like(root: Path) -> bool:
    """Whether some folder at the top, or within one for a split, is called real or fake."""
    return any(
        label in (part.name.lower() for part in _folders(top))
        for top in (root, *(f for f in _folders(root) if f.name.lower() in SPLIT_NAMES))
        for label in ("real", "fake")
    )


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def read(root: Path, identity: IdentityRule = "name", table: Path | None = None) -> Iterator[Clip]:
    """Yield the clips of a plain folder; `table` names the people instead of a rule.

    Raises `InputError` for a folder in which some clips are in a split and others in none, and
    for a table that cannot be read. A row whose file does not exist gives a clip all the same.
    """
    places = _places(root)
    if not places:
        raise InputError.of(root, "holds no video in a folder real or fake", EXPECTED)
    if table is not None:
        yield from _from_table(root, table, places)
        return
    for name, (label, split, rest) in places.items():
        person = _person(root / name, rest, identity)
        yield clip(name, label, (person,), split=split or "train")


def _places(root: Path) -> dict[str, tuple[str, Split | None, PurePosixPath]]:
    """Label, split and remaining path of each video in a folder real or fake."""
    found = {}
    for path, _ in find_media(root, VIDEOS).files:
        parts = list(PurePosixPath(below(root, path)).parts)
        label = next((p.lower() for p in parts[:-1] if p.lower() in ("real", "fake")), None)
        if label is None:
            continue
        at = [part.lower() for part in parts].index(label)
        beside = [i for i in (at - 1, at + 1) if 0 <= i < len(parts) - 1]
        split_at = next((i for i in beside if parts[i].lower() in SPLIT_NAMES), None)
        split = None if split_at is None else SPLIT_NAMES[parts[split_at].lower()]
        rest = [part for i, part in enumerate(parts) if i not in (at, split_at)]
        found["/".join(parts)] = (label, split, PurePosixPath(*rest))
    inside = [name for name, (_, split, _) in found.items() if split is not None]
    if inside and len(inside) < len(found):
        outside = next(name for name in found if name not in set(inside))
        what = f"{inside[0]} is in a split and {outside} in none"
        raise InputError.of(root, what, "train, validation and test for all clips, or for none")
    return found


def _person(path: Path, rest: PurePosixPath, rule: IdentityRule) -> str:
    if rule == "folder":
        if len(rest.parts) < 2:
            raise InputError.of(path, "lies in no folder of a person", "real/PERSON/CLIP.mp4")
        return clean_name(rest.parts[-2])
    return first_part(path.name)


def first_part(name: str) -> str:
    """The person that a file's name begins with; in VoxCeleb's names, the person of the clip."""
    known = person_of(PurePosixPath(name))
    if re.fullmatch(r".+#[\w-]{11}#\d{6}#\d{6}", PurePosixPath(name).stem):
        return known
    stem = PurePosixPath(name).stem
    return clean_name(re.split(r"[_#-]", stem)[0] or stem)


def _from_table(
    root: Path, table: Path, places: dict[str, tuple[str, Split | None, PurePosixPath]]
) -> Iterator[Clip]:
    seen: set[str] = set()
    for line, row in read_table(table, COLUMNS[:2], COLUMNS):
        where, name = f"{table}:{line}", PurePosixPath(row["file"]).as_posix()
        if name in seen:
            raise InputError.of(where, f"lists {name} twice", "each file once")
        seen.add(name)
        label, split, _ = places.get(name) or (_label_of(where, name), None, None)
        people = tuple(
            dict.fromkeys(clean_name(p) for p in row["identity"].split(";") if p.strip())
        )
        if not people:
            raise InputError.of(where, f"names nobody for {name}", "an identity, or several with ;")
        given = row.get("split", "").lower()
        if given and given not in SPLIT_NAMES:
            raise InputError.of(where, f"split '{given}'", ", ".join(SPLITS))
        try:
            action = parse_action(row["action"]) if row.get("action") else None
            yield clip(
                name, label, people,
                split=SPLIT_NAMES.get(given) or split or "train",
                action=action,
                method=row.get("method", "") if label == "fake" else "",
                quality=row.get("quality") or "original",
            )  # fmt: skip
        except InputError as error:
            raise InputError(f"{where}: {error}") from None


def _label_of(where: str, name: str) -> str:
    parts = [part.lower() for part in PurePosixPath(name).parts[:-1]]
    label = next((part for part in parts if part in ("real", "fake")), None)
    if label is None:
        raise InputError.of(where, f"{name} lies in no folder real or fake", EXPECTED)
    return label


def layout(root: Path, identity: IdentityRule = "name", table: Path | None = None) -> Layout:
    """The layout of a plain folder, whose splits are published if its folders or table have any."""
    split = (
        any(place[1] is not None for place in _places(root).values()) if root.is_dir() else False
    )
    if table is not None and not split:
        rows = read_table(table, COLUMNS[:2], COLUMNS)
        stated = [bool(row.get("split")) for _, row in rows]
        if any(stated) and not all(stated):
            line = rows[stated.index(False)][0]
            raise InputError.of(f"{table}:{line}", "states no split", "one in every row, or none")
        split = any(stated)
    rule = RULES["csv" if table is not None else identity]
    return replace(
        FOLDER,
        read=partial(read, identity=identity, table=table),
        published=all_published if split else none_published,
        notes=(f"The person of a clip is {rule}.",),
    )


FOLDER = Layout(
    kind="folder",
    title="a plain folder",
    read=read,
    looks_like=looks_like,
    expected=EXPECTED,
)
