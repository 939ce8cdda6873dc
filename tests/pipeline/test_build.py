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
from dfmnist.pipeline.build import build
from dfmnist.pipeline.footage import Footage


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
