"""Tiny datasets, made by the project's own writers."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dfmnist.core.actions import Action
from dfmnist.core.choices import Quality
from dfmnist.core.files import sha256_file
from dfmnist.dataset.manifest import Clip, Rejected, Screening, clip_file_name, write_manifest
from dfmnist.dataset.provenance import provenance
from dfmnist.media.video import write_video

SPLIT_OF = ["train"] * 4 + ["validation"] * 2 + ["test"] * 2
SIZE = 32


def record(**changes: Any) -> Clip:
    """A valid fake, with `changes`."""
    values: dict[str, Any] = {
        "file_name": "clips/raw/a.mp4",
        "clip_id": "a",
        "label": "fake",
        "action": "yaw",
        "quality": "raw",
        "split": "train",
        "source": "person-1",
        "source_frame": 3,
        "driver": "driver-1",
        "method": "fomm",
        "origin": "built",
        "take": 0,
        "generator": "fomm-actors@01234567",
        "seed": 7,
        "screening": (Screening(detector="action", live=True, score=0.9, reason="yaw 40°"),),
        "fps": "25",
        "num_frames": 50,
        "width": 256,
        "height": 256,
        "sha256": "0" * 64,
        "licence": "Apache-2.0",
        "consent": "no person is shown",
    }
    if changes.get("label") == "real":
        values |= {"driver": "", "generator": "", "method": "", "source_frame": None}
    values |= changes
    people = [values["source"], *filter(None, [values["driver"]])]
    return Clip(**{"identities": tuple(dict.fromkeys(people)), **values})


def rejection(**changes: Any) -> Rejected:
    values: dict[str, Any] = {
        "attempt_id": "x",
        "label": "fake",
        "action": "yaw",
        "split": "train",
        "source": "person-1",
        "source_frame": 3,
        "driver": "driver-1",
        "take": 0,
        "generator": "fomm-actors@01234567",
        "seed": 7,
        "screening": (),
        "reason": "yaw 2°, expected 15°",
    }
    return Rejected(**{**values, **changes})


@pytest.fixture(name="record")
def _record() -> Callable[..., Clip]:
    return record


@pytest.fixture(name="rejection")
def _rejection() -> Callable[..., Rejected]:
    return rejection


def frames_of(person: int, label: str, n: int) -> np.ndarray:
    """Moving gradients before a backdrop of the clip's own; fakes and reals are alike."""
    rng = np.random.default_rng([person, len(label), ord(label[0])])
    backdrop = rng.uniform(-60, 60, (8, 8, 1)).repeat(4, 0).repeat(4, 1)
    y, x, t = np.mgrid[:SIZE, :SIZE, :n].astype(np.float64)
    waves = [120 + 60 * np.sin(x / 6 + t / 4 + rng.uniform(0, 6)) * np.cos(y / 7) for _ in "rgb"]
    return (
        (np.stack(waves, -1) + backdrop[..., None]).transpose(2, 0, 1, 3).round().astype(np.uint8)
    )


Change = Callable[[Path, np.ndarray], dict[str, Any]]
MakeDataset = Callable[..., Path]


def write_dataset(
    root: Path,
    people: int = 8,
    qualities: tuple[str, ...] = ("raw",),
    fake_writer: Callable[[Path, np.ndarray, int, str], int] | None = None,
) -> Path:
    """A dataset of one real and one fake clip of each person, as a build writes it.

    `fake_writer(path, frames, crf, tag)` may write the fakes in another way.
    """
    clips = []
    for person in range(people):
        split = SPLIT_OF[person % len(SPLIT_OF)]
        for label in ("real", "fake"):
            frames = frames_of(person, label, 10)
            clip_id = f"{label}-{person:03}"
            tag = provenance(label, f"{label} clip of person {person}")
            for quality in qualities:
                path = root / clip_file_name(clip_id, quality)
                crf = Quality(quality).crf
                if label == "fake" and fake_writer:
                    n = fake_writer(path, frames, crf, tag)
                else:
                    n = write_video(path, frames, Fraction(25), crf=crf, comment=tag)
                clips.append(
                    record(
                        file_name=clip_file_name(clip_id, quality),
                        clip_id=clip_id,
                        label=label,
                        action=list(Action)[person % 10],
                        quality=quality,
                        split=split,
                        source=f"person-{person}",
                        driver=f"driver-{split}" if label == "fake" else "",
                        num_frames=n,
                        width=SIZE,
                        height=SIZE,
                        sha256=sha256_file(path),
                    )
                )
    write_manifest(root, clips)
    return root


@pytest.fixture
def make_dataset(tmp_path: Path) -> MakeDataset:
    """`make(people=8, qualities=("raw",), fake_writer=None, name="dataset")` → folder."""

    def make(*args: Any, name: str = "dataset", **options: Any) -> Path:
        return write_dataset(tmp_path / name, *args, **options)

    return make
