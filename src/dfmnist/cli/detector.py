"""`dfmnist detector film`, `pack`: the footage and the folder of the detector that ships."""

from pathlib import Path
from typing import Annotated

import typer

from dfmnist.cli.options import DATASET_HELP, Run, Workers, set_option, use_engine
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
    typer.echo(film_detector_corpus(with_settings(CorpusConfig(), settings), out))


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

    typer.echo(pack_detector(run, dataset_folder(corpus), out))
