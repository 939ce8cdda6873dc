"""`dfmnist liveness`: check one clip, evaluate detectors, fit and measure the built-in ones."""

from pathlib import Path
from typing import Annotated

import typer

from dfmnist.cli.options import Dataset, Json, Workers, print_json, use_engine
from dfmnist.core.choices import Attack, Split
from dfmnist.core.console import show
from dfmnist.core.errors import InputError

Clips = Annotated[Path, typer.Option(help="Folder for the clips to film; finished ones are kept.")]

DETECTOR_HELP = (
    "Detector: action, universal, minifasnet, command:PROGRAM, python:MODULE:FUNCTION, or a TOML "
    "or JSON file with settings (docs/LIVENESS.md); repeatable. Default: action and universal."
)
Detectors = Annotated[
    list[str] | None, typer.Option("--detector", metavar="DETECTOR", help=DETECTOR_HELP)
]
ThresholdsFile = Annotated[
    Path | None,
    typer.Option(
        "--thresholds",
        help="File that `dfmnist liveness fit` wrote, with the thresholds of the detectors action "
        "and universal. Default: those that are shipped.",
    ),
]


def check(
    clip: Annotated[Path, typer.Argument(metavar="CLIP", help="Video of one person.")],
    action: Annotated[
        str | None,
        typer.Option(
            help="Action that the person was asked to perform, such as blink. Without it, "
            "detectors that judge an action are not asked."
        ),
    ] = None,
    detector: Detectors = None,
    thresholds: ThresholdsFile = None,
    even: Annotated[
        bool,
        typer.Option(
            "--even",
            help="Judge a recording whose frames come at uneven times, such as a webcam's, by the "
            "frame shown at each of 25 moments a second. Without it such a clip is not assessed.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask liveness detectors about one clip: live, not live or not assessed, with the reason."""
    from dfmnist.liveness.assess import check_clip

    verdicts = check_clip(clip, action, detector or (), thresholds, even=even)
    if as_json:
        print_json([{"verdict": verdict.word, **vars(verdict)} for verdict in verdicts])
        return
    for verdict in verdicts:
        score = f" (score {verdict.score:.3f})" if verdict.assessed else ""
        reason = f": {verdict.reason}" if verdict.reason else ""
        show(f"{verdict.detector}: {verdict.word}{score}{reason}")


def evaluate(
    ctx: typer.Context,
    dataset: Dataset,
    detector: Detectors = None,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for attacks, verdicts and results. `dfmnist report` shows one named "
            "liveness in the dataset's folder or in that of --experiments."
        ),
    ] = Path("runs/liveness"),
    split: Annotated[Split, typer.Option(help="Part of the dataset to evaluate on.")] = "test",
    quality: Annotated[
        list[str] | None,
        typer.Option(help="Quality of the clips; repeatable. Default: all that there are."),
    ] = None,
    attack: Annotated[
        list[Attack] | None,
        typer.Option(
            help="Type of attack: the dataset's animations, or one that is made from its real "
            "clips; repeatable. Default: all seven."
        ),
    ] = None,
    per_action: Annotated[
        int,
        typer.Option(min=1, help="Number of real clips of each action that attacks are made from."),
    ] = 4,
    thresholds: ThresholdsFile = None,
    as_json: Json = False,
    workers: Workers = None,
) -> None:
    """Measure liveness detectors on a dataset: ISO/IEC 30107-3 error rates with 95% intervals.

    Real clips are bona fide; animations and simulated attacks are given as files. The same command
    continues after a stop. A clip that a detector cannot judge is counted as non-response.
    """
    from dfmnist.experiments.liveness import as_markdown, write_results
    from dfmnist.liveness.evaluate import EvaluationConfig, as_record, evaluate_detectors

    use_engine(ctx, workers)
    if detector is not None and len(set(detector)) < len(detector):
        raise InputError("--detector: the same detector twice; expected each once")
    config = EvaluationConfig(
        tuple(detector or EvaluationConfig.detectors),
        split,
        tuple(quality or ()),
        tuple(one for one in Attack if not attack or one in attack),
        per_action,
        thresholds,
    )
    found = evaluate_detectors(dataset, config, out)
    tables = write_results(found, out)
    if as_json:
        print_json(as_record(found))
    else:
        show(*as_markdown(tables).split("\n"), out)


def fit(
    ctx: typer.Context,
    clips: Clips,
    out: Annotated[Path, typer.Option(help="JSON file to write the thresholds to.")],
    actors: Annotated[
        int, typer.Option(help="Number of people to film; they serve no other purpose.")
    ] = 40,
    workers: Workers = None,
) -> None:
    """Fit the liveness detectors' thresholds on bona fide clips, before any fake is seen."""
    from dfmnist.core.files import check_writable
    from dfmnist.liveness.calibrate import fit_thresholds
    from dfmnist.liveness.measured_clips import measure_clips, plan_clips
    from dfmnist.liveness.thresholds import write_thresholds

    check_writable(out)
    check_writable(clips, folder=True)
    use_engine(ctx, workers)
    jobs = plan_clips(clips, "thresholds", actors, with_attacks=False)
    thresholds = fit_thresholds(measure_clips(jobs))
    write_thresholds(thresholds, out)
    show(f"{out}: fitted on {thresholds.provenance['clips']} clips of {actors} people")


def benchmark(
    ctx: typer.Context,
    clips: Clips,
    out: Annotated[Path, typer.Option(help="Markdown file to write the error rates to.")],
    actors: Annotated[int, typer.Option(help="Number of held-out people to film.")] = 50,
    ship: Annotated[
        Path | None,
        typer.Option(
            help="JSON file to write the rates to as well, for the package; the report quotes it."
        ),
    ] = None,
    as_json: Json = False,
    workers: Workers = None,
) -> None:
    """Measure the shipped liveness detectors' error rates on held-out people and five attacks."""
    from dfmnist.core.files import check_writable
    from dfmnist.liveness.benchmark import (
        measure_error_rates,
        rates_record,
        write_page,
        write_shipped,
    )
    from dfmnist.liveness.thresholds import shipped_thresholds

    check_writable(out)
    check_writable(clips, folder=True)
    if ship is not None:
        check_writable(ship)
    use_engine(ctx, workers)
    rates = measure_error_rates(clips, actors)
    write_page(rates, shipped_thresholds(), out)
    if ship is not None:
        write_shipped(rates, ship)
    if as_json:
        print_json(rates_record(rates))
    else:
        show(out)
