"""Download one file over HTTP: it is complete or absent, and a broken download goes on."""

import fcntl
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from dfmnist.core.console import progress_bar
from dfmnist.core.errors import InputError

TIMEOUT_S = 20
"""Longest wait for a connection, and for the next bytes."""
CHUNK_BYTES = 1 << 20
MB = 10**6
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416


def download(url: str, path: Path, check: Callable[[Path], object], expected: str) -> None:
    """Download `url` to `path`, after `check` has accepted the received file.

    The part that a broken connection left (`.part-*` beside `path`) is kept, and the next call
    goes on from there; a file that `check` rejects with its `InputError` is removed. Processes
    that want the same file wait for the first of them. Raises `InputError` where there is no
    network; `expected` ends its message.
    """
    lock = path.with_name(f".lock-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            if not path.is_file():
                _fetch(url, path, check)
            lock.unlink(missing_ok=True)
    except (OSError, HTTPException) as error:
        reason = str(getattr(error, "reason", error)) or type(error).__name__
        raise InputError.of(url, f"could not be downloaded ({reason})", expected) from None


def _fetch(url: str, path: Path, check: Callable[[Path], object]) -> None:
    part = path.with_name(f".part-{path.name}")  # the suffix tells `check` the format
    _receive(url, part, path.name)
    try:
        check(part)
    except InputError as error:
        part.unlink()
        raise InputError(str(error).replace(str(part), url)) from None
    part.replace(path)


def _receive(url: str, part: Path, name: str) -> None:
    """Append to `part` what it lacks of `url`; from the start where the server cannot go on."""
    have = part.stat().st_size if part.is_file() else 0
    headers = {"User-Agent": "dfmnist", **({"Range": f"bytes={have}-"} if have else {})}
    try:
        response = urlopen(Request(url, headers=headers), timeout=TIMEOUT_S)
    except HTTPError as error:
        if error.code == RANGE_NOT_SATISFIABLE:
            return  # all of it is there already
        raise OSError(f"HTTP {error.code} {error.reason}") from None
    goes_on = response.status == PARTIAL_CONTENT
    have = have if goes_on else 0
    total = have + int(response.headers.get("Content-Length") or 0)
    with response, part.open("ab" if goes_on else "wb") as file, progress_bar() as bar:
        task = bar.add_task(f"{name}, MB", total=total // MB or None, completed=have // MB)
        while chunk := response.read(CHUNK_BYTES):
            file.write(chunk)
            have += len(chunk)
            bar.update(task, completed=have // MB)
    if have < total:
        raise OSError(f"the connection ended after {have} of {total} bytes")
