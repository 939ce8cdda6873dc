"""Under each table: what differs from the paper, in a sentence each, from what was really run."""

from collections.abc import Sequence

from dfmnist.core.errors import InputError
from dfmnist.dataset.manifest import Manifest
from dfmnist.dataset.splits import assert_disjoint
from dfmnist.experiments.cells import DRAWS, Cell, Seed
from dfmnist.experiments.paper import (
    COUNTS,
    FIGURE3_WORDS,
    FIGURE4_DROP,
    FIGURE5_MEAN,
    MODEL_TITLES,
)
from dfmnist.experiments.plan import ALL_ACTIONS, Plan, PlanContext
from dfmnist.experiments.surrogates import FACE_SWAP, MESH_WARP, NAMES

STAND_INS = (
    f"{MESH_WARP.capitalize()} and {FACE_SWAP} are attacks made from the same clips, under their "
    "own names; they are not FF++, DFDC, DF-1.0 or Celeb-DF."
)


def sentences(plan: Plan, cells: Sequence[Cell], world: PlanContext, main: Manifest) -> list[str]:
    """Data, split, frames, initialisation, steps; then the recipe's; then what the numbers are."""
    seeds = [seed for cell in cells for seed in cell.seeds]
    if not seeds:
        return ["Nothing of it was run; the notes say how to run it."]
    told = [
        f"Differs from the paper. Data: {_data(world, main)}",
        f"Split: {_split(main)}",
        f"Frames: {_frames(seeds)}",
        f"Initialisation: {_starts(seeds)}; the paper's ResNets and Xception start from ImageNet.",
        f"Training: {_range([s.steps for s in seeds])} steps (the paper: 50 epochs, batch 64).",
        *world.recipe.departures,
    ]
    told += [world.recipe.notes[plan.name]] if plan.name in world.recipe.notes else []
    if any(s.score.run.dataset in NAMES for s in seeds):
        told.append(STAND_INS)
    if plan.name == "figure3":
        words = "; ".join(f"{what}: {said}" for what, said in FIGURE3_WORDS.items())
        told.append(f"The paper prints no numbers here, but says: {words}.")
    if plan.name == "figure4":
        lost = ", ".join(f"{what} {drop.percent}" for what, drop in FIGURE4_DROP.items())
        told.append(f"The paper says that it loses, in points: {lost}.")
    if plan.name == "figure5":
        told += _mean_of_actions(cells)
    return [*told, _numbers(seeds, world)]


def _data(world: PlanContext, main: Manifest) -> str:
    facts = world.main
    reals, of_each = COUNTS["training reals"][0], COUNTS["training fakes of an action"][0]
    consent = sorted({clip.consent for clip in main.clips})[0]
    return (
        f"{facts.name} trains on {facts.num_fakes:,} fakes of {len(facts.fakes)} actions and "
        f"{facts.reals:,} real clips (the paper: {of_each} of each of ten, and {reals:,}); consent "
        f"of the people: {consent}."
    )


def _split(main: Manifest) -> str:
    people = len({c.source_id for c in main.clips if c.split == "test"})
    try:
        assert_disjoint(main.clips)
        how = "by person, seen or driving: nobody is in two splits"
    except InputError:
        try:
            assert_disjoint(main.clips, drivers=False)
            how = "by person seen; drivers are shared between splits, as in the paper"
        except InputError:
            how = "people are in several splits, as in the paper's"
    return f"{how} (the paper's 70/15/15 is by video); {people} people are tested."


def _frames(seeds: Sequence[Seed]) -> str:
    configs = [s.score.run.config for s in seeds]
    sizes = ", ".join(
        f"{MODEL_TITLES.get(n, n)} {px} px"
        for n, px in sorted({(c.network, c.input_size_px) for c in configs})
    )
    return (
        f"{_range([c.frames_per_clip for c in configs])} evenly spaced of each clip, {sizes} (the "
        "paper gives no number; 224 px for ResNets, 256 px for the others)."
    )


def _starts(seeds: Sequence[Seed]) -> str:
    found = dict.fromkeys(
        f"fine-tuned from a run on {s.score.run.start.dataset}"
        if s.score.run.start is not None
        else s.initialisation
        for s in seeds
    )
    return "; ".join(found)


def _mean_of_actions(cells: Sequence[Cell]) -> list[str]:
    single = [c.accuracy.value for c in cells if c.spec.row != ALL_ACTIONS and c.accuracy]
    if not single:
        return []
    mean = sum(single) / len(single)
    return [
        f"Mean over the {len(single)} single actions that were run: {mean:.1%} "
        f"(the paper, over ten: {FIGURE5_MEAN.percent})."
    ]


def _numbers(seeds: Sequence[Seed], world: PlanContext) -> str:
    several = (
        f" Mean ± standard deviation over {world.seeds} seeds; the bounds are the seeds' mean."
        if world.seeds > 1
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
