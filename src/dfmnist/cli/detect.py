"""`dfmnist train`, `score`, `compare`, `detect`: a detector from a dataset, and what it says."""

from pathlib import Path
from typing import Annotated, Any

import typer

Backend = Annotated[
    str, typer.Option(help="torch, openvino or auto: torch on a GPU, OpenVINO on a CPU.")
]
Precision = Annotated[
    str, typer.Option(help="f32, bf16 or auto: bf16 on a GPU and on processors with AMX.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train)
    app.command()(score)
    app.command()(compare)
    app.command()(detect)


def train(
    dataset: Annotated[Path, typer.Argument(help="Dataset folder with a metadata.jsonl.")],
    out: Annotated[Path, typer.Option(help="Folder for run folders.")] = Path("runs/train"),
    network: Annotated[
        str, typer.Option(help="resnet50, resnet101, resnet152, xception, mesoinception4, meso4.")
    ] = "resnet50",
    quality: Annotated[str, typer.Option(help="raw, c23, c40 or mixed.")] = "raw",
    weights: Annotated[
        str,
        typer.Option(
            help="none; imagenet; a name of `dfmnist fetch`; a file (.pth, .safetensors, .h5); "
            "or the folder of a finished run to go on from."
        ),
    ] = "none",
    freeze: Annotated[bool, typer.Option(help="Train the last layer only.")] = False,
    actions: Annotated[
        list[str] | None,
        typer.Option(help="Fakes of this action only, and as many real clips; repeatable."),
    ] = None,
    corpus: Annotated[float, typer.Option(help="Share of the training clips to use.")] = 1.0,
    fakes: Annotated[float, typer.Option(help="Share of the fake training clips.")] = 1.0,
    reals: Annotated[float, typer.Option(help="Share of the real training clips.")] = 1.0,
    balance: Annotated[
        str, typer.Option(help="none, or loss: both classes weigh the same.")
    ] = "none",
    frames_per_clip: Annotated[int, typer.Option(help="Evenly spaced over each clip.")] = 32,
    size_px: Annotated[
        int | None, typer.Option(help="Side of the frames; default: the paper's.")
    ] = None,
    epochs: Annotated[int, typer.Option(help="Each ends with a validation.")] = 50,
    passes: Annotated[
        int, typer.Option(help="Over the training frames in an epoch: more for few frames.")
    ] = 1,
    early_stop: Annotated[
        int, typer.Option(help="Stop after so many epochs without a better one; 0: never.")
    ] = 0,
    batch_size: Annotated[int, typer.Option(help="Frames, over all devices together.")] = 64,
    accumulate: Annotated[int, typer.Option(help="Batches to one step of the optimiser.")] = 1,
    learning_rate: Annotated[float, typer.Option(help="At the start; decays to 0.")] = 2e-4,
    betas: Annotated[
        tuple[float, float], typer.Option(help="Adam's; the paper prints 0.999 0.9.")
    ] = (0.9, 0.999),
    poly_power: Annotated[float, typer.Option(help="Of the decay.")] = 0.9,
    loss: Annotated[
        str | None, typer.Option(help="bce or mse; default: the paper's for the network.")
    ] = None,
    augmentation: Annotated[str, typer.Option(help="none, flip or strong.")] = "none",
    zero_init_residual: Annotated[
        bool, typer.Option(help="ResNets: blocks start as the identity.")
    ] = False,
    last_stride: Annotated[int, typer.Option(help="ResNets: 2, or 1 for larger last maps.")] = 2,
    precise_bn_frames: Annotated[
        int, typer.Option(help="Training frames to re-estimate batch norm on; 0: none.")
    ] = 0,
    precision: Annotated[str, typer.Option(help="auto, f32 or bf16.")] = "auto",
    accelerator: Annotated[str, typer.Option(help="auto, cpu or gpu.")] = "auto",
    devices: Annotated[int, typer.Option(help="On each node; more train as one.")] = 1,
    nodes: Annotated[int, typer.Option()] = 1,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Train a detector on the train split; prints its run folder.

    A finished run with the same options is reused, a killed one goes on.
    """
    options = {k: v for k, v in locals().items() if k not in ("dataset", "out")}

    from dfmnist.core.files import read_json
    from dfmnist.core.lightning import Devices, is_main
    from dfmnist.detectors.config import TrainConfig
    from dfmnist.detectors.run import RUN
    from dfmnist.detectors.train import train

    options["actions"] = tuple(options.pop("actions") or ())
    places = Devices(*(options.pop(name) for name in ("accelerator", "devices", "nodes")))
    config = TrainConfig(**options)
    folder = train(config, dataset, out, devices=places)
    if not is_main():
        return
    typer.echo(f"{folder}: {_in_words(read_json(folder / RUN))}")


def _in_words(record: dict[str, Any]) -> str:
    best, fitted = record["best_validation"], record["calibration"]
    return (
        f"epoch {best['epoch']} of {record['epochs']}, validation accuracy "
        f"{best['val_accuracy']:.3f}, AUC {best['val_auc']:.3f}, temperature "
        f"{fitted['temperature']:.2f}, fake from P(fake) {fitted['threshold']:.3f} on"
    )


def score(
    run: Annotated[Path, typer.Argument(help="Run folder, as `dfmnist train` prints it.")],
    dataset: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="Dataset folder, or its metadata.jsonl.")
    ],
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    quality: Annotated[
        list[str] | None, typer.Option(help="raw, c23 or c40; repeatable. Default: the run's own.")
    ] = None,
    backend: Backend = "auto",
    precision: Precision = "auto",
    out: Annotated[
        Path | None, typer.Option(help="Parquet to write; default: scores-SPLIT.parquet in RUN.")
    ] = None,
) -> None:
    """P(fake) for each frame of a split, as Parquet; and figures, per frame and per clip.

    Any run scores any dataset. Intervals are 95%, over people.
    """
    from dfmnist.detectors.metrics import evaluate
    from dfmnist.detectors.score import score
    from dfmnist.detectors.summary import by_action, counts, metric_lines

    path = out or run / f"scores-{split}.parquet"
    table = score(run, dataset, split, quality, path, backend=backend, precision=precision)
    result = evaluate(table)
    typer.echo(path)
    threshold = table[0, "threshold"]
    called = [f"called fake from P(fake) {threshold:.3f} on; a clip by its mean logit"]
    blocks = (counts(table, result) + called, metric_lines(result), by_action(table))
    typer.echo("\n\n".join("\n".join(lines) for lines in blocks))


def compare(
    scores_a: Annotated[Path, typer.Argument(help="Parquet of `dfmnist score`.")],
    scores_b: Annotated[Path, typer.Argument(help="Another run's, on the same clips.")],
) -> None:
    """Two detectors on the same clips: DeLong's test, and differences with intervals."""
    from dfmnist.detectors.compare import compare
    from dfmnist.detectors.scores import read_scores
    from dfmnist.detectors.summary import comparison

    typer.echo("\n".join(comparison(compare(read_scores(scores_a), read_scores(scores_b)))))


def detect(
    videos: Annotated[list[Path], typer.Argument(help="Videos, each of one person.")],
    run: Annotated[Path, typer.Option(help="Run folder, as `dfmnist train` prints it.")],
    cropped: Annotated[
        bool, typer.Option("--cropped", help="The videos are face crops already.")
    ] = False,
    backend: Backend = "auto",
    precision: Precision = "auto",
) -> None:
    """P(fake) of each video (0 is real, 1 is fake), and the verdict by the run's threshold."""
    from dfmnist.detectors.backends import choose_backend
    from dfmnist.detectors.predict import detect_video
    from dfmnist.detectors.run import load_run

    loaded = load_run(run)
    model = choose_backend(loaded.network, backend, precision)
    for video in videos:
        found = detect_video(video, loaded, cropped=cropped, backend=model)
        typer.echo(
            f"{video}: P(fake) {found.p_fake:.3f}, {'fake' if found.fake else 'real'} "
            f"(fake from {loaded.calibration.threshold:.3f}), {len(found.frames)} frames"
        )
