"""DeeperForensics-1.0, with the videos of FaceForensics++ that its fakes were made from.

`manipulated_videos/KIND/FFID_ACTOR.mp4`, where KIND is `end_to_end` or one of its distortions and
ACTOR is M or W and three digits; `lists/splits/{train,val,test}.txt` name the files of each split
(703, 96 and 201). The real videos are those of FaceForensics++ (c23, youtube), in
`original_sequences/youtube/c23/videos/` at the top. Each is in the split of the fakes made from it,
so that no real video is in two splits.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from dfmnist.core.choices import Split
from dfmnist.core.errors import InputError
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.layouts.base import Layout, below, clip, read_lines, videos

FAKES, LISTS = "manipulated_videos", "lists/splits"
REALS = "original_sequences/youtube/c23/videos"
FILES: dict[Split, str] = {"train": "train.txt", "validation": "val.txt", "test": "test.txt"}
NAME = re.compile(r"(\d{3})_([MW]\d{3})")


def read(root: Path) -> Iterator[Clip]:
    """Yield the clips of DeeperForensics-1.0: those that the lists name, and their originals."""
    split_of = _splits(root)
    kinds = sorted(path for path in (root / FAKES).glob("*") if path.is_dir())
    for folder in kinds:
        for stem, split in sorted(split_of.items()):
            target, actor = stem.split("_")
            yield clip(
                below(root, folder / f"{stem}.mp4"), "fake", (f"ff-{target}", actor), split=split,
                method="deeperforensics", clip_id=f"{folder.name}-{stem}",
            )  # fmt: skip
    place = {stem.split("_")[0]: split for stem, split in split_of.items()}
    for path in videos(root / REALS):
        if path.stem in place:
            yield clip(
                below(root, path), "real", (f"ff-{path.stem}",), split=place[path.stem],
                clip_id=f"youtube-{path.stem}",
            )  # fmt: skip


def _splits(root: Path) -> dict[str, Split]:
    """Split of each fake by its name; a real video in two splits is refused."""
    found: dict[str, Split] = {}
    place: dict[str, Split] = {}
    for split, file in FILES.items():
        path = root / LISTS / file
        for number, line in read_lines(path, "the list of a split of DeeperForensics-1.0"):
            name = NAME.fullmatch(Path(line).stem)
            if name is None:
                raise InputError.of(f"{path}:{number}", f"'{line[:80]}'", "000_M001.mp4")
            if place.setdefault(name[1], split) != split or name[0] in found:
                what = f"{name[0]} is listed twice, or its real video in two splits"
                raise InputError.of(f"{path}:{number}", what, "each video in one split")
            found[name[0]] = split
    return found


def looks_like(root: Path) -> bool:
    """Whether a folder holds DeeperForensics-1.0."""
    return (root / FAKES).is_dir()


LAYOUT = Layout(
    kind="deeperforensics",
    title="DeeperForensics-1.0",
    read=read,
    looks_like=looks_like,
    expected=f"the folders {FAKES}, {LISTS} and, for the real videos, {REALS}",
    beside=("source_videos/*", f"{REALS}/*"),
)
