"""`dfmnist train` and `compare`: a detector from a dataset, and how it compares."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from dfmnist.cli.options import (
    Dataset,
    Json,
    field,
    print_json,
    set_option,
)
from dfmnist.core.choices import QUALITIES, DeviceName, Precision
from dfmnist.core.console import show
from dfmnist.core.devices import Devices
from dfmnist.core.errors import InputError
from dfmnist.core.settings import with_settings
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.networks.names import NETWORKS

NETWORKS_HELP = f"One of {', '.join(NETWORKS)}, timm:NAME."


def _qualities(incomplete: str) -> list[str]:
    """Completions of a quality; a dataset may have others."""
    return [q for q in (*QUALITIES, "original", "mixed") if q.startswith(incomplete)]


def _networks(incomplete: str) -> list[str]:
    """Completions of a network."""
    return [name for name in (*NETWORKS, "timm:") if name.startswith(incomplete)]


def train(
    dataset: Dataset,
    network: Annotated[
        str,
        field(TrainConfig, "network", metavar="NAME", more=NETWORKS_HELP, autocompletion=_networks),
    ] = TrainConfig.network,
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
