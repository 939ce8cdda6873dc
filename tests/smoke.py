"""Running the whole system at its smallest, as a user does: in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

TIMEOUT_S = 900


def start(out: Path) -> subprocess.Popen[str]:
    """`dfmnist demo --recipe smoke` in its own process group."""
    return subprocess.Popen(
        [sys.executable, "-m", "dfmnist", "demo", "--recipe", "smoke", "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for the end; what it printed."""
    text, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, text[-4000:]
    return text


def kill_when(process: subprocess.Popen[str], folder: Path, pattern: str, count: int = 1) -> bool:
    """SIGKILL the whole group as soon as `count` files match; False when it ended before."""
    deadline = time.monotonic() + TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        if sum(1 for _ in folder.glob(pattern)) >= count:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return True
        time.sleep(0.05)
    return False
