"""Jobs over processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dfmnist.core.jobs import run_jobs


def square(x: int) -> int:
    if x < 0:
        raise ValueError(f"{x} is negative")
    return x * x


def where(_: int) -> int:
    return os.getpid()


def test_results_come_in_the_order_of_the_jobs() -> None:
    assert list(run_jobs(square, [3, 1, 2], workers=2, describe="t")) == [9, 1, 4]
    assert list(run_jobs(square, [3, 1, 2], workers=1, describe="t")) == [9, 1, 4]
    assert list(run_jobs(square, [], describe="t")) == []


def test_one_worker_is_this_process() -> None:
    assert list(run_jobs(where, [0], workers=1, describe="t")) == [os.getpid()]


def test_processes_are_kept_until_a_job_fails() -> None:
    first = set(run_jobs(where, range(20), workers=2, describe="t"))
    first |= set(run_jobs(where, range(20), workers=2, describe="t"))
    assert os.getpid() not in first
    assert len(first) <= 2
    with pytest.raises(ValueError, match="negative"):
        list(run_jobs(square, [-1, 2, 3], workers=2, describe="t"))
    assert not set(run_jobs(where, range(20), workers=2, describe="t")) & first


def threads(_: int) -> tuple[str | None, int]:
    import torch

    return os.environ.get("OMP_NUM_THREADS"), torch.get_num_threads()


def test_workers_have_one_thread_and_the_environment_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    list(run_jobs(where, [0, 1], workers=3, describe="t"))
    assert set(run_jobs(threads, [0, 1], workers=3, describe="t")) == {("1", 1)}
    assert os.environ["OMP_NUM_THREADS"] == "7"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_is_raised(workers: int) -> None:
    with pytest.raises(ValueError, match="-1 is negative"):
        list(run_jobs(square, [1, -1, 2], workers=workers, describe="t"))


def write_pid_and_sleep(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(60)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_at_once_with_their_parent(tmp_path: Path, how: signal.Signals) -> None:
    marks = [str(tmp_path / name) for name in "ab"]
    code = (
        "from tests.core.test_jobs import write_pid_and_sleep\n"
        "from dfmnist.core.engine import run_jobs\n"
        f"list(run_jobs(write_pid_and_sleep, {marks!r}, workers=2, describe='t'))\n"
    )
    root = Path(__file__).resolve().parents[2]
    script = tmp_path / "main.py"
    script.write_text(f"if __name__ == '__main__':\n    {code.replace(chr(10), chr(10) + '    ')}")
    paths = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    parent = subprocess.Popen([sys.executable, script], env={**os.environ, "PYTHONPATH": paths})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not all(Path(m).exists() for m in marks):
        time.sleep(0.1)
    time.sleep(0.2)
    workers = [int(Path(m).read_text()) for m in marks]
    parent.send_signal(how)
    parent.wait(timeout=30)  # Ctrl-C waits for no job to end
    while time.monotonic() < deadline and any(Path(f"/proc/{p}").exists() for p in workers):
        time.sleep(0.1)
    assert not any(Path(f"/proc/{p}").exists() for p in workers)
