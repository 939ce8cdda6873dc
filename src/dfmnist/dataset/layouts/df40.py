"""DF40: the original videos of its face swaps and face re-enactments, FOMM among them.

`METHOD/ff/…/NAME.mp4` and `METHOD/cdf/…/NAME.mp4` (repository YZY-stack/DF40, file
DeepfakeBench_DF40/preprocessing/preprocess.py: `DF40_ff` and `DF40_cdf` are read from the
subfolders ff and cdf of each method, videos as `**/*.mp4`). The makers distribute these original
videos beside the cropped frames (README, "Option-2"); the frames are no clips here. Methods and
their kinds are those of the README's table: 1 to 10 are swaps, 11 to 23 re-enactments. Names are
those of the videos they were made from: `000_003` in FaceForensics++, `id0_id16_0000` in Celeb-DF.
The README trains on ff and tests on ff and cdf; it publishes no list of videos, so what is made of
FaceForensics++ has that dataset's official splits where its lists train.json, val.json and
test.json lie at the top or in `splits`, and what is made of Celeb-DF is tested. The dataset holds
fakes only, except for a few methods.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from dfmnist.core.choices import Split
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.layouts.base import Layout, below, clip
from dfmnist.dataset.layouts.faceforensics import LISTS, read_pairs

SWAPS = (
    "fsgan", "faceswap", "simswap", "inswap", "blendface", "uniface", "mobileswap", "e4s",
    "facedancer", "deepfacelab",
)  # fmt: skip
REENACTMENTS = (
    "fomm", "facevid2vid", "wav2lip", "mraa", "oneshot", "pirender", "tpsm", "lia", "dagan",
    "sadtalker", "mcnet", "hyperreenact", "heygen",
)  # fmt: skip
_SPELLINGS = {"facevid2vid": "facevid2vid", "fsvid2vid": "facevid2vid", "inswapper": "inswap"}
_KNOWN = {name: name for name in (*SWAPS, *REENACTMENTS)} | _SPELLINGS
DOMAINS = {"ff": "ff-", "cdf": ""}
"""Subfolders of a method by the dataset they were made from, and what goes before its names."""


def method_of(folder: str) -> str | None:
    """The method of a folder, in any spelling of its name; None for another folder."""
    return _KNOWN.get(re.sub(r"[^a-z0-9]", "", folder.lower()))


def read(root: Path) -> Iterator[Clip]:
    """Yield the clips of DF40's swaps and re-enactments."""
    lists = all(any((p / f).is_file() for p in (root, root / "splits")) for f in LISTS.values())
    split_of = read_pairs(root) if lists else {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if (method := method_of(folder.name)) is None:
            continue
        for domain, prefix in DOMAINS.items():
            for path in sorted((folder / domain).rglob("*.mp4")):
                yield _clip(root, path, method, domain, prefix, split_of)


def _clip(
    root: Path, path: Path, method: str, domain: str, prefix: str, split_of: dict[str, Split]
) -> Clip:
    number = r"id\d+" if domain == "cdf" else r"\d{3}"
    people = [f"{prefix}{name}" for name in re.findall(number, path.stem)[:2]]
    if not people:
        people = [f"{domain} {path.stem}"]
    driven = method in REENACTMENTS and len(people) == 2
    split = "test" if domain == "cdf" else split_of.get(path.stem, "train")
    name = below(root, path)
    return clip(
        name, "fake", tuple(dict.fromkeys(people)), split=split, method=method, dataset=domain,
        driver=people[1] if driven else "", clip_id=name.removesuffix(".mp4"),
    )  # fmt: skip


def looks_like(root: Path) -> bool:
    """Whether a folder holds methods of DF40."""
    return any(
        method_of(path.name) is not None and any((path / domain).is_dir() for domain in DOMAINS)
        for path in root.glob("*")
    )


LAYOUT = Layout(
    kind="df40",
    title="DF40",
    read=read,
    looks_like=looks_like,
    expected="a folder for each method, such as fomm, with ff and cdf in it, of original videos",
    notes=("All clips are fake; the real ones are those of FaceForensics++ and Celeb-DF.",),
)
