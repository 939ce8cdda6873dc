"""`dfmnist actors` and `dfmnist build`: footage, and a dataset from footage."""

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from dfmnist.core.actions import TEN, parse_action
from dfmnist.core.errors import InputError
from dfmnist.core.jobs import EngineName, engine

Workers = Annotated[int | None, typer.Option(help="Processes; default: one per core.")]


def use_engine(ctx: typer.Context, workers: int | None, name: str = "local") -> None:
    """Run the jobs of the command being run on this engine. Raises `InputError`."""
    ctx.with_resource(engine(cast(EngineName, name), workers))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(actors)
    app.command()(build)


def actors(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="New folder for the footage.")],
    people: Annotated[
        tuple[int, int, int], typer.Option(help="Actors in train, validation and test.")
    ] = (14, 3, 3),
    clips: Annotated[
        tuple[int, int, int], typer.Option(help="Clips of each action in each split.")
    ] = (10, 3, 3),
    drivers: Annotated[tuple[int, int, int], typer.Option(help="Driving actors in each split.")] = (
        2,
        1,
        1,
    ),
    takes: Annotated[int, typer.Option(help="Takes of each action by each driver.")] = 2,
    frames: Annotated[int, typer.Option(help="Frames of each clip, at 25 a second.")] = 50,
    actions: Annotated[
        list[str] | None,
        typer.Option(help="Film these alone, of the ten or talk; repeatable. Default: all ten."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the performances.")] = 0,
    workers: Workers = None,
) -> None:
    """Film synthetic actors performing the ten actions; `build` reads what it writes."""
    from dfmnist.pipeline.config import FilmConfig
    from dfmnist.pipeline.film import film_people

    performed = tuple(map(parse_action, actions)) if actions else TEN
    config = FilmConfig(people, clips, drivers, takes, frames, performed, seed=seed)
    use_engine(ctx, workers)
    tables = film_people(config, out)
    typer.echo(f"dfmnist build --sources {tables[0]} --drivers {tables[1]} ...")


def build(
    ctx: typer.Context,
    sources: Annotated[Path, typer.Option(help="Folder of clips and photos, or a CSV table.")],
    drivers: Annotated[
        Path,
        typer.Option(help="Folder with a subfolder per action, or a CSV: file,action,start,end."),
    ],
    licence: Annotated[str, typer.Option(help="Licence of the footage and so of the dataset.")],
    consent: Annotated[str, typer.Option(help="How the people shown agreed.")],
    out: Annotated[Path, typer.Option(help="New folder for the dataset.")],
    reals: Annotated[
        Path | None, typer.Option(help="Real clips; default: the videos among the sources.")
    ] = None,
    person: Annotated[
        str, typer.Option(help="Who is who in a folder: one person per file, or per folder.")
    ] = "file",
    per_action: Annotated[int, typer.Option(help="Accepted fakes of each action.")] = 10,
    attempts: Annotated[int, typer.Option(help="Attempts at most, for each clip wanted.")] = 4,
    frames: Annotated[int, typer.Option(help="Frames of every clip.")] = 50,
    fps: Annotated[str, typer.Option(help="Frames a second of every clip.")] = "25",
    noise: Annotated[float, typer.Option(help="Camera noise of both classes, in levels.")] = 2.0,
    motion: Annotated[
        str, typer.Option(help="relative, absolute or relative_scaled.")
    ] = "relative",
    weights: Annotated[
        Path | None,
        typer.Option(help="Motion model: .pth.tar, .safetensors, or a name of `dfmnist fetch`."),
    ] = None,
    driver_protocol: Annotated[
        str, typer.Option(help="disjoint: each split has its own drivers; shared: as the paper.")
    ] = "disjoint",
    synthetic: Annotated[bool, typer.Option(help="The people are synthetic actors.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of pairing, splits and noise.")] = 0,
    workers: Workers = None,
) -> None:
    """Animate sources as the drivers move, screen, compress, and write a dataset."""
    from dfmnist.pipeline.build import build as run_build
    from dfmnist.pipeline.config import BuildConfig
    from dfmnist.pipeline.footage import read_drivers, read_people

    config = BuildConfig(
        per_action=per_action,
        attempts_per_clip=attempts,
        num_frames=frames,
        fps=_rate(fps),
        noise_sigma=noise,
        motion=_motion(motion),
        weights=weights,
        driver_protocol=driver_protocol,  # type: ignore[arg-type]  # checked there
        seed=seed,
        licence=licence,
        consent=consent,
        synthetic=synthetic,
    )
    clip_s = config.num_frames / config.fps
    people = read_people(sources, clip_s, person)
    real = read_people(reals, clip_s, person) if reals else [f for f in people if not f.is_photo]
    use_engine(ctx, workers)
    root = run_build(people, read_drivers(drivers), real, config, out)
    typer.echo(f"dataset: {root / 'metadata.jsonl'}")


def _rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise InputError(
            f"--fps {text}; expected a number or a fraction such as 30000/1001"
        ) from None
    if not 0 < rate <= 240:
        raise InputError(f"--fps {text}; expected more than 0 and at most 240")
    return rate


def _motion(text: str) -> Any:
    if text not in ("relative", "absolute", "relative_scaled"):
        raise InputError(f"--motion {text}; expected relative, absolute or relative_scaled")
    return text
