"""`dfmnist score`: scores of a run or of your own detector, and scores made elsewhere."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dfmnist.cli.options import DATASET_HELP, Backend, Dataset, Json, PrecisionOption, print_json
from dfmnist.core.choices import Positive, ScoreScale, Split
from dfmnist.core.console import say, show
from dfmnist.core.errors import InputError
from dfmnist.core.text import slug
from dfmnist.detectors.external import FRAMES, parse_external

RUNS = Path("runs/train")
"""Folder of runs, where scores of other detectors lie too, so that `report` finds all of them."""
DETECTOR_HELP = (
    "Your own detector in place of RUN: `module:function` (frames in, P(fake) out), or a program "
    "that is given a clip's file and prints P(fake). NAME= before it names it."
)
SplitOption = Annotated[Split, typer.Option(help="Part of the dataset to score.")]
Threshold = Annotated[
    float,
    typer.Option(help="P(fake) from which on your detector calls a clip fake."),
]


class ScoreGroup(TyperGroup):
    """The commands of `dfmnist score`, of which `run` is taken where none is named."""

    default = "run"
    """The command that is taken."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments, with `run` before them unless they begin with a command."""
        if args and args[0] not in self.commands:
            args = [self.default, *args]
        return super().parse_args(ctx, args)


def run(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="Run folder that `dfmnist train` printed. With --detector it is left out.",
        ),
    ],
    dataset: Annotated[
        Path | None, typer.Argument(metavar="DATASET", help=DATASET_HELP, show_default=False)
    ] = None,
    split: SplitOption = "test",
    quality: Annotated[
        list[str] | None,
        typer.Option(
            help="Quality to score, such as c23; repeatable. Default: the run's own, and all for "
            "your own detector."
        ),
    ] = None,
    detector: Annotated[
        str | None, typer.Option(metavar="[NAME=]MODULE:FUNCTION|PROGRAM", help=DETECTOR_HELP)
    ] = None,
    threshold: Threshold = 0.5,
    frames: Annotated[
        int,
        typer.Option(help="Number of frames of each clip that your function is given."),
    ] = FRAMES,
    backend: Backend = "auto",
    precision: PrecisionOption = "auto",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Parquet to write. Default: scores-SPLIT.parquet in RUN, and for your own "
            "detector in a folder of its own in runs/train."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Score each frame of a split with a finished run; write Parquet and print the metrics.

    A score is P(fake). Any run scores any dataset. Intervals are 95%, over people. `run` may be
    left out: `dfmnist score RUN DATASET`. With --detector your own detector is scored in place of a
    run: `dfmnist score --detector module:function DATASET`.
    """
    from dfmnist.detectors.score import score
    from dfmnist.detectors.score_external import score_external

    if detector is None:
        if dataset is None:
            raise InputError("score without DATASET; expected `dfmnist score RUN DATASET`")
        path = out or run / f"scores-{split}.parquet"
        table = score(run, dataset, split, quality, path, backend=backend, precision=precision)
    else:
        if dataset is not None:
            raise InputError(f"--detector {detector} with RUN {run}; expected DATASET alone")
        own = parse_external(detector, threshold=threshold, frames=frames)
        path = out or RUNS / own.folder_name / f"scores-{split}.parquet"
        table = score_external(own, run, split, quality, path)
    _tell(path, table, as_json)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="CSV with a score in each row.")],
    dataset: Dataset,
    split: SplitOption = "test",
    name: Annotated[
        str, typer.Option(help="Name of the detector in tables. Default: the file's name.")
    ] = "",
    clip_column: Annotated[
        str,
        typer.Option(help="Column of the clip: its name in the manifest, or its file's path."),
    ] = "clip_id",
    score_column: Annotated[str, typer.Option(help="Column of the score.")] = "p_fake",
    quality_column: Annotated[
        str,
        typer.Option(
            help="Column of the quality. Default: none; the clip's file says it, or the dataset "
            "has one alone.",
        ),
    ] = "",
    frame_column: Annotated[
        str,
        typer.Option(help="Column of the frame's index. Default: none; a row is a whole clip."),
    ] = "",
    positive: Annotated[
        Positive, typer.Option(help="Class of which a high score speaks.")
    ] = "fake",
    scale: Annotated[
        ScoreScale, typer.Option(help="Whether scores are probabilities (0 to 1) or logits.")
    ] = "probability",
    threshold: Threshold = 0.5,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Parquet to write. Default: scores-SPLIT.parquet in a folder of its own in "
            "runs/train."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Take scores that were made elsewhere; write Parquet and print the metrics.

    Clips of the split that the file does not name stand in the table without a score. `compare`,
    `report` and `dfmnist.evaluate` treat the table as that of a run.
    """
    from dfmnist.detectors.imported_scores import CsvColumns, import_scores

    columns = CsvColumns(
        clip_column, score_column, quality_column, frame_column, positive, scale, threshold
    )
    own = name or slug(file.stem)
    path = out or RUNS / f"{own}-imported" / f"scores-{split}.parquet"
    table, note = import_scores(file, dataset, columns, split=split, name=own, out=path)
    if note:
        say(note)
    _tell(path, table, as_json)


def _tell(path: Path, table: Any, as_json: bool) -> None:
    """Print the metrics of a table of scores, which was written to `path`."""
    from dfmnist.detectors.metrics import counts_by_action, evaluate
    from dfmnist.detectors.summary import by_action, counts, metric_lines

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
