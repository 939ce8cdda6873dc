"""`dfmnist report`: a page of everything that was made and measured."""

from pathlib import Path
from typing import Annotated

import typer

from dfmnist.core.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)


def report(
    data: Annotated[Path, typer.Option(help="Dataset folder (with metadata.jsonl).")],
    out: Annotated[Path, typer.Option(help="New folder for the report.")],
    runs: Annotated[
        Path | None,
        typer.Option(help="Folder of training runs, scored. Default: those of --experiments."),
    ] = None,
    experiments: Annotated[
        Path | None,
        typer.Option(help="Folder of `dfmnist experiment`: shows its tables and figures."),
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="Recipe that made it (demo, smoke, paper): states its departures.")
    ] = "",
) -> None:
    """Write one self-contained folder with every figure, table and sample clip."""
    from dfmnist.reports.page import ReportContext, write_report

    if runs is None and experiments is None:
        raise InputError("neither --runs nor --experiments; expected one of them, or both")
    context = ReportContext(recipe=recipe, departures=_departures(recipe))
    page, headline = write_report(data, out, context, experiments=experiments, runs=runs)
    for line in headline:
        typer.echo(line)
    typer.echo(f"report: {page}")


def _departures(recipe: str) -> tuple[str, ...]:
    if not recipe:
        return ()
    from dfmnist import recipes

    known = {"demo": recipes.demo, "smoke": recipes.smoke, "paper": recipes.paper}
    if recipe not in known:
        raise InputError(f"--recipe {recipe}; expected one of {', '.join(known)}")
    return known[recipe]().departures
