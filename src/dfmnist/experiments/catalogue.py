"""All experiments by name: the paper's tables and figures, then what this project adds."""

from collections.abc import Callable

from dfmnist.experiments.conclusions import conclusions
from dfmnist.experiments.plan import (
    Plan,
    PlanContext,
    figure3,
    figure4,
    figure5,
    figure6,
    figure7,
    shortcut,
    table1,
    table2,
    table3,
    table4,
    table5,
    table6,
)


def _shown(name: str, title: str) -> Callable[[PlanContext], Plan]:
    return lambda world: Plan(name, title)


EXPERIMENTS: dict[str, Callable[[PlanContext], Plan]] = {
    "table1": table1, "table2": table2, "table3": table3,
    "table4": table4, "table5": table5, "table6": table6,
    "figure1": _shown("figure1", "Figure 1: samples of the ten actions"),
    "figure2": _shown("figure2", "Figure 2: spoof rates"),
    "figure3": figure3, "figure4": figure4, "figure5": figure5, "figure6": figure6,
    "figure7": figure7,
    "figure8": _shown("figure8", "Figure 8: the pipeline"),
    "figure9": _shown("figure9", "Figure 9: the three qualities"),
    "figure10": _shown("figure10", "Figure 10: driving clips"),
    "shortcut": shortcut, "conclusions": conclusions,
}  # fmt: skip
