"""The table of scores: one row for each frame, and facts about the whole table as metadata.

A clip that could not be scored is one row without a score, with the reason.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path
from dfmnist.detectors.calibrate import Calibration

SCHEMA_VERSION = 1
SCHEMA_FILE = Path(__file__).with_name("scores.schema.json")
"""JSON Schema of a row of the table; it is part of this package."""
COLUMNS: dict[str, tuple[Any, str]] = {
    "clip_id": (pl.String, "Name of the clip in the dataset's manifest, shared by its qualities."),
    "quality": (pl.String, "Quality of the clip, such as raw, c23, c40 or original."),
    "split": (pl.String, "Part of the dataset: train, validation or test."),
    "label": (pl.String, "Truth: real or fake."),
    "action": (pl.String, "Action that is performed; null where the manifest states none."),
    "source_id": (pl.String, "Person who is seen. Intervals are drawn over people."),
    "driver_id": (pl.String, "Person whose movement drives a fake; empty for a real clip."),
    "frame": (
        pl.Int32,
        "Index of the frame in the clip, from 0. Null where a score is that of the whole clip, or "
        "of a frame that is not named, and where there is no score.",
    ),
    "p_fake": (
        pl.Float32,
        "P(fake) of the frame, 0 to 1: 0 is real and 1 is fake. Null where there is no score.",
    ),
    "logit": (
        pl.Float32,
        "Logarithm of the odds of p_fake, after calibration where there is one. A clip's score is "
        "the mean logit of its rows. Null where there is no score.",
    ),
    "threshold": (
        pl.Float64,
        "P(fake) from which on a frame or clip is called fake; the same in all rows.",
    ),
    "reason": (pl.String, "Why the clip has no score; null where it has one."),
    "run": (pl.String, "Twelve digits of the training run or detector; the same in all rows."),
}
"""Type and meaning of each column of the table."""
SCHEMA = {name: kind for name, (kind, _) in COLUMNS.items()}
"""Type of each column of the table; `COLUMNS` says what they mean."""
NULLABLE = ("action", "frame", "p_fake", "logit", "reason")
"""Columns that may be null."""
EXTERNAL = "external"
"""Name in a file's metadata of a detector that this package did not train."""
GROUP = "group"
"""Column of a table whose clips show several people each, such as face swaps: the connected
component of people that a clip belongs to. Other tables do not have it."""
NEEDED = ("clip_id", "quality", "label", "action", "source_id", "logit")
"""Columns that a table must have to be evaluated."""
LABELS = ("real", "fake")
"""What the column `label` may hold."""
CLIP = ("clip_id", "quality")
"""Columns that identify a clip; its qualities count as different clips."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one row of the table, as `scores.schema.json` holds it."""
    kinds = {pl.String: "string", pl.Int32: "integer"}
    rows: dict[str, Any] = {}
    for name, (kind, meaning) in COLUMNS.items():
        plain = kinds.get(kind, "number")
        allowed = [plain, "null"] if name in NULLABLE else plain
        rows[name] = {"type": allowed, "description": meaning}
    for name in ("p_fake", "threshold"):
        rows[name] |= {"minimum": 0, "maximum": 1}
    rows["label"]["enum"] = list(LABELS)
    rows["frame"]["minimum"] = 0
    rows[GROUP] = {
        "type": "string",
        "description": "Connected component of people of a clip that shows several people; the "
        "column is there only where some clip does. Intervals are then drawn over it.",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A row of a table of scores of dfmnist",
        "description": "One frame of a clip with its score, or one clip that has no score.",
        "version": SCHEMA_VERSION,
        "type": "object",
        "properties": rows,
        "required": list(NEEDED),
    }


def write_scores(scores: pl.DataFrame, path: Path, notes: Mapping[str, str]) -> None:
    """Write `scores` as Parquet, completely or not at all, with `notes` as the file's metadata."""
    notes = {"schema_version": str(SCHEMA_VERSION), **notes}
    with atomic_path(path) as temporary:
        scores.write_parquet(temporary, metadata=dict(notes))


def read_scores(path: Path) -> pl.DataFrame:
    """The table of scores in the file `path`.

    Raises `InputError` if there is none, and for columns, labels, logits or thresholds that
    `dfmnist score` does not write.
    """
    expected = "scores (Parquet) written by `dfmnist score`"
    if not path.is_file():
        raise InputError.of(path, "no such file", expected)
    try:
        scores = pl.read_parquet(path)
    # a damaged file can also end the reader in a panic, which is no `Exception`
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise InputError.of(path, f"cannot be read ({error})", expected) from None
    if problem := _problem(scores):
        raise InputError.of(path, problem, expected)
    return scores


def read_notes(path: Path) -> dict[str, str]:
    """The metadata of the table of scores in the file `path`; empty if it cannot be read."""
    try:
        return dict(pl.read_parquet_metadata(path))
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return {}


def _problem(scores: pl.DataFrame) -> str:
    """The first thing that is wrong with a table of scores; empty if nothing is."""
    for name in NEEDED:
        if name not in scores.columns:
            return f"has no column '{name}'"
    for name in sorted({*NEEDED, "threshold"} & set(scores.columns)):
        kind, wanted = scores.schema[name], SCHEMA[name]
        if kind != pl.Null and not (kind.is_float() if wanted.is_float() else kind == wanted):
            return f"its column '{name}' holds {kind}"
    if odd := scores.filter(~pl.col("label").is_in(LABELS))["label"].to_list():
        return f"holds the label {odd[0][:40]!r}"
    if not scores["logit"].cast(pl.Float64).drop_nulls().is_finite().all():
        return "holds a logit that is not a finite number"
    try:
        if len(scores):
            threshold_logit(scores)
    except InputError as error:
        return str(error).partition(";")[0]
    return ""


def scored(scores: pl.DataFrame) -> pl.DataFrame:
    """The rows of frames with a score. Raises `InputError` if there are none."""
    frames = scores.drop_nulls("logit")
    if frames.is_empty():
        raise InputError("no clip could be scored; expected at least one with a score")
    return frames


def unscored(scores: pl.DataFrame) -> pl.DataFrame:
    """The rows of clips without a score, one for each clip, in order."""
    return scores.filter(pl.col("logit").is_null()).unique(CLIP, keep="first", maintain_order=True)


def threshold_logit(scores: pl.DataFrame) -> float:
    """The logit from which on a frame or clip is called fake.

    A table without the column `threshold` has 0, which is P(fake) = 0.5. Raises `InputError` for
    more than one threshold or one that is no probability.
    """
    if "threshold" not in scores.columns:
        return 0.0
    found = scores["threshold"].unique().to_list()
    if len(found) != 1:
        raise InputError(f"scores with {len(found)} thresholds; expected those of one run")
    if found[0] is None or not 0 < found[0] < 1:
        raise InputError(f"scores with the threshold {found[0]}; expected one between 0 and 1")
    return Calibration(threshold=found[0]).threshold_logit


def groups(scores: pl.DataFrame) -> pl.Series:
    """The group of people of each row, whose members a bootstrap draws together."""
    return scores[GROUP if GROUP in scores.columns else "source_id"]


def clip_scores(scores: pl.DataFrame) -> pl.DataFrame:
    """One row for each clip and quality, with the mean `logit` of its scored frames."""
    keys = ["clip_id", "quality", "label", "action", "source_id"]
    keys += [GROUP] if GROUP in scores.columns else []
    return (
        scores.drop_nulls("logit")
        .group_by(keys, maintain_order=True)
        .agg(pl.col("logit").mean())
        .sort("clip_id", "quality")
    )
