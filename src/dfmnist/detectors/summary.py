"""Evaluations and comparisons as aligned lines of text, for a terminal of 80 columns."""

import math
from collections.abc import Sequence

import polars as pl

from dfmnist.detectors.compare import Comparison
from dfmnist.detectors.confusion import Called, confusion
from dfmnist.detectors.metrics import Evaluation
from dfmnist.detectors.scores import unscored
from dfmnist.stats.binary_metrics import NAMES
from dfmnist.stats.intervals import Estimate

TITLES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "auc": "AUC",
    "eer": "EER",
    "ap": "AP",
    "tpr_at_fpr_1": "TPR at FPR 1%",
    "brier": "Brier",
    "ece": "ECE (15 bins)",
}
NOTHING = "–"
"""In place of a figure that is not defined."""
SHOWN_REASONS = 3


def number(value: float, digits: int = 3) -> str:
    """`value`, or a dash where it is not defined."""
    return NOTHING if math.isnan(value) else f"{value:.{digits}f}"


def with_bounds(found: Estimate, num_identities: int) -> str:
    """The figure and its interval, which one person alone does not give."""
    if math.isnan(found.value) or math.isnan(found.low) or num_identities < 2:
        return number(found.value)
    return f"{number(found.value)} [{number(found.low)}, {number(found.high)}]"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned lines: the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for first, *others in rows:
        right = [cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *right]))
    return lines


def counts(scores: pl.DataFrame, result: Evaluation) -> list[str]:
    """How many clips were scored, and the first reasons why others were not."""
    lines = [
        f"{result.num_clips} clips of {result.num_identities} people, "
        f"{result.num_frames} frames, {result.num_unscored} clips not scored"
    ]
    reasons = unscored(scores)["reason"].to_list()
    lines += [f"  not scored: {reason}" for reason in reasons[:SHOWN_REASONS]]
    if (more := len(reasons) - SHOWN_REASONS) > 0:
        lines.append(f"  not scored: {more} more; see the column `reason`")
    return lines


def figures(result: Evaluation) -> list[str]:
    """Every figure per frame and per clip, with its interval."""
    rows = [["", "per frame", "per clip"]]
    for name in NAMES:
        cells = [with_bounds(f[name], result.num_identities) for f in (result.frame, result.clip)]
        rows.append([TITLES[name], *cells])
    return table(rows)


def by_action(scores: pl.DataFrame) -> list[str]:
    """The confusion table."""
    rows = [["", "clips: fake", "real", "not scored", "frames: fake", "real"]]
    rows += [_row(called) for called in confusion(scores)]
    return table(rows)


def _row(called: Called) -> list[str]:
    numbers = (
        called.clips_fake,
        called.clips_real,
        called.clips_unscored,
        called.frames_fake,
        called.frames_real,
    )
    name = "real clips" if called.action is None else f"fake {called.action}"
    return [name, *(str(n) for n in numbers)]


def comparison(found: Comparison) -> list[str]:
    """A against B, per clip."""
    people, test = found.num_identities, found.test
    rows = [
        ["", "A", "B", "A - B [95% over people]"],
        [
            "accuracy",
            number(found.accuracy_a),
            number(found.accuracy_b),
            with_bounds(found.accuracy, people),
        ],
        ["AUC", number(test.auc_a), number(test.auc_b), with_bounds(found.auc, people)],
    ]
    return [
        f"{found.num_clips} clips of {people} people, {found.num_unscored} clips not scored",
        *table(rows),
        f"DeLong: AUC differs by {number(test.difference)}, standard error "
        f"{number(test.standard_error)}, p {number(test.p_value, 4)} "
        "(clips taken for independent)",
    ]
