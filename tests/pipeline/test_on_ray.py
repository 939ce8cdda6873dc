"""A build on Ray, where the extra is installed: the same dataset, whatever is lost on the way."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.clusters import two_machines
from tests.pipeline.test_promises import CONFIG, footage, staged

from dfmnist.core.actions import Action
from dfmnist.core.choices import Quality
from dfmnist.core.errors import StorageError
from dfmnist.core.jobs import engine
from dfmnist.dataset.manifest import manifest_hash, read_manifest, read_rejected
from dfmnist.pipeline import jobs
from dfmnist.pipeline.build import build
from dfmnist.pipeline.film import film_people
from dfmnist.pipeline.footage import read_drivers, read_people
from dfmnist.pipeline.jobs import AnyJob, FakeJob, PersonJob
from dfmnist.recipes import smoke

pytestmark = pytest.mark.soak
pytest.importorskip("ray", reason="needs the extra dfmnist[ray]")


def test_a_dataset_is_that_of_one_process(tmp_path: Path) -> None:
    recipe, hashes = smoke(), set()
    assert recipe.film is not None
    with engine("local", workers=2):
        tables = film_people(recipe.film, tmp_path / "footage")
    people = read_people(tables[0], recipe.build.num_frames / recipe.build.fps)
    drivers = read_drivers(tables[1])
    for name in ("ray", "local"):
        with engine(name, workers=2):
            root = build(people, drivers, people, recipe.build, tmp_path / name)
        hashes.add(manifest_hash(root))
    assert len(hashes) == 1


POISONED = "p3"
FULL = "full"
honest = jobs.run


def troubled(job: AnyJob) -> object:
    """A job with stand-ins for the networks, in a process that some jobs kill.

    Footage of one person always does, and some animations do the first time. While the file
    `full` exists, one animation finds no room.
    """
    beside = job.root.parent
    if isinstance(job, PersonJob) and job.footage.identity == POISONED:
        os.kill(os.getpid(), signal.SIGKILL)
    if isinstance(job, FakeJob) and job.pair.action is Action.YAW:
        if (beside / FULL).exists():
            raise StorageError("no room")
        mark = beside / f"{job.root.name}-{job.pair.clip_id}"
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    with staged():
        return honest(job)


@pytest.fixture
def cluster() -> Iterator[object]:
    with two_machines() as found:
        yield found


def lose_a_machine(cluster, root: Path) -> threading.Thread:
    """Kill one of the machines as soon as three animations are done."""

    def lose() -> None:
        deadline = time.monotonic() + 600
        while len(list((root / "work" / "attempts").glob("*.json"))) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)

    thread = threading.Thread(target=lose)
    thread.start()
    return thread


def test_all_other_clips_are_done(cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed processes, a lost machine, a full disk and a clip that ends every process."""
    monkeypatch.setattr(jobs, "run", troubled)
    config = replace(CONFIG, per_action=4, qualities=(Quality.C40,))
    people = footage(tmp_path / "people", [f"p{i}" for i in range(9)])
    drivers = footage(tmp_path / "drivers", [f"d{i}" for i in range(3)])
    with engine("local", workers=2):
        local = build(people, drivers, people, config, tmp_path / "local")
    (tmp_path / FULL).touch()
    with engine("ray", address=cluster.address):
        with pytest.raises(StorageError, match="no room"):
            build(people, drivers, people, config, tmp_path / "ray")
        (tmp_path / FULL).unlink()
        lost = lose_a_machine(cluster, tmp_path / "ray")
        root = build(people, drivers, people, config, tmp_path / "ray")
        lost.join()
    assert len(list(cluster.worker_nodes)) == 1
    assert manifest_hash(root) == manifest_hash(local)
    clips = read_manifest(root).clips
    assert len({c.clip_id for c in clips if c.label == "fake"}) == 2 * config.per_action
    assert POISONED not in {c.source for c in clips}
    failed = [r for r in read_rejected(root) if r.source == POISONED]
    assert {r.reason for r in failed} == {"its process was lost, 3 times"}
