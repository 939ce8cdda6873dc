"""One tiny dataset with runs and its report, for all tests of this room."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from tiny_dataset import make_dataset, make_run

from dfmnist.core.actions import Action
from dfmnist.report.page import ReportContext, write_report

ACTIONS = (Action.YAW, Action.SMILE, Action.EMBARRASSMENT)
DEPARTURES = ("Drawn faces <not people>.", "Six frames a clip.")


@dataclass(frozen=True)
class Made:
    """What the fixture made."""

    dataset: Path
    runs: Path
    page: Path
    headline: list[str]

    @property
    def html(self) -> str:
        """The page."""
        return self.page.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A dataset of three actions, ResNet-50 scored in two qualities, MesoInception-4 in one."""
    base = tmp_path_factory.mktemp("report")
    dataset = make_dataset(base / "dataset", ACTIONS)
    runs = base / "runs"
    make_run(runs, dataset, "resnet50", "raw", skill=2.0, weights=True)
    make_run(runs, dataset, "resnet50", "c40", skill=1.0)
    make_run(runs, dataset, "mesoinception4", "raw", skill=0.0)
    context = ReportContext(recipe="demo", synthetic=True, departures=DEPARTURES)
    page, headline = write_report(dataset, runs, base / "out", context)
    return Made(dataset, runs, page, headline)
