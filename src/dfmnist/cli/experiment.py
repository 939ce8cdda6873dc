"""`dfmnist experiment`: the tables and figures of the paper, on a dataset of one's own."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dfmnist.cli.build import Workers, use_engine
from dfmnist.core.errors import InputError

if TYPE_CHECKING:
    from dfmnist.experiments.recipe import ExperimentRecipe


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(experiment)


def experiment(
    ctx: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(
            help="table1 to table6, figure1 to figure10, shortcut, conclusions, or all."
        ),
    ],
    data: Annotated[Path, typer.Option(help="Dataset folder, or its metadata.jsonl.")],
    out: Annotated[Path, typer.Option(help="Folder for runs, scores, tables and figures.")] = Path(
        "runs/experiments"
    ),
    other: Annotated[
        list[str] | None,
        typer.Option(help="NAME=MANIFEST of another dataset; repeatable. Names as in the paper."),
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(
            help="smoke (no result), demo (64 px), study (the demo's MesoInception-4 alone, for "
            "--seeds) or paper (needs a GPU)."
        ),
    ] = "demo",
    imagenet: Annotated[
        Path | None,
        typer.Option(help="--recipe paper: folder with NETWORK.pth of ImageNet to start from."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Runs of each cell: mean and spread.")] = 1,
    engine: Annotated[
        str, typer.Option(help="local, or ray (one machine or a cluster).")
    ] = "local",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan: runs, clips, steps, time.")
    ] = False,
    workers: Workers = None,
) -> None:
    """Run the paper's tables and figures; each distinct run once. A killed command goes on."""
    from dfmnist import recipes
    from dfmnist.experiments import run

    if imagenet is not None and recipe != "paper":
        raise InputError(f"--imagenet with --recipe {recipe}; expected --recipe paper")
    known: dict[str, Callable[[], ExperimentRecipe]] = {
        "smoke": recipes.experiments_smoke,
        "demo": recipes.experiments_demo,
        "study": recipes.experiments_study,
        "paper": lambda: recipes.experiments_paper(imagenet),
    }
    if recipe not in known:
        raise InputError(f"--recipe {recipe}; expected {', '.join(known)}")
    request = run.Request(
        tuple(names),
        data,
        known[recipe](),
        tuple(map(run.parse_other, other or [])),
        seeds,
    )
    use_engine(ctx, workers, engine)
    typer.echo(run.dry_run(request) if dry_run else run.run_experiments(request, out))
