"""What a browser sent: the file, its own name, and errors that name it as its owner does."""

import logging
from pathlib import Path

from dfmnist.core.batch import LONGEST, without_folders
from dfmnist.core.errors import InputError

LOG = logging.getLogger(__name__)


def uploaded(file: str | None, what: str) -> Path:
    """The uploaded file. Raises `InputError`, naming `what` is missing, where there is none."""
    if not file:
        raise InputError(f"no {what}; expected one, uploaded or filmed")
    return Path(file)


def problem(error: Exception) -> str:
    """Why the work failed, in one line for the page: no path of the server is in it.

    An error that is no fault of the input is also logged, with its traceback.
    """
    if isinstance(error, InputError):
        return _short(without_folders(str(error)))
    LOG.error("work for the page failed", exc_info=error)
    kind = type(error).__name__
    return _short(f"this could not be done: {kind}: {without_folders(str(error))}")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
