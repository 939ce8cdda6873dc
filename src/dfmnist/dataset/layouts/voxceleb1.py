"""VoxCeleb1 as the First Order Motion Model's authors prepare it.

`train/PERSON#VIDEO#START#END.mp4` and `test/…`, made with `vox-metadata.csv`, whose columns are
video_id, start, end, bbox, fps, width, height, partition and person_id (20,075 clips of 435 people,
25 frames a second, 256 pixels square; the preprocessing repository of the model's authors). Where
the table lies beside the clips, its rows are the list of the clips, and rows without a file are
missing. All clips are real. id10282 and id10306 stand in both partitions of the table.
"""

from collections.abc import Iterator
from pathlib import Path

from dfmnist.core.actions import Action
from dfmnist.core.choices import Split
from dfmnist.core.errors import InputError
from dfmnist.core.tables import read_table
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.layouts.base import Layout, below, clip, videos
from dfmnist.media.folders import person_of

TABLE = "vox-metadata.csv"
PARTITIONS: tuple[Split, ...] = ("train", "test")


def read(root: Path) -> Iterator[Clip]:
    """Yield the clips of VoxCeleb1; all show people who talk."""
    files = {path: split for split in PARTITIONS for path in videos(root / split)}
    listed = dict(files)
    if (root / TABLE).is_file():
        listed |= dict(_listed(root))
    for path, split in sorted(listed.items()):
        person = person_of(path.relative_to(path.parent))
        name = below(root, path)
        yield clip(name, "real", (person,), action=Action.TALK, split=split)


def _listed(root: Path) -> Iterator[tuple[Path, Split]]:
    """Path and partition of each row of the table."""
    needed = ("video_id", "start", "end", "partition", "person_id")
    for line, row in read_table(root / TABLE, needed):
        split = next((split for split in PARTITIONS if split == row["partition"]), None)
        if split is None:
            where = f"{root / TABLE}:{line}"
            raise InputError.of(where, f"partition '{row['partition']}'", "train or test")
        start, end = (row[name].zfill(6) for name in ("start", "end"))
        name = f"{row['person_id']}#{row['video_id']}#{start}#{end}.mp4"
        yield root / split / name, split


def looks_like(root: Path) -> bool:
    """Whether a folder holds VoxCeleb1 as prepared for the motion model."""
    if (root / TABLE).is_file():
        return True
    names = (path.name for split in PARTITIONS for path in (root / split).glob("*#*#*#*.mp4"))
    return next(names, None) is not None


LAYOUT = Layout(
    kind="voxceleb1",
    title="VoxCeleb1",
    read=read,
    looks_like=looks_like,
    expected="the folders train and test with clips named PERSON#VIDEO#START#END.mp4",
    notes=("All clips are real.",),
)
