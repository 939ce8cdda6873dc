"""The detector that ships: its size, its record, and the two doors to it."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from matplotlib import cbook
from PIL import Image
from tests.running import called

import dfmnist
from dfmnist.actors.seeds import SEED_RANGES
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json
from dfmnist.detectors import shipped
from dfmnist.detectors.networks.weights import resolve
from dfmnist.detectors.run import RUN, read_run
from dfmnist.media.video import write_video


def test_it_is_small() -> None:
    assert sum(p.stat().st_size for p in shipped.FOLDER.iterdir()) <= 10_000_000


def test_its_record_names_people_of_its_own_range() -> None:
    about = read_json(shipped.FOLDER / RUN)["trained_on"]
    splits = about["splits"]
    assert splits["train"]["people"] >= 300
    seen: set[int] = set()
    for split in splits.values():
        people = range(*(int(split[k][1:]) for k in ("first_person", "last_person")))
        assert {people.start, people.stop} <= set(SEED_RANGES["detector"])
        assert not seen & set(people)
        seen |= set(people)
        assert split["qualities"] == ["c23", "c40", "raw"]
    generators = splits["train"]["generators"]
    assert {"mesh-warp", "affine-warp"} < generators.keys()
    assert sum(name.startswith("fomm-") for name in generators) >= 3
    assert "real people, in real or in fake clips" in about["never_shown"]
    assert read_run(shipped.FOLDER).config.quality == "mixed"


def test_a_training_starts_from_it_by_name() -> None:
    source = resolve("efficientnet_lite0", "actors", 160)
    assert source.path == shipped.FOLDER / "weights.safetensors"
    assert source.words == "the shipped detector, trained on synthetic actors"
    with pytest.raises(InputError, match="is for efficientnet_lite0, not for resnet50; expected"):
        resolve("resnet50", "actors")


@pytest.mark.usefixtures("as_shipped")
def test_detect_uses_it_without_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    face = np.asarray(picture.convert("RGB"))[:480, :480]
    write_video(tmp_path / "v.mp4", np.stack([face] * 3), Fraction(25), crf=18)
    code, out, said = called(capsys, "detect", tmp_path / "v.mp4")
    assert code == 0
    assert "judged by actors (efficientnet_lite0), trained on 320 synthetic actors" in said
    assert "a face is called fake from P(fake) 0.653 on" in said
    assert "It was never shown: real people, in real or in fake clips" in said
    found = dfmnist.detect(tmp_path / "v.mp4")
    assert f"P(fake) {found.p_fake:.3f}" in out
    (face,) = found.faces
    assert face.verdict == "outside"  # a real person, in one photo that is filmed
    assert "outside what this detector knows, P(fake) " in out
    assert "] means nothing here, at " in out
