"""`dfmnist demo`: the whole path, from nothing to a report, on synthetic actors."""

from pathlib import Path
from typing import Annotated

import typer

from dfmnist import stages
from dfmnist.cli.options import Workers
from dfmnist.core.console import show
from dfmnist.stages import DemoName


def demo(
    out: Annotated[Path, typer.Option(help="Folder for all that the demo makes.")] = Path(
        "runs/demo"
    ),
    recipe: Annotated[
        DemoName, typer.Option(help="Size of the demo; smoke is a test and gives no result.")
    ] = "demo",
    workers: Workers = None,
) -> None:
    """Go the whole path on synthetic actors: film, build a dataset, run the experiments, report.

    It needs no data and no GPU. The same command continues after a stop.
    """
    made = stages.demo(out, recipe=recipe, workers=workers)
    for line in made.headline:
        show(line)
    show(f"report: {made.page}")
