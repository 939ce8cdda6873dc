"""Tables 1 and 3 on this dataset, each cell beside the paper's; a cell that was not run is None."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from dfmnist.core.actions import TEN, Action
from dfmnist.detectors.metrics import Evaluation, evaluate
from dfmnist.experiments.paper import MODELS, QUALITIES, TABLE1, TABLE3, DatasetRow, PaperValue
from dfmnist.stats.intervals import Estimate


@dataclass(frozen=True)
class Scored:
    """The test scores of one run on the quality on which it was trained."""

    model: str
    quality: str
    scores: pl.DataFrame
    """As `detectors.score` writes them: one row a frame."""
    setting: str = ""
    """Initialisation, size, frames, epochs: what must be known to read the number."""
    run: str = ""


@dataclass(frozen=True)
class Cell:
    """One model trained and tested on one quality."""

    model: str
    quality: str
    paper: PaperValue | None
    evaluation: Evaluation | None = None
    """None: not run."""
    setting: str = ""
    run: str = ""

    @property
    def frame_accuracy(self) -> Estimate | None:
        """As the paper counts."""
        return self._estimate("frame", "accuracy")

    @property
    def clip_accuracy(self) -> Estimate | None:
        """By the mean logit of a clip's frames."""
        return self._estimate("clip", "accuracy")

    @property
    def auc(self) -> Estimate | None:
        """Over clips; None with one class only."""
        found = self._estimate("clip", "auc")
        return None if found is None or found.value != found.value else found

    @property
    def learnt(self) -> bool:
        """Whether the 95% lower bound of the frame accuracy is above guessing.

        One person alone gives no interval over people, so never then.
        """
        found = self.frame_accuracy
        return found is not None and found.groups > 1 and found.low > 0.5

    def _estimate(self, unit: str, name: str) -> Estimate | None:
        if (found := self.evaluation) is None:
            return None
        return (found.frame if unit == "frame" else found.clip)[name]


def table3(runs: Sequence[Scored]) -> dict[tuple[str, str], Cell]:
    """Table 3: `(quality, model)` → cell, for all five models and three qualities."""
    found = {(r.quality, r.model): r for r in runs}
    cells: dict[tuple[str, str], Cell] = {}
    for quality in QUALITIES:
        for model in MODELS:
            cell = Cell(model, quality, TABLE3.get((quality, model)))
            if (run := found.get((quality, model))) is not None:
                evaluation = evaluate(run.scores)
                cell = Cell(model, quality, cell.paper, evaluation, run.setting, run.run)
            cells[quality, model] = cell
    return cells


def per_action(runs: Sequence[Scored], model: str) -> dict[Action | None, dict[str, Estimate]]:
    """Figure 6: accuracy of `model` on each action's fakes and on the real class (None)."""
    rows: dict[Action | None, dict[str, Estimate]] = {}
    for action in (*TEN, None):
        for run in sorted((r for r in runs if r.model == model), key=lambda r: r.quality):
            wanted = (
                pl.col("label") == "real"
                if action is None
                else (pl.col("label") == "fake") & (pl.col("action") == action.value)
            )
            mine = run.scores.filter(wanted)
            if not mine.is_empty():
                rows.setdefault(action, {})[run.quality] = _accuracy(mine)
    return {
        action: {q: by_quality[q] for q in QUALITIES if q in by_quality}
        for action, by_quality in rows.items()
    }


def _accuracy(scores: pl.DataFrame) -> Estimate:
    return evaluate(scores).frame["accuracy"]


def table1(name: str, counts: Mapping[str, int]) -> list[DatasetRow]:
    """Table 1 with a row for this dataset last; `counts` has clips by label, qualities once."""
    ours = DatasetRow(
        name, counts.get("real", 0), counts.get("fake", 0), "image animation", True, "this dataset"
    )
    return [*TABLE1, ours]
