"""The clips' files in a published dataset: put in place, signed if wanted, hashed and searched."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dfmnist.core.batch import failure
from dfmnist.core.files import place_file
from dfmnist.core.text import key_of
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.export.signing import Signing, sign_clip
from dfmnist.dataset.headers import ClipHeader, header_of
from dfmnist.dataset.manifest import Manifest

_CHUNK = 1 << 20
_MIN_SECRET = 6
"""Length in bytes of the shortest path that is searched for, such as `/root/`."""
_MAX_NAME = 200
"""Longest name of a published file in bytes."""


@dataclass(frozen=True)
class FileJob:
    """One clip to publish."""

    manifest: Manifest
    """The dataset, without its clips."""
    clip: Clip
    target: Path
    secrets: tuple[bytes, ...]
    """Folders of this machine, which no published file may name."""
    signing: Signing | None
    """How the clip is signed; None for one that is not."""


@dataclass(frozen=True)
class PublishedFile:
    """A clip's file in the published dataset."""

    sha256: str
    size_bytes: int
    header: ClipHeader


def published_names(clips: Sequence[Clip]) -> list[str]:
    """Path of each clip's file below the folder of its split: `QUALITY/LABEL/NAME.mp4`.

    NAME is the clip's id without slashes and dots, where need be its key, so that different clips
    have different names on every file system.
    """
    plain = [clip.clip_id.replace("/", "--").replace(".", "_") for clip in clips]
    used = Counter((c.quality, c.label, n.lower()) for c, n in zip(clips, plain, strict=True))
    names = []
    for clip, name in zip(clips, plain, strict=True):
        if used[clip.quality, clip.label, name.lower()] > 1 or len(name.encode()) > _MAX_NAME:
            name = key_of(f"{clip.clip_id}\n")
        suffix = PurePosixPath(clip.file_name).suffix or ".mp4"
        names.append(f"{clip.quality}/{clip.label}/{name}{suffix}")
    return names


def publish_file(job: FileJob) -> PublishedFile | str:
    """Put one clip in place unless it is there; why it cannot be published, in one line.

    At the top level, for other processes.
    """
    clip, source = job.clip, job.manifest.path(job.clip)
    try:
        if job.signing is not None:
            if not job.target.is_file():
                sign_clip(source, job.target, clip, job.signing)
        elif not _same(source, job.target):
            place_file(source, job.target)
        digest, size, found = hash_and_search(job.target, job.secrets)
        if found:
            return f"{clip.file_name}: holds the path {found}… of this machine"
        if job.signing is None and clip.sha256 and digest != clip.sha256:
            return f"{clip.file_name}: SHA-256 is {digest[:12]}…, expected {clip.sha256[:12]}…"
        return PublishedFile(digest, size, header_of(job.manifest, clip))
    except Exception as error:
        return failure(error, source)


def _same(source: Path, target: Path) -> bool:
    """Whether an earlier run put the file in place: it is the same file, or one of its size."""
    if not source.is_file() or not target.is_file():
        return False
    a, b = source.stat(), target.stat()
    return os.path.samestat(a, b) or (a.st_size == b.st_size and a.st_mtime <= b.st_mtime)


def hash_and_search(path: Path, secrets: Iterable[bytes]) -> tuple[str, int, str]:
    """SHA-256 and size of a file, and the first of `secrets` that it holds; empty if none."""
    digest, size, found, end = hashlib.sha256(), 0, "", b""
    longest = max(map(len, secrets), default=1)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            text = end + chunk
            found = found or next((os.fsdecode(s) for s in secrets if _holds(text, s)), "")
            end = text[-longest - 1 :]
    return digest.hexdigest(), size, found


def _holds(text: bytes, path: bytes) -> bool:
    """Whether `text` names the absolute `path`, which is no part of a longer one."""
    return path in text and re.search(rb"(?<![\w./-])" + re.escape(path), text) is not None


def secrets_of(*folders: Path) -> tuple[bytes, ...]:
    """The absolute paths of `folders`, of the home folder and of the working folder, as bytes.

    Those shorter than `_MIN_SECRET` are left out: a video's bytes hold them by chance.
    """
    every = {*folders, Path.home(), Path.cwd()}
    paths = {p for folder in every for p in (folder.absolute(), folder.resolve())}
    found = (os.fsencode(f"{path}/") for path in paths)
    return tuple(sorted(path for path in found if len(path) >= _MIN_SECRET))
