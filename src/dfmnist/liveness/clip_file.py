"""A clip as a file, for liveness detectors that are given files."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dfmnist.core.actions import Action
from dfmnist.core.files import sha256_file


@dataclass(frozen=True)
class ClipFile:
    """A clip's file and the action that is requested in it."""

    path: Path
    action: Action | None
    """The requested action; None where none is requested."""

    @cached_property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the file."""
        return sha256_file(self.path)

    @property
    def action_name(self) -> str:
        """The name of the requested action; empty where none is requested."""
        return self.action.value if self.action is not None else ""
