"""Failures within a batch: one bad item is named and the rest goes on."""

import re
from pathlib import Path

from dfmnist.core.errors import InputError, StorageError
from dfmnist.core.files import NO_ROOM
from dfmnist.core.text import visible

LONGEST = 500
"""Length of a reason from which it is cut."""
_FOLDERS = re.compile(r"(?<![\w.:/])/(?:[^/\s'\",;]+/)+")
"""The folders of an absolute path."""


def failure(error: Exception, item: Path) -> str:
    """Why the `item` of a batch failed, in one line: the message, and the type of a surprise.

    Raises `error` again if it ends the batch: output that cannot be written. Ctrl-C is no
    `Exception` and never arrives here.
    """
    if isinstance(error, StorageError) or getattr(error, "errno", None) in NO_ROOM:
        raise error
    if isinstance(error, InputError):
        text = visible(str(error))
    else:
        said = " ".join(str(error).split())
        text = f"{visible(str(item))}: {type(error).__name__}: {said}".rstrip()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def published(reason: str, item: Path) -> str:
    """`reason` for a file that is published: paths without the folders of this machine."""
    for folder in {item.parent, item.parent.resolve()} - {Path("."), Path("/")}:
        for shown in (str(folder), visible(str(folder))):
            reason = reason.replace(f"{shown}/", "")
    return without_folders(reason)


def without_folders(text: str) -> str:
    """`text` in which absolute paths have lost their folders: `/home/ann/x.mp4` is `x.mp4`."""
    return _FOLDERS.sub("", text)
