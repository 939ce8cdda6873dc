"""`dfmnist detector film`, `average`, `know`, `pack`: the making of the detector that ships."""

from pathlib import Path
from typing import Annotated

import typer

from dfmnist.cli.options import DATASET_HELP, Run, Workers, set_option, use_engine
from dfmnist.core.console import show
from dfmnist.pipeline.config import CorpusConfig

Out = Annotated[Path, typer.Option(help="Folder to write.")]


def film(
    ctx: typer.Context,
    out: Out,
    settings: Annotated[list[str], set_option(CorpusConfig, "people=32,4,8")] = [],  # noqa: B006  # only read
    workers: Workers = None,
) -> None:
    """Film synthetic actors and make fakes of them, as a dataset to train a detector on.

    The same command continues after a stop.
    """
    from dfmnist.core.settings import with_settings
    from dfmnist.pipeline.detector_corpus import film_detector_corpus

    use_engine(ctx, workers)
    show(film_detector_corpus(with_settings(CorpusConfig(), settings), out))


def average(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help=DATASET_HELP)],
    runs: Annotated[list[Path], typer.Argument(help="Folders of two or more finished runs.")],
    out: Out,
    share: Annotated[
        list[float] | None,
        typer.Option(help="Part of each run in the average, in their order. Default: equal."),
    ] = None,
) -> None:
    """Average the weights of runs of one network on one dataset; the result is a finished run.

    Batch norm's statistics and the calibration are made anew. Average runs that started from one
    another: weights of runs that began apart do not go together.
    """
    from dfmnist.core.files import read_json
    from dfmnist.dataset.manifest import dataset_folder
    from dfmnist.detectors.average import average_runs
    from dfmnist.detectors.run import RUN

    folder = average_runs(runs, dataset_folder(dataset), out, share)
    found = read_json(folder / RUN)["best_validation"]
    show(f"{folder}: validation accuracy {found['val_accuracy']:.3f}, AUC {found['val_auc']:.3f}")


def know(
    run: Run,
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help=DATASET_HELP)],
) -> None:
    """Measure what a finished run knows, on the validation clips of the dataset it was trained on.

    `detect` then says where a face is outside what the detector knows. `train` does this by itself;
    the command is for runs of earlier versions.
    """
    from dfmnist.core.errors import InputError
    from dfmnist.dataset.manifest import dataset_folder
    from dfmnist.detectors.familiar import FILE, LEAST_PEOPLE
    from dfmnist.detectors.heldout import measure_familiar

    if not measure_familiar(run, dataset_folder(dataset)):
        few = f"its validation clips show fewer than {LEAST_PEOPLE} people"
        raise InputError.of(dataset, few, "more people: what is known is measured across them")
    show(run / FILE)


def pack(
    run: Run,
    corpus: Annotated[Path, typer.Argument(metavar="DATASET", help=DATASET_HELP)],
    out: Out,
) -> None:
    """Write a run, trained on a corpus of `detector film`, as the folder of a shipped detector.

    Weights become float16; the record says what the detector was and was not shown.
    """
    from dfmnist.dataset.manifest import dataset_folder
    from dfmnist.pipeline.shipped_detector import pack_detector

    show(pack_detector(run, dataset_folder(corpus), out))
