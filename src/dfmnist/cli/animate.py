"""`dfmnist animate`: a photo, a video or a folder of them, moved as one driving clip."""

from pathlib import Path
from typing import Annotated

import typer

from dfmnist.cli.options import field
from dfmnist.core.choices import BackendName, Motion, Precision
from dfmnist.core.console import show
from dfmnist.core.errors import InputError
from dfmnist.pipeline.config import AnimateConfig


def animate(
    source: Annotated[Path, typer.Argument(help="Photo, video, or a folder of photos and videos.")],
    driving: Annotated[Path, typer.Argument(help="Video whose motion the source gets.")],
    out: Annotated[
        Path, typer.Argument(help="MP4 to write; for a folder of sources, a folder of MP4s.")
    ],
    weights: Annotated[Path | None, field(AnimateConfig, "weights")] = AnimateConfig.weights,
    motion: Annotated[Motion, field(AnimateConfig, "motion")] = AnimateConfig.motion,
    best_frame: Annotated[
        bool, field(AnimateConfig, "best_frame", "--best-frame")
    ] = AnimateConfig.best_frame,
    source_frame: Annotated[
        int | None, field(AnimateConfig, "source_frame")
    ] = AnimateConfig.source_frame,
    source_time: Annotated[
        float | None, field(AnimateConfig, "source_time_s", "--source-time")
    ] = AnimateConfig.source_time_s,
    source_face: Annotated[
        int | None, field(AnimateConfig, "source_face")
    ] = AnimateConfig.source_face,
    frame_by_frame: Annotated[
        bool, field(AnimateConfig, "frame_by_frame", "--frame-by-frame")
    ] = AnimateConfig.frame_by_frame,
    start: Annotated[float, field(AnimateConfig, "start_s", "--start")] = AnimateConfig.start_s,
    end: Annotated[float | None, field(AnimateConfig, "end_s", "--end")] = AnimateConfig.end_s,
    sound: Annotated[bool, field(AnimateConfig, "sound", "--sound")] = AnimateConfig.sound,
    paste_back: Annotated[
        bool, field(AnimateConfig, "paste_back", "--paste-back")
    ] = AnimateConfig.paste_back,
    frames: Annotated[Path | None, field(AnimateConfig, "frames")] = AnimateConfig.frames,
    crop: Annotated[bool, field(AnimateConfig, "crop")] = AnimateConfig.crop,
    face: Annotated[int | None, field(AnimateConfig, "face")] = AnimateConfig.face,
    cache: Annotated[bool, field(AnimateConfig, "cache")] = AnimateConfig.cache,
    backend: Annotated[BackendName, field(AnimateConfig, "backend")] = AnimateConfig.backend,
    precision: Annotated[Precision, field(AnimateConfig, "precision")] = AnimateConfig.precision,
) -> None:
    """Animate a face as the driving clip moves; the result is labelled as AI-generated.

    Frame rate and number of frames are the driver's. Finished outputs of a folder are kept, so the
    same command continues after a stop.
    """
    from dfmnist.pipeline.files import animate_file, animate_folder

    config = AnimateConfig(
        weights=weights,
        motion=motion,
        best_frame=best_frame,
        crop=crop,
        face=face,
        source_frame=source_frame,
        source_time_s=source_time,
        source_face=source_face,
        frame_by_frame=frame_by_frame,
        start_s=start,
        end_s=end,
        sound=sound,
        paste_back=paste_back,
        frames=frames,
        cache=cache,
        backend=backend,
        precision=precision,
    )
    failed: list[str] = []
    if source.is_dir():
        done, failed = animate_folder(source, driving, out, config)
    else:
        done = [animate_file(source, driving, out, config)]
    for one in done:
        best = f", from driving frame {one.reference}" if best_frame else ""
        kept = f", as PNG in {one.frames}" if one.frames else ""
        show(f"{one.path}: {one.num_frames} frames at {one.fps} a second{best}{kept}")
    if failed:
        raise InputError(f"{source}: {len(failed)} sources not animated, the first: {failed[0]}")
