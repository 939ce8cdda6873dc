"""A build on Ray, where the extra is installed: the same dataset."""

from pathlib import Path

import pytest

from dfmnist.core.jobs import engine
from dfmnist.dataset.manifest import manifest_hash
from dfmnist.pipeline.build import build
from dfmnist.pipeline.film import film_people
from dfmnist.pipeline.footage import read_drivers, read_people
from dfmnist.recipes import smoke

pytest.importorskip("ray", reason="needs the extra dfmnist[ray]")


@pytest.mark.soak
def test_a_dataset_is_that_of_one_process(tmp_path: Path) -> None:
    recipe, hashes = smoke(), set()
    assert recipe.film is not None
    with engine("local", workers=2):
        tables = film_people(recipe.film, tmp_path / "footage")
    people = read_people(tables[0], recipe.build.num_frames / recipe.build.fps)
    drivers = read_drivers(tables[1])
    for name in ("ray", "local"):
        with engine(name, workers=2):
            root = build(people, drivers, people, recipe.build, tmp_path / name)
        hashes.add(manifest_hash(root))
    assert len(hashes) == 1
