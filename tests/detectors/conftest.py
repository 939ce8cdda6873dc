"""A dataset of tiny clips: real ones are sharp noise, fake ones are blurred."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from dfmnist.core.actions import Action
from dfmnist.core.choices import Quality
from dfmnist.core.files import sha256_file
from dfmnist.dataset.manifest import Clip, clip_file_name, write_manifest
from dfmnist.media.video import write_video

FRAMES, SIDE_PX = 9, 64
PEOPLE = {"train": ("a", "b", "c", "d"), "validation": ("e", "f"), "test": ("g", "h")}


def clip_frames(seed: int, fake: bool) -> np.ndarray:
    """(9, 64, 64, 3) uint8, the brightness rising with time."""
    rng = np.random.default_rng(seed)
    frames = []
    for index in range(FRAMES):
        noise = rng.integers(0, 160, (SIDE_PX, SIDE_PX, 3)).astype(np.uint8)
        image = Image.fromarray(noise + np.uint8(10 * index))
        if fake:
            image = image.filter(ImageFilter.GaussianBlur(2))
        frames.append(np.asarray(image))
    return np.stack(frames)


def make_dataset(
    root: Path, qualities: tuple[Quality, ...] = tuple(Quality), seed: int = 0
) -> Path:
    """One real and one fake clip of each person, in each quality."""
    clips = []
    for split, people in PEOPLE.items():
        for person in people:
            for fake in (False, True):
                seed += 1
                clip_id = f"{person}-{'fake' if fake else 'real'}"
                frames = clip_frames(seed, fake)
                for quality in qualities:
                    name = clip_file_name(clip_id, quality)
                    (root / name).parent.mkdir(parents=True, exist_ok=True)
                    write_video(root / name, frames, Fraction(25), crf=quality.crf)
                    clips.append(
                        Clip(
                            file_name=name,
                            clip_id=clip_id,
                            label="fake" if fake else "real",
                            action=Action.NOD,
                            quality=quality.value,
                            split=split,
                            identities=(person, f"driver-{split}") if fake else (person,),
                            method="fomm" if fake else "",
                            origin="built",
                            source=person,
                            source_frame=0 if fake else None,
                            driver=f"driver-{split}" if fake else "",
                            take=0,
                            generator="test@0" if fake else "",
                            seed=seed,
                            screening=(),
                            fps="25",
                            num_frames=FRAMES,
                            width=SIDE_PX,
                            height=SIDE_PX,
                            sha256=sha256_file(root / name),
                            licence="CC0-1.0",
                            consent="none needed",
                        )
                    )
    write_manifest(root, clips)
    return root


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("dataset"))
