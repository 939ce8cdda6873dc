"""Jobs over processes."""

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dfmnist.core import jobs
from dfmnist.core.console import console
from dfmnist.core.errors import InputError
from dfmnist.core.jobs import Engine, current_engine, engine, run_jobs


def square(x: int) -> int:
    if x < 0:
        raise ValueError(f"{x} is negative")
    return x * x


def where(_: int) -> int:
    return os.getpid()


def run(function, jobs, workers: int | None) -> list:
    with engine(workers=workers):
        return list(run_jobs(function, jobs, describe="t"))


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_jobs(workers: int) -> None:
    assert run(square, [3, 1, 2], workers) == [9, 1, 4]
    assert run(square, [], workers) == []


def test_one_worker_is_this_process() -> None:
    assert run(where, [0, 1], 1) == [os.getpid()] * 2


def test_the_engine_is_the_one_at_the_call() -> None:
    with engine(workers=2) as chosen:
        assert current_engine() == chosen == Engine("local", 2)
        with engine(workers=1):
            results = run_jobs(where, [0, 1], describe="t")
            assert current_engine().workers == 1
        assert current_engine().workers == 2
        assert list(results) == [os.getpid()] * 2
        with pytest.raises(ValueError, match="2 is odd"), engine(workers=1):
            raise ValueError("2 is odd")
        assert current_engine() == chosen
    with pytest.raises(InputError, match="--workers 0; expected 1 or more"), engine(workers=0):
        pass
    with pytest.raises(InputError, match="--engine spark; expected local or ray"):
        Engine("spark")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="--address h:1 without --engine ray; expected both"):
        Engine(address="h:1")


def test_few_jobs_start_no_process_unless_workers_were_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "cpu_count", lambda: 2)
    with engine(workers=None):
        assert set(run_jobs(where, [0, 1], describe="t", pool_from=3)) == {os.getpid()}
        assert os.getpid() not in run_jobs(where, [0, 1, 2], describe="t", pool_from=3)
    with engine(workers=2):
        assert os.getpid() not in run_jobs(where, [0, 1], describe="t", pool_from=3)


def engine_of_worker(_: int) -> tuple[Engine, bool]:
    return current_engine(), console.quiet


def test_a_worker_runs_jobs_of_its_own_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "quiet", True)
    assert set(run(engine_of_worker, [0, 1], 4)) == {(Engine("local", 1), True)}


def test_processes_are_kept_until_a_job_fails() -> None:
    first = set(run(where, range(20), 2)) | set(run(where, range(20), 2))
    assert os.getpid() not in first
    assert len(first) <= 2
    with pytest.raises(ValueError, match="negative"):
        run(square, [-1, 2, 3], 2)
    assert not set(run(where, range(20), 2)) & first


def imported(name: str) -> int:
    return int(importlib.import_module(name).VALUE)


def test_processes_find_modules_of_a_path_that_was_added_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(where, range(4), 2)
    (tmp_path / "added_later.py").write_text("VALUE = 7")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert run(imported, ["added_later", "added_later"], 2) == [7, 7]


def threads(_: int) -> tuple[str | None, int]:
    import torch

    return os.environ.get("OMP_NUM_THREADS"), torch.get_num_threads()


def test_workers_have_one_thread_and_the_environment_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    run(where, [0, 1], 3)
    assert set(run(threads, [0, 1], 3)) == {("1", 1)}
    assert os.environ["OMP_NUM_THREADS"] == "7"


def folder_of_worker(_: int) -> str:
    return os.getcwd()


def test_processes_work_in_the_folder_of_this_one_also_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert run(folder_of_worker, [0, 1], 2) == [str(tmp_path / name)] * 2


def visible_gpu(folder: str) -> str | None:
    """The GPU of this process, once two processes are at work."""
    (Path(folder) / str(os.getpid())).touch()
    deadline = time.monotonic() + 60
    while len(os.listdir(folder)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def test_each_process_has_a_gpu_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "gpu_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    folders = [str(tmp_path)] * 2
    with engine(workers=3):  # a third would have to share
        assert sorted(run_jobs(visible_gpu, folders, describe="t", gpu=True)) == ["4", "7"]
        assert not {"4", "7"} & set(run_jobs(visible_gpu, folders, describe="t"))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_is_raised(workers: int) -> None:
    with pytest.raises(ValueError, match="-1 is negative"):
        run(square, [1, -1, 2], workers)


def write_pid_and_sleep(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(60)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_at_once_with_their_parent(tmp_path: Path, how: signal.Signals) -> None:
    marks = [str(tmp_path / name) for name in "ab"]
    code = (
        "from tests.core.test_jobs import write_pid_and_sleep\n"
        "from dfmnist.core.jobs import engine, run_jobs\n"
        f"with engine(workers=2):\n"
        f"    list(run_jobs(write_pid_and_sleep, {marks!r}, describe='t'))\n"
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


def square_or_die(job: tuple[int, str, int]) -> int:
    """The square of a number; the process is killed as long as its file has fewer than n lines."""
    number, path, deaths = job
    with open(path, "a") as file:
        file.write("started\n")
    if len(Path(path).read_text().splitlines()) <= deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def test_a_job_whose_process_was_killed_is_done_again(tmp_path: Path) -> None:
    """As the kernel kills a process where memory is short."""
    jobs = [(n, str(tmp_path / str(n)), int(n == 2)) for n in range(4)]
    assert run(square_or_die, jobs, 2) == [0, 1, 4, 9]
    assert (tmp_path / "2").read_text().count("started") == 2


@pytest.mark.soak
def test_a_job_that_always_ends_its_process_is_named(tmp_path: Path) -> None:
    jobs = [(n, str(tmp_path / str(n)), 9 * (n == 1)) for n in range(3)]
    text = r"^t: job 2 of 3: its process was lost, 3 times; expected enough memory"
    with pytest.raises(InputError, match=text):
        run(square_or_die, jobs, 2)


def given_up(job: tuple[int, str, int], error: Exception) -> str:
    return f"{job[0]}: {error}"


@pytest.mark.soak
def test_jobs_that_always_end_their_process_do_not_end_the_others(tmp_path: Path) -> None:
    jobs = [(n, str(tmp_path / str(n)), 9 * (n in (1, 4))) for n in range(8)]
    with engine(workers=2):
        results = list(run_jobs(square_or_die, jobs, describe="t", failed=given_up))
    lost = "its process was lost, 3 times"
    assert results == [0, f"1: {lost}", 4, 9, f"4: {lost}", 25, 36, 49]
    started = [(tmp_path / str(n)).read_text().count("started") for n in range(8)]
    assert started == [1, 3, 1, 1, 3, 1, 1, 1]  # a killed process takes no other job with it
