"""Manifest of a dataset: one validated record for each clip in `metadata.jsonl`.

Building a dataset ends with writing it; all other work starts with reading it. The form is Hugging
Face's VideoFolder, so `datasets.load_dataset("videofolder", data_dir=DIR)` reads it: `file_name`
comes first.
"""

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from dfmnist.core.actions import Action
from dfmnist.core.choices import Quality, Split
from dfmnist.core.errors import InputError
from dfmnist.core.files import sha256_file, sha256_text, write_text
from dfmnist.core.records import first_problem
from dfmnist.core.text import key_of
from dfmnist.stats.intervals import Rate

METADATA = "metadata.jsonl"
REJECTED = "rejected.jsonl"
DRIVERS = "drivers"
"""Folder of the cropped driving clips, which are no clips of the dataset."""
SCHEMA_VERSION: Literal[1] = 1

MAX_FRAMES = 10**8
"""Largest number of frames of a clip: more than a month at 25 a second."""
MAX_SIDE_PX = 65_536
"""Largest width and height of a clip in pixels."""
MAX_LINE = 1 << 20
"""Largest length of a line of a manifest, in characters."""

MAX_NAME_BYTES, MAX_PATH_BYTES = 255, 1024
"""Largest length of a file's or folder's name, and of the path of a clip in its dataset."""

Label = Literal["real", "fake"]
Text = Annotated[str, StringConstraints(min_length=1, pattern=r"\S")]


def _relative(name: str) -> str:
    parts = name.split("/")
    if "" in parts or ".." in parts or "\\" in name or ":" in parts[0]:
        raise ValueError(f"'{name[:80]}' leaves the dataset folder")
    if "\0" in name or not _is_short(name):
        raise ValueError(f"{name[:80]!r} is no name that a file can have")
    return name


def _is_short(name: str) -> bool:
    """Whether file systems take a path of this length, and each name in it."""
    data = name.encode(errors="surrogatepass")
    longest = max(map(len, data.split(b"/")))
    return longest <= MAX_NAME_BYTES and len(data) <= MAX_PATH_BYTES


@lru_cache(maxsize=64)
def _rate(text: str) -> str:
    if not re.fullmatch(r"\d{1,7}(/0*[1-9]\d{0,6})?", text, re.ASCII):
        raise ValueError(f"'{text[:40]}' is no frame rate such as 25 or 30000/1001")
    rate = Fraction(text)
    if rate <= 0 or str(rate) != text:
        raise ValueError(f"'{text}' is no positive frame rate in lowest terms")
    return text


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Screening(_Record):
    """Answer of one liveness detector about the clip."""

    detector: Text
    live: bool
    score: Annotated[float, Field(allow_inf_nan=False)]
    reason: str


class Clip(_Record):
    """One video file of the dataset."""

    file_name: Annotated[str, AfterValidator(_relative)]
    """POSIX path inside the dataset folder."""
    clip_id: Text
    """Name shared by the clip's qualities."""
    label: Label
    action: Action
    """Action performed; `talk` for talking."""
    quality: Quality
    split: Split
    source_id: Text
    """Person seen in the clip."""
    source_frame: Annotated[int, Field(ge=0)] | None
    """Frame of the source that was animated; None for real clips."""
    driver_id: str
    """Person whose motion is shown; empty for real clips."""
    take: Annotated[int, Field(ge=0)]
    generator: str
    """Name of the animator and hash of its weights; empty for real clips."""
    seed: int
    screening: tuple[Screening, ...]
    fps: Annotated[str, AfterValidator(_rate)]
    """Frames a second, such as `25` or `30000/1001`."""
    num_frames: Annotated[int, Field(gt=0, le=MAX_FRAMES)]
    width: Annotated[int, Field(gt=0, le=MAX_SIDE_PX)]
    height: Annotated[int, Field(gt=0, le=MAX_SIDE_PX)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    licence: Text
    consent: Text
    schema_version: Literal[1] = SCHEMA_VERSION

    @model_validator(mode="after")
    def _fits_label(self) -> "Clip":
        made = (self.driver_id != "", self.generator != "", self.source_frame is not None)
        if self.label == "real" and any(made):
            raise ValueError("a real clip has no driver_id, generator or source_frame")
        if self.label == "fake" and not all(made):
            raise ValueError("a fake clip needs driver_id, generator and source_frame")
        return self

    @property
    def rate(self) -> Fraction:
        """Frames a second."""
        return Fraction(self.fps)

    @property
    def duration_s(self) -> float:
        """Length of the clip in seconds."""
        return float(self.num_frames / self.rate)


class Rejected(_Record):
    """Attempt that did not become a clip, and why. The spoof rate counts these too."""

    attempt_id: Text
    label: Label
    action: Action | None
    """Action attempted; None if nothing was screened (a source photo without a face, a failure)."""
    split: Split | None
    source_id: Text
    source_frame: Annotated[int, Field(ge=0)] | None
    driver_id: str
    take: Annotated[int, Field(ge=0)]
    generator: str
    seed: int
    screening: tuple[Screening, ...]
    reason: Text
    schema_version: Literal[1] = SCHEMA_VERSION


@dataclass(frozen=True)
class Manifest:
    """All clips of one dataset folder."""

    root: Path
    clips: tuple[Clip, ...]

    def path(self, clip: Clip) -> Path:
        """Path of the clip's file."""
        return self.root / clip.file_name

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
        return Manifest(self.root, kept)

    @cached_property
    def identities(self) -> tuple[str, ...]:
        """Names of the people seen (`source_id`), sorted."""
        return tuple(sorted({clip.source_id for clip in self.clips}))


def clip_file_name(clip_id: str, quality: str) -> str:
    """Path of a clip's file inside the dataset folder.

    No folder is named like a split: `datasets` would take it for one and drop the metadata.
    """
    return f"clips/{quality}/{clip_id}.mp4"


def driver_file_name(identity: str, action: Action, take: int) -> str:
    """Path of a cropped driving clip inside the dataset folder."""
    return f"{DRIVERS}/{key_of(identity)}-{action.value}-{take}.mp4"


_R = TypeVar("_R", Clip, Rejected)


def dataset_folder(dataset: str | Path) -> Path:
    """The folder of a dataset that is given as its folder or its metadata.jsonl."""
    path = Path(dataset)
    return path.parent if path.name == METADATA else path


def read_manifest(path: Path) -> Manifest:
    """Read and validate the manifest of a dataset folder, or of the given `.jsonl` file.

    Raises `InputError` naming the file and line if a line is not JSON, a field is missing, unknown
    or wrong, a path leaves the folder, a clip is listed twice, or qualities of one clip disagree.
    """
    file = Path(path)
    if file.is_dir():
        file = file / METADATA
    if not file.is_file():
        raise InputError.of(file, "no such file", "a dataset folder with a metadata.jsonl")
    clips = _read_lines(file, Clip)
    if not clips:
        raise InputError.of(file, "holds no clips", "one record or more")
    _check_unique(file, clips)
    _check_links(file, clips)
    return Manifest(file.parent, tuple(clips))


def read_rejected(root: Path) -> tuple[Rejected, ...]:
    """Read the rejected attempts of a dataset folder; empty if there is no such file."""
    file = Path(root) / REJECTED
    return tuple(_read_lines(file, Rejected)) if file.is_file() else ()


def write_manifest(root: Path, clips: Iterable[Clip], name: str = METADATA) -> Path:
    """Write `clips`, sorted by file name. It is the last file of a dataset to be written."""
    ordered = sorted(clips, key=lambda clip: clip.file_name)
    _check_unique(Path(root) / name, ordered)
    return _write_lines(Path(root) / name, ordered)


def write_rejected(root: Path, rejected: Iterable[Rejected]) -> Path:
    """Write the rejected attempts, sorted by their id, completely or not at all."""
    ordered = sorted(rejected, key=lambda attempt: attempt.attempt_id)
    return _write_lines(Path(root) / REJECTED, ordered)


def manifest_hash(root: Path) -> str:
    """SHA-256 of `metadata.jsonl` and `rejected.jsonl`, the same for equal datasets."""
    files = [Path(root) / METADATA, Path(root) / REJECTED]
    if not files[0].is_file():
        raise InputError.of(files[0], "no such file", "a dataset folder with a metadata.jsonl")
    return sha256_text(" ".join(sha256_file(f) if f.is_file() else "-" for f in files))


def _write_lines(file: Path, records: Sequence[BaseModel]) -> Path:
    write_text(file, "".join(f"{record.model_dump_json()}\n" for record in records))
    return file


def _read_lines(file: Path, kind: type[_R]) -> list[_R]:
    records: list[_R] = []
    validate, every = kind.model_validate_json, set(kind.model_fields)
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if len(line) > MAX_LINE:
                    what = f"the line has {len(line):,} characters"
                    raise InputError.of(f"{file}:{number}", what, f"{MAX_LINE:,} at most")
                if line.strip():
                    try:
                        record = validate(line)
                    except ValidationError as error:
                        raise _bad_line(file, number, line, error) from None
                    if "schema_version" not in record.model_fields_set:
                        raise InputError.of(
                            f"{file}:{number}",
                            "schema_version: Field required",
                            f"a record of schema {SCHEMA_VERSION}",
                        )
                    if record.model_fields_set == every:
                        # one set for all: each record's own takes three quarters of its memory
                        object.__setattr__(record, "__pydantic_fields_set__", every)
                    records.append(record)
    except UnicodeDecodeError as error:
        raise InputError.of(file, f"is not UTF-8 text ({error.reason})", "JSON lines") from None
    return records


def _bad_line(file: Path, number: int, line: str, error: ValidationError) -> InputError:
    try:
        json.loads(line)
    except (ValueError, RecursionError):  # also nested too deeply, or a number of too many digits
        return InputError.of(f"{file}:{number}", "not valid JSON", "one JSON record a line")
    expected = f"a record of schema {SCHEMA_VERSION}"
    return InputError.of(f"{file}:{number}", first_problem(error), expected)


_PER_FILE = frozenset({"file_name", "quality", "sha256"})


def _check_unique(file: Path, clips: Iterable[Clip]) -> None:
    names: set[str] = set()
    pairs: set[tuple[str, str]] = set()
    first: dict[str, Clip] = {}
    for clip in clips:
        if clip.file_name in names:
            raise InputError.of(file, f"lists {clip.file_name} twice", "each file once")
        pair = (clip.clip_id, clip.quality.value)
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
    for field, value in ours.items():
        if field not in _PER_FILE and value != theirs[field]:
            return field
    return None


def _check_links(file: Path, clips: Iterable[Clip]) -> None:
    """Raise `InputError` if a symbolic link leads a clip out of the dataset folder.

    Links into the stores of Hugging Face's cache and of git-annex are how these tools lay files
    out; they are followed.
    """
    root = Path(os.path.realpath(file.parent))
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

    For fakes this is the spoof rate (paper, section 3.3).
    """
    accepted = {(clip.clip_id, clip.action) for clip in clips if clip.label == label}
    won = [action for _, action in accepted]
    lost = [r.action for r in rejected if r.label == label and r.action is not None]
    return {
        action: Rate(won.count(action), won.count(action) + lost.count(action))
        for action in Action
        if action in won or action in lost
    }
