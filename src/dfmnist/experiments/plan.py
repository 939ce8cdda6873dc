"""What each table and figure needs, as plain functions from datasets to runs and scores.

A run is its config, its dataset and the run it starts from; equal runs are one run, so that
Table 3's ResNet-50 on raw is also that of Tables 2 and 4 and of Figures 3 to 7.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from dfmnist.core.actions import INFO, TEN, Action
from dfmnist.detectors.config import TrainConfig, TrainQuality
from dfmnist.experiments import paper
from dfmnist.experiments.facts import DatasetCounts, for_steps, together, training_clips
from dfmnist.experiments.paper import MODEL_TITLES, MODELS, QUALITIES, PaperValue
from dfmnist.experiments.recipe import ExperimentRecipe

JOIN = "+"
"""Between the names of datasets that are trained on together."""
FF = ("deepfake", "NeuralTextures", "Face2Face")
OTHERS = ("DFDC", "DF-1.0", "Celeb-DF")
OURS = "DeepFake MNIST+"
"""The column of the dataset under test."""
TALKING, ACTING = "talking", "acting"
"""Names of `--other` for the fakes of the dataset under test with other real clips, which only
talk (the paper's choice) or perform the fakes' actions. No table trains on them as an attack."""
SAME_FAKES = (TALKING, ACTING)
FOUR = ("resnet50", "resnet152", "xception", "mesoinception4")
_ALIASES = {
    "deepfake": "deepfake", "deepfakes": "deepfake", "neuraltextures": "NeuralTextures",
    "face2face": "Face2Face", "dfdc": "DFDC", "df10": "DF-1.0", "deeperforensics": "DF-1.0",
    "deeperforensics10": "DF-1.0", "celebdf": "Celeb-DF", "celebdfv1": "Celeb-DF",
    "celebdfv2": "Celeb-DF",
}  # fmt: skip


@dataclass(frozen=True)
class RunSpec:
    """One training."""

    config: TrainConfig
    dataset: str
    start: "RunSpec | None" = None
    """Fine-tuning: the run whose weights it starts from."""

    @property
    def depth(self) -> int:
        """How many runs must be finished before it, one after another."""
        return 0 if self.start is None else 1 + self.start.depth


@dataclass(frozen=True)
class ScoreSpec:
    """The scores of one run on one split of one dataset in one quality."""

    run: RunSpec
    dataset: str
    quality: str
    split: str = "test"


@dataclass(frozen=True)
class CellSpec:
    """One number of a table or figure."""

    row: str
    column: str
    paper: PaperValue | None = None
    scores: tuple[ScoreSpec, ...] = ()
    """One for each seed; empty: not run."""
    missing: str = ""
    """Why it is not run, and how to run it."""
    part: str = ""
    """`real`, `fake`, or an action's fakes, of the scores; empty is all."""


@dataclass(frozen=True)
class Plan:
    """A table or figure: its cells in reading order, and runs that it needs beside them."""

    name: str
    title: str
    cells: tuple[CellSpec, ...] = ()
    more_runs: tuple[RunSpec, ...] = ()

    @property
    def scores(self) -> tuple[ScoreSpec, ...]:
        """Every score needed, once."""
        return tuple(dict.fromkeys(s for cell in self.cells for s in cell.scores))

    @property
    def runs(self) -> tuple[RunSpec, ...]:
        """Every run needed, once, those that others start from first."""
        return in_order([*(s.run for s in self.scores), *self.more_runs])


def in_order(runs: Sequence[RunSpec]) -> tuple[RunSpec, ...]:
    """`runs` and all that they start from, each once, starts first."""
    found: dict[RunSpec, None] = {}
    for run in runs:
        chain = [run]
        while chain[-1].start is not None:
            chain.append(chain[-1].start)
        found |= dict.fromkeys(reversed(chain))
    return tuple(sorted(found, key=lambda r: r.depth))


@dataclass(frozen=True)
class PlanContext:
    """What the plans are made for."""

    main: DatasetCounts
    recipe: ExperimentRecipe
    others: tuple[DatasetCounts, ...] = ()
    """Under the names of `--other`; a name that the paper knows is its row, in its spelling."""
    seeds: int = 1

    def facts(self, dataset: str) -> DatasetCounts:
        """Counts of a dataset by its name, joined ones too."""
        known = {f.name: f for f in (self.main, *self.others)}
        if dataset in known:
            return known[dataset]
        return together(dataset, [known[part] for part in dataset.split(JOIN)])

    def run(
        self,
        network: str,
        quality: str = "raw",
        dataset: str | None = None,
        start: RunSpec | None = None,
        seed: int = 0,
        **part: Any,
    ) -> RunSpec:
        """The run of `network`; `part` are the config's fields of a subset."""
        dataset = dataset or self.main.name
        checked = cast(TrainQuality, quality)  # `TrainConfig` refuses other words
        config = replace(self.recipe.config(network), quality=checked, seed=seed, **part)
        if start is not None:  # its own initialisation is overwritten by the start's
            config = replace(config, weights="none", freeze=False)
        if self.recipe.steps is not None:
            config = for_steps(config, self.facts(dataset), self.recipe.steps[network])
        return RunSpec(config, dataset, start)

    def cell(
        self,
        row: str,
        column: str,
        published: PaperValue | None,
        make: Callable[[int], RunSpec],
        *,
        on: str | None = None,
        quality: str = "raw",
        part: str = "",
    ) -> CellSpec:
        """A cell that is run: one score for each seed, from the run `make(seed)`."""
        first = make(0)
        if why := self._too_few(first):
            return CellSpec(row, column, published, missing=why)
        scores = tuple(
            ScoreSpec(make(seed), on or self.main.name, quality) for seed in range(self.seeds)
        )
        return CellSpec(row, column, published, scores, part=part)

    def _too_few(self, run: RunSpec) -> str:
        facts = self.facts(run.dataset)
        fakes, reals = training_clips(run.config, facts)
        least = self.recipe.least_fakes
        if min(fakes, reals) >= 1 and fakes >= min(least, facts.num_fakes):
            return ""
        return (
            f"{fakes} fake and {reals} real training clips would be left of "
            f"{facts.num_fakes} and {facts.reals} ({self.recipe.name} asks for {least}); "
            "run it with a larger --data"
        )

    def left_out(self, table: str, network: str) -> str:
        """Why a network has no cell here; empty when it has."""
        if network in self.recipe.tables[table]:
            return ""
        return (
            f"{MODEL_TITLES[network]} is not in --recipe {self.recipe.name}; "
            f"dfmnist experiment {table} --recipe paper"
        )


def paper_name(name: str) -> str:
    """The paper's spelling of a dataset that it uses, else `name`."""
    return _ALIASES.get("".join(c for c in name.lower() if c.isalnum()), name)


def needs(dataset: str) -> str:
    """What a cell of a dataset that was not given says."""
    return f"needs the dataset: --other {dataset}=MANIFEST"


def _columns(world: PlanContext, named: tuple[str, ...]) -> tuple[str, ...]:
    """The paper's columns, then those of datasets that it does not use."""
    known = (*FF, *OTHERS, *SAME_FAKES)
    return (*named, *(f.name for f in world.others if f.name not in known))


def table1(world: PlanContext) -> Plan:
    """Counts of datasets; nothing is trained."""
    return Plan("table1", "Table 1: datasets")


def table2(world: PlanContext) -> Plan:
    """ResNet-50 on other attacks: on their own set, on ours, and ours fine-tuned with them."""
    main, columns = world.main.name, _columns(world, FF)
    given = [c for c in columns if any(f.name == c for f in world.others)]
    joined = JOIN.join(given)

    def own(dataset: str) -> Callable[[int], RunSpec]:
        return lambda seed: world.run(world.recipe.main, dataset=dataset, seed=seed)

    def tuned(seed: int) -> RunSpec:
        return world.run(world.recipe.main, dataset=joined, start=own(main)(seed), seed=seed)

    original, crossed, fine = "original", "on DeepFake MNIST+", "fine-tuned"
    cells = [world.cell(original, OURS, paper.TABLE2[original, OURS], own(main))]
    for column in columns:
        for row in (original, crossed):
            published, on = paper.TABLE2.get((row, column)), column if row == original else main
            cells.append(
                world.cell(row, column, published, own(column), on=on)
                if column in given
                else CellSpec(row, column, published, missing=needs(column))
            )
    for column in (OURS, *columns):
        published, on = paper.TABLE2.get((fine, column)), main if column == OURS else column
        if not given or (column != OURS and column not in given):
            wanted = FF[0] if column == OURS else column
            cells.append(CellSpec(fine, column, published, missing=needs(wanted)))
        else:
            cells.append(world.cell(fine, column, published, tuned, on=on))
    order = {row: index for index, row in enumerate((original, crossed, fine))}
    cells.sort(key=lambda cell: order[cell.row])
    return Plan("table2", "Table 2: other attacks, and fine-tuning with them", tuple(cells))


def table3(world: PlanContext) -> Plan:
    """Five detectors in three qualities."""
    cells = [
        _own_quality(world, "table3", quality, quality, model, paper.TABLE3[quality, model])
        for quality in QUALITIES
        for model in MODELS
    ]
    return Plan("table3", "Table 3: five detectors, three qualities", tuple(cells))


def _own_quality(
    world: PlanContext, table: str, trained: str, tested: str, model: str, published: PaperValue
) -> CellSpec:
    """A cell of Table 3 or 5: a row a quality, a column a detector."""
    if why := world.left_out(table, model):
        return CellSpec(tested, model, published, missing=why)

    def make(seed: int) -> RunSpec:
        return world.run(model, trained, seed=seed)

    return world.cell(tested, model, published, make, quality=tested)


def table4(world: PlanContext) -> Plan:
    """Trained in one quality, tested in another."""
    cells = []
    for model in FOUR:
        for trained, tested in paper.CROSS:
            column = f"{trained}->{tested}"
            published = paper.TABLE4[model, column]
            if why := world.left_out("table4", model):
                cells.append(CellSpec(model, column, published, missing=why))
                continue

            def make(seed: int, model: str = model, trained: str = trained) -> RunSpec:
                return world.run(model, trained, seed=seed)

            cells.append(world.cell(model, column, published, make, quality=tested))
    return Plan("table4", "Table 4: trained in one quality, tested in another", tuple(cells))


def table5(world: PlanContext) -> Plan:
    """Trained in mixed quality."""
    cells = [
        _own_quality(world, "table5", "mixed", quality, model, paper.TABLE5[quality, model])
        for quality in QUALITIES
        for model in FOUR
    ]
    return Plan("table5", "Table 5: trained in mixed quality", tuple(cells))


def table6(world: PlanContext) -> Plan:
    """Trained on other datasets and tested on ours, before and after fine-tuning on ours."""
    before, after = "without fine-tuning", "fine-tuned"
    given = {f.name for f in world.others}
    cells = []
    for row in (before, after):
        for column in _columns(world, OTHERS):
            published = paper.TABLE6.get((row, column))
            if column not in given:
                cells.append(CellSpec(row, column, published, missing=needs(column)))
                continue

            def make(seed: int, column: str = column, row: str = row) -> RunSpec:
                first = world.run(world.recipe.main, dataset=column, seed=seed)
                return (
                    first if row == before else world.run(world.recipe.main, start=first, seed=seed)
                )

            cells.append(world.cell(row, column, published, make))
    return Plan("table6", "Table 6: trained on other datasets, tested on this one", tuple(cells))


def figure3(world: PlanContext) -> Plan:
    """Corpus sizes, in single and in mixed quality."""
    cells = []
    for share in paper.FIGURE3_SHARES:
        row = f"{share * 100:g}%"
        for quality in QUALITIES:

            def single(seed: int, share: float = share, quality: str = quality) -> RunSpec:
                return world.run(world.recipe.main, quality, seed=seed, corpus=share)

            cells.append(world.cell(row, quality, None, single, quality=quality))
        for quality in QUALITIES:

            def mixed(seed: int, share: float = share) -> RunSpec:
                return world.run(world.recipe.mixed_corpus, "mixed", seed=seed, corpus=share)

            cells.append(world.cell(row, f"mixed->{quality}", None, mixed, quality=quality))
    return Plan("figure3", "Figure 3: size of the training corpus", tuple(cells))


def figure4(world: PlanContext) -> Plan:
    """Fewer clips of one class."""
    published = {"1:10 more real": paper.FIGURE4_ACCURACY["10% of the fakes"]}
    rows: list[tuple[str, dict[str, Any]]] = [("1:1", {})]
    for name, kept in paper.FIGURE4_SHARES.items():
        rows += [(f"{name} more real", {"fakes": kept}), (f"{name} more fake", {"reals": kept})]
    cells = []
    for row, part in rows:

        def make(seed: int, part: dict[str, Any] = part) -> RunSpec:
            return world.run(world.recipe.main, seed=seed, **part)

        cells.append(world.cell(row, "raw", published.get(row), make))
    return Plan("figure4", "Figure 4: proportions of the classes", tuple(cells))


ALL_ACTIONS = "All, a tenth of them"
"""Figure 5's comparison: all ten actions with as many clips as one of them has."""


def figure5(world: PlanContext) -> Plan:
    """Trained on one action, tested on all."""
    present = {action for action, count in world.main.fakes if count}
    cells = []
    for action in TEN:
        row, published = INFO[action].title, paper.FIGURE5_SINGLE_ACTION[action]
        if action.value not in present:
            why = f"{world.main.name} has no training fake of it; run it with another --data"
            cells.append(CellSpec(row, "raw", published, missing=why))
            continue

        def make(seed: int, action: Action = action) -> RunSpec:
            return world.run(world.recipe.main, seed=seed, actions=(action.value,))

        cells.append(world.cell(row, "raw", published, make))

    def tenth(seed: int) -> RunSpec:
        return world.run(world.recipe.main, seed=seed, corpus=0.1)

    cells.append(world.cell(ALL_ACTIONS, "raw", paper.FIGURE5_ALL_ACTIONS, tenth))
    return Plan("figure5", "Figure 5: trained on a single action", tuple(cells))


def figure6(world: PlanContext) -> Plan:
    """Table 3's ResNet-50, by action and quality."""
    cells = []
    for action in (*TEN, None):
        for quality in QUALITIES:

            def make(seed: int, quality: str = quality) -> RunSpec:
                return world.run(world.recipe.main, quality, seed=seed)

            row, part = ("Real clips", "real") if action is None else (INFO[action].title, action)
            published = paper.figure6(action, quality)
            cells.append(world.cell(row, quality, published, make, quality=quality, part=part))
    return Plan("figure6", "Figure 6: accuracy by action and quality", tuple(cells))


def figure7(world: PlanContext) -> Plan:
    """Where Table 3's ResNet-50 on raw looks."""
    run = world.run(world.recipe.main)
    return Plan("figure7", "Figure 7: class activation maps", more_runs=(run,))


def shortcut(world: PlanContext) -> Plan:
    """The action or the forgery: trained with real clips that only talk, tested where they act.

    The paper's real clips talk (VoxCeleb1) while its fakes perform actions, so a detector may
    learn the action. Two datasets share their fakes; the real clips of one only talk, those of
    the other perform the same actions. Either is the dataset under test.
    """
    own, beside = (TALKING, ACTING) if world.main.talks else (ACTING, TALKING)
    role = {own: world.main.name, beside: beside}
    given = any(f.name == beside and f.talks != world.main.talks for f in world.others)
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
                return world.run(world.recipe.main, dataset=role[trained], seed=seed)

            cells.append(world.cell(trained, column, None, make, on=role[tested], part=part))
    return Plan("shortcut", "Shortcut: the action or the forgery", tuple(cells))
