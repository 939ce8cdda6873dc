"""Training of the small motion model on anybody's clips, with points that the face mesh finds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfmnist.core.config import plain
from dfmnist.core.console import say
from dfmnist.core.errors import InputError
from dfmnist.core.files import holds_folder, write_json
from dfmnist.core.text import plural
from dfmnist.fomm.checkpoint import weights_id
from dfmnist.fomm.mesh_points import MEAN_FACE
from dfmnist.fomm.training.actors_data import Draw, FaceClips, load_actor_clips
from dfmnist.fomm.training.people_data import prepare_people, summary
from dfmnist.fomm.training.train_actors import ActorsTrainConfig, Phase, check_initial, fit
from dfmnist.fomm.training.trainer import CONFIG, RUN_KIND, Machine, check_same

EPOCHS = 24
"""Default number of epochs."""
BATCH_SIZE = 4
"""Default number of pairs in a step."""
PREPARED = "faces"
"""Folder in a run with the clips cropped to the face, and their points."""
MOST_HELD_OUT = 8
"""Largest number of people kept for validation by `held_out_people`."""


@dataclass(frozen=True)
class PeopleTrainConfig(ActorsTrainConfig):
    """Settings of a training on people, mixed with actors if wanted."""

    epoch_steps: int = 50
    """Number of steps between checkpoints, points of the curve and validations."""
    held_out: int = -1
    """Number of people kept for validation, the last ones; -1 is one in five, 8 at most."""
    actors_share: float = 0.0
    """Probability that a pair shows an actor and not a person."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.actors_share < 1:  # also NaN
            given = f"--actors-share {self.actors_share:g}"
            raise InputError(f"{given}; expected 0 or more, and less than 1")


@holds_folder("out", RUN_KIND)
def train_people(
    config: PeopleTrainConfig,
    clips: Path,
    out: Path,
    *,
    initial: Path | None = None,
    actors: Path | None = None,
    person: str = "file",
    stop_after: int | None = None,
    machine: Machine | None = None,
) -> Path:
    """Train on the videos of people under `clips`, from `out`'s last checkpoint if it has one.

    The faces and their points are found once and kept in `out/faces`; nothing is written under
    `clips`. Videos that cannot be used are named and left out. `actors` is a folder of actors'
    footage for the share of pairs that `config` takes from it, and `person` says what names the
    person (`media.folders.person_of`). The other arguments, and the files under `out`, are those of
    `train_animator`; `out/people.json` lists every video with its pieces and problems. Raises
    `InputError`, also if settings or videos are not those of the run's start.
    """
    check_initial(config, initial)
    if out.resolve().is_relative_to(clips.resolve()):
        raise InputError.of(out, "lies in the folder of clips", "another folder")
    footage, records = prepare_people(
        clips,
        out / PREPARED,
        config.points,
        config.model.image_size,
        margin=config.margin,
        seed=config.seed,
        person=person,
    )
    write_json(out / "people.json", [record.model_dump(mode="json") for record in records])
    about: dict[str, Any] = {
        "recipe": plain(config),
        "clips": summary(records),
        "initial": weights_id(initial) if initial else None,
    }
    if (out / CONFIG).is_file():
        check_same(out / CONFIG, about)
    write_json(out / CONFIG, about)
    held = held_out_people(footage, config.held_out)
    if not held:
        say("too few people to hold one out; the validation shows the people of the training")
    if config.actors_share:
        assert actors is not None
        footage = footage + load_actor_clips(
            actors,
            config.points,
            config.model.image_size,
            margin=config.margin,
            seed=config.seed,
            mean_face=MEAN_FACE,
        )
    return fit(
        config, footage, held, out, initial=initial, stop_after=stop_after,
        actors_share=config.actors_share, about={"people": about["clips"]}, machine=machine,
    )  # fmt: skip


def held_out_people(footage: FaceClips, count: int = -1) -> tuple[int | str, ...]:
    """The last `count` people of `footage`, for validation.

    With -1 it is one person in five, and `MOST_HELD_OUT` at most. Raises `InputError` if nobody
    would be left to train on.
    """
    people = list(dict.fromkeys(footage.identities))
    if count < 0:
        count = min(MOST_HELD_OUT, len(people) // 5)
    if count >= len(people):
        few = f"--clips: {plural(len(people), 'person', 'people')} of whom {count} are held out"
        raise InputError(f"{few}; expected more people")
    return tuple(people[len(people) - count :])


def small_recipe(
    seed: int = 1,
    *,
    epochs: int = EPOCHS,
    batch_size: int = BATCH_SIZE,
    actors_share: float = 0.0,
) -> PeopleTrainConfig:
    """Recipe that continues the shipped weights on people's clips: `epochs` of 50 steps.

    A step has `batch_size` pairs at full size. One in four pairs of actors is a cross pair.
    Raises `InputError` for values out of range.
    """
    for flag, value in (("--epochs", epochs), ("--batch-size", batch_size)):
        if value < 1:
            raise InputError(f"{flag} {value}; expected 1 or more")
    cross = batch_size // 4
    draw = Draw(256, batch_size - cross, cross, rest=0.6)
    steps = epochs * PeopleTrainConfig.epoch_steps
    return PeopleTrainConfig(
        seed=seed, phases=(Phase(steps, draw, 2e-4, 2e-5),), actors_share=actors_share
    )
