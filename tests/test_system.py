"""The whole path at smoke size: from nothing to a report, undisturbed and killed."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from dfmnist import recipes
from dfmnist.dataset.manifest import manifest_hash, read_manifest, read_rejected
from dfmnist.dataset.splits import assert_disjoint
from tests.smoke import finish, kill_when, start

pytestmark = pytest.mark.xdist_group("smoke")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The folder of an undisturbed run, and what it printed."""
    out = tmp_path_factory.mktemp("smoke") / "out"
    yield out, finish(start(out))
    shutil.rmtree(out.parent)


def test_it_ends_with_the_report_and_its_numbers(undisturbed: tuple[Path, str]) -> None:
    out, text = undisturbed
    page = out / "report" / "index.html"
    assert text.strip().splitlines()[-1] == f"report: {page}"
    assert "spoof rate" in text
    assert "synthetic actors" in page.read_text()
    assert "not learnt" in page.read_text()  # one epoch of two frames teaches nothing


def test_the_dataset_is_paired_disjoint_and_audited(undisturbed: tuple[Path, str]) -> None:
    root = undisturbed[0] / "dataset"
    manifest = read_manifest(root)
    assert_disjoint(manifest.clips)
    assert json.loads((root / "audit.json").read_text())["passed"]
    raw = manifest.select(quality="raw").clips
    who = {
        label: Counter((c.split, c.source_id) for c in raw if c.label == label)
        for label in ("real", "fake")
    }
    assert who["real"] == who["fake"]
    assert len(raw) * 3 == len(manifest.clips)
    assert {(c.fps, c.num_frames, c.width, c.height) for c in raw} == {("25", 32, 256, 256)}
    assert all(c.generator.startswith("fomm-actors@") for c in raw if c.label == "fake")


def test_every_attempt_is_accounted_for(undisturbed: tuple[Path, str]) -> None:
    root = undisturbed[0] / "dataset"
    kept = {c.clip_id for c in read_manifest(root).clips if c.label == "fake"}
    away = {r.attempt_id for r in read_rejected(root) if r.label == "fake" and r.action}
    attempts = {p.stem for p in (root / "work" / "attempts").glob("*.json")}
    assert kept | away == attempts
    assert not kept & away
    assert all(not all(s.live for s in r.screening) for r in read_rejected(root) if r.screening)


def test_every_detector_was_scored_on_the_test_split_alone(
    undisturbed: tuple[Path, str],
) -> None:
    out = undisturbed[0]
    tables = [pl.read_parquet(p) for p in (out / "runs").glob("*/scores-test.parquet")]
    assert len(tables) == len(recipes.smoke().training)
    for table in tables:
        assert set(table["split"]) == {"test"}
        assert set(table["label"]) == {"real", "fake"}
        assert table["p_fake"].is_between(0, 1).all()


def test_a_killed_build_goes_on_to_the_same_dataset(
    undisturbed: tuple[Path, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(undisturbed[0] / "footage", out / "footage")
    assert kill_when(start(out), out / "dataset", "work/attempts/*.json", count=2)
    assert not (out / "dataset" / "metadata.jsonl").exists()
    finish(start(out))
    assert manifest_hash(out / "dataset") == manifest_hash(undisturbed[0] / "dataset")


@pytest.mark.soak
def test_killed_in_every_stage_it_ends_the_same(
    undisturbed: tuple[Path, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for pattern, count in (
        ("footage/drivers/*/*.mp4", 2),
        ("footage/people/*/*.mp4", 2),
        ("dataset/work/people/*.json", 2),
        ("dataset/work/drivers/*.json", 2),
        ("dataset/work/attempts/*.json", 2),
        ("dataset/work/reals/*.json", 1),
        ("runs/*/last.ckpt", 1),
        ("runs/*/scores-test.parquet", 1),
    ):
        assert kill_when(start(out), out, pattern, count), f"{pattern}: ended before the kill"
    finish(start(out))
    assert manifest_hash(out / "dataset") == manifest_hash(undisturbed[0] / "dataset")
    for run in (undisturbed[0] / "runs").iterdir():
        ours = out / "runs" / run.name / "scores-test.parquet"
        assert pl.read_parquet(ours).equals(pl.read_parquet(run / "scores-test.parquet"))
