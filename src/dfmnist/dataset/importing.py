"""Import of a dataset that somebody else made: a manifest beside its files, which stay in place."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dfmnist import __version__
from dfmnist.core.batch import failure
from dfmnist.core.choices import SplitRule
from dfmnist.core.console import say
from dfmnist.core.errors import InputError
from dfmnist.core.files import holds_folder, write_text
from dfmnist.core.jobs import run_jobs
from dfmnist.core.text import plural, visible
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.info import DatasetInfo, write_info
from dfmnist.dataset.layouts.base import Layout
from dfmnist.dataset.manifest import read_manifest, write_manifest
from dfmnist.dataset.splits import (
    THREE_PARTS,
    WITHOUT_TEST,
    Division,
    divide,
    shared_people,
    split_info,
)
from dfmnist.media.folders import SHOWN, VIDEOS, find_media
from dfmnist.media.video import VideoInfo, probe

KIND = "imported dataset"
PROBLEMS = "import-problems.txt"
"""Name of the file that lists every file which is missing, unreadable or not part of the layout."""
_POOL_FROM = 200
"""Number of files from which it pays to start several processes."""


@dataclass(frozen=True)
class ImportOptions:
    """What is decided by whoever imports a dataset."""

    splits: SplitRule | None = None
    """Rule of the splits; None keeps the published ones, and makes others by identity."""
    seed: int = 0
    """Seed of the splits that are made."""
    name: str = ""
    """Name of the dataset; empty takes the layout's title."""
    allow_missing: bool = False
    """Whether to go on without files that are missing or cannot be read."""
    crop: bool = False
    """Whether to crop every clip to its face, into a cache beside the manifest."""
    size_px: int = 256
    """Side in pixels of the crops."""
    methods: tuple[str, ...] = ()
    """Methods whose fakes are taken, with the real clips that belong to them; empty takes all."""


@dataclass(frozen=True)
class Imported:
    """Result of an import."""

    folder: Path
    clips: tuple[Clip, ...]
    problems: tuple[str, ...]
    """Files that are missing, unreadable, or videos that are no part of the layout, a line each."""
    left_out: str
    """What else lies in the folder, in words; empty if there is nothing."""
    notes: tuple[str, ...]
    """How people, splits and files were read, a sentence each."""


@holds_folder("out", KIND)
def import_dataset(
    layout: Layout,
    root: Path,
    out: Path,
    options: ImportOptions | None = None,
    *,
    others: Sequence[Layout] = (),
) -> Imported:
    """Write the manifest of the dataset in `root`, which lies as `layout` says, into `out`.

    No file of the dataset is copied or changed. `others` are the layouts that a wrong folder is
    compared with. Raises `InputError` for an empty folder, a folder of another layout, and for
    files that are missing, unreadable or unknown unless `allow_missing`; `PROBLEMS` in `out` then
    lists them.
    """
    options = options or ImportOptions()
    _check_root(layout, root, out, others)
    listed = list(layout.read(root))
    if not listed:
        raise InputError.of(root, "holds no clips", layout.expected)
    listed, unwanted = _of_methods(layout, root, listed, options.methods)
    found, problems, left_out = _present(layout, root, out, listed, unwanted)
    write_text(out / PROBLEMS, "".join(f"{visible(problem)}\n" for problem in problems))
    _tell(out, problems, len(listed), options)
    division, rule = _split(layout, found, options)
    info = DatasetInfo(
        name=options.name or layout.title,
        root=declared_root(root, out),
        kind=layout.kind,
        official_splits=rule == "official",
        made_by=f"dfmnist {__version__}",
        splits=split_info(division.clips, rule, options.seed),
        notes=(*layout.notes, *division.notes),
    )
    clips, more = division.clips, tuple[str, ...]()
    if options.crop:
        from dfmnist.dataset.cropping import crop_all

        clips, more = crop_all(clips, root, out, options.size_px)
        for line in more[:SHOWN]:
            say(f"  {line}")
        if not clips:
            raise InputError.of(root, f"no clip can be cropped ({more[0]})", "clips of a face")
        cropped = (*info.notes, f"Clips are cropped to the face, {options.size_px} pixels square.")
        splits = split_info(clips, rule, options.seed)
        info = info.model_copy(update={"root": ".", "notes": cropped, "splits": splits})
    write_info(out, info)
    write_manifest(out, clips)
    return Imported(out, tuple(clips), (*problems, *more), left_out, info.notes)


def _of_methods(
    layout: Layout, root: Path, listed: list[Clip], methods: Collection[str]
) -> tuple[list[Clip], list[Clip]]:
    """The fakes of the methods wanted with the real clips that belong to them, and the others."""
    known = {clip.method for clip in listed if clip.method}
    if unknown := sorted(set(methods) - known):
        expected = f"some of {', '.join(sorted(known)) or 'no method'}"
        raise InputError.of(root, f"holds no fakes of {unknown[0]}", expected)
    taken = [
        c
        for c in listed
        if not methods
        or (layout.goes_with(c, methods) if c.label == "real" else c.method in methods)
    ]
    names = {clip.file_name for clip in taken}
    return taken, [clip for clip in listed if clip.file_name not in names]


def _check_root(layout: Layout, root: Path, out: Path, others: Sequence[Layout]) -> None:
    """Raise `InputError` for a folder that is empty, a dataset, or lies as another dataset does."""
    if not root.is_dir():
        raise InputError.of(root, "no such folder", layout.expected)
    if not any(root.iterdir()):
        raise InputError.of(root, "is empty", layout.expected)
    if root.resolve() != out.resolve() and _is_dataset(root):
        raise InputError.of(
            root, "is a dataset already", "it as it is, where a dataset is asked for"
        )
    if layout.looks_like(root):
        return
    for other in others:
        if other.kind != layout.kind and other.looks_like(root):
            raise InputError.of(
                root,
                f"is not {layout.title}: this looks like {other.title}",
                f"`dfmnist dataset import {other.kind}`, or {layout.expected}",
            )
    raise InputError.of(root, f"is not {layout.title}", layout.expected)


def _is_dataset(root: Path) -> bool:
    """Whether the folder has a manifest that can be read."""
    try:
        read_manifest(root)
    except InputError:
        return False
    return True


def declared_root(root: Path, out: Path) -> str:
    """The folder of the files as `dataset.json` names it.

    It is relative where the dataset and the manifest lie in one folder, or one within the other,
    so that both can be moved together; else absolute.
    """
    files, folder = root.resolve(), out.resolve()
    near = files.parent == folder.parent
    if near or files.is_relative_to(folder) or folder.is_relative_to(files):
        return Path(os.path.relpath(files, folder)).as_posix()
    return files.as_posix()


@dataclass
class _Found:
    """Clips that are there, and what is wrong with the others."""

    clips: list[Clip] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def _present(
    layout: Layout, root: Path, out: Path, listed: Sequence[Clip], unwanted: Sequence[Clip]
) -> tuple[list[Clip], list[str], str]:
    """The clips whose files can be read, with their headers; problems; what else was left out.

    Files of `unwanted` clips belong to the dataset, and are neither read nor a problem.
    """
    names = [clip.file_name for clip in listed]
    known = {*names, *(clip.file_name for clip in unwanted)}
    if len(set(names)) < len(names):
        twice, _ = Counter(names).most_common(1)[0]
        raise InputError.of(root, f"lists {twice} twice", "each file once")
    folder = find_media(root, VIDEOS)
    extra = [
        name
        for path, _ in folder.files
        if not path.resolve().is_relative_to(out.resolve())
        and (name := path.relative_to(root).as_posix()) not in known
        and not layout.is_beside(name)
    ]
    found = _Found(problems=[f"{name}: not part of {layout.title}" for name in extra])
    headers = run_jobs(
        _header, [root / name for name in names], describe="read headers", pool_from=_POOL_FROM
    )
    for clip, header in zip(listed, headers, strict=True):
        if isinstance(header, str):
            found.problems.append(header.replace(f"{root}/", "", 1))
        else:
            found.clips.append(clip.model_copy(update=_stated(header)))
    return found.clips, sorted(found.problems), folder.words


def _header(path: Path) -> VideoInfo | str:
    """Facts about a video, or why there are none; at the top level for other processes."""
    if not path.is_file():
        return f"{path}: missing"
    try:
        return probe(path)
    except Exception as error:
        return failure(error, path)


def _stated(header: VideoInfo) -> dict[str, object]:
    """The fields of a record that state a header; a rate of many digits is left to the file."""
    stated: dict[str, object] = {
        "num_frames": header.num_frames, "width": header.width, "height": header.height,
    }  # fmt: skip
    if max(header.fps.numerator, header.fps.denominator) < 10**7:
        stated["fps"] = str(header.fps)
    return stated


def _tell(out: Path, problems: Sequence[str], listed: int, options: ImportOptions) -> None:
    """Print the problems. Raises `InputError` unless the import is to go on without them."""
    for problem in problems[:SHOWN]:
        say(f"  {problem}")
    if len(problems) > SHOWN:
        say(f"  and {len(problems) - SHOWN} more, in {out / PROBLEMS}")
    if problems and not options.allow_missing:
        raise InputError.of(
            out / PROBLEMS,
            f"{plural(len(problems), 'file is', 'files are')} missing, unreadable or unknown, of "
            f"{plural(listed, 'clip')}",
            "the whole dataset, or --allow-missing",
        )


def _split(
    layout: Layout, clips: Sequence[Clip], options: ImportOptions
) -> tuple[Division, SplitRule]:
    """The clips with their splits, and the rule that these follow.

    Published splits are kept. A dataset that publishes no validation split gets one out of its
    training split, by identity; clips without a published split are divided by identity.
    """
    if not clips:
        raise InputError("none of the dataset's clips can be read; expected one or more")
    kept = [clip for clip in clips if layout.published(clip)]
    if options.splits in ("identity", "paper") or not kept:
        if options.splits == "official":
            raise InputError(f"{layout.title} has no official splits; expected --splits identity")
        rule = options.splits or "identity"
        return divide(clips, rule, options.seed), rule
    notes = ["The splits are those that the dataset's makers published."]
    rest = [clip for clip in clips if not layout.published(clip)]
    there = {clip.split for clip in kept}
    made: list[Division] = []
    if "validation" not in there and "train" in there:
        training = [clip for clip in kept if clip.split == "train"]
        kept = [clip for clip in kept if clip.split != "train"]
        made.append(divide(training, "identity", options.seed, WITHOUT_TEST))
        notes.append("They name no validation split: it is made of training clips, by identity.")
    if rest:
        made.append(divide(rest, "identity", options.seed, THREE_PARTS))
        notes.append(f"{plural(len(rest), 'file')} without a published split are divided.")
    notes += [note for division in made for note in division.notes]
    every = [*kept, *_all(d.clips for d in made)]
    if shared := shared_people(every):
        people = plural(len(shared), "person is", "people are")
        notes.append(f"{people} in two splits or more, such as {shared[0]}.")
    return Division(tuple(every), tuple(_all(d.left_out for d in made)), tuple(notes)), "official"


def _all(parts: Iterable[Iterable[Clip]]) -> list[Clip]:
    return [clip for part in parts for clip in part]
