"""A detector that is not this package's, as its user names it: a function, a program, or scores.

`score_external` runs it. Nothing here imports torch.
"""

import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dfmnist.core.config import config_hash
from dfmnist.core.errors import InputError
from dfmnist.core.files import sha256_file, sha256_text
from dfmnist.core.text import slug

FRAMES = 32
"""Number of frames of each clip that a function is given, evenly spaced, as in the paper's runs."""
INIT = "__init__.py"
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclass(frozen=True)
class ExternalDetector:
    """A detector of the user's, as it was typed."""

    text: str
    """What the user typed: `module:function` or a program with its arguments."""
    kind: Literal["function", "program", "file"]
    """`file` for scores that were made elsewhere."""
    name: str
    """The detector's name in tables and files."""
    threshold: float = 0.5
    """P(fake) from which on a frame or clip is called fake."""
    frames: int = FRAMES
    """Number of frames of each clip that a function is given; a program reads the clip itself."""
    code: str = ""
    """Hash of the function's or program's file as it was when it was named, so that scores of
    changed code are not taken for its scores; empty where there is no file."""

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
    kind, colon, rest = text.partition(":")
    stated = kind if colon and kind in ("python", "command") else ""
    bare = rest.strip() if stated else text.strip()
    if stated == "python" or (not stated and _FUNCTION.fullmatch(bare)):
        if not _FUNCTION.fullmatch(bare):
            raise InputError.of(f"--detector {text}", "names no function", "module:function")
        own = bare.rpartition(":")[2]
        code = _code([_module_file(bare.partition(":")[0])])
        return ExternalDetector(bare, "function", name or slug(own), threshold, frames, code)
    words = command_words(text, bare)
    own = Path(words[-1] if _is_interpreter(words) else words[0]).stem
    code = _code([Path(word) for word in (*words[1:], shutil.which(words[0]) or words[0])])
    return ExternalDetector(bare, "program", name or slug(own), threshold, frames, code)


def _module_file(module: str) -> Path | None:
    """The file of a module, which may lie in the working directory; it is not imported."""
    parts = module.split(".")
    for folder in (Path.cwd(), *map(Path, sys.path)):
        for path in (folder.joinpath(*parts).with_suffix(".py"), folder.joinpath(*parts, INIT)):
            if path.is_file():
                return path
    return None


def _code(files: Sequence[Path | None]) -> str:
    """Hash of the files among `files` that are there; empty where there is none."""
    found = [sha256_file(path) for path in files if path is not None and path.is_file()]
    return sha256_text("\n".join(found))[:12] if found else ""


def command_words(text: str, command: str) -> list[str]:
    """The words of a command line; `text` is what the user typed. Raises `InputError`."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError.of(f"--detector {text}", str(error), "quotes in pairs") from None
    if not words:
        raise InputError.of(f"--detector {text}", "is empty", "module:function or a program")
    return words


def _is_interpreter(words: Sequence[str]) -> bool:
    return len(words) == 2 and Path(words[0]).name.startswith(("python", "bash", "sh", "Rscript"))
