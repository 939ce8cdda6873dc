"""DeepFake MNIST+ as it was released, and the real clips' names in VoxCeleb.

`fake_dataset/{blink,embarrass,left_slope,mouth,nod,right_slope,smile,surpise,up,yaw}/N.mp4` and
`real_dataset/{selected_train,selected_val,selected_test}/PERSON#VIDEO#START#END.mp4`, as the
folders of the release are named (`surprise` occurs too).

The fakes state neither a split nor whose photo was animated. Each counts as a person of its own,
and the splits of the fakes are made by clip within each action, as in section 4.1 of the paper. The
released real clips were written without a frame rate and the fakes with the driving video's, so
`dfmnist dataset audit` should come before any training.
"""

from collections.abc import Iterator
from pathlib import Path

from dfmnist.core.actions import Action, parse_action
from dfmnist.core.choices import Split
from dfmnist.core.errors import InputError
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.layouts.base import Layout, below, clip, videos
from dfmnist.media.folders import person_of

FAKE, REAL = "fake_dataset", "real_dataset"
SPLITS_OF: dict[str, Split] = {
    "selected_train": "train", "selected_val": "validation", "selected_test": "test",
}  # fmt: skip
"""Splits of the real clips by folder."""


def read(root: Path) -> Iterator[Clip]:
    """Yield the clips of the released DeepFake MNIST+."""
    for folder in sorted(path for path in (root / FAKE).glob("*") if path.is_dir()):
        try:
            action = parse_action(folder.name)
        except InputError as error:
            raise InputError.of(folder, str(error), "one folder for each action") from None
        for path in videos(folder):
            person = f"unknown {action.value} {path.stem}"
            yield clip(
                below(root, path), "fake", (person,), action=action, method="fomm",
                clip_id=f"fake-{action.value}-{path.stem}",
            )  # fmt: skip
    for name, split in SPLITS_OF.items():
        for path in videos(root / REAL / name):
            person = person_of(path.relative_to(path.parent))
            yield clip(
                below(root, path), "real", (person,), action=Action.TALK, split=split,
                clip_id=f"real-{path.stem}",
            )  # fmt: skip


def looks_like(root: Path) -> bool:
    """Whether a folder holds the released DeepFake MNIST+."""
    return (root / FAKE).is_dir() or (root / REAL).is_dir()


def published(one: Clip) -> bool:
    """Whether the release states the clip's split: it does for real clips alone."""
    return one.label == "real"


LAYOUT = Layout(
    kind="deepfake-mnist-plus",
    title="DeepFake MNIST+",
    read=read,
    looks_like=looks_like,
    expected=f"the folders {FAKE} and {REAL} of the release",
    published=published,
    notes=(
        "The fakes do not say whose photo was animated, so nobody can check that no person of the "
        "fakes is in two splits.",
    ),
)
