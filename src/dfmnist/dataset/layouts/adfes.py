"""ADFES, the Amsterdam Dynamic Facial Expression Set.

Files are named like `F01-Joy-Face Forward.mpg` (model, emotion, direction); 22 models. Each clip
begins with half a second of a neutral face, and ends with five seconds at the apex. The three
emotions of which DeepFake MNIST+ takes its drivers are joy (smile), surprise and embarrassment,
which is also spelled `Embarrass`; the other emotions have no action of that dataset. All clips are
real.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from dfmnist.core.actions import Action
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.layouts.base import Layout, below, clip, none_published, videos

NAME = re.compile(r"([FM]\d{2})-([A-Za-z]+)-.+", re.IGNORECASE)
ACTIONS = {"joy": Action.SMILE, "surpr": Action.SURPRISE, "embarr": Action.EMBARRASSMENT}
"""The first letters of an emotion's name, and its action."""
SUFFIXES = (".mpg", ".mpeg", ".avi", ".mp4", ".wmv")


def read(root: Path) -> Iterator[Clip]:
    """Yield the clips of ADFES, in subfolders too; files of other names are no clips."""
    folders = [root, *sorted(path for path in root.rglob("*") if path.is_dir())]
    for path in (path for folder in folders for path in videos(folder, *SUFFIXES)):
        if (found := NAME.fullmatch(path.stem)) is None:
            continue
        emotion = found[2].lower()
        action = next((a for start, a in ACTIONS.items() if emotion.startswith(start)), None)
        name = below(root, path)
        yield clip(name, "real", (found[1].upper(),), action=action, extra={"emotion": emotion})


def looks_like(root: Path) -> bool:
    """Whether a folder holds clips named as in ADFES."""
    return any(
        NAME.fullmatch(path.stem) and path.suffix.lower() in SUFFIXES for path in root.rglob("*")
    )


LAYOUT = Layout(
    kind="adfes",
    title="ADFES",
    read=read,
    looks_like=looks_like,
    expected="files such as 'F01-Joy-Face Forward.mpg'",
    published=none_published,
    notes=("All clips are real.",),
)
