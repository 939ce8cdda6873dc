"""One tiny dataset of drawn faces for the experiments' tests."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.reports.conftest import make_dataset
from tests.reports.conftest import make_run as write_run

from dfmnist.core.actions import Action


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Yaw and smile in every split, embarrassment as real clips alone; seven people."""
    root = tmp_path_factory.mktemp("experiments") / "drawn"
    return make_dataset(root, (Action.YAW, Action.SMILE, Action.EMBARRASSMENT))


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Path]:
    """`make_run` of the report's tests: a finished run's folder with scores."""
    return write_run
