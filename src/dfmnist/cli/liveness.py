"""`dfmnist liveness fit` and `benchmark`: the liveness detectors that screen a dataset."""

from pathlib import Path
from typing import Annotated

import typer

from dfmnist.cli.options import Json, Workers, print_json, use_engine
from dfmnist.core.console import show

Clips = Annotated[Path, typer.Option(help="Folder for the clips to film; finished ones are kept.")]


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
    actors: Annotated[int, typer.Option(help="Number of held-out people to film.")] = 20,
    as_json: Json = False,
    workers: Workers = None,
) -> None:
    """Measure the shipped liveness detectors' error rates on held-out people and two attacks."""
    from dfmnist.core.files import check_writable
    from dfmnist.liveness.benchmark import measure_error_rates, rates_record, write_page
    from dfmnist.liveness.thresholds import shipped_thresholds

    check_writable(out)
    check_writable(clips, folder=True)
    use_engine(ctx, workers)
    rates = measure_error_rates(clips, actors)
    write_page(rates, shipped_thresholds(), out)
    if as_json:
        print_json(rates_record(rates))
    else:
        show(out)
