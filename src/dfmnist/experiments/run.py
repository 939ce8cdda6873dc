"""`dfmnist experiment`: from names of tables and figures to files, each run made once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from dfmnist.core.actions import INFO, TEN
from dfmnist.core.console import console
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path, claim_folder, write_text
from dfmnist.core.text import slug
from dfmnist.dataset.manifest import METADATA, Manifest, manifest_hash, read_manifest
from dfmnist.dataset.merge import join_datasets
from dfmnist.experiments import charts, figures, shown
from dfmnist.experiments.catalogue import EXPERIMENTS
from dfmnist.experiments.cells import Cell, measure, tidy
from dfmnist.experiments.conclusions import judge, sheet_of_conclusions, tidy_conclusions
from dfmnist.experiments.cost import describe
from dfmnist.experiments.departures import sentences
from dfmnist.experiments.execute import Executed, execute
from dfmnist.experiments.facts import DatasetCounts, facts_of, training_clips
from dfmnist.experiments.paper import FIGURE3_SHARES
from dfmnist.experiments.plan import JOIN, SAME_FAKES, Plan, PlanContext, paper_name
from dfmnist.experiments.recipe import ExperimentRecipe
from dfmnist.experiments.render import Sheet, latex, markdown, sheet_of
from dfmnist.experiments.surrogates import NAMES, build_stand_in, planned, unavailable
from dfmnist.experiments.theme import Chart

KIND = "experiments"
USES_OTHERS = ("table2", "table6", "conclusions")


@dataclass(frozen=True)
class Request:
    """What the user asked for."""

    names: tuple[str, ...]
    """Of `EXPERIMENTS`, or `all`."""
    data: Path
    recipe: ExperimentRecipe
    others: tuple[tuple[str, Path], ...] = ()
    seeds: int = 1

    def __post_init__(self) -> None:
        """Check what the user typed."""
        if unknown := [n for n in self.names if n != "all" and n not in EXPERIMENTS]:
            raise InputError(f"experiment '{unknown[0]}'; expected all, {', '.join(EXPERIMENTS)}")
        if self.seeds < 1:
            raise InputError(f"--seeds {self.seeds}; expected 1 or more")
        known: set[str] = set()
        for name, _ in self.others:
            own = paper_name(name)
            if own in known or JOIN in name:
                raise InputError(f"--other {name}; expected each dataset once, without '{JOIN}'")
            known.add(own)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The experiments, in the paper's order."""
        return tuple(n for n in EXPERIMENTS if "all" in self.names or n in self.names)


def parse_other(text: str) -> tuple[str, Path]:
    """`NAME=MANIFEST`. Raises `InputError`."""
    name, equals, path = text.partition("=")
    if not equals or not name.strip() or not path.strip():
        raise InputError(f"--other {text}; expected NAME=MANIFEST")
    return name.strip(), Path(path.strip())


def root_of(manifest: Path) -> Path:
    """The dataset folder of a manifest file, or the folder itself."""
    return manifest.parent if manifest.name == METADATA else manifest


def dry_run(request: Request) -> str:
    """The plan in words; nothing is trained or written, one step of each network is timed."""
    main = read_manifest(root_of(request.data))
    others = [
        facts_of(paper_name(name), read_manifest(root_of(path)).clips)
        for name, path in request.others
    ]
    if _wants_stand_ins(request):
        others += [planned(name, main) for name in NAMES if not unavailable(name, main)]
    world = PlanContext(_main_facts(main), request.recipe, tuple(others), request.seeds)
    plans = [EXPERIMENTS[name](world) for name in request.chosen]
    return describe(plans, world)


def _main_facts(main: Manifest) -> DatasetCounts:
    return facts_of(main.root.resolve().name, main.clips)


def _wants_stand_ins(request: Request) -> bool:
    uses = any(name in USES_OTHERS for name in request.chosen)
    given = [name for name, _ in request.others if name not in SAME_FAKES]
    return request.recipe.stand_ins and not given and uses


def run_experiments(request: Request, out: Path) -> Path:
    """Run all that was asked for below `out`; its index. A killed run goes on where it was.

    Raises `InputError` for bad input, and at the end, after everything else is written, where a
    run could not be trained.
    """
    main = read_manifest(root_of(request.data))
    facts = _main_facts(main)
    claim_folder(out, KIND)
    roots = {facts.name: main.root}
    for name, path in request.others:
        roots[paper_name(name)] = root_of(path)
    if _wants_stand_ins(request):
        roots |= _stand_ins(main, out)
    others = tuple(
        facts_of(name, read_manifest(root).clips)
        for name, root in roots.items()
        if name != facts.name
    )
    if facts.name in {paper_name(name) for name, _ in request.others}:
        raise InputError(f"--other {facts.name}: the name of --data; expected another")
    world = PlanContext(facts, request.recipe, others, request.seeds)
    plans = [EXPERIMENTS[name](world) for name in request.chosen]
    for name in sorted({run.dataset for plan in plans for run in plan.runs} - set(roots)):
        parts = {part: roots[part] for part in name.split(JOIN)}
        roots[name] = join_datasets(parts, out / "joined" / slug(name))
    executed = execute(plans, roots, out)
    index = _write_all(plans, world, roots, executed, out)
    if executed.failures:
        raise InputError(
            f"{len(executed.failures)} of the runs failed, the rest is in {index}: "
            f"{executed.failures[0]}"
        )
    return index


def _stand_ins(main: Manifest, out: Path) -> dict[str, Path]:
    """The attacks made from the dataset's own clips, those that can be."""
    made = {}
    for name in NAMES:
        if why := unavailable(name, main):
            console.print(f"  no {name}: {why}", highlight=False)
            continue
        made[name] = build_stand_in(name, main.root, out / "stand-ins" / slug(name))
    return made


def _write_all(
    plans: Sequence[Plan], world: PlanContext, roots: dict[str, Path], executed: Executed, out: Path
) -> Path:
    """Each experiment's files, and one page of Markdown with all."""
    manifests = {name: read_manifest(root) for name, root in roots.items() if JOIN not in name}
    made_on = pl.lit(manifest_hash(roots[world.main.name])).alias("manifest")
    parts = []
    for plan in plans:
        folder = out / plan.name
        folder.mkdir(parents=True, exist_ok=True)
        if plan.name == "conclusions":
            sheet, table = _conclusions(plan, world, executed, folder)
        elif plan.cells:
            sheet, table = _numbers(plan, world, manifests[world.main.name], executed, folder)
        else:
            sheet, table = _pictures(plan, world, manifests, executed, folder)
        with atomic_path(folder / f"{plan.name}.parquet") as temporary:
            table.with_columns(made_on).write_parquet(temporary)
        write_text(folder / f"{plan.name}.md", markdown(sheet))
        write_text(folder / f"{plan.name}.tex", latex(sheet))
        below = replace(sheet, picture=f"{plan.name}/{sheet.picture}" if sheet.picture else "")
        parts.append(markdown(below))
    index = out / "experiments.md"
    write_text(index, "\n".join(parts))
    return index


def _numbers(
    plan: Plan, world: PlanContext, main: Manifest, executed: Executed, folder: Path
) -> tuple[Sheet, pl.DataFrame]:
    stamp = world.recipe.stamp
    cells = measure(plan, executed, stamp)
    chart = _chart(plan, world, cells, folder)
    sheet = sheet_of(plan, cells, sentences(plan, cells, world, main))
    return replace(sheet, picture=f"{plan.name}.png", alt=chart.alt), tidy(plan, cells)


def _conclusions(
    plan: Plan, world: PlanContext, executed: Executed, folder: Path
) -> tuple[Sheet, pl.DataFrame]:
    found = judge(world, executed, plan)
    chart = charts.conclusions_chart(folder, plan.name, found, world.recipe.stamp)
    sheet = sheet_of_conclusions(found)
    return replace(sheet, picture=f"{plan.name}.png", alt=chart.alt), tidy_conclusions(found)


def _chart(plan: Plan, world: PlanContext, cells: Sequence[Cell], folder: Path) -> Chart:
    stamp = world.recipe.stamp
    if plan.name == "figure3":
        sizes = {
            f"{share * 100:g}%": training_clips(
                world.run(world.recipe.main, corpus=share).config, world.main
            )[0]
            for share in FIGURE3_SHARES
        }
        return charts.corpus_chart(folder, plan.name, cells, sizes, stamp)
    if plan.name == "figure6" and not stamp and any(cell.accuracy for cell in cells):
        titles = {INFO[a].title: a for a in TEN}
        rows: figures.Accuracies = {}
        for cell in cells:
            if cell.accuracy is not None:
                action = titles.get(cell.spec.row)
                rows.setdefault(action, {})[cell.spec.column] = cell.accuracy
        return figures.figure6_chart(folder, rows, world.recipe.main, png=True)
    return charts.accuracy_chart(folder, plan.name, cells, stamp)


def _pictures(
    plan: Plan, world: PlanContext, manifests: dict[str, Manifest], executed: Executed, folder: Path
) -> shown.Shown:
    main = manifests[world.main.name]
    if plan.name == "table1":
        others = [(n, m) for n, m in manifests.items() if n != world.main.name]
        return shown.table1(folder, plan.title, [*others, (world.main.name, main)])
    if plan.name == "figure7":
        outcome = executed.runs[plan.runs[0]]
        if outcome.folder is None:
            return shown.not_run(plan.name, plan.title, outcome.reason)
        return shown.figure7(folder, plan.title, main, outcome.folder, world.recipe.stamp)
    make = {
        "figure1": shown.figure1, "figure2": shown.figure2, "figure8": shown.figure8,
        "figure9": shown.figure9, "figure10": shown.figure10,
    }[plan.name]  # fmt: skip
    return make(folder, plan.title, main)
