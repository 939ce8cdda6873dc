"""What `import dfmnist` offers of this room: `train`, `score`, `evaluate` and `detect`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import polars as pl

from dfmnist.core.choices import BackendName, DeviceName, Precision, Split
from dfmnist.core.devices import Devices
from dfmnist.core.errors import InputError
from dfmnist.core.settings import with_values
from dfmnist.core.text import slug
from dfmnist.dataset.manifest import dataset_folder
from dfmnist.detectors import metrics
from dfmnist.detectors import score as scoring
from dfmnist.detectors import train as training
from dfmnist.detectors.chosen import choose_detector
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.external import ExternalDetector
from dfmnist.detectors.metrics import Evaluation
from dfmnist.detectors.predict import Looking, detect_files
from dfmnist.detectors.score_external import score_external
from dfmnist.detectors.scores import read_scores
from dfmnist.detectors.verdict import FileVerdict


def train(
    dataset: str | Path,
    out: str | Path,
    *,
    device: DeviceName = Devices.device,
    devices: int = Devices.devices,
    nodes: int = Devices.nodes,
    **settings: Any,
) -> Path:
    """Train a detector on a dataset's train split and return its run folder, below `out`.

    `dataset` is a dataset folder or its metadata.jsonl. `settings` are fields of
    `detectors.config.TrainConfig`, such as `network`, `quality`, `weights` and `epochs`. The test
    split is not read. A finished run with the same settings is reused; one that was stopped
    continues. Raises `InputError`.

    Examples:
        >>> import dfmnist
        >>> run = dfmnist.train(
        ...     "mydata", "runs", network="meso4", epochs=1, size_px=64, frames_per_clip=2
        ... )
        >>> (run / "run.json").exists()
        True
    """
    config = with_values(TrainConfig(), settings)
    if "quality" not in settings:
        config = replace(config, quality=training.default_quality(Path(dataset)))
    places = Devices(device, devices, nodes)
    return training.train(config, dataset_folder(dataset), Path(out), devices=places)


def score(
    run: str | Path | Callable[..., Any],
    dataset: str | Path,
    split: Split = "test",
    qualities: Sequence[str] | None = None,
    out: str | Path | None = None,
    *,
    backend: BackendName = "auto",
    precision: Precision = "auto",
) -> pl.DataFrame:
    """Score each frame of a dataset's split with a finished run; a score is P(fake).

    `run` may be a function of yours in place of a run's folder: it is given frames (n, h, w, 3),
    uint8 RGB, and returns P(fake) of each frame or of the clip, or None.

    The table has one row a frame and the columns of `detectors.scores.SCHEMA`; it is also written
    to the Parquet file `out`, if that is given. `qualities` None scores the quality that the run
    was trained on, or all of them for a function. Raises `InputError`.

    Examples:
        >>> import dfmnist
        >>> run = dfmnist.train(
        ...     "mydata", "runs", network="meso4", epochs=1, size_px=64, frames_per_clip=2
        ... )
        >>> scores = dfmnist.score(run, "mydata")
        >>> scores["p_fake"].is_between(0, 1).all()
        True
    """
    path = None if out is None else Path(out)
    if callable(run):
        name = getattr(run, "__name__", type(run).__name__)
        own = ExternalDetector(f"{getattr(run, '__module__', '')}:{name}", "function", slug(name))
        return score_external(own, dataset_folder(dataset), split, qualities, path, function=run)
    return scoring.score(
        Path(run),
        dataset_folder(dataset),
        split,
        qualities,
        path,
        backend=backend,
        precision=precision,
    )


def evaluate(scores: pl.DataFrame | str | Path, *, draws: int = 1000, seed: int = 0) -> Evaluation:
    """Metrics of a table of scores, per frame and per clip, with 95% intervals over people.

    `scores` is what `score` returns, or a Parquet file that it wrote. The intervals come from
    `draws` bootstrap draws of people. Raises `InputError`.

    Examples:
        >>> import dfmnist
        >>> run = dfmnist.train(
        ...     "mydata", "runs", network="meso4", epochs=1, size_px=64, frames_per_clip=2
        ... )
        >>> auc = dfmnist.evaluate(dfmnist.score(run, "mydata")).clip["auc"]
        >>> 0 <= auc.low <= auc.value <= auc.high <= 1
        True
    """
    table = scores if isinstance(scores, pl.DataFrame) else read_scores(Path(scores))
    return metrics.evaluate(table, draws=draws, seed=seed)


@overload
def detect(  # type: ignore[overload-overlap]  # text is iterable too; the first one is meant
    path: str | Path,
    run: str | Path | None = None,
    *,
    cropped: bool = False,
    face: int | None = None,
    frames: int | None = None,
    cam: str | Path | None = None,
    backend: BackendName = "auto",
    precision: Precision = "auto",
) -> FileVerdict: ...


@overload
def detect(
    path: Iterable[str | Path],
    run: str | Path | None = None,
    *,
    cropped: bool = False,
    face: int | None = None,
    frames: int | None = None,
    cam: str | Path | None = None,
    backend: BackendName = "auto",
    precision: Precision = "auto",
) -> list[FileVerdict]: ...


def detect(
    path: str | Path | Iterable[str | Path],
    run: str | Path | None = None,
    *,
    cropped: bool = False,
    face: int | None = None,
    frames: int | None = None,
    cam: str | Path | None = None,
    backend: BackendName = "auto",
    precision: Precision = "auto",
) -> FileVerdict | list[FileVerdict]:
    """Say whether a photo or video is fake: a verdict and P(fake) for every face in it.

    `run` is the folder of a finished run, a file of weights or a published name that was fetched;
    None is the detector that ships, which was trained on synthetic actors. The verdict is `fake`,
    `real`, `outside` (the face is unlike all that the detector was validated on) or `none` (the
    detector guessed on its own validation). `cropped` says that the file is a crop of a face
    already. `face` judges one face alone, counted from 1. `frames` is the number of frames of a
    video to look at, and `cam` a folder for class activation maps.

    Several paths give a list; one that cannot be judged stands in it with its `error`. Raises
    `InputError` for a single file that is no photo or video or shows no face.

    Examples:
        >>> import dfmnist
        >>> run = dfmnist.train(
        ...     "mydata", "runs", network="meso4", epochs=1, size_px=64, frames_per_clip=2
        ... )
        >>> found = dfmnist.detect("video.mp4", run)
        >>> 0 <= found.p_fake <= 1
        True
        >>> found.verdict in ("fake", "real", "outside", "none")
        True
    """
    one = isinstance(path, str | Path)
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(each) for each in path]
    looking = Looking(cropped, face, frames, None if cam is None else Path(cam))
    found = list(
        detect_files(paths, choose_detector(run), looking, backend=backend, precision=precision)
    )
    if not one:
        return found
    if (error := found[0].error) is not None:
        raise InputError(error)
    return found[0]
