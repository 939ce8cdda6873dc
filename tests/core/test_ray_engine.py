"""Jobs as Ray tasks, where the extra is installed: order, and failures as the job raised them."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from dfmnist.core.errors import InputError
from dfmnist.core.ray_engine import run_ray_jobs
from dfmnist.dataset.manifest import read_manifest
from dfmnist.experiments.execute import Engine
from dfmnist.experiments.run import Request, run_experiments
from dfmnist.recipes import experiments_smoke

ray = pytest.importorskip("ray", reason="needs the extra dfmnist[ray]")


@pytest.fixture(autouse=True, scope="module")
def local_ray() -> Iterator[None]:
    ray.init(num_cpus=2, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


def test_results_come_in_the_order_of_their_jobs() -> None:
    assert list(run_ray_jobs(math.sqrt, [9.0, 4.0, 1.0], describe="roots")) == [3, 2, 1]
    assert list(run_ray_jobs(math.sqrt, [], describe="nothing")) == []


def test_a_failure_is_the_jobs_own(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        list(run_ray_jobs(read_manifest, [tmp_path / "none", tmp_path], describe="manifests"))
    assert type(raised.value) is InputError
    assert str(raised.value).startswith(str(tmp_path))
    assert "\n" not in str(raised.value)


def test_experiments_are_those_of_one_process(drawn: Path, tmp_path: Path) -> None:
    pages = []
    for engine in (Engine("ray"), Engine("local", 1)):
        out = tmp_path / engine.name
        run_experiments(Request(("table3",), drawn, experiments_smoke(), engine=engine), out)
        pages.append((out / "table3" / "table3.md").read_text())
    assert pages[0] == pages[1]
