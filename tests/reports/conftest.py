"""One tiny dataset of drawn faces with runs on it, made through the project's own writers.

The scores are drawn from a seeded generator: they stand for nothing and exist in tests only.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.reports.experiments import write_experiments

from dfmnist.core.actions import DETECTED_BY_BOTH, TEN, Action
from dfmnist.core.choices import Quality
from dfmnist.core.config import plain
from dfmnist.core.files import sha256_file, write_json
from dfmnist.dataset.audit import audit, write_audit
from dfmnist.dataset.manifest import (
    Clip,
    Manifest,
    Rejected,
    Screening,
    manifest_hash,
    read_manifest,
    write_manifest,
    write_rejected,
)
from dfmnist.detectors.config import TrainConfig
from dfmnist.experiments.experiment import Made as Result
from dfmnist.experiments.experiment import write_all
from dfmnist.media.image import write_image
from dfmnist.media.video import write_video
from dfmnist.reports.page import ReportContext, write_report

FPS = Fraction(25)
PEOPLE = {"train": ("a1", "a2"), "validation": ("a3", "a4"), "test": ("a5", "a6", "a7")}


def face(size: int, person: str, turn: float, mouth: float) -> np.ndarray:
    """A drawn face (size, size, 3), `turn` in -1..1, `mouth` in 0..1."""
    seed = np.random.default_rng([ord(c) for c in person])
    skin, back = seed.integers(120, 230, 3), seed.integers(40, 200, 3)
    y, x = np.mgrid[0:size, 0:size] / size * 2 - 1
    image = np.broadcast_to(back, (size, size, 3)).astype(np.float64) * (0.8 + 0.2 * y[..., None])
    room = np.kron(seed.uniform(0.6, 1.4, (8, 8)), np.ones((size // 8, size // 8)))
    image *= np.pad(room, (0, size - len(room)), "edge")[..., None]
    x = x - 0.1 * turn
    image[(x / 0.55) ** 2 + (y / 0.75) ** 2 < 1] = skin
    for eye in (-0.22, 0.22):
        image[((x - eye - 0.12 * turn) / 0.09) ** 2 + ((y + 0.15) / 0.06) ** 2 < 1] = 30
    image[((x - 0.12 * turn) / 0.2) ** 2 + ((y - 0.4) / (0.03 + 0.15 * mouth)) ** 2 < 1] = (
        90,
        20,
        30,
    )
    image += seed.normal(0, 3, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def frames(size: int, person: str, action: Action, count: int) -> np.ndarray:
    """A clip (count, size, size, 3)."""
    phase = np.sin(np.linspace(0, np.pi, count))
    turn = phase * (1.0 if action in (Action.YAW, Action.RIGHT_SLOPE) else 0.2)
    mouth = phase * (1.0 if action in (Action.OPEN_MOUTH, Action.SURPRISE) else 0.1)
    return np.stack([face(size, person, t, m) for t, m in zip(turn, mouth, strict=True)])


def screening(action: Action, live: bool) -> tuple[Screening, ...]:
    """Answers of the liveness detectors of `action`."""
    universal = Screening(detector="universal", live=live, score=0.7, reason="" if live else "flat")
    if action not in DETECTED_BY_BOTH:
        return (universal,)
    return (Screening(detector="action", live=True, score=0.9, reason=""), universal)


def make_dataset(
    root: Path,
    actions: Sequence[Action] = TEN,
    size: int = 64,
    count: int = 6,
    *,
    refused: Action | None = Action.EMBARRASSMENT,
) -> Path:
    """A dataset folder with manifest, rejected attempts, audit, sources and drivers.

    Nothing of action `refused` is accepted.
    """
    clips: list[Clip] = []
    for split, people in PEOPLE.items():
        for index, action in enumerate(actions):
            person = people[index % len(people)]
            for label in ("real", "fake"):
                if label == "fake" and action is refused:
                    continue
                clips += _clip(root, split, person, action, label, size, count)
    lost = [_rejected(action, n) for action in actions for n in range(2 + 7 * (action is refused))]
    write_rejected(root, lost)
    write_audit(root, audit(Manifest(root, tuple(clips))))
    write_manifest(root, clips)
    return root


def _clip(
    root: Path, split: str, person: str, action: Action, label: str, size: int, count: int
) -> list[Clip]:
    clip_id = f"{label}-{action.value}-{person}"
    images = frames(size, person, action, count)
    fake = label == "fake"
    if fake:
        images = np.clip(images.astype(int) + 4, 0, 255).astype(np.uint8)
        write_image(root / "sources" / f"{clip_id}.png", images[0])
        driver = root / "drivers" / f"d{split}-{action.value}-0.mp4"
        write_video(driver, frames(size, f"d{split}", action, count), FPS, crf=10)
    records = []
    for quality in Quality:
        name = f"clips/{quality.value}/{clip_id}.mp4"
        write_video(root / name, images, FPS, crf=quality.crf)
        records.append(
            Clip(
                file_name=name,
                clip_id=clip_id,
                label="fake" if fake else "real",
                action=action,
                quality=quality.value,
                split=split,  # type: ignore[arg-type]
                identities=(person, f"d{split}") if fake else (person,),
                method="fomm" if fake else "",
                origin="built",
                source=person,
                source_frame=0 if fake else None,
                driver=f"d{split}" if fake else "",
                take=0,
                generator="fomm-test@00000000" if fake else "",
                seed=1,
                screening=screening(action, True),
                fps="25",
                num_frames=count,
                width=size,
                height=size,
                sha256=sha256_file(root / name),
                licence="CC0-1.0",
                consent="drawn by a test",
            )
        )
    return records


def _rejected(action: Action, number: int) -> Rejected:
    return Rejected(
        attempt_id=f"fake-{action.value}-{number}",
        label="fake",
        action=action,
        split="train",
        source="a1",
        source_frame=0,
        driver="dtrain",
        take=number,
        generator="fomm-test@00000000",
        seed=1,
        screening=screening(action, False),
        reason=f"universal: depth {0.1 * number:.1f} is flat",
    )


def make_run(runs: Path, dataset: Path, network: str, quality: str, *, skill: float) -> Path:
    """A finished run's folder with scores whose classes lie `skill` apart (0 is guessing)."""
    size_px = 64
    config = TrainConfig(
        network=network, quality=quality, size_px=size_px, frames_per_clip=4, epochs=3
    )
    folder = runs / f"{network}-{quality}-0123456789ab"
    write_json(folder / "config.json", plain(config))
    accuracy = [0.5, 0.5 + 0.1 * skill, 0.5 + 0.08 * skill]
    lines = ["epoch,train_loss,val_loss,val_accuracy,val_auc,seconds"]
    lines += [f"{i + 1},{0.7 / (i + 1):.3f},0.6,{a:.3f},{a:.3f},1" for i, a in enumerate(accuracy)]
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    generator = np.random.default_rng([ord(c) for c in network + quality])
    rows = [
        {
            "clip_id": clip.clip_id,
            "quality": quality,
            "split": "test",
            "label": clip.label,
            "action": clip.action.value,
            "source_id": clip.source,
            "frame": frame,
            "logit": float(generator.normal(skill if clip.label == "fake" else -skill, 1)),
        }
        for clip in read_manifest(dataset).select(split="test", quality=quality).clips
        for frame in range(4)
    ]
    scores = pl.DataFrame(rows).with_columns(p_fake=1 / (1 + (-pl.col("logit")).exp()))
    scores.write_parquet(folder / "scores-test.parquet")
    run = {
        "initialisation": "random, every layer",
        "best_epoch": 2,
        "epochs": 3,
        "steps": 30,
        "manifest_hash": manifest_hash(dataset),
    }
    write_json(folder / "run.json", run)
    return folder


def write_table3_alone(made: Sequence[Result], out: Path) -> Path:
    """Take the place of `write_all` where the other results of runs, slow to draw, do not count."""
    return write_all([one for one in made if one.experiment.name == "table3"], out)


ACTIONS = (Action.YAW, Action.SMILE, Action.EMBARRASSMENT)
DEPARTURES = ("Drawn faces <not people>.", "Six frames a clip.")


@dataclass(frozen=True)
class Made:
    """What the fixture made."""

    dataset: Path
    runs: Path
    page: Path
    headline: tuple[str, ...]
    context: ReportContext
    departures: tuple[str, ...] = DEPARTURES
    experiments: Path | None = None

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
    make_run(runs, dataset, "resnet50", "raw", skill=2.0)
    make_run(runs, dataset, "resnet50", "c40", skill=1.0)
    make_run(runs, dataset, "mesoinception4", "raw", skill=0.0)
    context = ReportContext(recipe="demo", synthetic=True, departures=DEPARTURES)
    page, headline = write_report(dataset, base / "out", context, runs=runs)
    return Made(dataset, runs, page, headline, context)


@pytest.fixture(scope="session")
def whole(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The same dataset with experiments made on it, their runs beside them."""
    base = tmp_path_factory.mktemp("whole")
    folder = write_experiments(base / "experiments", read_manifest(made.dataset))
    shutil.copytree(made.runs, folder / "runs")
    context = ReportContext(recipe="demo", synthetic=True, departures=DEPARTURES)
    page, headline = write_report(made.dataset, base / "out", context, experiments=folder)
    return Made(made.dataset, made.runs, page, headline, context, experiments=folder)


@pytest.fixture(scope="session", name="make_run")
def _make_run() -> Callable[..., Path]:
    """`make_run` for a test's own runs."""
    return make_run
