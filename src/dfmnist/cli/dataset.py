"""`dfmnist dataset audit` and `dfmnist dataset verify`: check a dataset folder."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from dfmnist.cli.options import Dataset, Json, Workers, print_json, use_engine
from dfmnist.core.errors import InputError


def audit(
    ctx: typer.Context,
    dataset: Dataset,
    save: Annotated[
        bool, typer.Option("--save", help="Write the result into the dataset folder as audit.json.")
    ] = False,
    as_json: Json = False,
    workers: Workers = None,
) -> None:
    """Check that nothing but the forgery separates real from fake clips.

    A classifier that sees only container and codec facts (protocol) must stay near chance, or the
    audit fails and the exit code is 2. A classifier on the signal is the baseline that detectors
    must beat; it cannot fail.
    """
    from dfmnist.dataset.audit import audit, write_audit
    from dfmnist.dataset.manifest import dataset_folder

    use_engine(ctx, workers)
    folder = dataset_folder(dataset)
    report = audit(folder)
    if as_json:
        print_json(report)
    else:
        table = Table("Audit", "Quality", "AUC", "95% interval", "Verdict")
        for quality, found in report.protocol_by_quality.items():
            e = found.auc
            verdict = "passed" if e.value < report.limit else "FAILED"
            interval = f"{e.low:.3f}–{e.high:.3f}"
            table.add_row("protocol", quality, f"{e.value:.3f}", interval, verdict)
        for quality, found in report.signal.items():
            e = found.auc
            interval = f"{e.low:.3f}–{e.high:.3f}"
            table.add_row("signal", quality, f"{e.value:.3f}", interval, "baseline")
        Console().print(table)
    if save:
        typer.echo(write_audit(folder, report), err=as_json)
    report.require_pass()


def verify(
    ctx: typer.Context,
    dataset: Dataset,
    shared_drivers: Annotated[
        bool,
        typer.Option(
            "--shared-drivers", help="Allow a driver in several splits, as the paper does."
        ),
    ] = False,
    as_json: Json = False,
    workers: Workers = None,
) -> None:
    """Check every file against the manifest: hash, content, provenance and splits."""
    from dfmnist.dataset.manifest import dataset_folder, manifest_hash, read_manifest
    from dfmnist.dataset.verify import verify

    use_engine(ctx, workers)
    folder = dataset_folder(dataset)
    problems = verify(folder, drivers=not shared_drivers)
    count, digest = len(read_manifest(folder).clips), manifest_hash(folder)
    if as_json:
        print_json({"files": count, "manifest_sha256": digest, "problems": problems})
    else:
        for problem in problems:
            typer.echo(problem)
    if problems:
        raise InputError.of(folder, f"{len(problems)} problems", "the dataset of its manifest")
    if not as_json:
        typer.echo(f"{count} files are as the manifest says ({digest[:12]})")
