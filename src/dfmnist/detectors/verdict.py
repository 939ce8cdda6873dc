"""The answer of `dfmnist detect`: records of the detector, each file, each face, and their forms.

The records are the contract of `--json`; `detect.schema.json` beside this module is made of them
and a test compares the two. Nothing here imports torch.
"""

import csv
import io
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from dfmnist.core.text import duration_text, number, plural
from dfmnist.media.folders import MediaKind

Word = Literal["fake", "real", "outside", "none"]
"""A verdict. `outside`: the face is unlike all that the detector was validated on, so its P(fake)
means nothing. `none`: the detector gives no verdict at all."""
SCHEMA_FILE = Path(__file__).with_name("detect.schema.json")
"""JSON Schema of what `dfmnist detect --json` prints; it is part of this package."""
DECIDING = 5
"""Largest number of frames that are named as those that decided."""
INTERVAL = (
    "95% bootstrap interval of P(fake) over the frames that were looked at, in blocks of "
    "neighbouring frames: it tells how much these frames agree, not how often the detector is wrong"
)
"""What `low` and `high` are."""
Text = Annotated[str, PlainValidator(str), WithJsonSchema({"type": "string"})]
"""Text that may hold the name of a file which is no UTF-8; pydantic's own check refuses it."""
Probability = Annotated[float, Field(ge=0, le=1)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Validation(_Record):
    """How well a detector did on the clips that chose its epoch."""

    auc: Probability
    """Area under the ROC curve of single frames."""
    accuracy: Probability
    """Accuracy of single frames at P(fake) 0.5, before calibration."""
    clips: int
    """Number of clips, each counted once."""


class Known(_Record):
    """The clips that say what a detector knows."""

    clips: int
    """Number of validation clips, each quality counted."""
    people: int
    limit: float
    """Distance of the features from which on a face is outside; 95% of the clips of people left out
    lie within it."""


class DetectorFacts(_Record):
    """The detector that judged, and what it cannot tell."""

    name: str
    """`actors` for the detector that ships, a published name, or the name of a folder or file."""
    network: str
    trained_on: str
    """What the detector was trained on, in words."""
    weights_sha256: str
    threshold: Probability
    """P(fake) from which on a face is called fake."""
    validation: Validation | None
    """None where the detector's record does not say."""
    knows: Known | None
    """None where nothing was measured: the detector then cannot say that a face is outside."""
    cannot_tell: tuple[str, ...]
    """What the detector cannot tell, in sentences."""
    no_verdict: str = ""
    """Why the detector gives no verdict at all; empty if it gives one."""


class Moment(_Record):
    """One frame in which a face was judged."""

    frame: int
    """Index of the frame in the video; 0 for a photo."""
    time_s: float
    """Seconds after the first frame."""
    p_fake: Probability
    box: tuple[float, float, float, float]
    """Left, top, right and bottom of the face in pixels of the frame."""
    unlikeness: float | None
    """Distance of the frame's features in units of the limit: above 1 is unlike what the detector
    knows. None where the detector has no limit."""
    decided: bool
    """Whether the frame is one of the few that decided the verdict."""


class FaceVerdict(_Record):
    """One face of a file and its verdict."""

    face: int
    """Number of the face, counted from 1 in the order of appearance, then from left to right."""
    verdict: Word
    p_fake: Probability
    """Calibrated P(fake): the sigmoid of the mean calibrated logit of the face's frames. It means
    nothing where the verdict is `outside`."""
    low: Probability | None
    high: Probability | None
    """Bounds of the interval that `interval` explains; None for a single frame."""
    unlikeness: float | None
    """Mean distance of the frames' features in units of the limit; above 1 the verdict is
    `outside`. None where the detector has no limit."""
    timeline: tuple[Moment, ...]
    """Every frame in which the face was judged, in order."""
    cam: Text | None = None
    """File of the class activation map; None where none was asked for."""

    @property
    def decided(self) -> tuple[Moment, ...]:
        """The frames that decided, in order."""
        return tuple(moment for moment in self.timeline if moment.decided)


class FileVerdict(_Record):
    """One photo or video and the verdicts on its faces."""

    path: Text
    kind: MediaKind | None
    """None where the file could not be read."""
    verdict: Word
    """`fake` if a face is, else `outside` or `none` if a face is, else `real`; `none` without a
    face that was judged."""
    width: int = 0
    height: int = 0
    duration_s: float = 0.0
    """0 for a photo."""
    num_frames: int = 0
    """Number of frames in the file."""
    looked_at: int = 0
    """Number of frames in which faces were searched."""
    passed_over: int = 0
    """Number of faces that are in too few of these frames to be judged."""
    faces: tuple[FaceVerdict, ...] = ()
    error: Text | None = None
    """Why the file could not be judged, in one line; None if it was."""

    @property
    def fake(self) -> bool:
        """True if a face of the file is called fake."""
        return self.verdict == "fake"

    @property
    def p_fake(self) -> float:
        """The largest P(fake) of a face; the file must have one."""
        return max(face.p_fake for face in self.faces)


class Answer(_Record):
    """What `dfmnist detect --json` prints."""

    schema_version: Literal[1] = 1
    detector: DetectorFacts
    interval: str = INTERVAL
    """What the bounds `low` and `high` are."""
    files: tuple[FileVerdict, ...]


def overall(words: Iterable[Word]) -> Word:
    """The verdict on a file from those on its faces."""
    found = set(words)
    for word in ("fake", "outside", "none"):
        if word in found:
            return word
    return "real" if found else "none"


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of `Answer`, as `detect.schema.json` holds it."""
    schema = Answer.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def lines(found: FileVerdict) -> list[str]:
    """The verdict on a file for a terminal: one line, and one or two for each face."""
    if found.error is not None:
        return [found.error]
    looked = f"{found.looked_at} of {plural(found.num_frames, 'frame')} looked at"
    what = "photo" if found.kind == "photo" else f"{duration_text(found.duration_s)}, {looked}"
    most = f"P(fake) {found.p_fake:.3f}, " if found.faces else ""
    told = [f"{found.path}: {most}{_words(found.verdict)} ({what})"]
    for face in found.faces:
        told += [f"  {line}" for line in _face_lines(face, found)]
    if found.passed_over:
        seen = plural(found.passed_over, "more face")
        told.append(f"  {seen} not judged: seen in too few frames")
    return told


def _words(word: Word) -> str:
    return {
        "fake": "FAKE",
        "real": "real",
        "outside": "outside what this detector knows",
        "none": "no verdict",
    }[word]


def _face_lines(face: FaceVerdict, found: FileVerdict) -> list[str]:
    bounds = "" if face.low is None else f" [{number(face.low)}, {number(face.high or 0.0)}]"
    said = f"P(fake) {face.p_fake:.3f}{bounds}"
    if face.verdict == "outside":
        said += " means nothing here"
    if face.unlikeness is not None:
        said += f", at {face.unlikeness:.2f} of the limit of what it knows"
    told = [f"face {face.face}: {_words(face.verdict)}, {said}"]
    if found.kind == "video":
        first, last = face.timeline[0].time_s, face.timeline[-1].time_s
        decided = ", ".join(f"{m.time_s:.1f} s ({m.p_fake:.2f})" for m in face.decided)
        told.append(f"  {first:.1f} to {last:.1f} s  {sparkline(face)}  decided at {decided}")
    if face.cam is not None:
        told.append(f"  map: {face.cam}")
    return told


_BARS = "▁▂▃▄▅▆▇█"
_WIDE = 40


def sparkline(face: FaceVerdict) -> str:
    """The timeline as at most 40 bars, each as high as the mean P(fake) of its part."""
    values = [moment.p_fake for moment in face.timeline]
    width = min(_WIDE, len(values))
    edges = [round(i * len(values) / width) for i in range(width + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    return "".join(_BARS[min(int(mean * len(_BARS)), len(_BARS) - 1)] for mean in means)


def facts_lines(facts: DetectorFacts) -> list[str]:
    """The detector for a terminal: its name, what it was trained on, what it cannot tell."""
    told = [f"judged by {facts.name} ({facts.network}), trained on {facts.trained_on}"]
    if facts.validation is not None:
        v = facts.validation
        told.append(f"  on {v.clips} validation clips: AUC {v.auc:.3f} of single frames")
    if not facts.no_verdict:
        told.append(f"  a face is called fake from P(fake) {facts.threshold:.3f} on")
    told += [f"  {sentence}" for sentence in facts.cannot_tell]
    if facts.no_verdict:
        told.append(f"  no verdict: {facts.no_verdict}")
    return told


COLUMNS = (
    "path", "kind", "face", "verdict", "p_fake", "low", "high", "unlikeness", "frames", "first_s",
    "last_s", "cam", "error",
)  # fmt: skip
"""Columns of the CSV: one row for each face, and one for each file without a face."""


def as_csv(files: Iterable[FileVerdict]) -> str:
    """The verdicts as CSV with the columns of `COLUMNS`; what is not known is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for found in files:
        about = {"path": found.path, "kind": found.kind, "error": found.error}
        if not found.faces:
            writer.writerow(about | {"verdict": found.verdict})
        for face in found.faces:
            row = {name: getattr(face, name) for name in COLUMNS if hasattr(face, name)}
            spans = {
                "frames": len(face.timeline),
                "first_s": round(face.timeline[0].time_s, 3),
                "last_s": round(face.timeline[-1].time_s, 3),
            }
            writer.writerow(about | row | spans)
    return text.getvalue().encode("utf-8", "backslashreplace").decode()
