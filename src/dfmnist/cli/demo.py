"""`dfmnist demo`: the whole path, from nothing to a report, on synthetic actors."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dfmnist.cli.build import Workers, use_engine
from dfmnist.core.console import console
from dfmnist.core.errors import InputError
from dfmnist.core.jobs import run_jobs

if TYPE_CHECKING:
    from dfmnist.recipes import Recipe


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for everything.")] = Path("runs/demo"),
    recipe: Annotated[str, typer.Option(help="demo, or smoke (tiny: a test, no result).")] = "demo",
    workers: Workers = None,
) -> None:
    """Film synthetic actors, build a dataset, train, score, and write a report."""
    from dfmnist import recipes

    known = {"demo": recipes.demo, "smoke": recipes.smoke}
    if recipe not in known:
        raise InputError(f"--recipe {recipe}; expected {' or '.join(known)}")
    use_engine(ctx, workers)
    page, headline = run_recipe(known[recipe](), out)
    for line in headline:
        typer.echo(line)
    typer.echo(f"report: {page}")


def run_recipe(recipe: "Recipe", out: Path) -> tuple[Path, list[str]]:
    """Run every stage of `recipe` below `out`, each taken up where it was.

    Returns the report's page and its headline numbers, a line each.
    """
    from dfmnist.pipeline.build import build
    from dfmnist.pipeline.film import film_people
    from dfmnist.pipeline.footage import read_drivers, read_people
    from dfmnist.reports.page import ReportContext, write_report

    assert recipe.film is not None
    console.rule("1 of 5: film synthetic actors")
    people_csv, drivers_csv = film_people(recipe.film, out / "footage")
    console.rule("2 of 5: select, crop, animate, screen, compress")
    clip_s = recipe.build.num_frames / recipe.build.fps
    people, drivers = read_people(people_csv, clip_s), read_drivers(drivers_csv)
    dataset = build(people, drivers, people, recipe.build, out / "dataset")
    console.rule("3 of 5: train")
    folders = train_all(recipe, dataset, out / "runs")
    console.rule("4 of 5: score")
    score_all(folders, dataset)
    console.rule("5 of 5: report")
    context = ReportContext(
        recipe=recipe.name, synthetic=recipe.build.synthetic, departures=list(recipe.departures)
    )
    return write_report(dataset, out / "runs", out / "report", context)


def train_all(recipe: "Recipe", dataset: Path, runs: Path) -> list[Path]:
    """Train every detector of the recipe, side by side; finished runs are taken as they are."""
    from dfmnist.detectors.train import TrainJob, run_train_job

    jobs = [TrainJob(config, dataset, runs) for config in recipe.training]
    return list(run_jobs(run_train_job, jobs, describe="train detectors"))


def score_all(folders: list[Path], dataset: Path) -> None:
    """Score the test split with every run, once."""
    missing = [(f, dataset) for f in folders if not (f / "scores-test.parquet").exists()]
    for _ in run_jobs(_score, missing, describe="score the test split"):
        pass


def _score(job: tuple[Path, Path]) -> None:
    from dfmnist.detectors.score import score

    folder, dataset = job
    score(folder, dataset, "test", out=folder / "scores-test.parquet", quiet=True)
