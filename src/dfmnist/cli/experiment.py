"""`dfmnist experiment`: the tables and figures of the paper, on a dataset of one's own."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dfmnist.cli.options import (
    DATASET_HELP,
    Address,
    EngineOption,
    Workers,
    print_json,
    use_engine,
)
from dfmnist.core.console import show
from dfmnist.core.errors import InputError

if TYPE_CHECKING:
    from dfmnist.experiments.recipe import ExperimentRecipe

RecipeName = Literal["smoke", "demo", "study", "paper"]


def _names(incomplete: str) -> list[str]:
    from dfmnist.experiments.run import EXPERIMENTS

    return [name for name in ("all", *EXPERIMENTS) if name.startswith(incomplete)]


def experiment(
    ctx: typer.Context,
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help=DATASET_HELP)],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            autocompletion=_names,
            help="What to make: table1 to table6, figure1 to figure10, shortcut, conclusions, or "
            "all, which is the default.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for runs, scores, tables and figures.")] = Path(
        "runs/experiments"
    ),
    other: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=DATASET",
            help="Another dataset, under the name that the paper gives it; repeatable.",
        ),
    ] = None,
    detector: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]MODULE:FUNCTION|PROGRAM",
            help="Your own detector, which stands beside the paper's in Table 3; repeatable.",
        ),
    ] = None,
    recipe: Annotated[
        RecipeName,
        typer.Option(
            help="Sizes and schedules: smoke (no result), demo (64 px), study (the demo's "
            "MesoInception-4 alone, for --seeds) or paper (needs a GPU)."
        ),
    ] = "demo",
    imagenet: Annotated[
        Path | None,
        typer.Option(
            help="Folder with NETWORK.pth of ImageNet to start from; --recipe paper only."
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="Number of runs of each cell; with several, mean and spread.")
    ] = 1,
    engine: EngineOption = "local",
    address: Address = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan only: runs, clips, steps, time.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the plan of --dry-run as one JSON document.")
    ] = False,
    workers: Workers = None,
) -> None:
    """Make the paper's tables and figures on a dataset, each distinct run once.

    The same command continues after a stop.
    """
    from dfmnist import recipes
    from dfmnist.detectors.external import parse_external
    from dfmnist.experiments import run
    from dfmnist.experiments.cost import describe

    if as_json and not dry_run:
        raise InputError("--json without --dry-run; expected both: results are in result.json")
    if imagenet is not None and recipe != "paper":
        raise InputError(f"--imagenet with --recipe {recipe}; expected --recipe paper")
    known: dict[RecipeName, Callable[[], ExperimentRecipe]] = {
        "smoke": recipes.experiments_smoke,
        "demo": recipes.experiments_demo,
        "study": recipes.experiments_study,
        "paper": lambda: recipes.experiments_paper(imagenet),
    }
    request = run.Request(
        tuple(names or ("all",)),
        dataset,
        known[recipe](),
        tuple(map(run.parse_other, other or [])),
        seeds,
        tuple(map(parse_external, detector or [])),
    )
    use_engine(ctx, workers, engine, address)
    if not dry_run:
        show(run.run_experiments(request, out))
    elif as_json:
        print_json(run.dry_run(request))
    else:
        show(*describe(run.dry_run(request)).split("\n"))
