"""Scores that were made elsewhere: a CSV with a file or clip and a score in each row.

They become a table of `detectors.scores`, so that they are evaluated, compared and shown beside
the scores of this package's own detectors.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
import polars as pl
from scipy.special import expit, logit

from dfmnist.core.choices import Positive, ScoreScale
from dfmnist.core.config import config_hash
from dfmnist.core.errors import InputError
from dfmnist.core.files import check_writable, sha256_file
from dfmnist.core.tables import read_table
from dfmnist.core.text import plural, slug
from dfmnist.dataset.manifest import Clip, Manifest, manifest_hash, read_manifest
from dfmnist.dataset.qualities import qualities_of
from dfmnist.detectors.score import CLIP_SCORE, clip_table, clips_to_score, with_groups
from dfmnist.detectors.score_external import NEAREST
from dfmnist.detectors.scores import EXTERNAL, write_scores


@dataclass(frozen=True)
class CsvColumns:
    """What the columns of a CSV are called, and how its scores are to be read."""

    clip: str = "clip_id"
    """Column of the clip: its name in the manifest, or its file's path or name."""
    score: str = "p_fake"
    """Column of the score."""
    quality: str = ""
    """Column of the quality; empty if the clip's file says it, or the dataset has one alone."""
    frame: str = ""
    """Column of the frame's index; empty if a row is a whole clip."""
    positive: Positive = "fake"
    """The class of which a high score speaks."""
    scale: ScoreScale = "probability"
    """Whether scores are probabilities or logits."""
    threshold: float = 0.5
    """P(fake) from which on a frame or clip is called fake."""

    def __post_init__(self) -> None:
        """Check the threshold."""
        if not 0 < self.threshold < 1:
            raise InputError(f"--threshold {self.threshold}; expected more than 0 and less than 1")


def import_scores(
    file: Path,
    dataset: Path,
    columns: CsvColumns | None = None,
    *,
    split: str = "test",
    name: str = "",
    out: Path | None = None,
) -> tuple[pl.DataFrame, str]:
    """The scores of a CSV as a table of one split with the columns of `SCHEMA`, and a note.

    It is also written to `out` if that is given. `name` is the detector's; it is the file's name by
    default. A clip of the split that the CSV does not name is a row without a score. Rows of clips
    of other splits are left out, and the note counts them. Raises `InputError` for a row that
    names no clip of the dataset or several, and for a score that is no number of its scale; then
    nothing is written.
    """
    if out is not None:
        check_writable(out)
    columns = columns or CsvColumns()
    manifest = read_manifest(dataset)
    found: dict[tuple[str, str], list[tuple[int | None, float]]] = {}
    names = _Names(manifest)
    elsewhere = 0
    for row in _read(file, columns):
        clip = names.clip(row)
        elsewhere += clip.split != split
        found.setdefault((clip.clip_id, clip.quality), []).append((row.frame, row.p_fake))
    mine = manifest.select(split=split).clips
    there = {c.quality for c in mine if (c.clip_id, c.quality) in found}
    qualities = [q for q in qualities_of(mine) if q in there]
    if not qualities:
        raise InputError.of(file, f"scores no {split} clip of {dataset}", f"scores of its {split}")
    _, clips = clips_to_score(dataset, split, qualities)
    detector = name or slug(file.stem)
    run = config_hash(columns, detector, sha256_file(file))
    tables = [_rows(clip, found.get((clip.clip_id, clip.quality)), columns, run) for clip in clips]
    table = with_groups(pl.concat(tables), clips)
    if out is not None:
        notes = {
            EXTERNAL: detector, "detector": f"scores of {file.name}", "run_hash": run,
            "manifest": manifest_hash(manifest.root), "threshold": repr(columns.threshold),
            "clip_score": CLIP_SCORE,
        }  # fmt: skip
        write_scores(table, out, notes)
    note = f"{plural(elsewhere, 'row')} of other splits left out" if elsewhere else ""
    return table, note


@dataclass(frozen=True)
class _Row:
    """A row of the CSV."""

    where: str
    """File and line."""
    clip: str
    quality: str | None
    frame: int | None
    p_fake: float


def _read(file: Path, columns: CsvColumns) -> Iterator[_Row]:
    """The rows of the CSV, of which there must be one."""
    needed = [columns.clip, columns.score, columns.quality, columns.frame]
    table = read_table(file, [name for name in needed if name])
    if not table:
        raise InputError.of(file, "holds no row", "a score in each row")
    for line, row in table:
        where = f"{file}:{line}"
        yield _Row(
            where,
            row[columns.clip],
            row[columns.quality] if columns.quality else None,
            _frame(where, row[columns.frame]) if columns.frame else None,
            _p_fake(where, row[columns.score], columns),
        )


def _frame(where: str, text: str) -> int:
    """The index of a frame. Raises `InputError`."""
    if not (text.isdecimal() and len(text) < 10):
        raise InputError.of(where, f"the frame is '{text[:40]}'", "a whole number from 0 on")
    return int(text)


class _Names:
    """The clips of a dataset by everything that a row may call them."""

    def __init__(self, manifest: Manifest) -> None:
        self._by_name: dict[str, list[Clip]] = {}
        for clip in manifest.clips:
            path = PurePath(clip.file_name)
            names = {clip.clip_id, path.as_posix(), path.name, path.stem}
            for name in names:
                self._by_name.setdefault(name, []).append(clip)

    def clip(self, row: _Row) -> Clip:
        """The clip of a row. Raises `InputError` if there is not just one."""
        found = self._named(row.clip)
        if row.quality is not None:
            found = [clip for clip in found if clip.quality == row.quality]
        shown = f"'{row.clip[:80]}'" + (f" in {row.quality}" if row.quality is not None else "")
        if not found:
            what = f"{shown} is no clip of the dataset"
            raise InputError.of(row.where, what, "a clip's name or file in its metadata.jsonl")
        if len(found) > 1:
            several = ", ".join(sorted({clip.quality for clip in found}))
            what = f"{shown} is {len(found)} clips ({several})"
            raise InputError.of(row.where, what, "a column of the quality (--quality-column)")
        return found[0]

    def _named(self, text: str) -> list[Clip]:
        """Clips of this name: whole, or by the end of a path from another machine."""
        parts = PurePath(text.replace("\\", "/")).parts
        for start in range(len(parts)):
            if found := self._by_name.get("/".join(parts[start:])):
                return found
        return []


def _p_fake(where: str, text: str, columns: CsvColumns) -> float:
    """P(fake) that a row's score stands for. Raises `InputError`."""
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    fits = 0 <= value <= 1 if columns.scale == "probability" else np.isfinite(value)
    if not fits:
        other = " (--scale logit takes others)" if np.isfinite(value) else ""
        expected = "a number from 0 to 1" if columns.scale == "probability" else "a finite number"
        raise InputError.of(where, f"the score is '{text[:40]}'", expected + other)
    p = value if columns.scale == "probability" else float(expit(value))
    return p if columns.positive == "fake" else 1 - p


def _rows(
    clip: Clip, scores: Sequence[tuple[int | None, float]] | None, columns: CsvColumns, run: str
) -> pl.DataFrame:
    if scores is None:
        reason = f"{clip.file_name}: the imported file has no score of it"
        return clip_table(clip, run=run, threshold=columns.threshold, reason=reason)
    values = np.array([value for _, value in scores])
    return clip_table(
        clip,
        run=run,
        threshold=columns.threshold,
        frames=[frame for frame, _ in scores],
        p_fake=values,
        logits=logit(np.clip(values, NEAREST, 1 - NEAREST)),
    )
