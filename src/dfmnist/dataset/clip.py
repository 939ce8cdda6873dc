"""Records of a dataset: a clip, a rejected attempt, and the answer of a liveness detector.

Schema 2 holds other people's datasets too. Four fields are required: `file_name`, `label`, `split`
and `identities`. Clips of this project's own builds (`origin: built`) state all fields. Records of
schema 1, which held such builds alone, are read as records of schema 2.
"""

import json
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from dfmnist.core.actions import Action
from dfmnist.core.choices import QUALITIES, Split

SCHEMA_VERSION: Literal[2] = 2
MAX_FRAMES = 10**8
"""Largest number of frames of a clip: more than a month at 25 a second."""
MAX_SIDE_PX = 65_536
"""Largest width and height of a clip in pixels."""
MAX_NAME_BYTES, MAX_PATH_BYTES = 255, 1024
"""Largest length of a file's or folder's name, and of the path of a clip in its dataset."""
MAX_PEOPLE = 1000
"""Largest number of people of a clip."""

Label = Literal["real", "fake"]
Origin = Literal["built", "imported"]
Text = Annotated[str, StringConstraints(min_length=1, pattern=r"\S")]
ShortName = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$")]
"""Name of a quality, such as `c23`."""
MethodName = Annotated[str, StringConstraints(max_length=64, pattern=r"^([a-z0-9][a-z0-9._-]*)?$")]
"""Name of a method, such as `faceswap`, or nothing."""


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


def _different(people: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(people)) < len(people):
        raise ValueError("names a person twice")
    return people


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

    file_name: Annotated[Text, AfterValidator(_relative)]
    """POSIX path below the folder of the dataset's files."""
    clip_id: Text = ""
    """Name shared by the clip's qualities. Default: the file's path without its suffix."""
    label: Label
    action: Action | None = None
    """Action performed, `talk` for talking; None where none is known."""
    quality: ShortName = "original"
    """Compression of the file: `raw`, `c23`, `c40`, or `original` for a file as it was found."""
    split: Split
    identities: Annotated[
        tuple[Text, ...], Field(min_length=1, max_length=MAX_PEOPLE), AfterValidator(_different)
    ]
    """All people who are seen in the clip, whose face was swapped in, or who drive it."""
    method: MethodName = ""
    """How a fake was made, such as `fomm`, `deepfakes` or `face2face`; empty for real clips."""
    dataset: str = ""
    """Name of the dataset that the clip comes from; empty where it is the dataset's own."""
    generator: str = ""
    """Name of the animator and hash of its weights; empty where that is not known."""
    source: Text = ""
    """Person seen in the clip. Default: the first of `identities`."""
    driver: str = ""
    """Person whose motion is shown; empty for real clips, and where nobody drives."""
    source_frame: Annotated[int, Field(ge=0)] | None = None
    """Frame of the source that was animated; None for real clips, and where it is not known."""
    take: Annotated[int, Field(ge=0)] = 0
    """Number of the recording, among those of one person and action."""
    seed: int = 0
    """Seed of the clip's camera noise."""
    screening: tuple[Screening, ...] = ()
    """Answers of the liveness detectors that the clip had to pass."""
    fps: Annotated[str, AfterValidator(_rate)] | None = None
    """Frames a second, such as `25` or `30000/1001`; None where the file alone states it."""
    num_frames: Annotated[int, Field(gt=0, le=MAX_FRAMES)] | None = None
    """Number of frames; None where the file alone states it."""
    width: Annotated[int, Field(gt=0, le=MAX_SIDE_PX)] | None = None
    """Width in pixels; None where the file alone states it."""
    height: Annotated[int, Field(gt=0, le=MAX_SIDE_PX)] | None = None
    """Height in pixels; None where the file alone states it."""
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    """SHA-256 of the file; None where nobody computed it."""
    licence: str = ""
    """Licence of the clip; empty where none is stated."""
    consent: str = ""
    """What the people in the clip agreed to; empty where nothing is stated."""
    origin: Origin = "imported"
    """`built` for clips that this project made, which state every field; else `imported`."""
    extra: dict[str, JsonValue] = {}
    """Further columns of an imported record, by name."""
    schema_version: Literal[2] = SCHEMA_VERSION

    @model_validator(mode="after")
    def _whole(self) -> "Clip":
        values = self.__dict__  # the record is frozen for everyone else
        if not values["clip_id"]:
            values["clip_id"] = name_without_suffix(self.file_name)
        if not values["source"]:
            values["source"] = self.identities[0]
        wrong = list(_wrong_values(self))
        if self.origin == "built":
            wrong = [*_missing_of_built(values, self.model_fields_set), *wrong]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def action_name(self) -> str:
        """Name of the action; empty where none is known."""
        return "" if self.action is None else self.action.value

    @property
    def performed(self) -> Action:
        """The action of a clip that was chosen by its action, which therefore has one."""
        assert self.action is not None, f"{self.file_name} has no action"
        return self.action


def name_without_suffix(file_name: str) -> str:
    """The path of a file without its suffix: `real/a.mp4` is `real/a`."""
    folder, slash, name = file_name.rpartition("/")
    return f"{folder}{slash}{name.rpartition('.')[0] or name}"


OPEN_OF_BUILT = frozenset({"dataset", "extra", "origin", "schema_version"})
"""Fields that a record of a built clip need not state."""
_NEVER_EMPTY = ("action", "fps", "num_frames", "width", "height", "sha256", "licence", "consent")


def _missing_of_built(values: Mapping[str, Any], stated: set[str] | Mapping[str, Any]) -> list[str]:
    """Problems of a built clip's record: fields that it does not state, or leaves empty."""
    missing = [
        f"{name}: Field required"
        for name in Clip.model_fields
        if name not in stated and name not in OPEN_OF_BUILT
    ]
    empty = (name for name in _NEVER_EMPTY if name in stated)
    return missing + [
        f"{name}: empty; a built clip states it"
        for name in empty
        if values[name] is None or (isinstance(values[name], str) and not values[name].strip())
    ]


def _wrong_values(clip: Clip) -> Iterator[str]:
    """Problems of fields that do not go together."""
    people = clip.identities
    for name in ("source", "driver"):
        person = getattr(clip, name)
        if person and person not in people:
            yield f"identities: lacks the {name} {person}"
    made = (clip.driver, clip.generator, clip.method)
    if clip.label == "real" and (any(made) or clip.source_frame is not None):
        yield "label: a real clip has no driver, generator, method or source_frame"
    if clip.origin != "built":
        return
    if clip.label == "fake" and (not all(made) or clip.source_frame is None):
        yield "label: a fake clip needs driver, generator, method and source_frame"
    if clip.quality not in QUALITIES:
        yield f"quality: '{clip.quality}'; a built clip has one of {', '.join(QUALITIES)}"
    if clip.extra:
        yield f"{next(iter(clip.extra))}: Extra inputs are not permitted"


class Rejected(_Record):
    """Attempt that did not become a clip, and why. The spoof rate counts these too."""

    attempt_id: Text
    label: Label
    action: Action | None
    """Action attempted; None if nothing was screened (a source photo without a face, a failure)."""
    split: Split | None
    source: Text
    """Person whose photo or clip was used."""
    source_frame: Annotated[int, Field(ge=0)] | None
    driver: str
    """Person whose motion was to be shown; empty for real clips."""
    take: Annotated[int, Field(ge=0)]
    generator: str
    seed: int
    screening: tuple[Screening, ...]
    reason: Text
    schema_version: Literal[2] = SCHEMA_VERSION


_NAMES_OF_1 = {"source_id": "source", "driver_id": "driver"}
"""Fields of schema 1 that have another name in schema 2."""
NAMES_IN_1 = {new: old for old, new in _NAMES_OF_1.items()}
"""Names in schema 1 of the fields that were renamed."""
_METHODS = {"mesh-warp": "mesh-warp", "affine-warp": "affine-warp", "face-swap": "faceswap"}


def method_of(generator: str) -> str:
    """The method of a built fake by its generator, such as `fomm-actors@0123abcd`."""
    name = re.sub(r"[ _]", "-", generator.partition("@")[0])
    return _METHODS.get(name, "fomm")


def upgraded(values: Any) -> Any:
    """`values` of a record in schema 2; those of another record, or of none, are returned as is."""
    if not isinstance(values, dict) or values.get("schema_version") != 1:
        return values
    new = {_NAMES_OF_1.get(name, name): value for name, value in values.items()}
    new["schema_version"] = SCHEMA_VERSION
    if "attempt_id" in new:
        return new
    source, driver, generator = (new.get(name) for name in ("source", "driver", "generator"))
    if isinstance(source, str):
        new["identities"] = list(dict.fromkeys([source, *([driver] if driver else [])]))
    if new.get("label") == "real":
        new["method"] = ""
    elif isinstance(generator, str):
        new["method"] = method_of(generator) if generator else ""
    return new | {"origin": "built"}


AnyClip = Annotated[Clip, BeforeValidator(upgraded)]
"""A `Clip` that is also read from a record of schema 1."""
AnyRejected = Annotated[Rejected, BeforeValidator(upgraded)]
"""A `Rejected` that is also read from a record of schema 1."""


def with_extra(values: dict[str, Any]) -> dict[str, Any]:
    """`values` of an imported record with the unknown columns moved into `extra`."""
    unknown = {name: value for name, value in values.items() if name not in Clip.model_fields}
    given = values.get("extra", {})
    if not unknown or values.get("origin", "imported") != "imported" or type(given) is not dict:
        return values
    known = {name: value for name, value in values.items() if name not in unknown}
    return known | {"extra": {**given, **unknown}}


_ALWAYS = frozenset({"file_name", "clip_id", "label", "split", "identities", "source", "origin"})
_DEFAULTS = {
    name: field.default
    for name, field in Clip.model_fields.items()
    if name not in _ALWAYS and name != "schema_version"
}


def clip_line(clip: Clip) -> str:
    """The record as one line of JSON: all fields of a built clip, else those that say something."""
    if clip.origin == "built":
        unsaid = {name for name in ("dataset", "extra") if not getattr(clip, name)}
    else:
        values = clip.__dict__
        unsaid = {name for name, default in _DEFAULTS.items() if values[name] == default}
    return clip.model_dump_json(exclude=unsaid)


def problems_of_built(values: Mapping[str, Any]) -> list[str]:
    """Problems of a record that says it is of a built clip: the fields it does not state."""
    return _missing_of_built(values, values) if values.get("origin") == "built" else []


def as_json(values: Mapping[str, Any]) -> str:
    """`values` as JSON text."""
    return json.dumps(values, ensure_ascii=False)
