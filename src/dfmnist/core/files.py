"""Files written completely or not at all, folders marked with their kind, and hashes."""

import contextlib
import errno
import fcntl
import functools
import hashlib
import inspect
import json
import os
import secrets
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from dfmnist.core.errors import InputError, StorageError

MARKER = ".dfmnist"
"""File that names the kind of its folder; a folder with content but no marker is refused."""


LOCK = ".dfmnist.lock"
"""File by which a process holds a folder; it names the process and the machine."""
TEMPORARY = ".tmp-"
"""Start of the names of files that are being written."""
MAX_JSON_BYTES = 64 << 20
"""Largest JSON file that is read."""


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, with its suffix, and rename it to `path` on success.

    After an exception the temporary file is removed and `path` is unchanged. A killed process
    leaves at most a hidden `.tmp-*` file. Raises `StorageError` if the disk is full, the folder
    cannot be written to, or `path` is a folder.
    """
    # named before it is made, so that an interrupt at any place finds it
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(6)}{path.suffix}")
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except OSError as error:
            raise _cannot_write(path, error) from None
        try:
            yield temporary
            temporary.chmod(0o644)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise _cannot_write(path, error) from None
            raise
        try:
            temporary.replace(path)
        except OSError as error:  # for example onto a folder
            raise _cannot_write(path, error) from None
    finally:
        with contextlib.suppress(OSError):  # it is not there, or its folder is not
            temporary.unlink()


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`, and rename it to `path` on success.

    After an exception it is removed and `path` is unchanged. A killed process leaves at most a
    hidden `.tmp-*` folder. Raises `InputError` for a `path` that holds anything, and
    `StorageError` if it cannot be written.
    """
    refuse_taken(path)
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(6)}")  # as in `atomic_path`
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.mkdir(mode=0o700)
        except OSError as error:
            raise _cannot_write(path, error) from None
        yield temporary
        temporary.chmod(0o755)
        try:
            temporary.replace(path)
        except OSError as error:
            raise _cannot_write(path, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def refuse_taken(folder: Path) -> None:
    """Raise `InputError` for a file, and for a folder that is not empty."""
    if folder.exists() and not folder.is_dir():
        raise InputError.of(folder, "is a file", "a new folder to write to")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError.of(folder, "holds something", "a new folder to write to")


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Numbers of the errors of a full or read-only disk."""


def _cannot_write(path: Path, error: OSError) -> StorageError:
    return StorageError.of(path, f"cannot be written ({error.strerror})", "room and leave to write")


def check_writable(path: Path, *, folder: bool = False) -> None:
    """Raise `StorageError` if no file can be made at `path`, or in it if it is a `folder`.

    It is called before long work whose result goes there. A temporary file without a name is made
    for it, so nothing is left behind, and a folder that is missing is not created.
    """
    try:
        if not folder and path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        there = path if folder else path.parent
        while not (found := _stat(there)):
            there = there.parent
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        with tempfile.TemporaryFile(prefix=TEMPORARY, dir=there):
            pass
    except OSError as error:
        raise _cannot_write(path, error) from None


def _stat(path: Path) -> os.stat_result | None:
    """What is at `path`; None if there is nothing. Raises `OSError` if that cannot be known."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, completely or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, completely or not at all."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """JSON value in the file `path`, of at most `MAX_JSON_BYTES`.

    Raises `InputError` naming the file, also for values that are nested too deeply and for numbers
    of thousands of digits.
    """
    try:
        size = path.stat().st_size
        if size > MAX_JSON_BYTES:
            most = f"a JSON file of at most {MAX_JSON_BYTES >> 20} MB"
            raise InputError.of(path, f"has {size >> 20} MB", most)
        return json.loads(path.read_text(encoding="utf-8"))
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError.of(path, "no such file", "a JSON file") from None
    except OSError as error:
        raise InputError.of(path, f"cannot be read ({error.strerror})", "a JSON file") from None
    except RecursionError:
        raise InputError.of(path, "is nested too deeply", "a JSON file") from None
    except ValueError as error:  # also bytes that are no UTF-8, and numbers of too many digits
        said = str(error).partition(";")[0]
        raise InputError.of(path, f"not valid JSON ({said})", "a JSON file") from None


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in the file `path`. Raises `InputError` for anything else."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise InputError.of(path, f"holds a {type(value).__name__}", "a JSON object")
    return value


_FICLONE = 0x40049409
"""Request of Linux that lets two files share their blocks until one is changed (FICLONE)."""


def place_file(source: Path, target: Path) -> None:
    """Put the file `source` at `target`, completely or not at all, and as cheaply as possible.

    The first of these that the file system allows: a hard link, a copy that shares its blocks
    (reflink), a copy. Symbolic links are followed. Raises `InputError` for a missing source and
    `StorageError` if the disk is full.
    """
    if not source.is_file():
        raise InputError.of(source, "no such file", "the clip that the manifest names")
    if _linked(source, target):
        return
    with (
        atomic_path(target) as temporary,
        source.open("rb") as read,
        temporary.open("wb") as written,
    ):
        try:
            fcntl.ioctl(written.fileno(), _FICLONE, read.fileno())
        except OSError:  # a file system without reflinks
            shutil.copyfileobj(read, written, 1 << 20)


def _linked(source: Path, target: Path) -> bool:
    """Make `target` a hard link to the file `source`; False where that cannot be done."""
    temporary = target.parent / f"{TEMPORARY}{os.getpid()}-{target.name[-200:]}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        os.link(os.path.realpath(source), temporary)
        temporary.replace(target)
    except OSError:  # another file system, one without links, or a file of somebody else
        return False
    finally:
        with contextlib.suppress(OSError):  # where both were one file already, it is left
            temporary.unlink(missing_ok=True)
    return True


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_text(text: str) -> str:
    """Hexadecimal SHA-256 of the UTF-8 bytes of `text`."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def cache_dir() -> Path:
    """Cache folder of this program for the user; the variable `DFMNIST_CACHE` moves it."""
    if chosen := os.environ.get("DFMNIST_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "dfmnist"


@contextlib.contextmanager
def folder_lock(folder: Path, kind: str = "") -> Iterator[None]:
    """Hold `folder` for this process within the `with` block; create it if it is missing.

    With a `kind` the folder is claimed as one of it, as `claim_folder` does. Temporary files that
    a killed process left in a folder of this program are removed. At the end, a folder in which
    nothing was written is as it was before. Raises `InputError` that names the process and machine
    that hold it. The lock ends with its process, however that ends. On a file system without locks
    nothing is held.
    """
    existed = os.path.isdir(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except FileExistsError:
        raise InputError.of(folder, "is a file", "a folder to write to") from None
    except OSError as error:
        raise _cannot_write(folder, error) from None
    claimed = False
    try:
        with contextlib.ExitStack() as ending:
            if _locked(handle, folder):
                ending.callback(_let_go, folder, remove=not existed)
            claimed = bool(kind) and claim_folder(folder, kind)
            if (folder / MARKER).exists():  # else it may be someone's own folder
                for left in folder.rglob(f"{TEMPORARY}*"):
                    left.unlink(missing_ok=True)
            if claimed:
                ending.callback(_unclaim, folder)
            yield
    finally:
        os.close(handle)


def _locked(handle: int, folder: Path) -> bool:
    """Lock the open file `handle` of `folder`; False on a file system without locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        who = os.read(handle, 200).decode(errors="replace").strip() or "another process"
        raise InputError.of(folder, f"is in use by {who}", "a folder that is free") from None
    except OSError:
        return False
    os.truncate(handle, 0)
    os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    return True


def _let_go(folder: Path, *, remove: bool) -> None:
    """Remove the lock, and `folder` if it is empty and `remove` says so."""
    (folder / LOCK).unlink(missing_ok=True)
    if remove:
        with contextlib.suppress(OSError):  # something was written, or the folder is in use
            folder.rmdir()


def _unclaim(folder: Path) -> None:
    """Remove the marker of a folder that holds nothing but it and the lock."""
    with contextlib.suppress(OSError):
        if {path.name for path in folder.iterdir()} <= {MARKER, LOCK}:
            (folder / MARKER).unlink()


Result = TypeVar("Result")
Given = ParamSpec("Given")


def holds_folder(
    parameter: str, kind: str = "", *, when: Callable[[], bool] = lambda: True
) -> Callable[[Callable[Given, Result]], Callable[Given, Result]]:
    """Decorator: the function holds the folder in its parameter of this name by `folder_lock`.

    With a `kind` the folder is claimed as one of it. Where `when` is False at the call, the
    function runs without: of a training's processes one holds it.
    """

    def decorate(function: Callable[Given, Result]) -> Callable[Given, Result]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def held(*args: Given.args, **kwargs: Given.kwargs) -> Result:
            folder = Path(signature.bind(*args, **kwargs).arguments[parameter])
            with folder_lock(folder, kind) if when() else contextlib.nullcontext():
                return function(*args, **kwargs)

        return held

    return decorate


def claim_folder(folder: Path, kind: str) -> bool:
    """Mark `folder` as one of `kind`; True if it had no marker yet.

    A new or empty folder gets a marker; one with the same marker is used again (resume). Raises
    `InputError` if it holds something else.
    """
    marker, expected = folder / MARKER, f"a new folder, or one that is marked as {kind}"
    try:
        if folder.is_file():
            raise InputError.of(folder, "is a file", "a folder to write to")
        there = {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        there = set()
    except OSError as error:
        raise _cannot_write(folder, error) from None
    if MARKER in there:
        found = marker.read_text(encoding="utf-8").strip()
        if found != kind:
            raise InputError.of(folder, f"is marked as {found}", expected)
        return False
    if any(not name.startswith((TEMPORARY, LOCK)) for name in there):
        raise InputError.of(folder, "holds something else", expected)
    write_text(marker, kind + "\n")
    return True
