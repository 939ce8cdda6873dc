"""Publishing of a dataset: one folder for each split, with all that a reader needs to trust it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dfmnist import __version__
from dfmnist.core.batch import without_folders
from dfmnist.core.choices import SPLITS
from dfmnist.core.config import plain
from dfmnist.core.errors import InputError
from dfmnist.core.files import (
    claim_folder,
    holds_folder,
    read_json,
    sha256_file,
    sha256_text,
    write_json,
    write_text,
)
from dfmnist.core.jobs import run_jobs
from dfmnist.core.text import plural
from dfmnist.dataset.audit import AUDIT, read_audit, write_audit
from dfmnist.dataset.clip import Clip, as_json
from dfmnist.dataset.export.card import published_card
from dfmnist.dataset.export.checksums import published_files, write_sums
from dfmnist.dataset.export.config import ExportConfig
from dfmnist.dataset.export.croissant import ASKED, CROISSANT, croissant
from dfmnist.dataset.export.facts import Facts
from dfmnist.dataset.export.files import (
    FileJob,
    PublishedFile,
    hash_and_search,
    publish_file,
    published_names,
    secrets_of,
)
from dfmnist.dataset.export.shards import write_shards
from dfmnist.dataset.export.signing import Signing, read_signing
from dfmnist.dataset.export.terms import licence_text, terms_of, with_terms
from dfmnist.dataset.info import write_info
from dfmnist.dataset.manifest import (
    METADATA,
    Manifest,
    Rejected,
    manifest_hash,
    read_manifest,
    read_rejected,
    write_rejected,
)
from dfmnist.dataset.qualities import in_order
from dfmnist.dataset.rows import Row, row_of, typed
from dfmnist.dataset.splits import split_info
from dfmnist.dataset.summary import summarise

KIND = "published dataset"
EXPORT = "export.json"
"""Record of what was published: of which dataset, with which settings."""
_POOL_FROM = 200
"""Number of files from which it pays to start several processes."""


@dataclass(frozen=True)
class Exported:
    """Result of an export."""

    folder: Path
    counts: Mapping[str, int]
    """Number of files in each split."""
    notes: tuple[str, ...]
    """What the publisher should know, a sentence each."""


@holds_folder("out")
def export_dataset(
    dataset: Path,
    out: Path,
    config: ExportConfig | None = None,
    c2pa: tuple[Path, Path] | None = None,
) -> Exported:
    """Publish the dataset in the folder `dataset` into the folder `out`.

    `c2pa` are PEM files with a certificate chain and its private key, with which clips that were
    built here are signed. A run that was stopped goes on. Raises `InputError` for clips without a
    licence or consent, for a folder that holds something else, and if a file cannot be read, is
    not what its record says, or names a folder of this machine.
    """
    config = config or ExportConfig()
    manifest = read_manifest(dataset)
    _check_place(manifest, out)
    clips = with_terms(_chosen(manifest, config), config.licence, config.consent, manifest.root)
    signing = read_signing(*c2pa, manifest.info.synthetic_actors) if c2pa else None
    claim_folder(out, KIND)
    _claim(out, manifest, config, signing)
    secrets = secrets_of(manifest.root, manifest.files, out)
    files = _publish_files(manifest, clips, out, secrets, signing)
    rows = _write_rows(clips, files, out)
    signed = sum(clip.origin == "built" for clip in clips) if signing else 0
    facts = _describe(replace(manifest, clips=clips), out, config, signed, rows)
    known = {
        f"{clip.split}/{name}": file.sha256 for clip, (name, file) in zip(clips, files, strict=True)
    }
    if config.webdataset:
        write_shards(out, rows, config.shard_mb * 1_000_000)
    _search(out, secrets, known)
    write_sums(out, known, changing=(AUDIT,))  # `dataset audit --save` writes it
    return Exported(out, {s: len(part) for s, part in rows.items()}, _notes(facts, signing))


def _check_place(manifest: Manifest, out: Path) -> None:
    """Raise `InputError` if one of the folders lies in the other."""
    inner = out.resolve()
    for folder in (manifest.root.resolve(), manifest.files.resolve()):
        if inner.is_relative_to(folder) or folder.is_relative_to(inner):
            raise InputError.of(out, f"overlaps with {folder}", "a folder beside the dataset")


def _chosen(manifest: Manifest, config: ExportConfig) -> tuple[Clip, ...]:
    """The clips in the qualities that are to be published. Raises `InputError` for unknown ones."""
    there = in_order(clip.quality for clip in manifest.clips)
    for name in config.qualities:
        if name not in there:
            raise InputError.of(manifest.root, f"has no clips in {name}", " or ".join(there))
    wanted = config.qualities or there
    return tuple(clip for clip in manifest.clips if clip.quality in wanted)


def _claim(out: Path, manifest: Manifest, config: ExportConfig, signing: Signing | None) -> None:
    """Record what `out` is an export of. Raises `InputError` if it is one of something else."""
    now: dict[str, Any] = {
        "manifest_sha256": manifest_hash(manifest.root),
        "settings": plain(replace(config, published=config.day)),
        "certificates_sha256": sha256_text(signing.certificates.decode()) if signing else None,
        "made_by": f"dfmnist {__version__}",
    }
    if (out / EXPORT).is_file():
        found = read_json(out / EXPORT)
        if not config.published and isinstance(found, dict):  # begun on another day
            day = found.get("settings", {}).get("published")
            now["settings"]["published"] = day
        if found != now:
            expected = "a new folder, or the dataset and settings of before"
            raise InputError.of(out, "holds an export of another dataset or settings", expected)
    write_json(out / EXPORT, now)


def _publish_files(
    manifest: Manifest,
    clips: Sequence[Clip],
    out: Path,
    secrets: tuple[bytes, ...],
    signing: Signing | None,
) -> list[tuple[str, PublishedFile]]:
    """Put all files in place; each clip's path below its split, and what is in it."""
    names = published_names(clips)
    bare = replace(manifest, clips=())
    jobs = [
        FileJob(
            bare, clip, out / clip.split / name, secrets,
            signing if clip.origin == "built" else None,
        )
        for clip, name in zip(clips, names, strict=True)
    ]  # fmt: skip
    done = list(run_jobs(publish_file, jobs, describe="publish files", pool_from=_POOL_FROM))
    problems = [one for one in done if isinstance(one, str)]
    if problems:
        count = plural(len(problems), "file")
        raise InputError.of(
            manifest.root,
            f"{count} cannot be published, the first: {problems[0]}",
            "files that agree with the manifest",
        )
    return [(n, one) for n, one in zip(names, done, strict=True) if isinstance(one, PublishedFile)]


def _write_rows(
    clips: Sequence[Clip], files: Sequence[tuple[str, PublishedFile]], out: Path
) -> dict[str, list[Row]]:
    """Write the `metadata.jsonl` of each split; the rows that they hold."""
    splits: dict[str, list[Row]] = {}
    for clip, (name, file) in zip(clips, files, strict=True):
        header = file.header
        row = row_of(
            clip,
            file_name=name,
            sha256=file.sha256,
            fps=clip.fps or str(header.fps),
            num_frames=header.num_frames,
            width=header.width,
            height=header.height,
        )
        splits.setdefault(clip.split, []).append(row)
    rows = typed({split: splits[split] for split in SPLITS if split in splits})
    for split, part in rows.items():
        write_text(out / split / METADATA, "".join(f"{as_json(row)}\n" for row in part))
    return rows


def _describe(
    manifest: Manifest,
    out: Path,
    config: ExportConfig,
    signed: int,
    rows: Mapping[str, Sequence[Row]],
) -> Facts:
    """Write what describes the dataset: dataset.json, card, licence, Croissant, attempts, audit."""
    made = manifest.info.splits
    info = manifest.info.model_copy(
        update={
            "name": config.name or manifest.info.name,
            "root": ".",
            "notes": tuple(map(without_folders, manifest.info.notes)),
            "splits": made
            and split_info(manifest.clips, made.rule, made.seed, drivers=made.drivers),
        }
    )
    write_info(out, info)
    rejected = tuple(_without_folders(one) for one in read_rejected(manifest.root))
    if rejected:
        write_rejected(out, rejected)
    terms = terms_of(manifest.clips)
    write_text(out / "LICENSE.md", licence_text(terms))
    summary = summarise(manifest, rejected)
    facts = Facts(config, info, manifest.clips, summary, terms, signed)
    report = read_audit(manifest.root)
    if report is not None:
        write_audit(out, report)
    columns = list(next(iter(rows.values()))[0])
    write_text(out / "README.md", published_card(facts, columns, report))
    hashes = {split: sha256_file(out / split / METADATA) for split in rows}
    write_json(out / CROISSANT, croissant(facts, rows, hashes))
    return facts


def _without_folders(attempt: Rejected) -> Rejected:
    answers = tuple(
        one.model_copy(update={"reason": without_folders(one.reason)}) for one in attempt.screening
    )
    reason = without_folders(attempt.reason)
    return attempt.model_copy(update={"screening": answers, "reason": reason})


def _search(out: Path, secrets: tuple[bytes, ...], known: Mapping[str, str]) -> None:
    """Raise `InputError` if a file other than the clips in `known` names a folder of this machine.

    Shards hold what the clips and records hold, and are not searched again.
    """
    for name in published_files(out):
        if name in known or name.endswith(".tar"):
            continue
        _, _, found = hash_and_search(out / name, secrets)
        if found:
            expected = "no path of this machine in what is published"
            raise InputError.of(out / name, f"holds the path {found}…", expected)


def _notes(facts: Facts, signing: Signing | None) -> tuple[str, ...]:
    """What the publisher should know."""
    notes = []
    asked = [name for name in ASKED if not getattr(facts.config, name)]
    if asked:
        given = " ".join(f"--set {name}=…" for name in asked)
        notes.append(f"Croissant also asks for {' and '.join(asked)}: {given}")
    if not facts.terms.spdx:
        notes.append(
            f"'{facts.terms.licences[0]}' is no SPDX identifier that Hugging Face knows; the card "
            "says `license: other`"
        )
    if signing is not None and facts.signed < len(facts.clips):
        notes.append(
            f"{facts.signed:,} of {len(facts.clips):,} files are signed: the others were not "
            "built here"
        )
    empty = [s for s, row in facts.summary.by_split.items() if not row["real"] + row["fake"]]
    if empty:
        notes.append(f"no clips in {' and '.join(empty)}")
    return tuple(notes)
