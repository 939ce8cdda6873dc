"""Jobs as Ray tasks, where the extra is installed: order, failures, folders."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dfmnist.core.errors import InputError
from dfmnist.core.jobs import Engine, current_engine, engine, run_jobs
from dfmnist.dataset.manifest import read_manifest

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
