"""Evaluations and comparisons as aligned lines of text for a terminal of 80 columns."""

import math

import polars as pl

from dfmnist.core.text import number, text_table
from dfmnist.detectors.compare import Comparison
from dfmnist.detectors.metrics import ActionCounts, Evaluation, counts_by_action
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
"""The title of each metric."""
SHOWN_REASONS = 3
"""Number of reasons shown for clips without a score."""


def with_bounds(found: Estimate, num_identities: int) -> str:
    """The value and its interval; the interval is left out for a single identity."""
    if math.isnan(found.value) or math.isnan(found.low) or num_identities < 2:
        return number(found.value)
    return f"{number(found.value)} [{number(found.low)}, {number(found.high)}]"


def counts(scores: pl.DataFrame, result: Evaluation) -> list[str]:
    """Lines with the number of scored clips and the first reasons why others have no score."""
    lines = [
        f"{result.num_clips} clips of {result.num_identities} people, "
        f"{result.num_frames} frames, {result.num_unscored} clips not scored"
    ]
    reasons = unscored(scores)["reason"].to_list()
    lines += [f"  not scored: {reason}" for reason in reasons[:SHOWN_REASONS]]
    if (more := len(reasons) - SHOWN_REASONS) > 0:
        lines.append(f"  not scored: {more} more; see the column `reason`")
    return lines


def metric_lines(result: Evaluation) -> list[str]:
    """Lines with every metric per frame and per clip, with its interval."""
    rows = [["", "per frame", "per clip"]]
    for name in NAMES:
        cells = [with_bounds(f[name], result.num_identities) for f in (result.frame, result.clip)]
        rows.append([TITLES[name], *cells])
    return text_table(rows)


def by_action(scores: pl.DataFrame) -> list[str]:
    """Lines with the number of clips and frames called fake and real, by action."""
    rows = [["", "clips: fake", "real", "not scored", "frames: fake", "real"]]
    rows += [_row(found) for found in counts_by_action(scores)]
    return text_table(rows)


def _row(found: ActionCounts) -> list[str]:
    numbers = (
        found.clips_fake,
        found.clips_real,
        found.clips_unscored,
        found.frames_fake,
        found.frames_real,
    )
    name = "real clips" if found.action is None else f"fake {found.action}".rstrip()
    return [name, *(str(n) for n in numbers)]


def comparison(found: Comparison) -> list[str]:
    """Lines that compare detectors A and B per clip."""
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
        *text_table(rows),
        f"DeLong: AUC differs by {number(test.difference)}, standard error "
        f"{number(test.standard_error)}, p {number(test.p_value, '.4f')} "
        "(assumes independent clips)",
    ]
