"""`dfmnist animate`: one source, one driving clip, one animated clip."""

from pathlib import Path
from typing import Annotated

import typer

from dfmnist.cli.build import _motion


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(animate)


def animate(
    source: Annotated[Path, typer.Argument(help="Photo, or video whose first frame is taken.")],
    driving: Annotated[Path, typer.Argument(help="Video whose motion the source gets.")],
    out: Annotated[Path, typer.Argument(help="MP4 to write.")],
    weights: Annotated[
        Path | None,
        typer.Option(help="Motion model (.pth.tar or .safetensors); default: the shipped one."),
    ] = None,
    motion: Annotated[
        str, typer.Option(help="relative, absolute or relative_scaled.")
    ] = "relative",
    crop: Annotated[bool, typer.Option(help="Find the face first and crop to it.")] = True,
) -> None:
    """Animate a face as the driving clip moves; the result is labelled as AI-generated."""
    from dfmnist.build.single import animate_files

    count = animate_files(source, driving, out, weights=weights, motion=_motion(motion), crop=crop)
    typer.echo(f"{out}: {count} frames")
