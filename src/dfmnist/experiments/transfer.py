"""Transfer between attacks: detectors trained on one and tested on another, and fine-tuned.

Tables 2 and 6 (section 5).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from dfmnist.experiments import paper
from dfmnist.experiments.experiment import Experiment, Made, draw_accuracies
from dfmnist.experiments.plan import (
    FACE_SWAP,
    JOIN,
    MESH_WARP,
    SURROGATES,
    CellSpec,
    Plan,
    PlanContext,
    RunSpec,
)
from dfmnist.experiments.results import ResultCell, ResultTable
from dfmnist.experiments.shortcut import SAME_FAKES

FF = ("deepfake", "NeuralTextures", "Face2Face")
OTHERS = ("DFDC", "DF-1.0", "Celeb-DF")
OURS = "DeepFake MNIST+"
"""The column of the dataset under test."""
ORIGINAL, CROSSED, FINE = "original", "on DeepFake MNIST+", "fine-tuned"
"""Table 2's rows: on its own test set, on ours, ours fine-tuned with the others."""
BEFORE = "without fine-tuning"
_ALIASES = {
    "deepfake": "deepfake", "deepfakes": "deepfake", "neuraltextures": "NeuralTextures",
    "face2face": "Face2Face", "dfdc": "DFDC", "df10": "DF-1.0", "deeperforensics": "DF-1.0",
    "deeperforensics10": "DF-1.0", "celebdf": "Celeb-DF", "celebdfv1": "Celeb-DF",
    "celebdfv2": "Celeb-DF",
}  # fmt: skip
_SAID = (
    f"{MESH_WARP.capitalize()} and {FACE_SWAP} are attacks made from the same clips, under their "
    "own names; they are not FF++, DFDC, DF-1.0 or Celeb-DF."
)


def paper_name(name: str) -> str:
    """The paper's spelling of a dataset that it uses, else `name`."""
    return _ALIASES.get("".join(c for c in name.lower() if c.isalnum()), name)


def _needs(dataset: str) -> str:
    """Why a cell of a dataset that was not given is not run."""
    return f"needs the dataset: --other {dataset}=MANIFEST"


def _columns(context: PlanContext, named: tuple[str, ...]) -> tuple[str, ...]:
    """The paper's columns, then those of datasets that it does not use."""
    known = (*FF, *OTHERS, *SAME_FAKES)
    return (*named, *(f.name for f in context.others if f.name not in known))


def table2(context: PlanContext) -> Plan:
    """Plan of Table 2: detectors of other attacks on their own set and on ours, and fine-tuning."""
    main, columns = context.main.name, _columns(context, FF)
    given = [c for c in columns if any(f.name == c for f in context.others)]
    joined = JOIN.join(given)

    def own(dataset: str) -> Callable[[int], RunSpec]:
        quality = context.quality_on(dataset)
        return lambda seed: context.run(context.recipe.main, quality, dataset=dataset, seed=seed)

    def tuned(seed: int) -> RunSpec:
        start, quality = own(main)(seed), context.quality_on(joined)
        return context.run(context.recipe.main, quality, dataset=joined, start=start, seed=seed)

    def tested(trained: str, on: str) -> str:
        quality = context.quality_on(trained)
        return context.tested_in(quality) if on == main else quality

    cells = [context.cell(ORIGINAL, OURS, paper.TABLE2[ORIGINAL, OURS], own(main))]
    for row in (ORIGINAL, CROSSED):
        for column in columns:
            published, on = paper.TABLE2.get((row, column)), column if row == ORIGINAL else main
            cells.append(
                context.cell(row, column, published, own(column), on=on, quality=tested(column, on))
                if column in given
                else CellSpec(row, column, published, missing=_needs(column))
            )
    for column in (OURS, *columns):
        published, on = paper.TABLE2.get((FINE, column)), main if column == OURS else column
        if not given or (column != OURS and column not in given):
            wanted = FF[0] if column == OURS else column
            cells.append(CellSpec(FINE, column, published, missing=_needs(wanted)))
        else:
            quality = tested(joined, on)
            cells.append(context.cell(FINE, column, published, tuned, on=on, quality=quality))
    return Plan(tuple(cells))


def table6(context: PlanContext) -> Plan:
    """Plan of Table 6: trained on other datasets, tested on ours, before and after fine-tuning."""
    given = {f.name for f in context.others}
    cells = []
    for row in (BEFORE, FINE):
        for column in _columns(context, OTHERS):
            published = paper.TABLE6.get((row, column))
            if column not in given:
                cells.append(CellSpec(row, column, published, missing=_needs(column)))
                continue

            quality = context.quality_on(column)
            same = context.tested_in(quality)

            def make(
                seed: int, column: str = column, row: str = row, quality: str = quality
            ) -> RunSpec:
                main = context.recipe.main
                first = context.run(main, quality, dataset=column, seed=seed)
                if row == BEFORE:
                    return first
                return context.run(main, context.tested_in(quality), start=first, seed=seed)

            cells.append(context.cell(row, column, published, make, quality=same))
    return Plan(tuple(cells))


def _draw(made: Made, folder: Path) -> ResultTable:
    best = made.context.best_quality
    return draw_accuracies(made, folder, say=lambda cells: _said(cells, best))


def _said(cells: Sequence[ResultCell], best: str) -> tuple[str, ...]:
    """What the surrogates are, where they took a dataset's place, and other qualities' names."""
    scores = [cell.score for cell in cells if cell.score is not None]
    surrogates = (_SAID,) if {score.trained_on for score in scores} & set(SURROGATES) else ()
    others = tuple(
        f"{name} has no clips in {best}: trained on it in {trained}, tested in {tested}."
        for name, trained, tested in sorted(
            {(s.trained_on, s.trained_quality, s.tested_quality) for s in scores}
        )
        if trained != best
    )
    return (*surrogates, *others)


TABLE2 = Experiment("table2", "Table 2: other attacks, and fine-tuning with them", table2, _draw)
TABLE6 = Experiment(
    "table6", "Table 6: trained on other datasets, tested on this one", table6, _draw
)
