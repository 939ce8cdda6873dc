"""Errors that a user can correct. The command line prints them as one line and exits with 2."""

from pathlib import Path
from typing import Self

from dfmnist.core.text import visible


class InputError(ValueError):
    """Input that cannot be used. The message names it and says what was expected.

    The message is one line, complete without a traceback.
    """

    @classmethod
    def of(cls, path: str | Path, problem: str, expected: str) -> Self:
        """Error with the message `PATH: problem; expected ...` on one line."""
        text = " ".join(f"{problem}; expected {expected}".split())
        return cls(f"{visible(str(path))}: {text}")


class StorageError(InputError):
    """Output that cannot be written: no room, or no leave to write. It ends a batch."""
