"""FaceForensics++ with DeepFakeDetection and FaceShifter, in every compression that is there.

`original_sequences/{youtube,actors}/{raw,c23,c40}/videos/000.mp4` and
`manipulated_sequences/METHOD/{raw,c23,c40}/videos/TARGET_SOURCE.mp4`, as the dataset's download
script lays them out (dataset/README.md of its repository, ondyari/FaceForensics). The official
splits are `train.json`, `val.json` and `test.json`
(360, 70 and 70 pairs such as ["071", "054"], in dataset/splits of the repository), each pair giving
both directions and both originals; they are read from the top folder or from its subfolder
`splits`. Masks lie beside the clips and are none.

A clip of TARGET_SOURCE shows the target's video. In Face2Face and NeuralTextures the source drives
it; in the others the source's face was put on it. DeepFakeDetection and its actors have no official
split; their names are `TARGET_SOURCE__SCENE__CODE` and `ACTOR__SCENE`.
"""

import json
from collections.abc import Collection, Iterator
from pathlib import Path

from dfmnist.core.choices import QUALITIES, Split
from dfmnist.core.errors import InputError
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.layouts.base import Layout, below, clip, videos

ORIGINAL, MANIPULATED = "original_sequences", "manipulated_sequences"
METHODS = {
    "Deepfakes": "deepfakes", "Face2Face": "face2face", "FaceSwap": "faceswap",
    "NeuralTextures": "neuraltextures", "FaceShifter": "faceshifter",
    "DeepFakeDetection": "deepfakedetection",
}  # fmt: skip
"""Method of each folder of manipulated clips."""
REENACTED = ("face2face", "neuraltextures")
"""Methods in which the source drives the target."""
LISTS: dict[Split, str] = {"train": "train.json", "validation": "val.json", "test": "test.json"}
"""Files of the official splits."""
PAIRS = 'pairs of videos such as [["071", "054"]]'


def read(root: Path) -> Iterator[Clip]:
    """Yield the clips of FaceForensics++: those that the lists name, and those of actors.

    A folder of one method and compression should hold every clip of the lists. Raises `InputError`
    without the official lists.
    """
    split_of = read_pairs(root)
    people = {name for name in split_of if "_" not in name}
    for quality in QUALITIES:
        originals = root / ORIGINAL / "youtube" / quality / "videos"
        for name in _names(originals, people):
            yield clip(
                below(root, originals / f"{name}.mp4"), "real", (f"ff-{name}",), quality=quality,
                split=split_of[name], clip_id=f"youtube-{name}",
            )  # fmt: skip
        for path in videos(root / ORIGINAL / "actors" / quality / "videos"):
            actor = f"actor-{path.stem.split('_')[0]}"
            yield clip(
                below(root, path), "real", (actor,), quality=quality,
                clip_id=f"actors-{path.stem}",
            )  # fmt: skip
        for folder, method in METHODS.items():
            yield from _fakes(root, folder, method, quality, split_of)


def _fakes(
    root: Path, folder: str, method: str, quality: str, split_of: dict[str, Split]
) -> Iterator[Clip]:
    place = root / MANIPULATED / folder / quality / "videos"
    if method == "deepfakedetection":
        for path in videos(place):
            target, source = (f"actor-{part}" for part in path.stem.split("__")[0].split("_")[:2])
            yield clip(
                below(root, path), "fake", tuple(dict.fromkeys((target, source))),
                quality=quality, method=method, clip_id=f"{folder}-{path.stem}",
            )  # fmt: skip
        return
    for name in _names(place, {name for name in split_of if "_" in name}):
        target, source = (f"ff-{part}" for part in name.split("_"))
        yield clip(
            below(root, place / f"{name}.mp4"), "fake", (target, source), quality=quality,
            method=method, split=split_of[name], clip_id=f"{folder}-{name}",
            driver=source if method in REENACTED else "",
        )  # fmt: skip


def _names(folder: Path, listed: set[str]) -> list[str]:
    """The clips that a folder should hold; none if there is no such folder."""
    return sorted(listed) if folder.is_dir() else []


def read_pairs(root: Path) -> dict[str, Split]:
    """Split of each video and of each pair, `a_b` and `b_a`, of the official lists."""
    split_of: dict[str, Split] = {}
    for split, file in LISTS.items():
        path = next((p for p in (root / file, root / "splits" / file) if p.is_file()), None)
        if path is None:
            raise InputError.of(
                root / file, "no such file",
                "the official lists train.json, val.json and test.json, from dataset/splits of the "
                "dataset's repository",
            )  # fmt: skip
        for a, b in _pairs_of(path):
            for name in (a, b, f"{a}_{b}", f"{b}_{a}"):
                if split_of.setdefault(name, split) != split:
                    raise InputError.of(path, f"{name} is in two lists", "each video in one")
    return split_of


def _pairs_of(path: Path) -> list[tuple[str, str]]:
    try:
        pairs = json.loads(path.read_text(encoding="utf-8"))
        return [(str(a), str(b)) for a, b in pairs]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise InputError.of(path, f"cannot be read ({error})", PAIRS) from None


def looks_like(root: Path) -> bool:
    """Whether a folder holds FaceForensics++, not only as the real videos of another dataset."""
    alone = (root / ORIGINAL).is_dir() and not (root / "manipulated_videos").is_dir()
    return alone or (root / MANIPULATED).is_dir()


def published(one: Clip) -> bool:
    """Whether the official lists state the clip's split: they do for all but the actors' clips."""
    return not one.source.startswith("actor-")


def goes_with(one: Clip, methods: Collection[str]) -> bool:
    """Whether a real clip belongs to these methods: an actor's to DeepFakeDetection alone."""
    acted = METHODS["DeepFakeDetection"]
    return acted in methods if one.source.startswith("actor-") else bool(set(methods) - {acted})


LAYOUT = Layout(
    kind="faceforensics",
    title="FaceForensics++",
    read=read,
    looks_like=looks_like,
    expected=f"the folders {ORIGINAL} and {MANIPULATED}",
    published=published,
    goes_with=goes_with,
    beside=("*/masks/*",),
)
