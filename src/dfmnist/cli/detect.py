"""`dfmnist train`, `score`, `compare`, `detect`: a detector from a dataset, and what it says."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from dfmnist.cli.options import (
    Backend,
    Dataset,
    Json,
    PrecisionOption,
    Run,
    field,
    print_json,
    set_option,
)
from dfmnist.core.choices import QUALITIES, DeviceName, Precision, Split
from dfmnist.core.console import say, show
from dfmnist.core.devices import Devices
from dfmnist.core.errors import InputError
from dfmnist.core.settings import with_settings
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.networks.names import NetworkName


def _qualities(incomplete: str) -> list[str]:
    """Completions of a quality; a dataset may have others."""
    return [q for q in (*QUALITIES, "original", "mixed") if q.startswith(incomplete)]


def train(
    dataset: Dataset,
    network: Annotated[NetworkName, field(TrainConfig, "network")] = TrainConfig.network,
    quality: Annotated[
        str | None,
        field(
            TrainConfig,
            "quality",
            more="Default: raw, or the best that the dataset has.",
            autocompletion=_qualities,
        ),
    ] = None,
    weights: Annotated[
        str, field(TrainConfig, "weights", metavar="NAME|FILE|RUN")
    ] = TrainConfig.weights,
    epochs: Annotated[int, field(TrainConfig, "epochs")] = TrainConfig.epochs,
    batch_size: Annotated[int, field(TrainConfig, "batch_size")] = TrainConfig.batch_size,
    precision: Annotated[Precision, field(TrainConfig, "precision")] = TrainConfig.precision,
    seed: Annotated[int, field(TrainConfig, "seed")] = TrainConfig.seed,
    settings: Annotated[list[str], set_option(TrainConfig, "learning_rate=0.001")] = [],  # noqa: B006  # only read
    out: Annotated[Path, typer.Option(help="Folder for run folders.")] = Path("runs/train"),
    device: Annotated[DeviceName, field(Devices, "device")] = Devices.device,
    devices: Annotated[int, field(Devices, "devices")] = Devices.devices,
    nodes: Annotated[int, field(Devices, "nodes")] = Devices.nodes,
) -> None:
    """Train a detector on a dataset's train split and print its run folder.

    The test split is not read. A finished run with the same settings is reused; one that was
    stopped continues from its last whole epoch.
    """
    from dfmnist.core.files import read_json
    from dfmnist.core.lightning import is_main
    from dfmnist.dataset.manifest import dataset_folder
    from dfmnist.detectors.run import RUN
    from dfmnist.detectors.train import default_quality, train

    config = TrainConfig(
        network=network,
        quality=quality or TrainConfig.quality,
        weights=weights,
        epochs=epochs,
        batch_size=batch_size,
        precision=precision,
        seed=seed,
    )
    places = Devices(device, devices, nodes)
    config = with_settings(config, settings)
    if quality is None and not any(s.partition("=")[0].strip() == "quality" for s in settings):
        config = replace(config, quality=default_quality(dataset))
    folder = train(config, dataset_folder(dataset), out, devices=places)
    if is_main():
        show(f"{folder}: {_in_words(read_json(folder / RUN))}")


def _in_words(record: dict[str, Any]) -> str:
    best, fitted = record["best_validation"], record["calibration"]
    return (
        f"epoch {best['epoch']} of {record['epochs']}, validation accuracy "
        f"{best['val_accuracy']:.3f}, AUC {best['val_auc']:.3f}, temperature "
        f"{fitted['temperature']:.2f}, fake from P(fake) {fitted['threshold']:.3f} on"
    )


def score(
    run: Run,
    dataset: Dataset,
    split: Annotated[Split, typer.Option(help="Part of the dataset to score.")] = "test",
    quality: Annotated[
        list[str] | None,
        typer.Option(help="Quality to score, such as c23; repeatable. Default: the run's own."),
    ] = None,
    backend: Backend = "auto",
    precision: PrecisionOption = "auto",
    out: Annotated[
        Path | None, typer.Option(help="Parquet to write; default: scores-SPLIT.parquet in RUN.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score each frame of a split with a finished run; write Parquet and print the metrics.

    A score is P(fake). Any run scores any dataset. Intervals are 95%, over people.
    """
    from dfmnist.detectors.metrics import counts_by_action, evaluate
    from dfmnist.detectors.score import score
    from dfmnist.detectors.summary import by_action, counts, metric_lines

    path = out or run / f"scores-{split}.parquet"
    table = score(run, dataset, split, quality, path, backend=backend, precision=precision)
    result = evaluate(table)
    threshold = table[0, "threshold"]
    if as_json:
        actions = counts_by_action(table)
        print_json({"scores": path, "threshold": threshold, **vars(result), "by_action": actions})
        return
    show(path)
    called = [f"called fake from P(fake) {threshold:.3f} on; a clip by its mean logit"]
    blocks = (counts(table, result) + called, metric_lines(result), by_action(table))
    for number, lines in enumerate(blocks):
        show(*[""] * (number > 0), *lines)


def compare(
    scores_a: Annotated[
        Path, typer.Argument(metavar="SCORES_A", help="Parquet that `dfmnist score` wrote.")
    ],
    scores_b: Annotated[
        Path, typer.Argument(metavar="SCORES_B", help="Scores of another run on the same clips.")
    ],
    as_json: Json = False,
) -> None:
    """Compare two detectors on the same clips: DeLong's test, and differences with intervals."""
    from dfmnist.detectors.compare import compare
    from dfmnist.detectors.scores import read_scores
    from dfmnist.detectors.summary import comparison

    tables = []
    for path in (scores_a, scores_b):
        tables.append(read_scores(path))
        if tables[-1]["logit"].drop_nulls().is_empty():
            raise InputError.of(path, "holds no score of a clip", "at least one")
    found = compare(*tables)
    if as_json:
        print_json(found)
    else:
        show(*comparison(found))


def detect(
    videos: Annotated[
        list[Path],
        typer.Argument(metavar="VIDEO...", help="Videos, each of one person, or folders."),
    ],
    run: Annotated[
        Path | None,
        typer.Option(
            help="Run folder that `dfmnist train` printed. Default: the detector that ships, which "
            "was trained on synthetic actors."
        ),
    ] = None,
    cropped: Annotated[
        bool, typer.Option("--cropped", help="Take the videos as face crops; find no face.")
    ] = False,
    face: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Face to follow, counted from 1 from left to right in the first frame that shows "
            "one; none is the largest.",
        ),
    ] = None,
    backend: Backend = "auto",
    precision: PrecisionOption = "auto",
    as_json: Json = False,
) -> None:
    """Say whether videos are fake: P(fake) of each (0 is real), and the detector's verdict.

    The detector that ships knows animations of synthetic actors; `docs/DETECTORS.md` says how
    often it is wrong on real people. A video that cannot be scored is named; the others are
    scored, and the exit code is 2.
    """
    from dfmnist.detectors import shipped
    from dfmnist.detectors.predict import Unscored, VideoScore, detect_videos, find_videos
    from dfmnist.detectors.run import load_run

    if cropped and face is not None:
        raise InputError(f"--face {face} with --cropped; expected one of them")
    loaded = load_run(run or shipped.FOLDER)
    paths = find_videos(videos)
    found: list[VideoScore | Unscored] = []
    scored = detect_videos(
        paths, loaded, cropped=cropped, face=face, backend=backend, precision=precision
    )
    for one in scored:
        found.append(one)
        if as_json:
            continue
        if isinstance(one, Unscored):
            say(one.error)
            continue
        show(
            f"{one.path}: P(fake) {one.p_fake:.3f}, {'fake' if one.fake else 'real'} "
            f"(fake from {loaded.calibration.threshold:.3f}), {len(one.frames)} frames"
        )
    if as_json:
        print_json(found)
    elif run is None and any(isinstance(one, VideoScore) for one in found):
        say(f"judged by {shipped.WORDS}; docs/DETECTORS.md says how well it knows real people")
    if failed := [one.error for one in found if isinstance(one, Unscored)]:
        if len(found) == 1:
            raise InputError(failed[0])
        raise InputError(f"{len(failed)} of {len(found)} videos not scored, the first: {failed[0]}")
