"""ForgeryNet's videos, with their official training and validation splits.

`Training/video_list.txt` and `Validation/video_list.txt` have a line for each video: the number n
of its segments, its name, n times `start length real/fake`, then its binary, triple and
sixteen-fold labels; the videos lie in `Training/video` and `Validation/video`. (The README of the
dataset; its image lists have `name binary triple sixteen` and are not read.) The binary label is 0
for real and 1 for fake. People are not named, so each video counts as a person. The test labels are
not public: the published validation split is the test here, and validation is made out of the
training videos.
"""

from collections.abc import Iterator
from pathlib import Path

from dfmnist.core.choices import Split
from dfmnist.core.errors import InputError
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.layouts.base import Layout, clip, read_lines

LIST = "video_list.txt"
FOLDERS: dict[str, Split] = {"Training": "train", "Validation": "test"}
"""Split of each folder's videos here."""
LINE = "n name [start length real/fake]×n binary triple sixteen"


def read(root: Path) -> Iterator[Clip]:
    """Yield the clips that the video lists name."""
    for folder, split in FOLDERS.items():
        path = root / folder / LIST
        if not path.is_file():
            continue
        for number, line in read_lines(path, LINE):
            yield _clip(f"{path}:{number}", folder, split, line.split())


def _clip(where: str, folder: str, split: Split, words: list[str]) -> Clip:
    segments = int(words[0]) if words[0].isdecimal() and len(words[0]) < 6 else -1
    if segments < 0 or len(words) != 2 + 3 * segments + 3 or words[-3] not in ("0", "1"):
        raise InputError.of(where, f"'{' '.join(words)[:80]}'", LINE)
    name, label = words[1], "fake" if words[-3] == "1" else "real"
    if ".." in name.split("/"):
        raise InputError.of(where, f"'{name[:80]}' leaves the dataset", LINE)
    stem = name.rpartition(".")[0] or name
    return clip(
        f"{folder}/video/{name}", label, (f"{folder} {stem}",), split=split,
        clip_id=f"{folder}-{stem}", method=f"forgerynet-{words[-1]}" if label == "fake" else "",
        extra={"segments": [" ".join(words[2 + 3 * i : 5 + 3 * i]) for i in range(segments)]},
    )  # fmt: skip


def looks_like(root: Path) -> bool:
    """Whether a folder holds ForgeryNet's videos."""
    return any((root / folder / LIST).is_file() for folder in FOLDERS)


LAYOUT = Layout(
    kind="forgerynet",
    title="ForgeryNet",
    read=read,
    looks_like=looks_like,
    expected=f"Training/{LIST} and Validation/{LIST} with the folders video beside them",
    notes=("People are not named, so each video counts as a person.",),
)
