"""Every test file is collected; no folder has a name that tools skip."""

import os
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIST_FILES = """
import sys
import pytest


class Listed(pytest.Module):
    def collect(self):
        return []  # the file is not imported


class Lister:
    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makemodule(self, module_path, parent):
        print("FILE", module_path)
        return Listed.from_parent(parent, path=module_path)


pytest.main(["--collect-only", "--noconftest", "-m", "not soak"], plugins=[Lister()])
"""
IGNORED = {
    *("bin", "build", "cover", "coverage", "develop-eggs", "dist", "downloads", "eggs", "env"),
    *("htmlcov", "instance", "lib", "lib64", "logs", "node_modules", "obj", "out", "parts"),
    *("sdist", "site", "target", "temp", "tmp", "var", "vendor", "venv", "wheels"),
}
"""Folder names in the common ignore lists of git, editors, packagers and linters."""


def test_every_test_file_is_collected() -> None:
    paths = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    listed = subprocess.run(
        [sys.executable, "-c", LIST_FILES],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    ).stdout
    found = {Path(line[5:]) for line in listed.splitlines() if line.startswith("FILE ")}
    assert found == set((ROOT / "tests").rglob("test_*.py")), listed
    for conftest in (ROOT / "tests").rglob("conftest.py"):  # not imported above, as it takes long
        text = conftest.read_text("utf-8")
        assert "collect_ignore" not in text, conftest
        assert "ignore_collect" not in text, conftest


def test_no_folder_is_skipped_by_a_tool(pytestconfig: pytest.Config) -> None:
    patterns = {*pytestconfig.getini("norecursedirs"), *IGNORED}
    folders = [p for top in ("src", "tests", "bench") for p in (ROOT / top).rglob("*")]
    skipped = [
        folder.relative_to(ROOT).as_posix()
        for folder in folders
        if folder.is_dir() and any(fnmatch(folder.name.lower(), p.lower()) for p in patterns)
    ]
    assert skipped == []
