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
    out: Annotated[Path, typer.Option(help="Folder for clips, records, tables and sheets.")],
    weights: Annotated[
        Path | None, typer.Option(help="Motion model; default: the shipped one.")
    ] = None,
    actors: Annotated[int | None, typer.Option(help="People never trained on; default: 6.")] = None,
    takes: Annotated[
        int | None, typer.Option(help="Performances of each action and pair; default: 1.")
    ] = None,
    clips: Annotated[
        Path | None,
        typer.Option(help="Folder of clips to rebuild, in place of actors: reconstruction alone."),
    ] = None,
    crop: Annotated[
        bool, typer.Option("--crop", help="With --clips: cut out the face first.")
    ] = False,
    frames: Annotated[int, typer.Option(help="Frames of each clip; of --clips the first.")] = 50,
    workers: Workers = None,
) -> None:
    """Compare animations with what would truly be seen; a killed evaluation goes on."""
    from dfmnist.actors.seeds import SEED_RANGES
    from dfmnist.core.errors import InputError
    from dfmnist.experiments import animator

    if clips is None:
        if crop:
            raise InputError("--crop without --clips; actors' clips are always cropped")
        first = SEED_RANGES["evaluation"].start
        people = range(first, first + (6 if actors is None else actors))
        text = animator.evaluate_animator(
            weights,
            people,
            1 if takes is None else takes,
            out,
            num_frames=frames,
            workers=workers,
        )
    else:
        if actors is not None or takes is not None:
            raise InputError("--clips with --actors or --takes; expected one or the other")
        text = animator.evaluate_clips(
            weights, clips, out, crop=crop, num_frames=frames, workers=workers
        )
    typer.echo(text)


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
