"""Filming of a dataset's synthetic people, all with the same wide camera.

The result is plain footage tables (`people.csv`, `drivers.csv`), so that synthetic actors become a
dataset by the same code as filmed people.
"""

from math import gcd
from pathlib import Path

from dfmnist.actors.film import FilmJob, film
from dfmnist.actors.head import load_head, need_actors
from dfmnist.actors.seeds import check_range
from dfmnist.core.actions import Action
from dfmnist.core.choices import SPLITS
from dfmnist.core.config import plain, seed_of
from dfmnist.core.errors import InputError
from dfmnist.core.files import holds_folder, read_json, write_json
from dfmnist.core.jobs import run_jobs
from dfmnist.pipeline.config import FilmConfig
from dfmnist.pipeline.footage import Footage, write_csv

TALK_EVERY = 11
"""Every eleventh clip talks, so that talking is as frequent as each of the ten actions."""


@holds_folder("folder", "footage")
def film_people(config: FilmConfig, folder: Path) -> tuple[Path, Path]:
    """Film all people and drivers into `folder`; returns the tables of people and of drivers.

    Existing clips are kept. Raises `InputError` for a folder with other content, and if the extra
    `actors` is not installed.
    """
    need_actors()
    settings = folder / "film.json"
    if settings.exists() and read_json(settings) != plain(config):
        raise InputError.of(folder, "was filmed with other settings", "a new folder")
    write_json(settings, plain(config))
    people, drivers = plan_people(config, folder), plan_drivers(config, folder)
    check_range("dataset", sorted({_seed_in(f.identity) for f in people}))
    check_range("drivers", sorted({_seed_in(f.identity) for f in drivers}))
    load_head()  # once, before the processes start: each would make it
    for name, footage in (("film drivers", drivers), ("film people", people)):
        # one person after the other: setting up a stage takes as long as ten frames
        jobs = [_job(f, config.num_frames) for f in sorted(footage, key=lambda f: f.identity)]
        for _ in run_jobs(film, jobs, describe=name):
            pass
    tables = folder / "people.csv", folder / "drivers.csv"
    write_csv(tables[0], people)
    write_csv(tables[1], drivers)
    return tables


def plan_people(config: FilmConfig, folder: Path) -> list[Footage]:
    """Plan the clips of sources and reals: each split's actors take turns, action by action."""
    found: list[Footage] = []
    first = config.first_person
    for split, count, clips in zip(SPLITS, config.people, config.clips_per_action, strict=True):
        performed = [a for _ in range(clips) for a in config.actions]
        # The actor moves on by one more after each round, so that nobody has one action only;
        # not where that would leave some of them out.
        extra = int(gcd(len(config.actions) + 1, count) == 1)
        takes: dict[tuple[int, Action], int] = {}
        for turn, action in enumerate(performed):
            person = first + (turn + extra * (turn // len(config.actions))) % count
            shown = Action.TALK if turn % TALK_EVERY == TALK_EVERY - 1 else action
            take = takes[person, shown] = takes.get((person, shown), -1) + 1
            found.append(_footage(folder / "people", person, shown, take, split, config.seed))
        first += count
    return found


def plan_drivers(config: FilmConfig, folder: Path) -> list[Footage]:
    """Plan the driving clips: every driver performs every action `takes` times."""
    found: list[Footage] = []
    first = config.first_driver
    for split, count in zip(SPLITS, config.drivers, strict=True):
        found += [
            _footage(folder / "drivers", person, action, take, split, config.seed)
            for person in range(first, first + count)
            for action in config.actions
            for take in range(config.takes)
        ]
        first += count
    return found


def name_of(person: int) -> str:
    """Name in the manifest of the synthetic actor with this identity seed."""
    return f"a{person}"


def _seed_in(identity: str) -> int:
    """Identity seed of the actor with a name made by `name_of`."""
    return int(identity.removeprefix("a"))


def _footage(
    folder: Path, person: int, action: Action, take: int, split: str, seed: int
) -> Footage:
    name = f"{action.value}-{take}.mp4"
    performance = seed_of(str(seed), str(person), action.value, str(take))
    identity = name_of(person)
    return Footage(folder / identity / name, identity, action, take, split=split, seed=performance)


def _job(footage: Footage, num_frames: int) -> FilmJob:
    return FilmJob(
        identity_seed=_seed_in(footage.identity),
        action=footage.action,
        performance_seed=footage.seed,
        num_frames=num_frames,
        path=footage.path,
    )
