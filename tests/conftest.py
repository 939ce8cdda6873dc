"""Shared fixtures: one thread, jobs in this process, no network, media beside the checkout."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
import torch

from dfmnist.core import download
from dfmnist.core.jobs import engine
from tests import quick

quick.install()
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)
# The modules that collection imports stay: to look for garbage among them would cost seconds, now
# and whenever a test leaves some. See `pytest_collection_finish`.
gc.disable()
# A suite started in the background ignores Ctrl-C, and so would the commands that it sends one to.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


LONGEST = (
    "smoke", "experiments", "reports", "tests/fomm/test_parity.py", "tests/dataset/test_audit.py",
    "tests/core/test_jobs.py", "tests/detectors/test_train_options.py",
    "tests/detectors/test_predict.py", "tests/fomm/test_vox.py", "tests/pipeline/test_files.py",
    "tests/liveness/test_evaluate.py", "tests/fomm/test_animate.py", "tests/test_api.py",
    "tests/cli/test_unwritable.py", "tests/cli/test_animate.py",
)  # fmt: skip
"""Groups that take longest begin first, so that no process waits for the other at the end."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of one file, or of one room with large fixtures, in one process.

    Two processes would each make the fixtures that such tests share.
    """

    def group_of(item: pytest.Item) -> str:
        mark = item.get_closest_marker("xdist_group")
        if mark is not None:
            return str(mark.args[0])
        path = item.path.relative_to(ROOT)
        return path.parent.name if path.parent.name in LONGEST else path.as_posix()

    groups = {item: group_of(item) for item in items}
    for item, group in groups.items():
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(group))
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(groups[item], len(LONGEST)))


def pytest_collection_finish() -> None:
    """Leave all that was imported out of every later search for garbage."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are downloaded from this machine alone, whatever network there is."""

    def local(request: Request, **options: Any) -> Any:
        if urlsplit(request.full_url).hostname != "127.0.0.1":
            raise URLError("the tests use no network")
        return urlopen(request, **options)

    monkeypatch.setattr(download, "urlopen", local)


@pytest.fixture(scope="session", autouse=True)
def _jobs_run_in_this_process() -> Iterator[None]:
    """Starting processes takes seconds; tests of the pool, and commands, choose another engine."""
    with engine("local", workers=1):
        yield


@pytest.fixture
def as_shipped() -> Iterator[None]:
    """Backend and precision are chosen as in the product."""
    with quick.as_shipped():
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real clips and weights beside the checkout; the test is skipped where there are none."""
    if not (SHARED / "data").is_dir():
        pytest.skip("no real test media beside this checkout (../shared/data)")
    return SHARED
