"""`dfmnist dataset import`, `audit`, `verify`, `export`: others' datasets, checks, publishing."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dfmnist.cli.options import Dataset, Json, Workers, field, print_json, set_option, use_engine
from dfmnist.core.choices import DatasetKind, SplitRule
from dfmnist.core.console import say, show
from dfmnist.core.errors import InputError
from dfmnist.core.settings import with_settings
from dfmnist.dataset.export.config import ExportConfig

if TYPE_CHECKING:
    from dfmnist.dataset.audit import AuditReport


def audit(
    ctx: typer.Context,
    dataset: Dataset,
    save: Annotated[
        bool, typer.Option("--save", help="Write the result into the dataset folder as audit.json.")
    ] = False,
    as_json: Json = False,
    workers: Workers = None,
) -> None:
    """Check a dataset: broken files, leaks between splits, and shortcuts to the class.

    Four checks can fail; the exit code is then 2. files: every file can be read. people: nobody,
    seen or driving, is in two splits. copies: no recording is in two splits. protocol: a classifier
    that sees only container and codec facts stays near chance (AUC below 0.6). A classifier on the
    signal is the baseline that detectors must beat; it cannot fail.
    """
    from dfmnist.core.files import check_writable
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
        _show_audit(report)
    if save:
        path = write_audit(folder, report)
        (say if as_json else show)(str(path))
    report.require_pass(folder)


SHOWN_FEATURES = 12
"""Number of leaking features that are shown."""
SHOWN_FILES = 10
"""Number of broken files that are shown; audit.json lists all."""


def _show_audit(report: "AuditReport") -> None:
    """Print an audit for people: counts, AUCs, what gives the class away, and the verdicts."""
    from dfmnist.core.text import text_table

    counts = [("Clips", "", "Real", "Fake", "People")]
    for name, rows in (report.counts or {}).items():
        for value, row in rows.items():
            people = f"{row['people']:,}" if "people" in row else ""
            counts.append((name, value, f"{row['real']:,}", f"{row['fake']:,}", people))
    show(*text_table(counts), "")
    measured = [("Audit", "Of", "AUC", "95% interval", "Verdict")]
    parts = (report.protocol_by_quality, report.protocol_by_method or {}, report.signal)
    for audited, found in zip(("protocol", "protocol", "signal"), parts, strict=True):
        for name, one in found.items():
            auc = one.auc
            verdict = "passed" if auc.value < report.limit else "FAILED"
            measured.append((
                audited, name, f"{auc.value:.3f}", f"{auc.low:.3f}–{auc.high:.3f}",
                "baseline" if audited == "signal" else verdict,
            ))  # fmt: skip
    if len(measured) > 1:
        show(*text_table(measured), "")
    if report.leaks:
        leaks = [
            (feature.name, f"{feature.auc:.2f}", feature.real, feature.fake)
            for feature in report.leaks[:SHOWN_FEATURES]
        ]
        show(*text_table([("Leak", "AUC alone", "Real", "Fake"), *leaks]), "")
    for broken in (report.broken or ())[:SHOWN_FILES]:
        show(f"  {broken.file_name}: {broken.reason}")
    for check, said in report.findings().items():
        show(f"{check}: {'FAILED: ' if check in report.failed else ''}{said}")
    if report.protocol is None:
        show("protocol: not measured, since all clips have one label")


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
    manifest, digest = read_manifest(folder), manifest_hash(folder)
    problems = verify(manifest, drivers=not shared_drivers)
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
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Take the fakes of this method alone, such as face2face, with the real clips that "
            "belong to them; repeatable.",
        ),
    ] = None,
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
    options = ImportOptions(splits, seed, name, allow_missing, crop, methods=tuple(method or ()))
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


def export(
    ctx: typer.Context,
    dataset: Dataset,
    out: Annotated[Path, typer.Option(help="Folder for the published dataset.")],
    quality: Annotated[
        list[str] | None,
        typer.Option(help="Quality to publish, such as raw or c23; repeatable. Default: all."),
    ] = None,
    licence: Annotated[str, field(ExportConfig, "licence")] = ExportConfig.licence,
    consent: Annotated[str, field(ExportConfig, "consent")] = ExportConfig.consent,
    webdataset: Annotated[
        bool, typer.Option("--webdataset", help="Write WebDataset shards too, for clusters.")
    ] = False,
    c2pa: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="CERT KEY",
            help="Sign each clip that dfmnist made with Content Credentials: a certificate chain "
            "and its private key, both in PEM.",
        ),
    ] = None,
    settings: Annotated[list[str], set_option(ExportConfig, "version=1.1.0")] = [],  # noqa: B006
    workers: Workers = None,
) -> None:
    """Publish a dataset: one folder for each split, a card, Croissant metadata and checksums.

    `datasets.load_dataset(OUT)` gives train, validation and test. Files are hard links where the
    file system allows them, else copies. A clip without a licence or a consent is not published,
    nor is a file that names a folder of this machine.
    """
    from dfmnist.core.text import plural
    from dfmnist.dataset.export.exporting import export_dataset
    from dfmnist.dataset.manifest import dataset_folder

    use_engine(ctx, workers)
    given = ExportConfig(
        licence=licence,
        consent=consent,
        qualities=tuple(quality or ()),
        webdataset=webdataset,
    )
    made = export_dataset(dataset_folder(dataset), out, with_settings(given, settings), c2pa)
    for note in made.notes:
        say(f"  {note}")
    counts = ", ".join(f"{split} {count:,}" for split, count in made.counts.items())
    show(f"{out}: {plural(sum(made.counts.values()), 'file')} ({counts})")
