"""The whole path at its smallest: footage, dataset, detectors, report; undisturbed and killed."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import dfmnist
from dfmnist import recipes
from dfmnist.core.actions import Action
from dfmnist.core.errors import InputError
from dfmnist.dataset.export.exporting import export_dataset
from dfmnist.dataset.info import read_info
from dfmnist.dataset.manifest import manifest_hash, read_manifest, read_rejected
from dfmnist.dataset.splits import assert_disjoint
from dfmnist.dataset.verify import verify
from dfmnist.experiments.results import read_results
from dfmnist.liveness.action import ActionDetector
from dfmnist.liveness.thresholds import Bound, Thresholds, shipped_thresholds
from dfmnist.liveness.universal import UniversalDetector
from dfmnist.pipeline import screen
from dfmnist.pipeline.build import build
from dfmnist.pipeline.config import BuildConfig, FilmConfig
from dfmnist.pipeline.film import film_people
from dfmnist.pipeline.footage import read_drivers, read_people
from dfmnist.stages import run_recipe
from tests.quick import as_shipped
from tests.running import run_example
from tests.smoke import finish, kill_when, start

pytestmark = pytest.mark.xdist_group("smoke")

FILM = FilmConfig(
    people=(1, 1, 1),
    clips_per_action=(1, 1, 1),
    drivers=(1, 1, 1),
    takes=1,
    num_frames=12,  # as few as a liveness detector takes
    actions=(Action.SURPRISE,),
)
RECORDS = "dataset/work"
"""Where a build keeps one record a job."""
BUILD = BuildConfig(
    per_action=3,
    attempts_per_clip=1,
    num_frames=12,
    licence="CC0-1.0",
    consent="the people are synthetic",
    synthetic=True,
)
"""As in the example of `dfmnist.build`."""


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Three people and three drivers, one clip each."""
    return film_people(FILM, tmp_path_factory.mktemp("system") / "footage")


def make(footage: tuple[Path, Path], out: Path, thresholds: Thresholds) -> Path:
    """The dataset of `footage`, screened by the real detectors with the given bounds."""
    with pytest.MonkeyPatch.context() as patch, as_shipped():
        both = (ActionDetector(thresholds), UniversalDetector(thresholds))
        patch.setattr(screen, "detectors", lambda _: both)
        people = read_people(footage[0], BUILD.num_frames / BUILD.fps)
        return build(people, read_drivers(footage[1]), people, BUILD, out)


@pytest.fixture(scope="session")
def unbounded() -> Thresholds:
    """Bounds that no face breaks: these tests are about the pipeline, not about the animator."""
    return bounded_by(1e9)


def bounded_by(limit: float) -> Thresholds:
    """The shipped measures, each to be at most `limit`."""
    known = shipped_thresholds()
    actions = {
        name: tuple(Bound(b.measure, "most", limit) for b in bounds)
        for name, bounds in known.actions.items()
    }
    universal = tuple(Bound(b.measure, "most", limit) for b in known.universal)
    return replace(known, actions=actions, universal=universal)


@pytest.fixture(scope="session")
def dataset(footage: tuple[Path, Path], unbounded: Thresholds) -> Path:
    """A dataset that nothing disturbed."""
    return make(footage, footage[0].parent.parent / "dataset", unbounded)


def test_the_dataset_is_paired_disjoint_and_audited(dataset: Path) -> None:
    manifest = read_manifest(dataset)
    assert_disjoint(manifest.clips)
    assert json.loads((dataset / "audit.json").read_text())["passed"]
    raw = manifest.select(quality="raw").clips
    who = {
        label: Counter((c.split, c.source, c.action) for c in raw if c.label == label)
        for label in ("real", "fake")
    }
    assert who["real"] == who["fake"]
    assert len(who["real"]) == 3
    assert len(raw) * 3 == len(manifest.clips)
    assert {(c.fps, c.num_frames, c.width, c.height) for c in raw} == {("25", 12, 256, 256)}
    assert all(c.generator.startswith("fomm-actors@") for c in raw if c.label == "fake")


def test_what_was_built_can_be_verified_and_published(dataset: Path, tmp_path: Path) -> None:
    assert verify(dataset) == []
    published = export_dataset(dataset, tmp_path / "published").folder
    assert verify(published) == []
    assert read_info(published).synthetic_actors
    assert "license: cc0-1.0" in (published / "README.md").read_text()
    assert "## Audit" in (published / "README.md").read_text()


def test_every_attempt_is_accounted_for(dataset: Path) -> None:
    kept = {c.clip_id for c in read_manifest(dataset).clips if c.label == "fake"}
    away = {r.attempt_id for r in read_rejected(dataset) if r.label == "fake" and r.action}
    attempts = {p.stem for p in (dataset / "work" / "attempts").glob("*.json")}
    assert len(attempts) == 3
    assert (kept, away) == (attempts, set())  # tests/pipeline/test_promises.py has rejected ones


def test_what_is_missing_after_a_kill_is_made_again_the_same(
    dataset: Path, footage: tuple[Path, Path], unbounded: Thresholds, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(dataset, out)
    (out / "metadata.jsonl").unlink()
    for kind in ("people", "drivers", "attempts", "reals"):
        sorted((out / "work" / kind).glob("*.json"))[0].unlink()
    for clip in sorted((out / "clips" / "c23").iterdir())[::2]:
        clip.write_bytes(b"half")
    for record in (out / "work").glob("[ar]*/*.json"):
        record.unlink()  # clips whose record is missing are written anew
    assert manifest_hash(make(footage, out, unbounded)) == manifest_hash(dataset)


def test_the_example_of_build_runs(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = manifest_hash(dataset)
    monkeypatch.chdir(dataset.parent)
    run_example(dfmnist.build)
    assert manifest_hash(dataset) == before  # it continued the finished build


def test_another_setting_is_refused(dataset: Path, footage: tuple[Path, Path]) -> None:
    people = read_people(footage[0], BUILD.num_frames / BUILD.fps)
    drivers = read_drivers(footage[1])
    with pytest.raises(InputError, match="begun with other settings"):
        build(people, drivers, people, replace(BUILD, seed=5), dataset)


def test_when_no_real_clip_passes_there_is_no_dataset(
    footage: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"no frame to animate \(\w.+\); expected frontal faces"):
        make(footage, tmp_path / "out", bounded_by(1e-9))
    assert not (tmp_path / "out" / "metadata.jsonl").exists()


@pytest.mark.usefixtures("as_shipped")
def test_experiments_and_report_follow(dataset: Path) -> None:
    smoke = recipes.experiments_smoke()
    alone = replace(
        smoke,
        training=tuple(c for c in smoke.training if c.network == "mesoinception4"),
        tables=dict.fromkeys(smoke.tables, ("mesoinception4",)),
    )
    recipe = replace(recipes.smoke(), film=FILM, build=BUILD, experiments=alone)
    made = run_recipe(recipe, dataset.parent)
    assert made.dataset == dataset
    tables = [pl.read_parquet(p) for p in (made.experiments / "scores").iterdir()]
    assert len(tables) == 3  # one detector in three qualities
    for table in tables:
        assert set(table["split"]) == {"test"}
        assert set(table["label"]) == {"real", "fake"}
        assert table["p_fake"].is_between(0, 1).all()
    results = read_results(made.experiments)
    assert {result.name for result in results} == set(recipe.names)
    text = made.page.read_text()
    assert "synthetic actors" in text
    assert "maps show where it looked" in text
    assert all(f'id="{result.name}"' in text for result in results)
    assert made.headline[0] == "dataset: 3 real and 3 fake clips of 3 people"


@pytest.mark.soak
def test_the_example_of_the_demo_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_example(dfmnist.demo)


@pytest.mark.soak
def test_killed_in_every_stage_it_ends_the_same(
    tmp_path: Path,
) -> None:
    undisturbed = tmp_path / "undisturbed"
    assert "report: " in finish(start(undisturbed))
    out = tmp_path / "out"
    for pattern, count in (
        ("footage/drivers/*/*.mp4", 2),
        ("footage/people/*/*.mp4", 2),
        (f"{RECORDS}/people/*.json", 2),
        (f"{RECORDS}/drivers/*.json", 2),
        (f"{RECORDS}/attempts/*.json", 2),
        (f"{RECORDS}/reals/*.json", 1),
        ("experiments/runs/*/precision.json", 1),
        ("experiments/runs/*/run.json", 1),
        ("experiments/scores/*.parquet", 1),
        ("experiments/*/result.json", 3),
        ("report/assets/*", 1),
    ):
        assert kill_when(start(out), out, pattern, count), f"{pattern}: ended before the kill"
    finish(start(out))
    assert manifest_hash(out / "dataset") == manifest_hash(undisturbed / "dataset")
    scores = sorted((undisturbed / "experiments" / "scores").iterdir())
    assert scores
    for path in scores:
        ours = out / "experiments" / "scores" / path.name
        assert pl.read_parquet(ours).equals(pl.read_parquet(path))
    results = read_results(undisturbed / "experiments")
    assert read_results(out / "experiments") == results
