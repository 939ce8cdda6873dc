"""OpenVINO reports nothing: neither when it is imported nor when a network is converted."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.sources import FILES, SRC, nodes

CONVERT = """
import atexit, sys
import torch

STARTS = {"os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "subprocess.Popen"}
seen = set()


def watch(event, arguments):
    if event in STARTS or event in {"socket.connect", "socket.getaddrinfo", "socket.sendto"}:
        seen.add(event)


sys.addaudithook(watch)
atexit.register(lambda: print(sorted(seen)))  # threads have ended then

from dfmnist.core.inference import Compiled

compiled = Compiled(torch.nn.Linear(2, 2), [torch.zeros(1, 2)], False)
compiled([torch.zeros(1, 2).numpy()])
"""


def test_a_conversion_starts_no_process_and_opens_no_connection(tmp_path: Path) -> None:
    """In a home folder where nobody has declined, and not in what OpenVINO takes for a CI job."""
    ci = {"CI", "TF_BUILD", "JENKINS_URL"}
    environment = {name: value for name, value in os.environ.items() if name not in ci}
    run = subprocess.run(
        [sys.executable, "-c", CONVERT],
        env=environment | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == "[]\n"
    assert list(tmp_path.iterdir()) == []  # no number by which this user would be known


@pytest.mark.xdist_group("sources")
def test_openvino_is_imported_in_one_place() -> None:
    """`core/inference.py` takes parts of it, after that import."""
    found = set()
    for path in FILES:
        for node in nodes(path):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] == "openvino" for name in names):
                found.add(path.relative_to(SRC).as_posix())
    assert found == {"core/quiet_openvino.py", "core/inference.py"}
