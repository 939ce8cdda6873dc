"""Making and measuring what is shipped: the motion model and the screening's thresholds."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dfmnist.cli.build import Workers, use_engine
from dfmnist.core.errors import InputError

if TYPE_CHECKING:
    from dfmnist.fomm.training.vox import PublishedConfig


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train_animator)
    app.command()(evaluate_animator)
    app.command()(fit_screening)
    app.command()(evaluate_screening)


def train_animator(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, curve, sheets and weights.")],
    clips: Annotated[
        Path | None,
        typer.Option(help="Folder of MP4 clips. actors: filmed if empty; default: OUT/clips."),
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="actors (the shipped small model), vox256 or voxadv256 (published).")
    ] = "actors",
    seed: Annotated[int, typer.Option(help="Of initial weights and draws.")] = 1,
    initial: Annotated[Path | None, typer.Option(help="Weights to start from.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads; default: all cores.")] = None,
    workers: Workers = None,
    actors: Annotated[
        int | None, typer.Option(help="Synthetic actors to film; actors only. Default: 300.")
    ] = None,
    vgg: Annotated[
        Path | None, typer.Option(help="torchvision's VGG-19 weights; without them a stand-in.")
    ] = None,
    pictures: Annotated[
        str | None,
        typer.Option(help="Picture loss: vgg or pyramid (L1). Default: vgg if --vgg is given."),
    ] = None,
    person: Annotated[
        str | None,
        typer.Option(help="Who is who: file (up to the first #, the default) or folder."),
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out clips that do not decode.")
    ] = False,
    epochs: Annotated[int | None, typer.Option(help="Default: the recipe's.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Pairs a step, all devices together; the recipe's.")
    ] = None,
    accelerator: Annotated[str | None, typer.Option(help="auto, cpu or gpu.")] = None,
    devices: Annotated[int | None, typer.Option(help="GPUs (or processes) a node.")] = None,
    nodes: Annotated[int | None, typer.Option(help="Machines.")] = None,
    precision: Annotated[str | None, typer.Option(help="f32 or bf16.")] = None,
) -> None:
    """Train a motion model; the same command goes on from its last checkpoint.

    Options from --vgg on belong to vox256 and voxadv256, which train on any people's clips.
    """
    published_only: dict[str, object] = {
        "--vgg": vgg, "--pictures": pictures, "--person": person,
        "--skip-broken": skip_broken or None, "--epochs": epochs, "--batch-size": batch_size,
        "--accelerator": accelerator, "--devices": devices, "--nodes": nodes,
        "--precision": precision,
    }  # fmt: skip
    use_engine(ctx, workers)
    if recipe == "actors":
        _refuse(recipe, published_only)
        typer.echo(_train_actors(out, clips, actors, seed, initial, threads))
        return
    from dfmnist.core.lightning import is_main
    from dfmnist.fomm.training.train_vox import train_published
    from dfmnist.fomm.training.trainer import Machine

    config = _published_recipe(recipe, pictures or ("vgg" if vgg else "pyramid"), seed)
    _refuse(recipe, {"--actors": actors})
    if clips is None:
        raise InputError(f"--recipe {recipe} without --clips; expected a folder of MP4 clips")
    changes = {"epochs": epochs, "batch_size": batch_size}
    machine = {
        "accelerator": accelerator, "devices": devices, "nodes": nodes, "precision": precision,
        "loaders": workers, "threads": threads,
    }  # fmt: skip
    path = train_published(
        dataclasses.replace(config, **_given(changes)), clips, out, vgg=vgg, initial=initial,
        machine=Machine(**_given(machine)), person=person or "file", skip_broken=skip_broken,
    )  # fmt: skip
    if is_main():
        typer.echo(path)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """What the user gave; the rest is left to the defaults of the config."""
    return {name: value for name, value in values.items() if value is not None}


def _published_recipe(name: str, pictures: str, seed: int) -> "PublishedConfig":
    from dfmnist.fomm.training.vox import vox256, voxadv256

    recipes = {"vox256": vox256, "voxadv256": voxadv256}
    if name not in recipes:
        raise InputError(f"--recipe {name}; expected actors, {' or '.join(recipes)}")
    return dataclasses.replace(recipes[name](), pictures=pictures, seed=seed)


def _refuse(recipe: str, flags: dict[str, object]) -> None:
    """Refuse what `recipe` has no use for."""
    if given := [flag for flag, value in flags.items() if value is not None]:
        raise InputError(f"{', '.join(given)}: not of --recipe {recipe}; expected none")


def _train_actors(
    out: Path,
    clips: Path | None,
    actors: int | None,
    seed: int,
    initial: Path | None,
    threads: int | None,
) -> Path:
    from dfmnist.core.files import claim_folder
    from dfmnist.fomm.training.train_actors import actors_recipe
    from dfmnist.fomm.training.train_actors import train_animator as train
    from dfmnist.pipeline.film_training import film_training

    if clips is None:
        claim_folder(out, "animator-run")  # before anything is filmed into it
        clips = out / "clips"
    film_training(clips, 300 if actors is None else actors)
    return train(actors_recipe(seed), clips, out, initial=initial, threads=threads)


def evaluate_animator(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for clips, records, tables and sheets.")],
    weights: Annotated[
        Path | None, typer.Option(help="Motion model, or its name; default: the shipped one.")
    ] = None,
    actors: Annotated[int | None, typer.Option(help="People never trained on; default: 6.")] = None,
    first: Annotated[
        int | None,
        typer.Option(help="Seed of the first of them, from 400000, so that others can be taken."),
    ] = None,
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
    from dfmnist.animator_eval import run
    from dfmnist.core.errors import InputError

    use_engine(ctx, workers)
    if clips is None:
        if crop:
            raise InputError("--crop without --clips; actors' clips are always cropped")
        first = SEED_RANGES["evaluation"].start if first is None else first
        people = range(first, first + (6 if actors is None else actors))
        text = run.evaluate_animator(
            weights,
            people,
            1 if takes is None else takes,
            out,
            num_frames=frames,
        )
    else:
        if any(given is not None for given in (actors, takes, first)):
            raise InputError("--clips with --actors, --first or --takes; expected one or the other")
        text = run.evaluate_clips(weights, clips, out, crop=crop, num_frames=frames)
    typer.echo(text)


def fit_screening(
    ctx: typer.Context,
    clips: Annotated[Path, typer.Option(help="Folder for the clips filmed; kept clips are used.")],
    out: Annotated[Path, typer.Option(help="JSON to write the thresholds to.")],
    actors: Annotated[int, typer.Option(help="People to film, for this purpose alone.")] = 40,
    workers: Workers = None,
) -> None:
    """Fix the liveness detectors' thresholds on bona fide clips, before any fake is seen."""
    from dfmnist.liveness.calibrate import fit_thresholds
    from dfmnist.liveness.measured_clips import measure_clips, plan_clips
    from dfmnist.liveness.thresholds import write_thresholds

    use_engine(ctx, workers)
    jobs = plan_clips(clips, "thresholds", actors, with_attacks=False)
    thresholds = fit_thresholds(measure_clips(jobs))
    write_thresholds(thresholds, out)
    typer.echo(f"{out}: fitted on {thresholds.provenance['clips']} clips of {actors} people")


def evaluate_screening(
    ctx: typer.Context,
    clips: Annotated[Path, typer.Option(help="Folder for the clips filmed; kept clips are used.")],
    out: Annotated[Path, typer.Option(help="Markdown to write the error rates to.")],
    actors: Annotated[int, typer.Option(help="Held-out people to film.")] = 20,
    workers: Workers = None,
) -> None:
    """Error rates of the shipped liveness detectors on held-out people, and on two attacks."""
    from dfmnist.liveness.benchmark import measure_error_rates, write_page
    from dfmnist.liveness.thresholds import shipped_thresholds

    use_engine(ctx, workers)
    write_page(measure_error_rates(clips, actors), shipped_thresholds(), out)
    typer.echo(out)
