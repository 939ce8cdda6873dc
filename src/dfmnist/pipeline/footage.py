"""Footage that a build starts from: who does what in which part of which file.

Synthetic actors and a user's own videos both arrive as `Footage`, so one pipeline serves both.
"""

import csv
import math
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path, PurePath

from dfmnist.core.actions import Action, parse_action
from dfmnist.core.choices import SPLITS, PersonRule
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path
from dfmnist.core.tables import read_table
from dfmnist.core.text import key_of
from dfmnist.media.folders import (
    MEDIA,
    VIDEOS,
    MediaKind,
    clean_name,
    find_media,
    media_kind,
    person_of,
)
from dfmnist.media.video import probe

COLUMNS = (
    *("file", "identity", "action", "take", "start", "end", "split", "seed"),
    *("licence", "consent"),
)
"""Columns of a table of footage; no other is read."""
MOST_TAKES = 1_000_000
"""Number of takes that one person's action may have."""


@dataclass(frozen=True)
class Footage:
    """One stretch of one video, or one photo, of one person."""

    path: Path
    identity: str
    """Name of the person; all clips of one person are in one split."""
    action: Action
    """Action that the person performs; `talk` if nothing is asked."""
    take: int = 0
    """Number of the take, among those of one person and action."""
    start_s: float = 0.0
    """Start of the stretch in seconds."""
    end_s: float | None = None
    """End of the stretch in seconds; None is the end of the file."""
    split: str = ""
    """Name of the split; empty if the build assigns it."""
    seed: int = -1
    """Seed of a synthetic actor's performance; -1 for filmed people."""
    licence: str = ""
    """Licence of this footage; empty if it is the build's."""
    consent: str = ""
    """How the person agreed; empty if it is as the build says."""

    @property
    def is_photo(self) -> bool:
        """True for a photo."""
        return media_kind(self.path) == "photo"

    @cached_property
    def key(self) -> str:
        """Name for files made from this footage, unique within one kind of footage."""
        return f"{key_of(self.identity)}-{self.action.value}-{self.take}"


def read_people(
    where: Path, clip_s: Fraction, person: PersonRule = "file", *, tell_as: str = ""
) -> list[Footage]:
    """Read sources or real clips from a folder of clips and photos, or a CSV file of `COLUMNS`.

    In a folder, and in a table without identities, `media.folders.person_of` says who is who. A
    video of a folder is cut into stretches of `clip_s` seconds. `tell_as`: what the folder is
    called in the line that says which of its files are left out; empty prints none. Raises
    `InputError` for an empty folder or a bad row.
    """
    if where.is_file():
        return _read_csv(where, person, need_action=False)
    found: list[Footage] = []
    takes: dict[str, int] = {}
    for path, kind in _media_below(where, MEDIA, tell_as):
        below = path.relative_to(where)
        if person == "folder" and len(below.parts) < 2:
            raise InputError.of(path, "lies in no person's folder", f"{where}/<person>/<clip>")
        name = person_of(below, person)
        for start, end in [(0.0, None)] if kind == "photo" else _stretches(path, clip_s):
            take = takes[name] = takes.get(name, -1) + 1
            found.append(Footage(path, name, Action.TALK, take, start, end))
    return found


def read_drivers(where: Path, person: PersonRule = "file", *, tell_as: str = "") -> list[Footage]:
    """Read driving clips from a folder with one subfolder per action, or from a CSV file.

    Below an action's folder, `media.folders.person_of` says who is who. Photos are left out;
    `tell_as` is as in `read_people`. Raises `InputError` for an unknown action name or an empty
    folder.
    """
    if where.is_file():
        return _read_csv(where, person, need_action=True)
    found = []
    takes: dict[tuple[str, Action], int] = {}
    for path, _ in _media_below(where, VIDEOS, tell_as):
        below = path.relative_to(where)
        if len(below.parts) < 2:
            raise InputError.of(path, "lies in no action's folder", f"{where}/<action>/<clip>")
        action = parse_action(below.parts[0])
        name = person_of(PurePath(*below.parts[1:]), person)
        take = takes[name, action] = takes.get((name, action), -1) + 1
        found.append(Footage(path, name, action, take))
    return found


def stretch_s(footage: Footage) -> float:
    """Length of the stretch in seconds; 0 for a video that cannot be read."""
    end_s = footage.end_s
    if end_s is None:
        try:
            end_s = probe(footage.path).duration_s
        except Exception:  # rejected by name later
            return 0.0
    return end_s - footage.start_s


def write_csv(path: Path, footage: Iterable[Footage]) -> None:
    """Write `footage` as CSV for `read_people` and `read_drivers`, with paths relative to it."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for f in footage:
            end = "" if f.end_s is None else f.end_s
            name = f.path.relative_to(path.parent).as_posix()
            writer.writerow(
                (
                    *(name, f.identity, f.action.value, f.take, f.start_s, end, f.split, f.seed),
                    *(f.licence, f.consent),
                )
            )


def renumbered(footage: Iterable[Footage], beside: Iterable[Footage]) -> list[Footage]:
    """Renumber the takes of `footage` where a different clip in `beside` has the same key."""
    taken = {f.key: f for f in beside}
    result = []
    for own in footage:
        new = own
        while (other := taken.get(new.key)) and (other.path, other.start_s) != (
            own.path,
            own.start_s,
        ):
            new = replace(new, take=new.take + 1)
        taken[new.key] = own
        result.append(new)
    return result


def _media_below(
    folder: Path, kinds: Collection[MediaKind], tell_as: str
) -> tuple[tuple[Path, MediaKind], ...]:
    if not folder.is_dir():
        raise InputError.of(folder, "no such file or folder", "a folder of clips, or a CSV file")
    held = find_media(folder, kinds)
    files = held.required(folder, "video or picture", "clips or photos")
    if tell_as:
        held.tell(tell_as)
    return files


def _stretches(path: Path, clip_s: Fraction) -> list[tuple[float, float | None]]:
    """Stretches of `clip_s` seconds (start, end) in a video; one for a shorter file."""
    try:
        duration_s = probe(path).duration_s
    except Exception:  # kept, so that the build rejects it by name
        return [(0.0, None)]
    count = max(1, int(duration_s / float(clip_s) + 1e-6))
    return [(float(i * clip_s), float((i + 1) * clip_s)) for i in range(count)]


def _read_csv(path: Path, person: PersonRule, *, need_action: bool) -> list[Footage]:
    rows = read_table(path, ("file", "action") if need_action else ("file",), COLUMNS)
    if not rows:
        raise InputError.of(path, "has no rows", "one row for each clip")
    found = [_footage_of(row, f"{path}:{line}", path.parent) for line, row in rows]
    base = Path(os.path.commonpath([footage.path.parent for footage in found]))
    named = [
        f if f.identity else replace(f, identity=_person_in_table(f, base, person)) for f in found
    ]
    return _with_own_takes(named)


def _footage_of(row: dict[str, str], where: str, folder: Path) -> Footage:
    """Footage in one row; its identity is empty if the row states none."""
    file = Path(os.path.abspath(folder / row["file"]))
    try:
        exists = bool(row["file"]) and file.is_file()
    except (OSError, ValueError):  # a name that no file can have
        exists = False
    if not exists:
        raise InputError.of(where, f"no such file {row['file'][:200]}", "an existing file")
    try:
        footage = Footage(
            file,
            identity=clean_name(row["identity"]) if row.get("identity") else "",
            action=parse_action(row.get("action") or "talk"),
            take=_whole("take", row.get("take") or "-1", MOST_TAKES),
            start_s=_seconds("start", row.get("start") or "0"),
            end_s=_seconds("end", row["end"]) if row.get("end") else None,
            split=row.get("split", ""),
            seed=_whole("seed", row.get("seed") or "-1", 2**63),
            licence=row.get("licence", ""),
            consent=row.get("consent", ""),
        )
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None
    if footage.split and footage.split not in SPLITS:
        raise InputError.of(where, f"split '{footage.split}'", ", ".join(SPLITS))
    if footage.end_s is not None and footage.end_s <= footage.start_s:
        raise InputError.of(where, "end is not after start", "start < end in seconds")
    return footage


def _seconds(name: str, text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} '{text}' is no time; expected seconds, 0 or more")
    return value


def _whole(name: str, text: str, limit: int) -> int:
    value = int(text)
    if not -1 <= value < limit:
        raise ValueError(f"{name} '{text}'; expected a number from 0 to {limit - 1}")
    return value


def _person_in_table(footage: Footage, base: Path, person: PersonRule) -> str:
    """Name of the person in a row without an identity, by the path below all files' folder `base`.

    Folders named like the row's action say nothing about the person.
    """
    *folders, name = footage.path.relative_to(base).parts
    kept = [folder for folder in folders if not _names_action(folder, footage.action)]
    return person_of(PurePath(*kept, name), person)


def _names_action(folder: str, action: Action) -> bool:
    try:
        return parse_action(folder) is action
    except ValueError:
        return False


def _with_own_takes(found: list[Footage]) -> list[Footage]:
    """Number the takes that the table does not. Raises `InputError` for two clips of one key."""
    used: set[tuple[str, Action, int]] = set()
    free: dict[tuple[str, Action], int] = {}
    numbered = []
    for footage in found:
        who, take = (footage.identity, footage.action), footage.take
        if take < 0:
            take = free.get(who, 0)
            while (*who, take) in used:
                take += 1
            free[who] = take + 1
        own = replace(footage, take=take)
        if (*who, take) in used:
            raise InputError.of(
                own.path, f"is a second {own.key}", "one row per person, action, take"
            )
        used.add((*who, take))
        numbered.append(own)
    return numbered
