"""`SHA256SUMS`: the hash of every published file, as `sha256sum --check` reads it."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from dfmnist.core.errors import InputError
from dfmnist.core.files import LOCK, MARKER, TEMPORARY, sha256_file, write_text

SUMS = "SHA256SUMS"
_LINE = re.compile(r"(\\?)([0-9a-f]{64})  (.+)")
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_UNESCAPED = {"\\": "\\", "n": "\n", "r": "\r"}


def published_files(root: Path) -> list[str]:
    """Paths below `root`, sorted, of all its files but the sums and the program's own marks."""
    found = (p for p in root.rglob("*") if p.is_file() and not p.name.startswith(TEMPORARY))
    names = (path.relative_to(root).as_posix() for path in found)
    return sorted(name for name in names if name not in (SUMS, MARKER, LOCK))


def write_sums(root: Path, known: Mapping[str, str], changing: Iterable[str] = ()) -> Path:
    """Write `SHA256SUMS` for all files below `root`. `known` are hashes that were computed.

    Files named in `changing` are left out, since a command may write them anew.
    """
    names = [name for name in published_files(root) if name not in set(changing)]
    sums = {name: known.get(name) or sha256_file(root / name) for name in names}
    write_text(root / SUMS, "".join(f"{_line(name, digest)}\n" for name, digest in sums.items()))
    return root / SUMS


def _line(name: str, digest: str) -> str:
    """A line as coreutils writes it: with a backslash in front if the name holds special bytes."""
    escaped = "".join(_ESCAPES.get(c, c) for c in name)
    return f"{'' if escaped == name else chr(92)}{digest}  {escaped}"


def read_sums(root: Path) -> dict[str, str] | None:
    """Path → SHA-256 of `SHA256SUMS`; None if there is no such file. Raises `InputError`."""
    path = root / SUMS
    if not path.is_file():
        return None
    sums = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line:
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise InputError.of(f"{path}:{number}", "no checksum", "a SHA-256 and a file's name")
        name = match[3]
        if match[1]:
            name = re.sub(r"\\([\\nr])", lambda escape: _UNESCAPED[escape[1]], name)
        sums[name] = match[2]
    return sums


def check_sums(root: Path, known: Mapping[str, str], folders: Iterable[str]) -> list[str]:
    """Problems of the files below `root` against its `SHA256SUMS`, one line each.

    `known` are hashes of files that are checked elsewhere; they are compared, not computed. Files
    in `folders` must be listed. There are no problems where there are no sums.
    """
    sums = read_sums(root)
    if sums is None:
        return []
    problems = []
    for name, digest in sums.items():
        path = root / name
        if not path.is_file():
            problems += [] if name in known else [f"{name}: missing"]
        elif (found := known.get(name) or sha256_file(path)) != digest:
            problems.append(f"{name}: SHA-256 is {found[:12]}…, expected {digest[:12]}… ({SUMS})")
    inside = tuple(f"{folder}/" for folder in folders)
    unlisted = (n for n in published_files(root) if n not in sums and n.startswith(inside))
    return problems + [f"{name}: not in {SUMS}" for name in unlisted]
