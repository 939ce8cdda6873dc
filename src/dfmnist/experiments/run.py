"""`dfmnist experiment`: from names of tables and figures to results, each run made once."""

from dataclasses import dataclass
from pathlib import Path

from dfmnist.core.console import say
from dfmnist.core.errors import InputError
from dfmnist.core.files import holds_folder
from dfmnist.core.text import key_of
from dfmnist.dataset.manifest import Manifest, dataset_folder, read_manifest
from dfmnist.dataset.merge import join_datasets
from dfmnist.detectors.external import ExternalDetector
from dfmnist.experiments import (
    actions,
    attention,
    compression,
    conclusions,
    corpus,
    dataset_figures,
    shortcut,
    transfer,
)
from dfmnist.experiments.cost import PlanCost, cost_of
from dfmnist.experiments.execute import execute
from dfmnist.experiments.experiment import Experiment, Made, write_all
from dfmnist.experiments.paper import ALL_MODELS
from dfmnist.experiments.plan import JOIN, SURROGATES, DatasetCounts, PlanContext, count_clips
from dfmnist.experiments.recipe import ExperimentRecipe
from dfmnist.experiments.transfer import paper_name

KIND = "experiments"
EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        dataset_figures.TABLE1, transfer.TABLE2, compression.TABLE3, compression.TABLE4,
        compression.TABLE5, transfer.TABLE6, dataset_figures.FIGURE1, dataset_figures.FIGURE2,
        corpus.FIGURE3, corpus.FIGURE4, actions.FIGURE5, actions.FIGURE6, attention.FIGURE7,
        dataset_figures.FIGURE8, dataset_figures.FIGURE9, dataset_figures.FIGURE10,
        shortcut.SHORTCUT, conclusions.CONCLUSIONS,
    )
}  # fmt: skip
"""All experiments by name: the paper's tables and figures, then the two of this project."""
USES_OTHERS = ("table2", "table6", "conclusions")


@dataclass(frozen=True)
class Request:
    """One call of `dfmnist experiment`: what to make, on which dataset, by which recipe."""

    names: tuple[str, ...]
    """Names of `EXPERIMENTS`, or `all`."""
    data: Path
    recipe: ExperimentRecipe
    others: tuple[tuple[str, Path], ...] = ()
    seeds: int = 1
    external: tuple[ExternalDetector, ...] = ()
    """Detectors of the user's, which stand beside the paper's in Table 3."""

    def __post_init__(self) -> None:
        """Check what the user typed."""
        if unknown := [n for n in self.names if n != "all" and n not in EXPERIMENTS]:
            raise InputError(f"experiment '{unknown[0]}'; expected all, {', '.join(EXPERIMENTS)}")
        if self.seeds < 1:
            raise InputError(f"--seeds {self.seeds}; expected 1 or more")
        names = [*ALL_MODELS, *(detector.name for detector in self.external)]
        if double := [name for name in names if names.count(name) > 1]:
            raise InputError(f"--detector: two detectors are called {double[0]}; expected NAME=…")
        known: set[str] = set()
        for name, _ in self.others:
            own = paper_name(name)
            if own in known or JOIN in name:
                raise InputError(f"--other {name}; expected each dataset once, without '{JOIN}'")
            known.add(own)

    @property
    def chosen(self) -> tuple[Experiment, ...]:
        """The experiments, in the paper's order."""
        return tuple(e for n, e in EXPERIMENTS.items() if "all" in self.names or n in self.names)


def parse_other(text: str) -> tuple[str, Path]:
    """Split `NAME=MANIFEST`. Raises `InputError`."""
    name, equals, path = text.partition("=")
    if not equals or not name.strip() or not path.strip():
        raise InputError(f"--other {text}; expected NAME=MANIFEST")
    return name.strip(), Path(path.strip())


def dry_run(request: Request) -> PlanCost:
    """What the request takes; nothing is trained or written, one step of each network is timed."""
    main = read_manifest(dataset_folder(request.data))
    others = [
        count_clips(paper_name(name), read_manifest(dataset_folder(path)))
        for name, path in request.others
    ]
    if _wants_surrogates(request):
        from dfmnist.experiments.surrogates import planned, unavailable

        others += [planned(name, main) for name in SURROGATES if not unavailable(name, main)]
    context = PlanContext(
        _main_counts(main), request.recipe, tuple(others), request.seeds, request.external
    )
    plans = {experiment: experiment.plan(context) for experiment in request.chosen}
    return cost_of(plans, context)


def _main_counts(main: Manifest) -> DatasetCounts:
    return count_clips(main.root.resolve().name, main)


def _wants_surrogates(request: Request) -> bool:
    uses = any(experiment.name in USES_OTHERS for experiment in request.chosen)
    given = [name for name, _ in request.others if name not in shortcut.SAME_FAKES]
    return request.recipe.surrogates and not given and uses


@holds_folder("out", KIND)
def run_experiments(request: Request, out: Path) -> Path:
    """Run all that was asked for below `out`; returns its page. A killed call continues.

    Raises `InputError` for bad input, and at the end, after everything else is written, where a
    run could not be trained.
    """
    main = read_manifest(dataset_folder(request.data))
    counts = _main_counts(main)
    roots = {counts.name: main.root}
    for name, path in request.others:
        roots[paper_name(name)] = dataset_folder(path)
    if _wants_surrogates(request):
        roots |= _surrogates(main, out)
    manifests = {name: read_manifest(root) for name, root in roots.items()}
    if counts.name in {paper_name(name) for name, _ in request.others}:
        raise InputError(f"--other {counts.name}: the name of the dataset under test")
    others = tuple(count_clips(n, m) for n, m in manifests.items() if n != counts.name)
    context = PlanContext(counts, request.recipe, others, request.seeds, request.external)
    plans = {experiment: experiment.plan(context) for experiment in request.chosen}
    for name in sorted({run.dataset for plan in plans.values() for run in plan.runs} - set(roots)):
        parts = {part: roots[part] for part in name.split(JOIN)}
        roots[name] = join_datasets(parts, out / "joined" / key_of(name))
    executed = execute(list(plans.values()), roots, out)
    made = [Made(e, plan, context, manifests, executed) for e, plan in plans.items()]
    index = write_all(made, out)
    if executed.failures:
        raise InputError(
            f"{len(executed.failures)} of the runs failed, the rest is in {index}: "
            f"{executed.failures[0]}"
        )
    return index


def _surrogates(main: Manifest, out: Path) -> dict[str, Path]:
    """Make the attacks from the dataset's own clips, those that can be made."""
    from dfmnist.experiments.surrogates import build_surrogate, unavailable

    made = {}
    for name in SURROGATES:
        if why := unavailable(name, main):
            say(f"  no {name}: {why}")
            continue
        made[name] = build_surrogate(name, main.root, out / "surrogates" / key_of(name))
    return made
