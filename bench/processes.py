"""Running each measurement in its own process, so that its peak memory is its own."""

import json
import os
import resource
import subprocess
import sys
from typing import Any


def in_a_process(file: str, arguments: list[str], isa: str | None = None) -> dict[str, Any]:
    """The JSON that `file` prints last when it runs in a new process with `arguments`.

    `isa` is the value of `ONEDNN_MAX_CPU_ISA`, which limits the instructions that kernels use.
    """
    environment = os.environ | ({"ONEDNN_MAX_CPU_ISA": isa} if isa else {})
    command = [sys.executable, file, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def peak_mb(workers: int = 0) -> float:
    """Peak memory of this process in MB, plus `workers` times that of its largest child."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (own.ru_maxrss + workers * ended.ru_maxrss) / 1024
