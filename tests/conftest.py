"""What tests share: one torch thread, the media that may lie beside a checkout, face models."""

import os
import signal
from pathlib import Path

import pytest
import torch

os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)
# A suite started in the background ignores Ctrl-C, and so would the commands that it sends one to.
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real clips and weights beside the checkout; the test is skipped where there are none."""
    if not (SHARED / "data").is_dir():
        pytest.skip("no real test media beside this checkout (../shared/data)")
    return SHARED
