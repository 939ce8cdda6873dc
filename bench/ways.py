"""Each way of doing something is measured in a process of its own, for its speed and memory."""

import json
import os
import resource
import subprocess
import sys
from typing import Any


def in_a_process(file: str, arguments: list[str], isa: str | None = None) -> dict[str, Any]:
    """Run `file` again with `arguments`; the JSON that it prints last.

    `isa`: `ONEDNN_MAX_CPU_ISA`, to hold the processor's kernels back.
    """
    environment = os.environ | ({"ONEDNN_MAX_CPU_ISA": isa} if isa else {})
    command = [sys.executable, file, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def peak_mb(workers: int = 0) -> float:
    """The most memory that this process has held; with `workers` as large as the largest child."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (own.ru_maxrss + workers * ended.ru_maxrss) / 1024
