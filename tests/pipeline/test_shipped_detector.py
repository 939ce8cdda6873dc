"""Packing a trained run as the detector that ships: smaller, the same scores, a full record."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file
from tests.detectors.conftest import make_dataset
from tests.detectors.test_train import TINY
from tests.running import called, refused

from dfmnist.core.files import write_json
from dfmnist.dataset.manifest import manifest_hash, read_manifest, write_manifest
from dfmnist.detectors.run import load_run
from dfmnist.detectors.score import score
from dfmnist.detectors.train import train
from dfmnist.pipeline.detector_corpus import SETTINGS


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips as a corpus's folder holds them, with the settings beside them."""
    root = make_dataset(tmp_path_factory.mktemp("corpus"))
    write_json(root / SETTINGS, {"seed": 5, "makers": ["/home/me/weights.safetensors=1"]})
    return root


@pytest.fixture(scope="module")
def run(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(TINY, corpus, tmp_path_factory.mktemp("runs"), quiet=True)


def test_a_packed_run_is_half_as_large_and_scores_the_same(
    run: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = tmp_path / "packed"
    assert called(capsys, "detector", "pack", run, corpus, "--out", packed)[0] == 0
    whole, half = (load_file(f / "weights.safetensors") for f in (run, packed))
    assert whole.keys() == half.keys()
    sizes = [sum(v.nbytes for v in state.values() if v.is_floating_point())
             for state in (whole, half)]  # fmt: skip
    assert sizes[1] * 2 == sizes[0]
    assert load_run(packed).calibration == load_run(run).calibration
    tables = [score(folder, corpus, "test") for folder in (run, packed)]
    before, after = (table["p_fake"].to_numpy() for table in tables)
    assert np.abs(before - after).max() < 0.01


def test_the_record_says_what_was_shown_and_what_was_not(
    run: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = tmp_path / "packed"
    called(capsys, "detector", "pack", run, corpus, "--out", packed)
    text = (packed / "run.json").read_text()
    about = json.loads(text)["trained_on"]
    assert about["manifest_hash"] == manifest_hash(corpus)
    assert about["settings"] == {"seed": 5}  # no path of the maker's machine
    assert "/home/me" not in text
    assert about["splits"]["train"] == {
        "people": 4,
        "first_person": "a",
        "last_person": "d",
        "qualities": ["c23", "c40", "raw"],
        "clips_each_quality": {"fake": 4, "real": 4},
        "actions": {"nod": 8},
        "generators": {"test@0": 4},
    }
    assert any("real people" in line for line in about["never_shown"])


def test_a_run_on_other_clips_is_refused(
    run: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    write_manifest(other, read_manifest(corpus).clips[1:])
    line = refused(capsys, "detector", "pack", run, other, "--out", tmp_path / "packed")
    assert "was trained on another dataset" in line
    assert not (tmp_path / "packed").exists()


def test_what_a_run_started_from_is_recorded_without_a_path(
    run: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on = train(replace(TINY, weights=str(run), epochs=1), corpus, tmp_path / "runs", quiet=True)
    packed = tmp_path / "packed"
    assert called(capsys, "detector", "pack", on, corpus, "--out", packed)[0] == 0
    assert json.loads((packed / "config.json").read_text())["weights"] == run.name
    record = json.loads((packed / "run.json").read_text())
    assert record["initialisation"] == f"all layers from run {run.name}"
    assert record["started_from"]["initialisation"] == "random, every layer"
    assert str(tmp_path) not in json.dumps(record)
    assert load_run(packed).config.network == "mesoinception4"
