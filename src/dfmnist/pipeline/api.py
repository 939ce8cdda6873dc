"""What `import dfmnist` offers of this room: `build` and `animate`."""

from pathlib import Path
from typing import Any, overload

import numpy as np

from dfmnist.core.arrays import Frames
from dfmnist.core.choices import BackendName, Motion, PersonRule, Precision
from dfmnist.core.errors import InputError
from dfmnist.core.jobs import engine
from dfmnist.core.settings import with_values
from dfmnist.fomm.inference import animate as animation
from dfmnist.pipeline.build import build_files
from dfmnist.pipeline.config import AnimateConfig, BuildConfig
from dfmnist.pipeline.files import Animated, animate_file, animate_folder


def build(
    sources: str | Path,
    drivers: str | Path,
    out: str | Path,
    *,
    licence: str | None = None,
    consent: str | None = None,
    reals: str | Path | None = None,
    person: PersonRule = "file",
    workers: int | None = None,
    **settings: Any,
) -> Path:
    """Build a dataset from footage in the new folder `out`, and return the folder.

    `sources` is a folder of clips and photos or a CSV table, `drivers` a folder with one subfolder
    per action or a CSV table, and `reals` real clips, by default the videos among the sources.
    `licence` and `consent` cover all footage for which a table does not state its own.
    `settings` are fields of `pipeline.config.BuildConfig`. A build that was stopped continues.
    Raises `InputError`.

    Examples:
        >>> import dfmnist
        >>> dataset = dfmnist.build(
        ...     "footage/people.csv", "footage/drivers.csv", "dataset", workers=1,
        ...     licence="CC0-1.0", consent="the people are synthetic", synthetic=True,
        ...     per_action=3, attempts_per_clip=1, num_frames=12,
        ... )
        >>> len(dfmnist.load(dataset).clips)
        18
    """
    config = with_values(BuildConfig(licence=licence, consent=consent), settings)
    real = None if reals is None else Path(reals)
    with engine(workers=workers):
        return build_files(
            Path(sources), Path(drivers), config, Path(out), reals=real, person=person
        )


@overload
def animate(
    source: str | Path, driving: str | Path, out: str | Path, **settings: Any
) -> list[Animated]: ...


@overload
def animate(
    source: Frames,
    driving: Frames,
    out: None = None,
    *,
    weights: str | Path | None = None,
    motion: Motion = "auto",
    backend: BackendName = "auto",
    precision: Precision = "auto",
) -> Frames: ...


def animate(
    source: str | Path | Frames,
    driving: str | Path | Frames,
    out: str | Path | None = None,
    **settings: Any,
) -> list[Animated] | Frames:
    """Animate a face as a driving clip moves: files to files, or arrays to an array.

    Of paths, `source` is a photo, a video or a folder of them; the MP4 `out` (for a folder of
    sources, a folder of MP4s) is labelled as AI-generated, and `settings` are fields of
    `pipeline.config.AnimateConfig`. Of arrays, `source` is a crop of a face (h, w, 3) and
    `driving` frames (n, h, w, 3), both uint8 RGB; the result is (n, 256, 256, 3). Raises
    `InputError`; of a folder of sources, after all others have been animated.

    Examples:
        >>> import dfmnist
        >>> (made,) = dfmnist.animate("photo.jpg", "driving.mp4", "out.mp4")
        >>> made.num_frames
        3
        >>> import numpy as np
        >>> face, clip = np.zeros((256, 256, 3), np.uint8), np.zeros((3, 256, 256, 3), np.uint8)
        >>> dfmnist.animate(face, clip).shape
        (3, 256, 256, 3)
    """
    if isinstance(source, np.ndarray) and isinstance(driving, np.ndarray):
        if out is not None:
            raise InputError("animate: arrays with out; expected paths, or arrays without out")
        return animation.animate(source, driving, **settings)
    if isinstance(source, np.ndarray) or isinstance(driving, np.ndarray) or out is None:
        raise InputError("animate: expected two arrays, or the paths of source, driving and out")
    config = with_values(AnimateConfig(), settings)
    source, driving, out = Path(source), Path(driving), Path(out)
    if not source.is_dir():
        return [animate_file(source, driving, out, config)]
    made, failed = animate_folder(source, driving, out, config)
    if failed:
        raise InputError(f"{source}: {len(failed)} sources not animated, the first: {failed[0]}")
    return made
