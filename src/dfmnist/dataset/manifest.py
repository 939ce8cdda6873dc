"""Manifest of a dataset: one validated record for each clip in `metadata.jsonl`.

Building a dataset ends with writing it; all other work starts with reading it. The form is Hugging
Face's VideoFolder: `file_name` comes first. A published dataset (`dfmnist dataset export`) has one
such file in the folder of each split, and is read as one dataset.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from dfmnist.core.actions import Action
from dfmnist.core.choices import SPLITS, Split
from dfmnist.core.errors import InputError
from dfmnist.core.files import sha256_file, sha256_text, write_text
from dfmnist.core.records import problems_by_field
from dfmnist.core.text import key_of
from dfmnist.dataset.clip import (
    NAMES_IN_1,
    SCHEMA_VERSION,
    Clip,
    Label,
    Rejected,
    Screening,
    as_json,
    clip_line,
    problems_of_built,
    upgraded,
    with_extra,
)
from dfmnist.dataset.info import INFO, DatasetInfo, read_info
from dfmnist.dataset.rows import from_row
from dfmnist.dataset.splits import check_splits
from dfmnist.stats.intervals import Rate

__all__ = [
    "DRIVERS",
    "METADATA",
    "REJECTED",
    "SCHEMA_VERSION",
    "Clip",
    "Label",
    "Manifest",
    "Rejected",
    "Screening",
    "acceptance",
    "clip_file_name",
    "dataset_folder",
    "driver_file_name",
    "manifest_hash",
    "read_manifest",
    "read_rejected",
    "sharing",
    "write_manifest",
    "write_rejected",
]

METADATA = "metadata.jsonl"
REJECTED = "rejected.jsonl"
DRIVERS = "drivers"
"""Folder of the cropped driving clips, which are no clips of the dataset."""
MAX_LINE = 1 << 20
"""Largest length of a line of a manifest, in characters."""


@dataclass(frozen=True)
class Manifest:
    """All clips of one dataset folder."""

    root: Path
    """Folder of the manifest."""
    clips: tuple[Clip, ...]
    info: DatasetInfo = field(default_factory=DatasetInfo)
    """What `dataset.json` says; without such a file, that the files lie in `root`."""

    @property
    def files(self) -> Path:
        """Folder below which the clips' files lie."""
        return self.root / self.info.root

    def path(self, clip: Clip) -> Path:
        """Path of the clip's file."""
        return self.root / self.info.root / clip.file_name

    def select(
        self,
        *,
        split: str | None = None,
        quality: str | None = None,
        label: str | None = None,
        action: str | None = None,
    ) -> "Manifest":
        """Manifest of the clips that have all the given values, in the same order."""
        kept = tuple(
            clip
            for clip in self.clips
            if split in (None, clip.split)
            and quality in (None, clip.quality)
            and label in (None, clip.label)
            and action in (None, clip.action)
        )
        return Manifest(self.root, kept, self.info)

    @cached_property
    def identities(self) -> tuple[str, ...]:
        """Names of the people seen (`source`), sorted."""
        return tuple(sorted({clip.source for clip in self.clips}))


def clip_file_name(clip_id: str, quality: str) -> str:
    """Path of a clip's file inside the dataset folder.

    No folder is named like a split: `datasets` would take it for one and drop the metadata.
    """
    return f"clips/{quality}/{clip_id}.mp4"


def driver_file_name(identity: str, action: Action, take: int) -> str:
    """Path of a cropped driving clip inside the dataset folder."""
    return f"{DRIVERS}/{key_of(identity)}-{action.value}-{take}.mp4"


_R = TypeVar("_R", Clip, Rejected)
Convert = Callable[[dict[str, Any]], dict[str, Any]]
"""A function from the values in one line to those of a record."""


def dataset_folder(dataset: str | Path) -> Path:
    """The folder of a dataset that is given as its folder or its metadata.jsonl."""
    path = Path(dataset)
    return path.parent if path.name == METADATA else path


def read_manifest(path: Path) -> Manifest:
    """Read and validate the manifest of a dataset folder, or of the given `.jsonl` file.

    Raises `InputError` naming the file and line if a line is not JSON, fields are missing or wrong
    (all of them), a path leaves the folder of the files, a clip is listed twice, qualities of one
    clip disagree, or the splits are not those that `dataset.json` records. Unknown columns are an
    error for a built clip; those of an imported one are kept in `extra`.
    """
    file = Path(path)
    published = split_files(file)
    if file.is_dir() and not published:
        file = file / METADATA
    if published:
        clips = [c for split, one in published.items() for c in _read_split(one, split)]
        file = file / INFO
    elif file.is_file():
        clips = _read_lines(file, Clip)
    else:
        raise InputError.of(file, "no such file", "a dataset folder with a metadata.jsonl")
    if not clips:
        raise InputError.of(file, "holds no clips", "one record or more")
    _check_unique(file, clips)
    info = read_info(file.parent)
    _check_links(file, file.parent / info.root, clips)
    check_splits(clips, info, file)
    return Manifest(file.parent, tuple(clips), info)


def split_files(folder: Path) -> dict[Split, Path]:
    """The `metadata.jsonl` of each split of a published dataset; empty for any other folder."""
    if not Path(folder).is_dir() or (Path(folder) / METADATA).exists():
        return {}
    files: dict[Split, Path] = {split: Path(folder) / split / METADATA for split in SPLITS}
    return {split: file for split, file in files.items() if file.is_file()}


def _read_split(file: Path, split: Split) -> Iterator[Clip]:
    """The clips of one split of a published dataset, whose paths are told from its top."""
    for number, clip in enumerate(_read_lines(file, Clip, from_row), 1):
        if clip.split != split:
            raise InputError.of(f"{file}:{number}", f"states split {clip.split}", split)
        yield clip.model_copy(update={"file_name": f"{split}/{clip.file_name}"})


def read_rejected(root: Path) -> tuple[Rejected, ...]:
    """Read the rejected attempts of a dataset folder; empty if there is no such file."""
    file = Path(root) / REJECTED
    return tuple(_read_lines(file, Rejected)) if file.is_file() else ()


def write_manifest(root: Path, clips: Iterable[Clip], name: str = METADATA) -> Path:
    """Write `clips`, sorted by file name. It is the last file of a dataset to be written."""
    ordered = sorted(clips, key=lambda clip: clip.file_name)
    _check_unique(Path(root) / name, ordered)
    return _write_lines(Path(root) / name, map(clip_line, ordered))


def write_rejected(root: Path, rejected: Iterable[Rejected]) -> Path:
    """Write the rejected attempts, sorted by their id, completely or not at all."""
    ordered = sorted(rejected, key=lambda attempt: attempt.attempt_id)
    return _write_lines(Path(root) / REJECTED, (one.model_dump_json() for one in ordered))


def manifest_hash(root: Path) -> str:
    """SHA-256 of all `metadata.jsonl` and of `rejected.jsonl`, the same for equal datasets."""
    metadata = [*split_files(root).values()] or [Path(root) / METADATA]
    files = [*metadata, Path(root) / REJECTED]
    if not files[0].is_file():
        raise InputError.of(files[0], "no such file", "a dataset folder with a metadata.jsonl")
    return sha256_text(" ".join(sha256_file(f) if f.is_file() else "-" for f in files))


def _write_lines(file: Path, lines: Iterable[str]) -> Path:
    write_text(file, "".join(f"{line}\n" for line in lines))
    return file


def _read_lines(file: Path, kind: type[_R], convert: Convert | None = None) -> list[_R]:
    """The records in `file`. `convert` is applied to the values of lines that are none as such."""
    records: list[_R] = []
    share = sharing()
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if len(line) > MAX_LINE:
                    what = f"the line has {len(line):,} characters"
                    raise InputError.of(f"{file}:{number}", what, f"{MAX_LINE:,} at most")
                if line.strip():
                    record = _read_line(file, number, line, kind, convert)
                    share(record)
                    records.append(record)
    except UnicodeDecodeError as error:
        raise InputError.of(file, f"is not UTF-8 text ({error.reason})", "JSON lines") from None
    return records


def sharing() -> Callable[[BaseModel], None]:
    """A function that lets a record share the equal parts of earlier ones.

    A set of fields, a tuple of people and an empty `extra` of each record's own would take three
    quarters of a large manifest's memory.
    """
    sets: dict[frozenset[str], set[str]] = {}
    people: dict[tuple[str, ...], tuple[str, ...]] = {}
    nothing: dict[str, Any] = {}

    def share(record: BaseModel) -> None:
        own = record.model_fields_set
        object.__setattr__(record, "__pydantic_fields_set__", sets.setdefault(frozenset(own), own))
        if isinstance(record, Clip):
            values = record.__dict__
            values["identities"] = people.setdefault(record.identities, record.identities)
            values["extra"] = record.extra or nothing

    return share


def _read_line(
    file: Path, number: int, line: str, kind: type[_R], convert: Convert | None = None
) -> _R:
    """The record in one line, in schema 2 whatever its own. Raises `InputError`."""
    old = '"schema_version":1' in line or '"schema_version": 1' in line
    quoted = convert is not None and '"\\"' in line
    text = _rewritten(line, kind, convert) if old or quoted else line
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        if not old and (text := _rewritten(line, kind, convert)) != line:
            try:
                return kind.model_validate_json(text)
            except ValidationError as second:
                raise _bad_line(file, number, line, kind, second) from None
        raise _bad_line(file, number, line, kind, error) from None


def _rewritten(line: str, kind: type[BaseModel], convert: Convert | None) -> str:
    """The line with a record of schema 1 upgraded, and unknown columns of a clip in `extra`.

    A line that needs neither, or is no JSON object, is returned as it is.
    """
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return line
    if not isinstance(values, dict):
        return line
    try:
        new = upgraded(convert(values) if convert else values)
    except (ValueError, RecursionError):  # text that should be JSON
        return line
    new = with_extra(new) if kind is Clip else new
    return line if new is values else as_json(new)


def _bad_line(
    file: Path, number: int, line: str, kind: type[BaseModel], error: ValidationError
) -> InputError:
    """All problems of a line in one message; each field is named once."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):  # also nested too deeply, or a number of too many digits
        return InputError.of(f"{file}:{number}", "not valid JSON", "one JSON record a line")
    found = problems_by_field(error)
    schema: int = SCHEMA_VERSION
    if isinstance(values, dict):
        missing = problems_of_built(upgraded(values)) if kind is Clip else []
        found = list(dict.fromkeys([*found, *missing]))
        if values.get("schema_version") == 1:
            schema, found = 1, _named_as_in_1(found)
    return InputError.of(f"{file}:{number}", "; ".join(found), f"a record of schema {schema}")


def _named_as_in_1(problems: Sequence[str]) -> list[str]:
    """Problems of an upgraded record with the names that its own schema has for the fields."""
    named = []
    for problem in problems:
        name, colon, rest = problem.partition(":")
        if name not in ("identities", "method"):
            named.append(f"{NAMES_IN_1.get(name, name)}{colon}{rest}")
    return named or list(problems)


_PER_FILE = frozenset({"file_name", "quality", "sha256"})
"""Fields in which the qualities of a clip may differ."""
_PER_FILE_IMPORTED = _PER_FILE | {"fps", "num_frames", "width", "height", "extra"}
"""Fields in which the qualities of a clip that somebody else made may differ."""


def _check_unique(file: Path, clips: Iterable[Clip]) -> None:
    names: set[str] = set()
    pairs: set[tuple[str, str]] = set()
    first: dict[str, Clip] = {}
    for clip in clips:
        if clip.file_name in names:
            raise InputError.of(file, f"lists {clip.file_name} twice", "each file once")
        pair = (clip.clip_id, clip.quality)
        if pair in pairs:
            raise InputError.of(file, f"lists clip {pair[0]} in {pair[1]} twice", "each once")
        names.add(clip.file_name)
        pairs.add(pair)
        other = first.setdefault(clip.clip_id, clip)
        if other is not clip and (field := _disagree(clip, other)):
            raise InputError.of(
                file,
                f"{clip.file_name} and {other.file_name} are one clip but differ in {field}",
                "the qualities of a clip to agree",
            )


def _disagree(a: Clip, b: Clip) -> str | None:
    """First field in which two qualities of one clip differ but must not; None if there is none."""
    ours, theirs = a.__dict__, b.__dict__
    own = _PER_FILE if a.origin == "built" else _PER_FILE_IMPORTED
    for name, value in ours.items():
        if name not in own and value != theirs[name]:
            return name
    return None


def _check_links(file: Path, files: Path, clips: Iterable[Clip]) -> None:
    """Raise `InputError` if a symbolic link leads a clip out of `files`, the folder of the files.

    Links into the stores of Hugging Face's cache and of git-annex are how these tools lay files
    out; they are followed.
    """
    root = Path(os.path.realpath(files))
    allowed = (root, *_link_stores(root))

    def leads_out(path: Path) -> bool:
        target = Path(os.path.realpath(path))  # `resolve` raises for a link to itself
        return not any(target.is_relative_to(place) for place in allowed)

    outside: dict[str, bool] = {}
    for clip in clips:
        folder, _, _ = clip.file_name.rpartition("/")
        if folder not in outside:
            outside[folder] = leads_out(root / folder)
        path = f"{root}/{clip.file_name}"
        if outside[folder] or (os.path.islink(path) and leads_out(Path(path))):
            raise InputError.of(
                file,
                f"{clip.file_name} is a link out of the folder",
                "files inside the folder (`cp -rL FOLDER COPY` makes a copy without links)",
            )


def _link_stores(root: Path) -> list[Path]:
    """Folders outside `root` that links of well-known tools lead to.

    `snapshots/REVISION` of Hugging Face's cache links into `blobs` beside `snapshots`, a git-annex
    repository into `.git/annex/objects` at its top.
    """
    stores = [root.parents[1] / "blobs"] if root.parent.name == "snapshots" else []
    stores += [top / ".git" / "annex" / "objects" for top in (root, *root.parents)]
    return [store for store in stores if store.is_dir()]


def acceptance(
    clips: Iterable[Clip], rejected: Iterable[Rejected], label: str
) -> dict[Action, Rate]:
    """Rate of accepted clips of `label` among all attempts, for each action that was attempted.

    For fakes this is the spoof rate (paper, section 3.3). Imported clips were not screened and are
    not counted.
    """
    built = [clip for clip in clips if clip.origin == "built"]
    accepted = {(clip.clip_id, clip.action) for clip in built if clip.label == label}
    won = [action for _, action in accepted]
    lost = [r.action for r in rejected if r.label == label and r.action is not None]
    return {
        action: Rate(won.count(action), won.count(action) + lost.count(action))
        for action in Action
        if action in won or action in lost
    }
