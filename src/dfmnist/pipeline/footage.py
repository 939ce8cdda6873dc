"""Footage that a build starts from: who does what in which part of which file.

Synthetic actors and a user's own videos both arrive as `Footage`, so one pipeline serves both.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from dfmnist.core.actions import Action, parse_action
from dfmnist.core.choices import SPLITS
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path
from dfmnist.core.text import slug
from dfmnist.media.image import is_image
from dfmnist.media.video import is_video, probe

COLUMNS = ("file", "identity", "action", "take", "start", "end", "split", "seed")


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

    @property
    def is_photo(self) -> bool:
        """True for a photo."""
        return is_image(self.path)

    @property
    def key(self) -> str:
        """Name for files made from this footage, unique within one kind of footage."""
        return f"{slug(self.identity)}-{self.action.value}-{self.take}"


def read_people(where: Path, clip_s: Fraction, person: str = "file") -> list[Footage]:
    """Read sources or real clips from a folder of clips and photos, or a CSV file of `COLUMNS`.

    In a folder, `person` decides who is who: `file` takes the part of the file's path below
    `where` before the first `#` (where the motion model's authors' VoxCeleb1 has the person),
    `folder` takes the subfolder. A video is cut into stretches of `clip_s` seconds. Raises
    `InputError` for an empty folder or a bad row.
    """
    if person not in ("file", "folder"):
        raise InputError(f"--person {person}; expected file or folder")
    if where.is_file():
        return _read_csv(where, need_action=False)
    found: list[Footage] = []
    takes: dict[str, int] = {}
    for path in _media_below(where):
        relative = path.relative_to(where)
        if person == "folder" and len(relative.parts) < 2:
            raise InputError.of(path, "lies in no person's folder", f"{where}/<person>/<clip>")
        name = relative.parts[0] if person == "folder" else _name_of(relative)
        for start, end in _stretches(path, clip_s):
            take = takes[name] = takes.get(name, -1) + 1
            found.append(Footage(path, name, Action.TALK, take, start, end))
    return found


def _name_of(relative: Path) -> str:
    return relative.with_suffix("").as_posix().split("#")[0]


def read_drivers(where: Path) -> list[Footage]:
    """Read driving clips from a folder with one subfolder per action, or from a CSV file.

    In a folder the person is the part of the file name before the first `#`, or all of it.
    Raises `InputError` for an unknown action name or an empty folder.
    """
    if where.is_file():
        return _read_csv(where, need_action=True)
    found = []
    takes: dict[tuple[str, Action], int] = {}
    for path in _media_below(where):
        relative = path.relative_to(where)
        if len(relative.parts) < 2:
            raise InputError.of(path, "lies in no action's folder", f"{where}/<action>/<clip>")
        if is_image(path):
            raise InputError.of(path, "is a picture", "driving clips (videos)")
        action, name = parse_action(relative.parts[0]), path.stem.split("#")[0]
        take = takes[name, action] = takes.get((name, action), -1) + 1
        found.append(Footage(path, name, action, take))
    return found


def write_csv(path: Path, footage: Iterable[Footage]) -> None:
    """Write `footage` as CSV for `read_people` and `read_drivers`, with paths relative to it."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for f in footage:
            end = "" if f.end_s is None else f.end_s
            name = f.path.relative_to(path.parent).as_posix()
            writer.writerow(
                (name, f.identity, f.action.value, f.take, f.start_s, end, f.split, f.seed)
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


def _media_below(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError.of(folder, "no such file or folder", "a folder of clips, or a CSV file")
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and (is_video(p) or is_image(p)))
    if not paths:
        raise InputError.of(folder, "holds no video or picture", "clips or photos")
    return paths


def _stretches(path: Path, clip_s: Fraction) -> list[tuple[float, float | None]]:
    """Stretches of `clip_s` seconds (start, end) in a file; one for a photo or a shorter file."""
    if is_image(path):
        return [(0.0, None)]
    try:
        duration_s = probe(path).duration_s
    except InputError:
        return [(0.0, None)]  # kept, so that the build rejects it by name
    count = max(1, int(duration_s / float(clip_s) + 1e-6))
    return [(float(i * clip_s), float((i + 1) * clip_s)) for i in range(count)]


def _read_csv(path: Path, *, need_action: bool) -> list[Footage]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        try:
            names = rows.fieldnames or []
        except (UnicodeDecodeError, csv.Error):
            names = []
        needed = {"file", "action"} if need_action else {"file"}
        if not needed <= set(names):
            columns = ", ".join(sorted(needed))
            raise InputError.of(path, "is no table of footage", f"a CSV with columns {columns}")
        found = [_footage_of(row, path, number) for number, row in enumerate(rows, 2)]
    if not found:
        raise InputError.of(path, "has no rows", "one row for each clip")
    return _with_own_takes(found)


def _footage_of(row: dict[str, str], table: Path, line: int) -> Footage:
    file = (table.parent / row["file"]).resolve()
    if not file.is_file():
        raise InputError.of(f"{table}:{line}", f"no such file {row['file']}", "an existing file")
    try:
        footage = Footage(
            file,
            identity=row.get("identity") or file.stem.split("#")[0],
            action=parse_action(row.get("action") or "talk"),
            take=int(row.get("take") or -1),
            start_s=float(row.get("start") or 0),
            end_s=float(row["end"]) if row.get("end") else None,
            split=(row.get("split") or "").strip(),
            seed=int(row.get("seed") or -1),
        )
    except ValueError as error:
        raise InputError(f"{table}:{line}: {error}") from None
    if footage.split and footage.split not in SPLITS:
        raise InputError.of(f"{table}:{line}", f"split '{footage.split}'", ", ".join(SPLITS))
    if footage.end_s is not None and footage.end_s <= footage.start_s:
        raise InputError.of(f"{table}:{line}", "end is not after start", "start < end in seconds")
    return footage


def _with_own_takes(found: list[Footage]) -> list[Footage]:
    """Number the takes that the table does not. Raises `InputError` for two clips of one key."""
    used: set[str] = set()
    numbered = []
    for footage in found:
        take = max(footage.take, 0)
        if footage.take < 0:
            while replace(footage, take=take).key in used:
                take += 1
        own = replace(footage, take=take)
        if own.key in used:
            raise InputError.of(
                own.path, f"is a second {own.key}", "one row per person, action, take"
            )
        used.add(own.key)
        numbered.append(own)
    return numbered
