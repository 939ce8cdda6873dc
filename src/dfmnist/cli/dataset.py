"""`dfmnist audit` and `dfmnist verify`: judge a dataset folder."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from dfmnist.cli.build import use_engine
from dfmnist.core.errors import InputError

Folder = Annotated[Path, typer.Argument(help="A dataset folder (metadata.jsonl in it).")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("audit")(audit_command)
    app.command("verify")(verify_command)


def audit_command(
    ctx: typer.Context,
    folder: Folder,
    save: Annotated[bool, typer.Option(help="Write audit.json into the folder.")] = False,
    workers: Annotated[int | None, typer.Option(help="Processes; one per core.")] = None,
) -> None:
    """Check that nothing but the forgery tells real from fake."""
    from dfmnist.dataset.audit import audit, write_audit

    use_engine(ctx, workers)
    report = audit(folder)
    table = Table("Audit", "Quality", "AUC", "95% interval", "Verdict")
    for quality, found in report.protocol_by_quality.items():
        e = found.auc
        verdict = "passed" if e.value < report.limit else "FAILED"
        table.add_row("protocol", quality, f"{e.value:.3f}", f"{e.low:.3f}–{e.high:.3f}", verdict)
    for quality, found in report.signal.items():
        e = found.auc
        table.add_row("signal", quality, f"{e.value:.3f}", f"{e.low:.3f}–{e.high:.3f}", "baseline")
    Console().print(table)
    if save:
        typer.echo(write_audit(folder, report))
    report.require_pass()


def verify_command(
    ctx: typer.Context,
    folder: Folder,
    shared_drivers: Annotated[
        bool,
        typer.Option("--shared-drivers", help="Drivers may be in several splits (the paper's)."),
    ] = False,
    workers: Annotated[int | None, typer.Option(help="Processes; one per core.")] = None,
) -> None:
    """Check every file against the manifest: hash, content, provenance, splits."""
    from dfmnist.dataset.manifest import manifest_hash, read_manifest
    from dfmnist.dataset.verify import verify

    use_engine(ctx, workers)
    problems = verify(folder, drivers=not shared_drivers)
    for problem in problems:
        typer.echo(problem)
    if problems:
        raise InputError.of(folder, f"{len(problems)} problems", "the dataset of its manifest")
    count = len(read_manifest(folder).clips)
    typer.echo(f"{count} files are as the manifest says ({manifest_hash(folder)[:12]})")
