"""The stages of a recipe, from nothing to a report: `run_recipe`, and `demo` for everyone."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dfmnist.core.console import console
from dfmnist.core.errors import InputError
from dfmnist.core.files import check_writable
from dfmnist.core.jobs import engine

if TYPE_CHECKING:
    from dfmnist.recipes import Recipe

DemoName = Literal["demo", "smoke"]
"""A recipe that films synthetic actors and so needs no data; `smoke` is a test of all stages."""


@dataclass(frozen=True)
class DemoResult:
    """Everything that a recipe made."""

    page: Path
    """The report, `index.html`."""
    headline: tuple[str, ...]
    """The findings, a line each."""
    footage: Path
    """Folder of the filmed synthetic actors."""
    dataset: Path
    """Folder of the dataset, with its manifest."""
    experiments: Path
    """Folder of the tables and figures, with the training runs in `runs`."""


def run_recipe(recipe: "Recipe", out: Path) -> DemoResult:
    """Film actors, build a dataset, run the experiments on it and write the report below `out`.

    Each stage continues where an earlier call was stopped; the jobs run on the engine of
    `core.jobs.engine`. Raises `InputError` for a recipe without actors to film, and for an
    `out` with something else in it.
    """
    from dfmnist.experiments.run import Request, run_experiments
    from dfmnist.pipeline.build import build
    from dfmnist.pipeline.film import film_people
    from dfmnist.pipeline.footage import read_drivers, read_people
    from dfmnist.reports.page import ReportContext, write_report

    if recipe.film is None:
        raise InputError(f"recipe {recipe.name} films nobody; expected one that films actors")
    check_writable(out, folder=True)
    console.rule("1 of 4: film synthetic actors")
    people_csv, drivers_csv = film_people(recipe.film, out / "footage")
    console.rule("2 of 4: select, crop, animate, screen, compress")
    clip_s = recipe.build.num_frames / recipe.build.fps
    people, drivers = read_people(people_csv, clip_s), read_drivers(drivers_csv)
    dataset = build(people, drivers, people, recipe.build, out / "dataset")
    console.rule("3 of 4: train, score, tables and figures")
    experiments = out / "experiments"
    run_experiments(Request(recipe.names, dataset, recipe.experiments), experiments)
    console.rule("4 of 4: report")
    context = ReportContext(
        recipe=recipe.name, synthetic=recipe.build.synthetic, departures=recipe.departures
    )
    page, headline = write_report(dataset, out / "report", context, experiments=experiments)
    return DemoResult(page, headline, out / "footage", dataset, experiments)


def demo(out: str | Path, *, recipe: DemoName = "demo", workers: int | None = None) -> DemoResult:
    """Film synthetic actors, build a dataset, run the experiments and write a report below `out`.

    Nothing is needed for it: no data and no GPU. `recipe` "smoke" is as small as every stage still
    works, for tests; `workers` processes work at once, one per core by default. Each stage
    continues where an earlier call was stopped. Raises `InputError`.

    Examples:
        >>> import dfmnist
        >>> made = dfmnist.demo("runs/smoke", recipe="smoke")
        >>> made.page.name
        'index.html'
    """
    from dfmnist import recipes

    known = {"demo": recipes.demo, "smoke": recipes.smoke}
    if recipe not in known:
        raise InputError(f"recipe {recipe}; expected {' or '.join(known)}")
    with engine(workers=workers):
        return run_recipe(known[recipe](), Path(out))
