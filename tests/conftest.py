"""Shared fixtures: one thread, jobs in this process, no network, media beside the checkout."""

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

os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)
# A suite started in the background ignores Ctrl-C, and so would the commands that it sends one to.
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).resolve().parents[2] / "shared"


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


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real clips and weights beside the checkout; the test is skipped where there are none."""
    if not (SHARED / "data").is_dir():
        pytest.skip("no real test media beside this checkout (../shared/data)")
    return SHARED
