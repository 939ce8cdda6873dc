"""`dfmnist dataset import`, `audit` and `verify`: read others' datasets, check a dataset."""

from pathlib import Path
from typing import Annotated

import typer

from dfmnist.cli.options import Dataset, Json, Workers, print_json, use_engine
from dfmnist.core.choices import DatasetKind, SplitRule
from dfmnist.core.console import say, show
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
    from dfmnist.core.files import check_writable
    from dfmnist.core.text import text_table
    from dfmnist.dataset.audit import AUDIT, audit, write_audit
    from dfmnist.dataset.manifest import dataset_folder

    use_engine(ctx, workers)
    folder = dataset_folder(dataset)
    if save:
        check_writable(folder / AUDIT)
    report = audit(folder)
    if as_json:
        print_json(report)
    else:
        rows = [("Audit", "Quality", "AUC", "95% interval", "Verdict")]
        for quality, found in report.protocol_by_quality.items():
            e = found.auc
            verdict = "passed" if e.value < report.limit else "FAILED"
            interval = f"{e.low:.3f}–{e.high:.3f}"
            rows.append(("protocol", quality, f"{e.value:.3f}", interval, verdict))
        for quality, found in report.signal.items():
            e = found.auc
            interval = f"{e.low:.3f}–{e.high:.3f}"
            rows.append(("signal", quality, f"{e.value:.3f}", interval, "baseline"))
        show(*text_table(rows))
    if save:
        path = write_audit(folder, report)
        (say if as_json else show)(str(path))
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
    from dfmnist.dataset.verify import notes, verify

    use_engine(ctx, workers)
    folder = dataset_folder(dataset)
    problems = verify(folder, drivers=not shared_drivers)
    manifest, digest = read_manifest(folder), manifest_hash(folder)
    count, said = len(manifest.clips), notes(manifest)
    if as_json:
        print_json({"files": count, "manifest_sha256": digest, "problems": problems, "notes": said})
    else:
        for line in [*problems, *(f"note: {note}" for note in said)]:
            show(line)
    if problems:
        raise InputError.of(folder, f"{len(problems)} problems", "the dataset of its manifest")
    if not as_json:
        show(f"{count} files are as the manifest says ({digest[:12]})")


def import_(
    ctx: typer.Context,
    kind: Annotated[
        DatasetKind,
        typer.Argument(
            metavar="KIND",
            help="How the dataset lies on disk: folder (subfolders real and fake), or the name of "
            "a public dataset.",
        ),
    ],
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="Folder of the dataset's files.")],
    out: Annotated[Path, typer.Option(help="Folder for the manifest; no file is copied into it.")],
    identity: Annotated[
        str,
        typer.Option(
            metavar="name|folder|CSV",
            help="Who is the person of a clip, for KIND folder. name: the part of the file's name "
            "before its first '_', '-' or '#'. folder: the folder that the file lies in. Or a CSV "
            "with the columns file and identity (several people with ';' between them) and, if "
            "wanted, action, method, quality and split.",
        ),
    ] = "name",
    splits: Annotated[
        SplitRule | None,
        typer.Option(
            help="How splits are made. identity: nobody, seen or driving, is in two. paper: 70, 15 "
            "and 15% of the clips of each action. official: as published. Default: official where "
            "there are such, else identity."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the splits that are made.")] = 0,
    name: Annotated[str, typer.Option(help="Name of the dataset. Default: that of KIND.")] = "",
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing",
            help="Go on without files that are missing or unreadable, or that are not part of the "
            "dataset.",
        ),
    ] = False,
    crop: Annotated[
        bool,
        typer.Option(
            "--crop", help="Crop every clip to its face, into the folder of the manifest."
        ),
    ] = False,
    workers: Workers = None,
) -> None:
    """Write the manifest of a dataset that somebody else made, so that every command can read it.

    The dataset's files stay where they are. Files that are missing, unreadable or not part of the
    dataset are listed, and the exit code is 2 unless --allow-missing is given.
    """
    from collections import Counter

    from dfmnist.core.text import plural
    from dfmnist.dataset.importing import ImportOptions, import_dataset
    from dfmnist.dataset.layouts.kinds import OTHERS, layout_of

    use_engine(ctx, workers)
    options = ImportOptions(splits, seed, name, allow_missing, crop)
    made = import_dataset(layout_of(kind, root, identity), root, out, options, others=OTHERS)
    for note in made.notes:
        say(f"  {note}")
    if made.left_out:
        say(f"  {root}: {made.left_out}")
    distinct = {clip.clip_id: clip for clip in made.clips}.values()
    counts = Counter((clip.split, clip.label) for clip in distinct)
    for split in ("train", "validation", "test"):
        real, fake = counts[split, "real"], counts[split, "fake"]
        show(f"{split}: {real} real and {fake} fake clips")
    show(f"{out}: {plural(len(made.clips), 'file')}, {len(made.problems)} left out")
