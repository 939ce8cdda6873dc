"""Download one file over HTTP: it is complete or absent, and a broken download goes on."""

import fcntl
import re
import time
from collections.abc import Callable
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, getproxies, proxy_bypass, urlopen

from dfmnist.core.console import progress_bar
from dfmnist.core.errors import InputError

TIMEOUT_S = 20
"""Longest wait for a connection, and for the next bytes."""
CHUNK_BYTES = 1 << 20
TRIES = 4
"""Number of connections without a new byte after which a download is given up for now."""
WAIT_S = 1.0
"""Wait before a broken download goes on."""
MB = 10**6
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416


def download(url: str, path: Path, check: Callable[[Path], object], expected: str) -> None:
    """Download `url` to `path`, after `check` has accepted the received file.

    A broken connection is made again, and the download goes on from where it was. What a download
    that was given up has left (`.part-*` beside `path`) is kept, and the next call goes on from
    there; a file that `check` rejects with its `InputError` is removed. Processes
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
        through = _proxy_of(url)
        reason += f", through the proxy {through}" if through else ""
        raise InputError.of(url, f"could not be downloaded ({reason})", expected) from None


def _proxy_of(url: str) -> str:
    """Host and port of the environment's proxy for `url`, without its password; empty for none."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme, "")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return ""
    return (urlsplit(proxy).netloc or proxy).rpartition("@")[2]


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
    """Append to `part` what it lacks of `url`; from the start where the server cannot go on.

    Raises `OSError` or `HTTPException` if the first connection fails, and after `TRIES` later ones
    that bring nothing new.
    """
    most, left = _size(part), TRIES
    with progress_bar() as bar:
        task = bar.add_task(f"{name}, MB", total=None, completed=most // MB)

        def tell(have: int, total: int) -> None:
            bar.update(task, total=total // MB or None, completed=have // MB)

        while True:
            try:
                return _receive_on(url, part, tell)
            except HTTPError as error:
                raise OSError(f"HTTP {error.code} {error.reason}") from None
            except (OSError, HTTPException):
                left = TRIES if _size(part) > most else left - 1
                most = max(most, _size(part))
                if not most or not left:
                    raise
                time.sleep(WAIT_S)


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _receive_on(url: str, part: Path, tell: Callable[[int, int], object]) -> None:
    """Append to `part` over one connection; `tell` is called with the bytes there and in all."""
    have = _size(part)
    headers = {"User-Agent": "dfmnist", **({"Range": f"bytes={have}-"} if have else {})}
    try:
        response = urlopen(Request(url, headers=headers), timeout=TIMEOUT_S)
    except HTTPError as error:
        if error.code == RANGE_NOT_SATISFIABLE:
            return  # all of it is there already
        raise
    goes_on = response.status == PARTIAL_CONTENT and _starts_at(response.headers, have)
    have = have if goes_on else 0
    if response.status == PARTIAL_CONTENT and not goes_on:
        response.close()
        part.unlink()
        raise OSError("the server sent another part than was asked for")
    total = have + int(response.headers.get("Content-Length") or 0)
    with response, part.open("ab" if goes_on else "wb") as file:
        while chunk := response.read(CHUNK_BYTES):
            file.write(chunk)
            have += len(chunk)
            tell(have, total)
    if have < total:
        raise OSError(f"the connection ended after {have} of {total} bytes")


def _starts_at(headers: Message, have: int) -> bool:
    """False if a partial answer says that it begins at another byte than `have`."""
    found = re.match(r"bytes (\d+)-", headers.get("Content-Range") or "")
    return found is None or int(found[1]) == have
