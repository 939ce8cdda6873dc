"""What differs from the paper, in sentences under each table, from what was really run."""

from collections.abc import Sequence

from dfmnist.core.errors import InputError
from dfmnist.core.text import plural
from dfmnist.dataset.manifest import Manifest
from dfmnist.dataset.splits import assert_disjoint
from dfmnist.experiments.measure import DRAWS
from dfmnist.experiments.paper import MODEL_TITLES, TRAINING_FAKES_OF_AN_ACTION, TRAINING_REALS
from dfmnist.experiments.plan import PlanContext
from dfmnist.experiments.results import ELSEWHERE, ResultTable, Score


def sentences(
    table: ResultTable, context: PlanContext, main: Manifest, more: Sequence[str] = ()
) -> list[str]:
    """Sentences on data, split, frames, initialisation and steps, and what the numbers are.

    Between them stand the recipe's departures and `more`, the sentences of this experiment alone.
    """
    every = [cell.score for cell in table.cells if cell.score is not None]
    if not every:
        return ["Nothing of it was run; the notes say how to run it."]
    scores = [score for score in every if score.trained_on != ELSEWHERE]
    own = sorted({score.network for score in every if score.trained_on == ELSEWHERE})
    brought = [f"Not trained here: {', '.join(own)}; called fake at the user's threshold."] if (
        own) else []  # fmt: skip
    if not scores:
        return [*brought, *more, _numbers(context.seeds)]
    notes = context.recipe.notes
    steps = [seed.steps for score in scores for seed in score.seeds]
    return [
        f"Differs from the paper. Data: {_data(context, main)}",
        f"Split: {_split(main)}",
        f"Frames: {_frames(scores)}",
        f"Initialisation: {_starts(scores)}; the paper's ResNets and Xception start from ImageNet.",
        f"Training: {_range(steps)} steps (the paper: 50 epochs, batch 64).",
        *context.recipe.departures,
        *([notes[table.name]] if table.name in notes else []),
        *brought,
        *more,
        _numbers(context.seeds),
    ]


def _data(context: PlanContext, main: Manifest) -> str:
    counts = context.main
    consent = sorted({clip.consent for clip in main.clips})[0] or "not stated"
    return (
        f"{counts.name} trains on {counts.num_fakes:,} fakes of {len(counts.actions)} actions and "
        f"{counts.reals:,} real clips (the paper: {TRAINING_FAKES_OF_AN_ACTION} of each of ten, "
        f"and {TRAINING_REALS:,}); consent of the people: {consent}."
    )


def _split(main: Manifest) -> str:
    people = len({c.source for c in main.clips if c.split == "test"})
    try:
        assert_disjoint(main.clips)
        how = "by person, seen or driving: nobody is in two splits"
    except InputError:
        try:
            assert_disjoint(main.clips, drivers=False)
            how = "by person seen; drivers are shared between splits, as in the paper"
        except InputError:
            how = "people are in several splits, as in the paper's"
    tested = f"{plural(people, 'person is', 'people are')} tested"
    return f"{how} (the paper's 70/15/15 is by video); {tested}."


def _frames(scores: Sequence[Score]) -> str:
    sizes = ", ".join(
        f"{MODEL_TITLES.get(name, name)} {seen}"
        for name, seen in sorted({(s.network, s.seen) for s in scores})
    )
    return (
        f"{_range([s.frames_per_clip for s in scores])} evenly spaced of each clip, {sizes} (the "
        "paper gives no number; 224 px for ResNets, 256 px for the others)."
    )


def _starts(scores: Sequence[Score]) -> str:
    found = dict.fromkeys(
        f"fine-tuned from {score.started_from}" if score.started_from else seed.initialisation
        for score in scores
        for seed in score.seeds
    )
    return "; ".join(found)


def _numbers(seeds: int) -> str:
    several = (
        f" Mean ± standard deviation over {seeds} seeds; the bounds are the seeds' mean."
        if seeds > 1
        else " One seed."
    )
    return (
        "Numbers: accuracy on single frames, as the paper counts, and in brackets the 95% interval "
        f"over test people (bootstrap of whole people, {DRAWS:,} draws).{several} Accuracy per "
        "clip, AUC, EER and AP are in the Parquet file."
    )


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
