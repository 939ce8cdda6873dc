"""An experiment on Ray, where the extra is installed: the same table."""

from pathlib import Path

import pytest

from dfmnist.core.jobs import engine
from dfmnist.experiments.run import Request, run_experiments
from dfmnist.recipes import experiments_smoke

pytest.importorskip("ray", reason="needs the extra dfmnist[ray]")


def test_a_table_is_that_of_one_process(drawn: Path, tmp_path: Path) -> None:
    pages = []
    for name in ("ray", "local"):
        with engine(name, workers=1):
            run_experiments(Request(("table3",), drawn, experiments_smoke()), tmp_path / name)
        pages.append((tmp_path / name / "table3" / "table3.md").read_text())
    assert pages[0] == pages[1]
