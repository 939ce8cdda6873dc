"""Face crops of an imported dataset: made once, and one bad clip ends nothing."""

import dataclasses
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from matplotlib import cbook
from PIL import Image
from tests.running import called

from dfmnist.dataset import cropping
from dfmnist.dataset.cropping import crop_name
from dfmnist.dataset.headers import header_of
from dfmnist.dataset.manifest import read_manifest
from dfmnist.media.video import read_frames, write_video


def test_crop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    face = np.asarray(Image.open(picture).convert("RGB").resize((256, 300)))
    wall = np.random.default_rng(0).integers(60, 190, face.shape).astype(np.uint8)
    root, out = tmp_path / "files", tmp_path / "set"
    for number, who in enumerate("abc"):
        for label in ("real", "fake"):
            frames = np.stack([np.roll(face, 2 * k + number, axis=1) for k in range(3)])
            write_video(root / label / f"{who}.mp4", frames, Fraction(30), crf=18)
    write_video(root / "real/a_2.mp4", np.stack([wall] * 3), Fraction(30), crf=18)
    way = ["dataset", "import", "folder", root, "--out", out, "--crop"]
    code, said, err = called(capsys, *way)
    assert code == 0, err
    assert f"{out}: 6 files, 1 left out" in said
    assert "real/a_2.mp4: no face found" in err
    found = read_manifest(out)
    assert found.info.root == "."
    for clip in found.clips:
        header = header_of(found, clip)
        assert (header.width, header.height, header.num_frames, header.fps) == (256, 256, 3, 30)
        assert read_frames(found.path(clip)).shape == (3, 256, 256, 3)
    monkeypatch.setattr(cropping, "_crop", None)  # nothing is cropped again
    assert called(capsys, *way)[0] == 0
    assert read_manifest(out).clips == found.clips


def test_a_crop_is_made_anew_when_its_clip_or_its_size_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "a.mp4", tmp_path / "crop.mp4"
    source.write_bytes(b"film")
    made = []

    def crop(job: cropping.CropJob, now: cropping.Crop) -> cropping.Crop:
        made.append(job.size_px)
        job.target.write_bytes(b"crop")
        return now.model_copy(update={"num_frames": 3})

    monkeypatch.setattr(cropping, "_crop", crop)
    job = cropping.CropJob(source, target, tmp_path / "a.json", 64)
    assert cropping.crop_one(job) == cropping.crop_one(job)
    assert made == [64]
    for change in (
        lambda: source.write_bytes(b"other"),
        lambda: os.utime(source, ns=(1, 1)),
        target.unlink,
    ):
        change()
        cropping.crop_one(job)
    assert made == [64] * 4
    cropping.crop_one(dataclasses.replace(job, size_px=96))
    assert made == [64] * 4 + [96]


def test_crops_of_different_clips_never_share_a_file() -> None:
    names = ("a.mp4", "a.avi", "a.avi.mp4", "b/a.mp4", "converted/a.avi.mp4", "A.avi")
    assert len({crop_name(name) for name in names}) == len(names)
