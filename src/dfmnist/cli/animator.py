"""`dfmnist animator train`, `evaluate`, `convert`: motion models, made, measured, converted."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dfmnist.cli.options import Json, Workers, field, print_json, use_engine
from dfmnist.core.choices import DeviceName, Motion, PersonRule
from dfmnist.core.console import show
from dfmnist.core.devices import Devices
from dfmnist.core.errors import InputError
from dfmnist.pipeline.config import AnimateConfig

if TYPE_CHECKING:
    from dfmnist.fomm.training.vox import PublishedConfig

ACTORS = 300
"""Default number of synthetic actors to film for a training."""
EVALUATED = 6
"""Default number of synthetic actors to evaluate on."""
TAKES = 1
FRAMES = 50


def train(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, curve, sheets and weights.")],
    recipe: Annotated[
        Literal["actors", "small", "vox256", "voxadv256"],
        typer.Option(
            help="What to train: actors is the shipped small model, on synthetic actors that are "
            "filmed for it; small is the same model on any people's clips; vox256 and voxadv256 "
            "are the published ones, on any people's clips."
        ),
    ] = "actors",
    clips: Annotated[
        Path | None,
        typer.Option(
            help="Folder of videos of people, which is only read. For the recipe actors a folder "
            "of actors' footage, which is filmed if empty; OUT/clips by default."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the initial weights and of all draws.")] = 1,
    initial: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Motion model to start from: a file, shipped or random. Default: shipped for the "
            "recipe small, else random.",
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Number of threads. Default: one per core.")
    ] = None,
    workers: Workers = None,
    actors: Annotated[
        int | None,
        typer.Option(
            help="Number of actors to film, for the recipe actors, and for small with "
            f"--actors-share. Default: {ACTORS}."
        ),
    ] = None,
    actors_share: Annotated[
        float | None,
        typer.Option(
            help="Share of the pairs that show actors and not people; they are filmed to "
            "OUT/clips. Recipe small only. Default: 0."
        ),
    ] = None,
    vgg: Annotated[
        Path | None,
        typer.Option(
            help="File of torchvision's VGG-19 weights for the perceptual loss; without it a "
            "surrogate loss is used. Only for vox256 and voxadv256."
        ),
    ] = None,
    pictures: Annotated[
        Literal["vgg", "pyramid"] | None,
        typer.Option(
            help="Picture loss: VGG-19 features, or L1 on an image pyramid. Default: vgg if --vgg "
            "is given."
        ),
    ] = None,
    person: Annotated[
        PersonRule | None,
        typer.Option(
            help="Who is who in the clips of people: by file name up to the first #, or by "
            "subfolder. Default: file."
        ),
    ] = None,
    skip_broken: Annotated[
        bool,
        typer.Option(
            "--skip-broken",
            help="Leave out clips that do not decode; the recipe small always does. Only for "
            "vox256 and voxadv256.",
        ),
    ] = False,
    epochs: Annotated[
        int | None, typer.Option(help="Number of epochs. Default: the recipe's.")
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Pairs in a step, over all devices together. Default: the recipe's."),
    ] = None,
    device: Annotated[DeviceName | None, field(Devices, "device", more="Default: auto.")] = None,
    devices: Annotated[int | None, field(Devices, "devices", more="Default: 1.")] = None,
    nodes: Annotated[int | None, field(Devices, "nodes", more="Default: 1.")] = None,
    precision: Annotated[
        Literal["f32", "bf16"] | None,
        typer.Option(help="Number format of the convolutions. Default: f32."),
    ] = None,
) -> None:
    """Train a motion model; the same command continues from its last checkpoint."""
    people_only: dict[str, object] = {
        "--person": person, "--epochs": epochs, "--batch-size": batch_size,
    }  # fmt: skip
    published_only: dict[str, object] = {
        "--vgg": vgg, "--pictures": pictures, "--skip-broken": skip_broken or None,
        "--devices": devices, "--nodes": nodes,
    }  # fmt: skip
    use_engine(ctx, workers)
    one: dict[str, Any] = {"device": device, "precision": precision, "threads": threads}
    weights = _initial(initial, default="shipped" if recipe == "small" else "random")
    if recipe == "actors":
        _refuse(recipe, {"--actors-share": actors_share, **people_only, **published_only})
        show(_train_actors(out, clips, actors, seed, weights, _given(one)))
        return
    if recipe == "small":
        _refuse(recipe, published_only)
        if actors is not None and not actors_share:
            raise InputError("--actors without --actors-share; expected both")
        given = {"epochs": epochs, "batch_size": batch_size, "actors_share": actors_share}
        rule = person or "file"
        show(_train_people(out, clips, actors, seed, weights, _given(given), rule, _given(one)))
        return
    from dfmnist.core.lightning import is_main
    from dfmnist.fomm.training.train_vox import train_published
    from dfmnist.fomm.training.trainer import Machine

    config = _published_recipe(recipe, pictures or ("vgg" if vgg else "pyramid"), seed)
    _refuse(recipe, {"--actors": actors, "--actors-share": actors_share})
    if clips is None:
        raise InputError(f"--recipe {recipe} without --clips; expected a folder of MP4 clips")
    changes = {"epochs": epochs, "batch_size": batch_size}
    machine = {
        "device": device, "devices": devices, "nodes": nodes, "precision": precision,
        "loaders": workers, "threads": threads,
    }  # fmt: skip
    path = train_published(
        dataclasses.replace(config, **_given(changes)), clips, out, vgg=vgg, initial=weights,
        machine=Machine(**_given(machine)), person=person or "file", skip_broken=skip_broken,
    )  # fmt: skip
    if is_main():
        show(path)


def _initial(name: str | None, default: str) -> Path | None:
    """File of the weights to start from; None is random weights."""
    from dfmnist.fomm.checkpoint import SHIPPED, resolve_weights

    name = name or default
    if name == "random":
        return None
    return SHIPPED if name == "shipped" else resolve_weights(Path(name))


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """What the user gave; the rest is left to the defaults of the config."""
    return {name: value for name, value in values.items() if value is not None}


def _published_recipe(
    name: Literal["vox256", "voxadv256"], pictures: str, seed: int
) -> "PublishedConfig":
    from dfmnist.fomm.training.vox import vox256, voxadv256

    recipes = {"vox256": vox256, "voxadv256": voxadv256}
    return dataclasses.replace(recipes[name](), pictures=pictures, seed=seed)


def _refuse(recipe: str, flags: dict[str, object]) -> None:
    """Refuse options that `recipe` has no use for. Raises `InputError`."""
    if given := [flag for flag, value in flags.items() if value is not None]:
        raise InputError(f"{', '.join(given)}: not of --recipe {recipe}; expected none")


def _train_actors(
    out: Path,
    clips: Path | None,
    actors: int | None,
    seed: int,
    weights: Path | None,
    machine: dict[str, Any],
) -> Path:
    from dfmnist.core.files import folder_lock
    from dfmnist.fomm.training.train_actors import actors_recipe, check_initial
    from dfmnist.fomm.training.train_actors import train_animator as train
    from dfmnist.fomm.training.trainer import RUN_KIND, Machine
    from dfmnist.pipeline.film_training import film_training

    on = Machine(**machine)
    check_initial(actors_recipe(seed), weights)
    clips = out / "clips" if clips is None else clips
    with folder_lock(out, RUN_KIND):  # before anything is filmed
        film_training(clips, ACTORS if actors is None else actors)
    return train(actors_recipe(seed), clips, out, initial=weights, machine=on)


def _train_people(
    out: Path,
    clips: Path | None,
    actors: int | None,
    seed: int,
    weights: Path | None,
    changes: dict[str, Any],
    person: PersonRule,
    machine: dict[str, Any],
) -> Path:
    from dfmnist.core.files import folder_lock
    from dfmnist.fomm.training.clips import find_clips
    from dfmnist.fomm.training.train_actors import check_initial
    from dfmnist.fomm.training.train_people import small_recipe, train_people
    from dfmnist.fomm.training.trainer import RUN_KIND, Machine
    from dfmnist.pipeline.film_training import film_training

    if clips is None:
        raise InputError("--recipe small without --clips; expected a folder of people's videos")
    config, on = small_recipe(seed, **changes), Machine(**machine)
    footage = None
    if config.actors_share:
        check_initial(config, weights)
        find_clips(clips, person)
        footage = out / "clips"
        with folder_lock(out, RUN_KIND):  # before anything is filmed
            film_training(footage, ACTORS if actors is None else actors)
    return train_people(
        config, clips, out, initial=weights, actors=footage, person=person, machine=on
    )


def evaluate(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for clips, records, tables and sheets.")],
    weights: Annotated[
        Path | None, typer.Option(help="Motion model, or its name. Default: the shipped one.")
    ] = None,
    actors: Annotated[
        int | None,
        typer.Option(help=f"Number of people never trained on. Default: {EVALUATED}."),
    ] = None,
    first: Annotated[
        int | None,
        typer.Option(help="Identity seed of the first of them, from 400000, to take others."),
    ] = None,
    takes: Annotated[
        int | None,
        typer.Option(help=f"Performances of each action by each pair. Default: {TAKES}."),
    ] = None,
    clips: Annotated[
        Path | None,
        typer.Option(
            help="Folder of clips to reconstruct, in place of synthetic actors; the drivers of "
            "--sources."
        ),
    ] = None,
    sources: Annotated[
        Path | None,
        typer.Option(
            help="Folder of photos and clips of people to animate with each clip of --clips."
        ),
    ] = None,
    crop: Annotated[
        bool,
        typer.Option(
            "--crop", help="Crop the clips of --clips to the face first; always with --sources."
        ),
    ] = False,
    frames: Annotated[
        int, typer.Option(help="Number of frames of each clip; of --clips the first ones.")
    ] = FRAMES,
    motion: Annotated[Motion, field(AnimateConfig, "motion")] = AnimateConfig.motion,
    as_json: Json = False,
    workers: Workers = None,
) -> None:
    """Compare animations with the true clips; the same command continues after a stop."""
    from dfmnist.actors.seeds import SEED_RANGES
    from dfmnist.animator_eval import run
    from dfmnist.core.files import read_json

    use_engine(ctx, workers)
    if clips is None:
        if crop:
            raise InputError("--crop without --clips; actors' clips are always cropped")
        if sources is not None:
            raise InputError("--sources without --clips; expected a folder of drivers too")
        first = SEED_RANGES["evaluation"].start if first is None else first
        people = range(first, first + (EVALUATED if actors is None else actors))
        count = TAKES if takes is None else takes
        text = run.evaluate_animator(weights, people, count, out, num_frames=frames, motion=motion)
    else:
        if any(given is not None for given in (actors, takes, first)):
            raise InputError("--clips with --actors, --first or --takes; expected one or the other")
        text = run.evaluate_clips(
            weights, clips, out, sources=sources, crop=crop, num_frames=frames, motion=motion
        )
    if as_json:
        print_json(read_json(out / "clips.json"))
    else:
        show(*text.split("\n"))


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT", help="Checkpoint (.pth.tar) of vox-256 or vox-adv-256, or a name."
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write (.safetensors).")],
    half: Annotated[
        bool, typer.Option("--half", help="Write float16: half the size, nearly the same pictures.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Convert a published motion model to safetensors that hold its config and origin."""
    from dfmnist.fomm.checkpoint import weights_id
    from dfmnist.fomm.convert import convert_weights

    config = convert_weights(source, out, half=half, force=force)
    kind = "float16" if half else "float32"
    show(
        f"{out}: {weights_id(out)}, {kind}, {out.stat().st_size / 1e6:.0f} MB, "
        f"{config.num_kp} keypoints, {config.image_size}×{config.image_size}"
    )
