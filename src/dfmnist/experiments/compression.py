"""What compression costs: detectors of one quality, across qualities, of mixed quality.

Tables 3, 4 and 5 (sections 5.1 and 5.2).
"""

from collections.abc import Sequence

from dfmnist.core.choices import QUALITIES
from dfmnist.experiments import paper
from dfmnist.experiments.experiment import Experiment, draw_accuracies
from dfmnist.experiments.paper import FOUR, MODELS, OWN_MODELS, PaperValue
from dfmnist.experiments.plan import CellSpec, Plan, PlanContext, RunSpec


def table3(context: PlanContext) -> Plan:
    """Plan of Table 3: the paper's five detectors, ours where it is run, and the user's own.

    Qualities that the paper does not have, such as `original`, follow the paper's three.
    """
    more = [quality for quality in context.main.qualities if quality not in QUALITIES]
    cells = []
    for quality in (*QUALITIES, *more):
        for model in (*MODELS, *_own(context, "table3")):
            place, published = (quality, model), paper.TABLE3.get((quality, model))
            cells.append(_cell(context, "table3", (quality, quality), model, place, published))
        cells += [context.external_cell(quality, detector) for detector in context.external]
    return Plan(tuple(cells))


def table4(context: PlanContext) -> Plan:
    """Plan of Table 4: four detectors, and ours where it is run, tested in another quality."""
    cells = []
    for model in (*FOUR, *_own(context, "table4")):
        for pair in paper.CROSS:
            place = (model, "->".join(pair))
            cells.append(_cell(context, "table4", pair, model, place, paper.TABLE4.get(place)))
    return Plan(tuple(cells))


def table5(context: PlanContext) -> Plan:
    """Plan of Table 5: four detectors, and ours where it is run, trained in mixed quality."""
    return Plan(tuple(
        _cell(context, "table5", ("mixed", quality), model, (quality, model),
              paper.TABLE5.get((quality, model)))
        for quality in QUALITIES
        for model in (*FOUR, *_own(context, "table5"))
    ))  # fmt: skip


def _own(context: PlanContext, table: str) -> list[str]:
    """The networks of this project that the recipe puts beside the paper's in a table."""
    return [model for model in OWN_MODELS if model in context.recipe.tables.get(table, ())]


def _cell(
    context: PlanContext,
    table: str,
    qualities: Sequence[str],
    model: str,
    place: tuple[str, str],
    published: PaperValue | None,
) -> CellSpec:
    """The cell in `place` (row, column): `model` trained and tested in two `qualities`."""
    if why := context.left_out(table, model, qualities):
        return CellSpec(*place, published, missing=why)
    trained, tested = qualities

    def make(seed: int) -> RunSpec:
        return context.run(model, trained, seed=seed)

    return context.cell(*place, published, make, quality=tested)


TABLE3 = Experiment(
    "table3", "Table 3: five detectors, three qualities", table3, draw_accuracies
)  # fmt: skip
TABLE4 = Experiment(
    "table4", "Table 4: trained in one quality, tested in another", table4, draw_accuracies
)
TABLE5 = Experiment("table5", "Table 5: trained in mixed quality", table5, draw_accuracies)
