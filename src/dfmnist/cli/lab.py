"""Making and measuring what is shipped: the motion model and the screening's thresholds."""

from pathlib import Path
from typing import Annotated

import typer

from dfmnist.cli.build import Workers


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train_animator)
    app.command()(evaluate_animator)
    app.command()(fit_screening)
    app.command()(evaluate_screening)


def train_animator(
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, curve, sheets and weights.")],
    clips: Annotated[Path, typer.Option(help="Folder of the training clips; filmed if empty.")],
    actors: Annotated[int, typer.Option(help="Synthetic actors to film.")] = 300,
    seed: Annotated[int, typer.Option(help="Of initial weights and draws.")] = 1,
    threads: Annotated[int | None, typer.Option(help="Threads; default: all cores.")] = None,
    workers: Workers = None,
) -> None:
    """Train the small motion model on synthetic actors; goes on from its last checkpoint."""
    from dfmnist.experiments.animator_data import film_training
    from dfmnist.fomm.train import actors_recipe
    from dfmnist.fomm.train import train_animator as train

    film_training(clips, actors, workers=workers)
    typer.echo(train(actors_recipe(seed), clips, out, threads=threads))


def evaluate_animator(
    out: Annotated[Path, typer.Option(help="Folder for the clips filmed and the table.")],
    weights: Annotated[
        Path | None, typer.Option(help="Motion model, or its name; default: the shipped one.")
    ] = None,
    actors: Annotated[int, typer.Option(help="People never trained on.")] = 6,
    takes: Annotated[int, typer.Option(help="Performances of each action and pair.")] = 1,
) -> None:
    """Compare cross-identity animations with what the source actors would truly show."""
    from dfmnist.actors.seeds import SEED_RANGES
    from dfmnist.experiments.animator import evaluate_animator as evaluate
    from dfmnist.experiments.animator import markdown

    first = SEED_RANGES["evaluation"].start
    typer.echo(markdown(evaluate(weights, range(first, first + actors), takes, out)))


def fit_screening(
    clips: Annotated[Path, typer.Option(help="Folder for the clips filmed; kept clips are used.")],
    out: Annotated[Path, typer.Option(help="JSON to write the thresholds to.")],
    actors: Annotated[int, typer.Option(help="People to film, for this purpose alone.")] = 40,
    workers: Workers = None,
) -> None:
    """Fix the liveness detectors' thresholds on bona fide clips, before any fake is seen."""
    from dfmnist.liveness.examples import collect, plan
    from dfmnist.liveness.fit import fit, save

    thresholds = fit(collect(plan(clips, "thresholds", actors, with_attacks=False), workers))
    save(thresholds, out)
    typer.echo(f"{out}: fitted on {thresholds.provenance['clips']} clips of {actors} people")


def evaluate_screening(
    clips: Annotated[Path, typer.Option(help="Folder for the clips filmed; kept clips are used.")],
    out: Annotated[Path, typer.Option(help="Markdown to write the error rates to.")],
    actors: Annotated[int, typer.Option(help="Held-out people to film.")] = 20,
    workers: Workers = None,
) -> None:
    """Error rates of the shipped liveness detectors on held-out people, and on two attacks."""
    from dfmnist.liveness.evaluate import measure, write_report
    from dfmnist.liveness.thresholds import shipped

    write_report(measure(clips, actors, workers=workers), shipped(), out)
    typer.echo(out)
