"""A detector that is not this package's, as its user names it: a function, a program, or scores.

`score_external` runs it. Nothing here imports torch.
"""

import re
from dataclasses import dataclass
from typing import Literal

from dfmnist.core.config import config_hash
from dfmnist.core.errors import InputError
from dfmnist.core.files import sha256_text
from dfmnist.core.plugins import PluginKind, code_of, parse_plugin
from dfmnist.core.text import slug

FRAMES = 32
"""Number of frames of each clip that a function is given, evenly spaced, as in the paper's runs."""


@dataclass(frozen=True)
class ExternalDetector:
    """A detector of the user's, as it was typed."""

    text: str
    """What the user typed: `module:function` or a program with its arguments."""
    kind: PluginKind | Literal["file"]
    """`file` for scores that were made elsewhere."""
    name: str
    """The detector's name in tables and files."""
    threshold: float = 0.5
    """P(fake) from which on a frame or clip is called fake."""
    frames: int = FRAMES
    """Number of frames of each clip that a function is given; a program reads the clip itself."""
    code: str = ""
    """Hash of the function's or program's name and files as they were when it was named, so that
    scores of changed code are not taken for its scores; empty where there is no such code."""

    @property
    def hash(self) -> str:
        """Twelve digits that stand for the detector in the column `run`."""
        return config_hash(self)

    @property
    def folder_name(self) -> str:
        """The name of the folder for its scores: `<name>-<hash>`."""
        return f"{self.name}-{self.hash}"


def parse_external(given: str, *, threshold: float = 0.5, frames: int = FRAMES) -> ExternalDetector:
    """The detector that a value of `--detector` stands for.

    `module:function` is a function; anything else is a program with its arguments. The words
    `python:` and `command:` before them say it where it is not clear, and `NAME=` before all of it
    names the detector. Raises `InputError`.
    """
    name, equals, text = given.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", name):
        name, text = "", given
    if not 0 < threshold < 1:
        raise InputError(f"--threshold {threshold}; expected more than 0 and less than 1")
    if frames < 1:
        raise InputError(f"--frames {frames}; expected 1 or more")
    plugin = parse_plugin(text, f"--detector {text}")
    own = plugin.text.rpartition(":")[2] if plugin.kind == "function" else plugin.program_name
    code = sha256_text("\n".join(code_of(plugin)))[:12]
    return ExternalDetector(
        plugin.text, plugin.kind, name or slug(own)[:40], threshold, frames, code
    )
