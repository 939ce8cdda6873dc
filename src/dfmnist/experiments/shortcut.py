"""The action or the forgery: how much of a detector's accuracy is what people do in the clips.

The paper's real clips talk (VoxCeleb1) while its fakes perform actions, so a detector may learn
the action. Two datasets share their fakes; the real clips of one only talk, those of the other
perform the same actions. Either is the dataset under test.
"""

from dfmnist.experiments.experiment import Experiment, draw_accuracies
from dfmnist.experiments.plan import CellSpec, Plan, PlanContext, RunSpec

TALKING, ACTING = "talking", "acting"
"""Names of `--other` for the fakes of the dataset under test with other real clips, which only
talk (the paper's choice) or perform the fakes' actions. No table trains on them as an attack."""
SAME_FAKES = (TALKING, ACTING)


def shortcut(context: PlanContext) -> Plan:
    """Plan of the shortcut: trained with real clips that talk or act, tested with both."""
    own, beside = (TALKING, ACTING) if context.main.talks else (ACTING, TALKING)
    role = {own: context.main.name, beside: beside}
    given = any(f.name == beside and f.talks != context.main.talks for f in context.others)
    cells = []
    for trained in SAME_FAKES:
        for column, tested, part in (
            (TALKING, TALKING, ""),
            (ACTING, ACTING, ""),
            ("real clips talking", TALKING, "real"),
            ("real clips acting", ACTING, "real"),
            ("fakes", ACTING, "fake"),
        ):
            if not given and beside in (trained, tested):
                missing = (
                    f"needs this dataset's fakes with {beside} real clips: "
                    f"--other {beside}=MANIFEST (docs/STUDY.md)"
                )
                cells.append(CellSpec(trained, column, missing=missing))
                continue

            def make(seed: int, trained: str = trained) -> RunSpec:
                return context.run(context.recipe.main, dataset=role[trained], seed=seed)

            cells.append(context.cell(trained, column, None, make, on=role[tested], part=part))
    return Plan(tuple(cells))


SHORTCUT = Experiment(
    "shortcut", "Shortcut: the action or the forgery", shortcut, draw_accuracies
)  # fmt: skip
