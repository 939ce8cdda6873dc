"""`dfmnist animate`: a photo, a video or a folder of them, moved as one driving clip."""

from pathlib import Path
from typing import Annotated

import typer

from dfmnist.cli.build import _motion
from dfmnist.core.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(animate)


def animate(
    source: Annotated[Path, typer.Argument(help="Photo, video, or a folder of photos and videos.")],
    driving: Annotated[Path, typer.Argument(help="Video whose motion the source gets.")],
    out: Annotated[
        Path, typer.Argument(help="MP4 to write; for a folder of sources, a folder of MP4s.")
    ],
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Motion model: .pth.tar, .safetensors, or a name of `dfmnist fetch`; "
            "default: the shipped one."
        ),
    ] = None,
    motion: Annotated[
        str, typer.Option(help="relative, absolute or relative_scaled.")
    ] = "relative",
    best_frame: Annotated[
        bool,
        typer.Option(
            "--best-frame",
            help="Measure motion from the driving frame whose face is most like the source's; "
            "default: from the first.",
        ),
    ] = False,
    source_frame: Annotated[
        int | None, typer.Option(help="Frame of a source video, from 0; default: the first.")
    ] = None,
    source_time: Annotated[
        float | None, typer.Option(help="The same, in seconds after the first frame.")
    ] = None,
    crop: Annotated[bool, typer.Option(help="Find the face first and crop to it.")] = True,
    cache: Annotated[
        bool, typer.Option(help="Keep the driver's keypoints for the next time.")
    ] = True,
    backend: Annotated[
        str,
        typer.Option(help="openvino, torch, or auto: torch on a GPU, openvino on a CPU."),
    ] = "auto",
    precision: Annotated[
        str, typer.Option(help="f32, bf16, or auto: bf16 on a GPU and on a CPU with AMX.")
    ] = "auto",
) -> None:
    """Animate a face as the driving clip moves; the result is labelled as AI-generated.

    Frame rate and number of frames are the driver's. A folder's finished outputs are kept, so the
    same command goes on after a stop.
    """
    from dfmnist.pipeline.config import AnimateConfig
    from dfmnist.pipeline.files import animate_file, animate_folder

    config = AnimateConfig(
        weights=weights,
        motion=_motion(motion),
        best_frame=best_frame,
        crop=crop,
        source_frame=source_frame,
        source_time_s=source_time,
        cache=cache,
        backend=backend,  # type: ignore[arg-type]  # checked where it is used
        precision=precision,  # type: ignore[arg-type]
    )
    failed: list[str] = []
    if source.is_dir():
        done, failed = animate_folder(source, driving, out, config)
    else:
        done = [animate_file(source, driving, out, config)]
    for one in done:
        best = f", from driving frame {one.reference}" if best_frame else ""
        typer.echo(f"{one.path}: {one.num_frames} frames at {one.fps} a second{best}")
    if failed:
        raise InputError(f"{source}: {len(failed)} sources not animated, the first: {failed[0]}")
