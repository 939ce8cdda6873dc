"""Errors that a user can act on. The command line prints them as one line and exits with 2."""

from pathlib import Path


class InputError(ValueError):
    """Something that the user gave cannot be used: names it, and what was expected.

    The message is one line, complete without a traceback.
    """

    @classmethod
    def of(cls, path: str | Path, problem: str, expected: str) -> "InputError":
        """`PATH: problem; expected ...` on one line."""
        text = f"{path}: {problem}; expected {expected}"
        return cls(" ".join(text.split()))
