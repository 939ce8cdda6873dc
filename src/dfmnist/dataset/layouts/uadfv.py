"""UADFV: 49 real videos and 49 face swaps.

`real/0000.mp4` and `fake/0000_fake.mp4`, which was made from it. The face in all fakes is that of
one actor, who is not counted as a person of the clips: he would be in every split. There is no
official split; a fake is always in the split of its real video.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from dfmnist.dataset.clip import Clip
from dfmnist.dataset.layouts.base import Layout, below, clip, none_published, videos

NAME = re.compile(r"(\d{4})(_fake)?")


def read(root: Path) -> Iterator[Clip]:
    """Yield the clips of UADFV; files of other names are no clips."""
    for label in ("real", "fake"):
        for path in videos(root / label):
            found = NAME.fullmatch(path.stem)
            if found is None or bool(found[2]) != (label == "fake"):
                continue
            method = "fakeapp" if label == "fake" else ""
            name, clip_id = below(root, path), f"{label}-{found[1]}"
            yield clip(name, label, (f"uadfv-{found[1]}",), method=method, clip_id=clip_id)


def looks_like(root: Path) -> bool:
    """Whether a folder holds UADFV."""
    return any(NAME.fullmatch(path.stem) for path in root.glob("fake/*_fake.mp4"))


LAYOUT = Layout(
    kind="uadfv",
    title="UADFV",
    read=read,
    looks_like=looks_like,
    expected="the folders real (0000.mp4) and fake (0000_fake.mp4)",
    published=none_published,
)
