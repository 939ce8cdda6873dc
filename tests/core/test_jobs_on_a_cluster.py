"""Jobs on a Ray cluster of several machines, which are processes of this one: what is lost."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clusters import two_machines
from tests.core.test_jobs import given_up, square_or_die

from dfmnist.core.errors import InputError, StorageError
from dfmnist.core.jobs import engine, run_jobs

pytestmark = pytest.mark.soak
ray = pytest.importorskip("ray", reason="needs the extra dfmnist[ray]")


def process(_: int) -> tuple[int, str | None]:
    return os.getpid(), os.environ.get("DFMNIST_CACHE")


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1:9", "Connection refused"),
        ("ray://127.0.0.1:9", "Connection refused"),
        ("127.0.0.1", "names no port"),
        ("127.0.0.1:99999999999", "expected"),
        ("no.such.host.invalid:1", "expected"),
    ],
)
def test_no_cluster_answers(address: str, why: str) -> None:
    with (
        engine("ray", address=address),
        pytest.raises(InputError, match=rf"^--address {address}: no Ray cluster can.*{why}"),
    ):
        list(run_jobs(process, [0], describe="t"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[object]:
    with two_machines() as found:
        yield found


def test_killed_processes_cost_their_own_jobs_alone(cluster, tmp_path: Path) -> None:
    jobs = [(n, str(tmp_path / str(n)), {2: 1, 5: 9}.get(n, 0)) for n in range(8)]
    with engine("ray", address=cluster.address):
        results = list(run_jobs(square_or_die, jobs, describe="t", failed=given_up))
    assert results == [0, 1, 4, 9, 16, "5: its process was lost, 3 times", 36, 49]
    started = [(tmp_path / str(n)).read_text().count("started") for n in range(8)]
    assert started == [1, 1, 2, 1, 1, 3, 1, 1]


def slow_square(job: tuple[int, str]) -> int:
    number, path = job
    Path(path).touch()
    time.sleep(0.5)
    return number * number


def test_a_lost_machine_and_a_new_one(cluster, tmp_path: Path) -> None:
    jobs = [(n, str(tmp_path / str(n))) for n in range(40)]
    nodes = list(cluster.worker_nodes)
    with engine("ray", address=cluster.address):
        results = run_jobs(slow_square, jobs, describe="t")
        found = [next(results) for _ in range(4)]
        cluster.remove_node(nodes[0], allow_graceful=False)
        found += [next(results) for _ in range(8)]
        cluster.add_node(num_cpus=1)
        found += [next(results) for _ in range(8)]
        cluster.remove_node(nodes[1], allow_graceful=False)
        found += results
    cluster.add_node(num_cpus=1)
    assert found == [n * n for n in range(40)]


def write_or_not(folder: str) -> int:
    tries = Path(folder, "tries")
    with tries.open("a") as file:
        file.write("x")
    if Path(folder, "full").exists() or len(tries.read_text()) == 1:
        raise StorageError(f"{folder}: cannot be written")
    return len(tries.read_text())


def test_what_cannot_be_written_is_tried_again(cluster, tmp_path: Path) -> None:
    with engine("ray", address=cluster.address):
        assert list(run_jobs(write_or_not, [str(tmp_path)], describe="t")) == [2]
        (tmp_path / "full").touch()
        with pytest.raises(StorageError, match="cannot be written"):
            list(run_jobs(write_or_not, [str(tmp_path)], describe="t", failed=given_up))
    assert (tmp_path / "tries").read_text() == "x" * 5


def test_every_machine_must_see_the_files(cluster, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("dfmnist.core.ray_workers.SEE_S", 0.0)
    with engine("ray", address=cluster.address):
        jobs = [(1, str(tmp_path / "a"))]
        line = r"/x: is not seen by .*; expected a file system that all machines share"
        with pytest.raises(InputError, match=line):
            list(run_jobs(slow_square, jobs, describe="t", seen=[tmp_path / "x"]))
        (tmp_path / "x").touch()
        assert list(run_jobs(slow_square, jobs, describe="t", seen=[tmp_path / "x"])) == [1]


def test_processes_stay_for_the_next_stage_and_no_longer(cluster, monkeypatch) -> None:
    monkeypatch.setenv("DFMNIST_CACHE", "/somewhere")
    with engine("ray", workers=1, address=cluster.address):
        first = set(run_jobs(process, range(3), describe="t"))
        assert set(run_jobs(process, range(3), describe="t")) == first
    ((_, cache),) = first
    assert cache == "/somewhere"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and ray.available_resources().get("CPU") != 2:
        time.sleep(0.2)
    assert ray.available_resources()["CPU"] == 2


def two_at_work(folder: str) -> str:
    """The GPU of this process, once two have begun."""
    Path(folder, str(os.getpid())).touch()
    deadline = time.monotonic() + 300
    while len(os.listdir(folder)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    return os.environ.get("CUDA_VISIBLE_DEVICES", "")


def test_jobs_share_gpus_where_there_are_any(cluster, tmp_path: Path) -> None:
    """Ray takes the number of GPUs that it is told."""
    without, shared = tmp_path / "without", tmp_path / "shared"
    without.mkdir()
    shared.mkdir()
    with engine("ray", address=cluster.address):
        assert set(run_jobs(two_at_work, [str(without)] * 2, describe="t", gpu=0.5)) == {""}
        large = cluster.add_node(num_cpus=8, num_gpus=1)
        assert set(run_jobs(two_at_work, [str(shared)] * 6, describe="t", gpu=0.5)) == {"0"}
        assert len(os.listdir(shared)) == 2
        (shared / "other").touch()
        assert set(run_jobs(two_at_work, [str(shared)] * 3, describe="t", gpu=1)) == {"0"}
        assert len(os.listdir(shared)) == 4
    cluster.remove_node(large)
