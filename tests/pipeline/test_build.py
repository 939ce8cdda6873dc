"""What a build refuses before it makes anything."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.fomm.test_networks import tiny

from dfmnist import recipes
from dfmnist.core.actions import Action
from dfmnist.core.errors import InputError
from dfmnist.fomm.checkpoint import save_networks
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import KPDetector
from dfmnist.media.video import write_video
from dfmnist.pipeline import jobs
from dfmnist.pipeline.build import build
from dfmnist.pipeline.config import BuildConfig
from dfmnist.pipeline.footage import Footage
from dfmnist.pipeline.jobs import FakeJob, RealJob, SourceCheck, real_id
from dfmnist.pipeline.plan import Pair
from dfmnist.pipeline.select import FaceSelection


def test_an_actor_the_motion_model_was_trained_on_is_refused(tmp_path: Path) -> None:
    config = tiny(blend=True)
    weights = tmp_path / "leak.safetensors"
    save_networks(weights, config, KPDetector(config), OcclusionAwareGenerator(config),
                  {"identity_seeds": [7, 300_001]})  # fmt: skip
    path = tmp_path / "black.mp4"
    write_video(path, np.zeros((5, 16, 16, 3), np.uint8), Fraction(25), crf=40)
    people = [
        Footage(path, f"a{300_000 + i}", Action.NOD, 0, split=split)
        for i, split in enumerate(("train", "validation", "test"))
    ]
    drivers = [replace(p, identity=f"a{100_000 + i}") for i, p in enumerate(people)]
    settings = replace(recipes.smoke().build, weights=weights)
    with pytest.raises(InputError, match=r"actor a300001: fomm-leak@.* was trained on 1 of these"):
        build(people, drivers, people, settings, tmp_path / "set")


FACE = FaceSelection(box_xyxy=(0, 0, 16, 16), source_frame=0, reason="")
SMALL = BuildConfig(num_frames=2, size_px=16, noise_sigma=0, licence="CC0-1.0", consent="signed")


@pytest.fixture
def filmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clip of two grey frames; whatever is animated stays as it is, and passes the screening."""
    write_video(tmp_path / "x.mp4", np.full((2, 16, 16, 3), 99, np.uint8), Fraction(25), crf=40)
    monkeypatch.setattr(jobs, "animate", lambda source, *_: np.stack([source] * 2))
    monkeypatch.setattr(jobs, "screen", lambda *_: ())
    return tmp_path / "x.mp4"


def test_a_clip_states_the_terms_of_everyone_in_it(filmed: Path) -> None:
    source = Footage(filmed, "ann", Action.NOD, split="train", licence="CC-BY-4.0")
    driver = Footage(filmed, "bob", Action.NOD, split="train", consent="by mail")
    fake = FakeJob(filmed.parent, SMALL, Pair(source, driver), FACE, "m@1").run().clips[0]
    assert fake.licence == "CC-BY-4.0; driver: CC0-1.0"
    assert fake.consent == "signed; driver: by mail"
    check = SourceCheck(choice=FACE, screening=(), real_reason="")
    real = RealJob(filmed.parent, SMALL, source, check).run().clips[0]
    assert (real.licence, real.consent) == ("CC-BY-4.0", "signed")
    alone = FakeJob(filmed.parent, SMALL, Pair(driver, replace(driver, identity="c")), FACE, "m@1")
    assert alone.run().clips[0].consent == "by mail"


def test_footage_without_terms_is_refused_before_any_work(filmed: Path, tmp_path: Path) -> None:
    people = [Footage(filmed, name, Action.NOD, licence="CC0-1.0") for name in "abc"]
    with pytest.raises(InputError, match=r"x\.mp4: has no consent; expected --consent, or a colu"):
        build(people, people, people, BuildConfig(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_of_names_that_look_alike_stay_apart(filmed: Path) -> None:
    long = "n" * 300
    names = ("ann/1", "ann_1", "ann.1", "李雷", "韩梅", "x", f"{long}a", f"{long}b")
    everyone = [Footage(filmed, name, Action.NOD, split="train") for name in names]
    pairs = [Pair(a, b) for a in everyone for b in everyone]
    assert len({pair.clip_id for pair in pairs}) == len(names) ** 2
    assert len({real_id(f) for f in everyone}) == len(names)
    made = FakeJob(filmed.parent, SMALL, Pair(everyone[-1], everyone[-2]), FACE, f"{long}@1").run()
    assert made.clips[0].source_id == f"{long}b"
    assert (filmed.parent / made.clips[0].file_name).is_file()
