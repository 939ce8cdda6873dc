"""What a layout is, and what those of several datasets share."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from dfmnist.core.errors import InputError
from dfmnist.dataset.clip import Clip


def all_published(clip: Clip) -> bool:
    """True: the makers of the dataset published the split of every clip."""
    return True


def none_published(clip: Clip) -> bool:
    """False: the makers of the dataset published no split."""
    return False


def goes_with_all(clip: Clip, methods: Collection[str]) -> bool:
    """True: a real clip belongs to the fakes of every method."""
    return True


@dataclass(frozen=True)
class Layout:
    """How one dataset lies on disk."""

    kind: str
    """Name on the command line."""
    title: str
    """Name in sentences, such as `Celeb-DF v2`."""
    read: Callable[[Path], Iterator[Clip]]
    """Yields the record of every clip that the dataset has in the folder given, also where a list
    names a file that is not there. Clips without a published split have `train`."""
    looks_like: Callable[[Path], bool]
    """Whether a folder is laid out in this way."""
    expected: str
    """What the folder should hold, in words."""
    published: Callable[[Clip], bool] = all_published
    """Whether the split of a clip is that of the makers of the dataset."""
    goes_with: Callable[[Clip, Collection[str]], bool] = goes_with_all
    """Whether a real clip belongs to the fakes of some of these methods."""
    beside: tuple[str, ...] = ()
    """Patterns of videos that the dataset has beside its clips, such as masks."""
    notes: tuple[str, ...] = ()
    """What a user of the dataset should know, a sentence each."""

    def is_beside(self, file_name: str) -> bool:
        """Whether a video belongs to the dataset but is no clip of it."""
        return any(fnmatchcase(file_name, pattern) for pattern in self.beside)


def clip(file_name: str, label: str, identities: tuple[str, ...], **more: Any) -> Clip:
    """The record of a clip; its split is `train` unless given. Raises `InputError`."""
    values = {"split": "train", **more}
    try:
        return Clip.model_validate(
            {"file_name": file_name, "label": label, "identities": identities, **values}
        )
    except ValueError as error:
        raise InputError.of(file_name, str(error), "a file that can be a clip") from None


def below(root: Path, path: Path) -> str:
    """POSIX path of a file within the dataset."""
    return path.relative_to(root).as_posix()


def videos(folder: Path, *suffixes: str) -> list[Path]:
    """The files in a folder with one of the suffixes (`.mp4` by default), sorted; not deeper."""
    wanted = suffixes or (".mp4",)
    if not folder.is_dir():
        return []
    found = (path for path in folder.iterdir() if path.suffix.lower() in wanted)
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


def read_lines(path: Path, expected: str) -> list[tuple[int, str]]:
    """The lines of a list that are not empty, with their numbers. Raises `InputError`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError.of(path, f"cannot be read ({error})", expected) from None
    lines = enumerate(text.splitlines(), 1)
    return [(number, line.strip()) for number, line in lines if line.strip()]
