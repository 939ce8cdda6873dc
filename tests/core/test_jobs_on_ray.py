"""Jobs as Ray tasks, where the extra is installed: order, failures, and the same results."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dfmnist.core.errors import InputError
from dfmnist.core.jobs import Engine, current_engine, engine, run_jobs
from dfmnist.dataset.manifest import manifest_hash, read_manifest
from dfmnist.experiments.run import Request, run_experiments
from dfmnist.pipeline.build import build
from dfmnist.pipeline.film import film_people
from dfmnist.pipeline.footage import read_drivers, read_people
from dfmnist.recipes import experiments_smoke, smoke

ray = pytest.importorskip("ray", reason="needs the extra dfmnist[ray]")


@pytest.fixture(autouse=True, scope="module")
def local_ray() -> Iterator[None]:
    ray.init(num_cpus=2, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


@pytest.mark.parametrize("workers", [None, 1, 2])
def test_results_come_in_the_order_of_their_jobs(workers: int | None) -> None:
    with engine("ray", workers=workers):
        roots = list(run_jobs(math.sqrt, [25.0, 9.0, 4.0, 1.0], describe="roots"))
        assert roots == [5, 3, 2, 1]
        assert list(run_jobs(math.sqrt, [], describe="nothing")) == []


def test_a_failure_is_the_jobs_own(tmp_path: Path) -> None:
    with engine("ray"), pytest.raises(InputError) as raised:
        list(run_jobs(read_manifest, [tmp_path / "none", tmp_path], describe="manifests"))
    assert type(raised.value) is InputError
    assert str(raised.value).startswith(str(tmp_path))
    assert "\n" not in str(raised.value)


def where(_: int) -> tuple[str, int, Engine]:
    return os.getcwd(), os.getpid(), current_engine()


def test_tasks_start_where_the_command_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with engine("ray"):
        ((folder, process, of_task),) = run_jobs(where, [0], describe="one")
    assert folder == str(tmp_path)
    assert process != os.getpid()
    assert of_task == Engine("local", 1)


def test_experiments_are_those_of_one_process(drawn: Path, tmp_path: Path) -> None:
    pages = []
    for name in ("ray", "local"):
        with engine(name, workers=1):
            run_experiments(Request(("table3",), drawn, experiments_smoke()), tmp_path / name)
        pages.append((tmp_path / name / "table3" / "table3.md").read_text())
    assert pages[0] == pages[1]


def test_a_dataset_is_that_of_one_process(tmp_path: Path) -> None:
    recipe, hashes = smoke(), set()
    assert recipe.film is not None
    for name in ("ray", "local"):
        with engine(name, workers=2):
            people_csv, drivers_csv = film_people(recipe.film, tmp_path / "footage")
            people = read_people(people_csv, recipe.build.num_frames / recipe.build.fps)
            drivers = read_drivers(drivers_csv)
            hashes.add(manifest_hash(build(people, drivers, people, recipe.build, tmp_path / name)))
    assert len(hashes) == 1
