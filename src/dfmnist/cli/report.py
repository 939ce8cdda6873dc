"""`dfmnist report`: a page of everything that was made and measured."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from dfmnist.cli.options import Dataset
from dfmnist.core.console import show
from dfmnist.core.errors import InputError

RecipeName = Literal["demo", "smoke", "paper"]


def report(
    dataset: Dataset,
    out: Annotated[Path, typer.Option(help="New folder for the report.")],
    experiments: Annotated[
        Path | None,
        typer.Option(help="Folder that `dfmnist experiment` wrote: its tables and figures."),
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(help="Folder of scored training runs. Default: those of --experiments."),
    ] = None,
    recipe: Annotated[
        RecipeName | None,
        typer.Option(help="Recipe that made the dataset; the page states its departures."),
    ] = None,
) -> None:
    """Write one self-contained folder with every table, figure and sample clip."""
    from dfmnist.dataset.manifest import dataset_folder
    from dfmnist.reports.page import ReportContext, write_report

    if runs is None and experiments is None:
        raise InputError("neither --runs nor --experiments; expected one of them, or both")
    context = ReportContext(recipe=recipe or "", departures=_departures(recipe))
    page, headline = write_report(
        dataset_folder(dataset), out, context, experiments=experiments, runs=runs
    )
    for line in headline:
        show(line)
    show(f"report: {page}")


def _departures(recipe: RecipeName | None) -> tuple[str, ...]:
    if recipe is None:
        return ()
    from dfmnist import recipes

    known = {"demo": recipes.demo, "smoke": recipes.smoke, "paper": recipes.paper}
    return known[recipe]().departures
