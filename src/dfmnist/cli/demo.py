"""`dfmnist demo`: the whole path, from nothing to a report, on synthetic actors."""

from pathlib import Path
from typing import Annotated

import typer

from dfmnist.cli.build import Workers, use_engine
from dfmnist.core.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for everything.")] = Path("runs/demo"),
    recipe: Annotated[str, typer.Option(help="demo, or smoke (tiny: a test, no result).")] = "demo",
    workers: Workers = None,
) -> None:
    """Film synthetic actors, build a dataset, run the experiments and write a report."""
    from dfmnist import recipes
    from dfmnist.stages import run_recipe

    known = {"demo": recipes.demo, "smoke": recipes.smoke}
    if recipe not in known:
        raise InputError(f"--recipe {recipe}; expected {' or '.join(known)}")
    use_engine(ctx, workers)
    made = run_recipe(known[recipe](), out)
    for line in made.headline:
        typer.echo(line)
    typer.echo(f"report: {made.page}")
