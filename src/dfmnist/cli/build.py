"""`dfmnist actors` and `dfmnist build`: footage, and a dataset from footage."""

from pathlib import Path
from typing import Annotated

import typer

from dfmnist.cli.options import Address, EngineOption, Workers, field, set_option, use_engine
from dfmnist.core.actions import Action, parse_action
from dfmnist.core.choices import DriverProtocol, Motion, PersonRule, ScreenRule
from dfmnist.core.console import show
from dfmnist.core.settings import setting, with_settings
from dfmnist.pipeline.config import BuildConfig, FilmConfig


def actors(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="New folder for the footage.")],
    people: Annotated[tuple[int, int, int], field(FilmConfig, "people")] = FilmConfig.people,
    clips: Annotated[
        tuple[int, int, int], field(FilmConfig, "clips_per_action", "--clips")
    ] = FilmConfig.clips_per_action,
    drivers: Annotated[tuple[int, int, int], field(FilmConfig, "drivers")] = FilmConfig.drivers,
    takes: Annotated[int, field(FilmConfig, "takes")] = FilmConfig.takes,
    frames: Annotated[int, field(FilmConfig, "num_frames", "--frames")] = FilmConfig.num_frames,
    actions: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ACTION",
            autocompletion=lambda: list(Action),
            help="Action to film, of the ten or talk; repeatable. Default: all ten.",
        ),
    ] = None,
    seed: Annotated[int, field(FilmConfig, "seed")] = FilmConfig.seed,
    workers: Workers = None,
) -> None:
    """Film synthetic actors who perform the ten actions; `dfmnist build` reads the result."""
    from dfmnist.pipeline.film import film_people

    performed = tuple(map(parse_action, actions)) if actions else FilmConfig.actions
    config = FilmConfig(people, clips, drivers, takes, frames, performed, seed=seed)
    use_engine(ctx, workers)
    tables = film_people(config, out)
    show(f"dfmnist build --sources {tables[0]} --drivers {tables[1]} ...")


def build(
    ctx: typer.Context,
    sources: Annotated[
        Path, typer.Option(help="Faces to animate: a folder of clips and photos, or a CSV table.")
    ],
    drivers: Annotated[
        Path,
        typer.Option(
            help="Clips of the ten actions: a folder with a subfolder for each action, or a CSV "
            "table with file, action, start, end."
        ),
    ],
    out: Annotated[Path, typer.Option(help="New folder for the dataset.")],
    licence: Annotated[str | None, field(BuildConfig, "licence")] = BuildConfig.licence,
    consent: Annotated[str | None, field(BuildConfig, "consent")] = BuildConfig.consent,
    reals: Annotated[
        Path | None,
        typer.Option(help="Real clips, given like sources. Default: the videos of the sources."),
    ] = None,
    person: Annotated[
        PersonRule,
        typer.Option(help="Who is who in a folder: one person in each file, or in each subfolder."),
    ] = "file",
    per_action: Annotated[int, field(BuildConfig, "per_action")] = BuildConfig.per_action,
    attempts: Annotated[
        int, field(BuildConfig, "attempts_per_clip", "--attempts")
    ] = BuildConfig.attempts_per_clip,
    frames: Annotated[int, field(BuildConfig, "num_frames", "--frames")] = BuildConfig.num_frames,
    fps: Annotated[str, field(BuildConfig, "fps")] = str(BuildConfig.fps),
    noise: Annotated[float, field(BuildConfig, "noise_sigma", "--noise")] = BuildConfig.noise_sigma,
    motion: Annotated[Motion, field(BuildConfig, "motion")] = BuildConfig.motion,
    weights: Annotated[Path | None, field(BuildConfig, "weights")] = BuildConfig.weights,
    animator: Annotated[str | None, field(BuildConfig, "animator")] = BuildConfig.animator,
    animator_name: Annotated[
        str | None, field(BuildConfig, "animator_name")
    ] = BuildConfig.animator_name,
    animator_version: Annotated[
        str | None, field(BuildConfig, "animator_version")
    ] = BuildConfig.animator_version,
    driver_protocol: Annotated[
        DriverProtocol, field(BuildConfig, "driver_protocol")
    ] = BuildConfig.driver_protocol,
    cropped: Annotated[bool, field(BuildConfig, "cropped", "--cropped")] = BuildConfig.cropped,
    synthetic: Annotated[
        bool, field(BuildConfig, "synthetic", "--synthetic")
    ] = BuildConfig.synthetic,
    screen: Annotated[ScreenRule, field(BuildConfig, "screen")] = BuildConfig.screen,
    thresholds: Annotated[Path | None, field(BuildConfig, "thresholds")] = BuildConfig.thresholds,
    seed: Annotated[int, field(BuildConfig, "seed")] = BuildConfig.seed,
    settings: Annotated[list[str], set_option(BuildConfig, "qualities=raw,c23")] = [],  # noqa: B006  # only read
    engine: EngineOption = "local",
    address: Address = None,
    workers: Workers = None,
) -> None:
    """Build a dataset: animate sources as the drivers move, screen the clips, compress them.

    The same command continues a build that was stopped.
    """
    from dfmnist.pipeline.build import build_files

    config = BuildConfig(
        per_action=per_action,
        attempts_per_clip=attempts,
        num_frames=frames,
        fps=setting(BuildConfig, "fps").read(fps, f"--fps {fps}"),
        noise_sigma=noise,
        motion=motion,
        weights=weights,
        animator=animator,
        animator_name=animator_name,
        animator_version=animator_version,
        driver_protocol=driver_protocol,
        screen=screen,
        thresholds=thresholds,
        seed=seed,
        licence=licence,
        consent=consent,
        cropped=cropped,
        synthetic=synthetic,
    )
    use_engine(ctx, workers, engine, address)
    config = with_settings(config, settings)
    root = build_files(sources, drivers, config, out, reals=reals, person=person)
    show(f"dataset: {root / 'metadata.jsonl'}")
