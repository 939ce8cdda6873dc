"""What a build of the paper's size costs: its stages, its records, its memory, and two workers.

`stages` runs some jobs of each stage in one process and extrapolates their processor time to
10,000 fakes and 10,000 real clips. `records` plans that build and writes, reads and checks its
60,000 records, with results that are made up. `memory` runs a light stage on few and on many clips.
`workers` runs the same animations with one process and with two, which needs two idle cores.
"""

import argparse
import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dfmnist.core.actions import TEN, Action
from dfmnist.core.choices import SPLITS
from dfmnist.core.config import seed_of
from dfmnist.core.console import set_quiet
from dfmnist.core.jobs import engine, settle_numerics
from dfmnist.core.text import markdown_table
from dfmnist.dataset import audit as auditing
from dfmnist.dataset.card import CardText, write_card
from dfmnist.dataset.clip import Clip, Rejected
from dfmnist.dataset.info import DatasetInfo, write_info
from dfmnist.dataset.manifest import Manifest, read_manifest, write_manifest, write_rejected
from dfmnist.dataset.splits import split_info
from dfmnist.fomm.checkpoint import weights_id
from dfmnist.media.inspect import protocol_facts, signal_facts
from dfmnist.media.video import write_video
from dfmnist.pipeline import jobs as building
from dfmnist.pipeline.config import BuildConfig, FilmConfig
from dfmnist.pipeline.film import film_people
from dfmnist.pipeline.footage import Footage, read_drivers, read_people
from dfmnist.pipeline.jobs import ClipResult, DriverJob, FakeJob, PersonJob, RealJob, SourceCheck
from dfmnist.pipeline.plan import Pair, match_reals, next_round, pairs, targets, with_splits
from dfmnist.pipeline.select import FaceSelection
from processes import in_a_process

CLIPS = 10_000
"""Number of fakes, and of real clips, of the paper's dataset."""
DRIVING_CLIPS = 200
"""Number of driving clips that are assumed: twenty of each action."""
ATTEMPTS = 137 / 108
"""Attempts for each fake that was kept, in the demo's build."""
ANIMATIONS = 10
"""Number of animations that are timed, and one that is not, which loads the model."""
QUALITIES = ("raw", "c23", "c40")
CONFIG = BuildConfig(licence="CC0-1.0", consent="none needed", synthetic=True)


@dataclass
class Times:
    """Processor seconds of a kind of job and of its parts, call by call."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def mean(self, name: str) -> float:
        return float(np.mean(self.seconds[name])) if self.seconds[name] else 0.0

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, of which each call is timed."""

        def call(*args: Any, **more: Any) -> Any:
            start = time.process_time()
            result = function(*args, **more)
            self.seconds[name].append(time.process_time() - start)
            return result

        return call

    @contextmanager
    def parts(self, *names: str) -> Iterator[None]:
        """Time these functions of `pipeline.jobs` within the `with` block."""
        kept = {name: getattr(building, name) for name in names}
        for name, function in kept.items():
            setattr(building, name, self.timed(name, function))
        try:
            yield
        finally:
            for name, function in kept.items():
                setattr(building, name, function)


def filmed(work: Path) -> tuple[list[Footage], list[Footage]]:
    """Six clips of three actors and six driving clips, filmed once into the folder `work`."""
    one = (1, 1, 1)
    film = FilmConfig(one, one, one, takes=1, actions=(Action.OPEN_MOUTH, Action.LEFT_SLOPE))
    people, drivers = film_people(film, work / "footage")
    return read_people(people, CONFIG.num_frames / CONFIG.fps), read_drivers(drivers)


def made_pairs(people: Sequence[Footage], drivers: Sequence[Footage]) -> list[Pair]:
    """Every person's clip with the driving clips of its action, all in one split."""
    return [
        Pair(replace(p, split="train"), replace(d, split="train"))
        for p in people
        for d in drivers
        if p.action is d.action
    ]


def stages(work: Path) -> None:
    """Print the table of stages and that of sizes."""
    settle_numerics()
    set_quiet(True)
    people, drivers = filmed(work)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        root = Path(folder)
        of = {kind: Times() for kind in (PersonJob, DriverJob, FakeJob, RealJob)}

        def run(jobs: Iterable[Any], *parts: str) -> list[Any]:
            """The results; the first job loads what its kind needs and is not timed."""
            first, *rest = jobs
            times = of[type(first)]
            with Times().parts():
                results = [first.run()]
            with times.parts(*parts):
                return results + [times.timed("job", job.run)() for job in rest]

        checks = run((PersonJob(root, CONFIG, f) for f in people), "choose", "screen")
        run((DriverJob(root, CONFIG, f) for f in drivers), "choose", "save_motion")
        check_of = {f.key: check for f, check in zip(people, checks, strict=True)}
        generator = weights_id(CONFIG.weights)
        attempts = run(
            (
                FakeJob(root, CONFIG, pair, check_of[pair.source.key].choice, generator)
                for pair in made_pairs(people, drivers)[: ANIMATIONS + 1]
            ),
            "animate",
            "screen",
        )
        reals = run(RealJob(root, CONFIG, f, check_of[f.key]) for f in people)
        kept = [r for r in attempts if r.clips]
        clips = [clip for r in (*attempts, *reals) for clip in r.clips]
        audits = Times()
        for clip in clips[:30]:
            audits.timed("protocol", protocol_facts)(root / clip.file_name)
        for clip in clips[:6]:
            audits.timed("signal", signal_facts)(root / clip.file_name)
        print_stages(of, audits, len(kept), len(attempts))
        print_sizes(root, clips)


def print_stages(of: dict[type, Times], audits: Times, kept: int, attempts: int) -> None:
    """The table of stages: seconds a job, jobs of the full build, hours of one core."""
    person, driver, fake, real = (of[k] for k in (PersonJob, DriverJob, FakeJob, RealJob))
    tries = round(CLIPS * ATTEMPTS)
    animate, screen = fake.mean("animate"), fake.mean("screen")
    rest = fake.mean("job") - animate - screen
    rows = [
        ("select and crop", CLIPS, person.mean("choose")),
        ("screen as a real clip", CLIPS, person.mean("job") - person.mean("choose")),
        ("crop drivers, keypoints", DRIVING_CLIPS, driver.mean("job")),
        ("animate", tries, animate),
        ("screen", tries, screen),
        ("compress fakes and write records", tries, rest),
        ("compress real clips", CLIPS, real.mean("job")),
        ("audit: protocol", 2 * CLIPS * len(QUALITIES), audits.mean("protocol")),
        ("audit: signal", auditing.SIGNAL_CLIPS * len(QUALITIES), audits.mean("signal")),
    ]
    total = sum(jobs * seconds for _, jobs, seconds in rows) / 3600
    cells = [
        (name, f"{jobs:,}", f"{s:.3f}", f"{jobs * s / 3600:.1f}", f"{jobs * s / 36 / total:.0f}%")
        for name, jobs, s in rows
    ]
    cells.append(("all", "", "", f"{total:.1f}", "100%"))
    print(f"{kept} of {attempts} animations kept here; the table assumes {ATTEMPTS:.2f} attempts")
    head = ("stage", "jobs", "processor s a job", "hours of one core", "share")
    print(markdown_table(head, cells, align_right=True))


def print_sizes(root: Path, clips: Sequence[Clip]) -> None:
    """The table of sizes: KB of a file of each quality and class, GB of the full build."""
    rows = []
    total = 0.0
    for quality in QUALITIES:
        sizes = {
            label: np.mean([
                (root / c.file_name).stat().st_size
                for c in clips
                if c.quality == quality and c.label == label
            ])
            for label in ("real", "fake")
        }  # fmt: skip
        both = sum(sizes.values()) * CLIPS / 1e9
        total += both
        rows.append((quality, *(f"{size / 1e3:.1f}" for size in sizes.values()), f"{both:.2f}"))
    stills = [p.stat().st_size for p in (root / "sources").glob("*.png")]
    still = float(np.mean(stills)) * CLIPS / 1e9
    records = [p.stat().st_size for p in (root / "work").rglob("*.json")]
    record = float(np.mean(records)) * (2 + ATTEMPTS) * CLIPS / 1e9
    rows.append(("source pictures", "", f"{np.mean(stills) / 1e3:.1f}", f"{still:.2f}"))
    rows.append(("records of jobs", "", f"{np.mean(records) / 1e3:.1f}", f"{record:.2f}"))
    rows.append(("all", "", "", f"{total + still + record:.2f}"))
    head = ("what", "KB a real clip", "KB a fake", "GB of the full build")
    print(markdown_table(head, rows, align_right=True))


def planned() -> tuple[list[tuple[Pair, bool]], list[Footage]]:
    """All attempts of the paper's size with made-up results, and the real clips beside them."""
    people: list[Footage] = [
        Footage(Path(f"/p/{i}.mp4"), f"p{i // 5}", Action.TALK, i % 5) for i in range(CLIPS)
    ]
    each = DRIVING_CLIPS // len(TEN)
    drivers = [Footage(Path(f"/d/{a}-{i}.mp4"), f"d{i}", a) for a in TEN for i in range(each)]
    people, drivers = with_splits([people, drivers], 0)
    wanted = targets(CLIPS // len(TEN))
    attempts: list[tuple[Pair, bool]] = []
    for split in SPLITS:
        here = [d for d in drivers if d.split == split]
        for action in TEN:
            table = pairs(people, here, action, split, 0)
            results: dict[Pair, bool] = {}
            while batch := next_round(table, results, wanted[split], 4 * wanted[split]):
                results |= {p: seed_of(p.clip_id) % 137 < 108 for p in batch}
            attempts += results.items()
    return attempts, match_reals([pair for pair, kept in attempts if kept], people)


def made_up(pair: Pair | None, footage: Footage, job: FakeJob | RealJob) -> tuple[Clip, ...]:
    """Records of a clip in three qualities, as the jobs of a build make them."""
    name = pair.clip_id if pair else building.real_id(footage)
    files = [
        building.EncodedFile(q, f"clips/{q.value}/{name}.mp4", f"{seed_of(name, q):064x}")
        for q in CONFIG.qualities
    ]
    if isinstance(job, FakeJob):
        return job._clips(files, (), CONFIG.num_frames)
    who = {
        "clip_id": name, "label": "real", "action": footage.action.value,
        "source": footage.identity, "source_frame": None, "driver": "", "take": footage.take,
        "generator": "", "seed": job.noise_seed(name),
    }  # fmt: skip
    return building._records(job, files, (), CONFIG.num_frames, footage.split, who, (footage,))


def records(work: Path) -> None:
    """Print how long planning, publishing, reading and checking take, of one core."""
    set_quiet(True)
    times = Times()
    step = lambda name, function, *args, **more: times.timed(name, function)(*args, **more)  # noqa: E731
    with tempfile.TemporaryDirectory(dir=work) as folder:
        root = Path(folder)
        attempts, reals = step("plan", planned)
        box = FaceSelection(box_xyxy=(0, 0, 9, 9), source_frame=0, reason="")
        check = SourceCheck(choice=box, screening=(), real_reason="")
        clips: list[Clip] = []
        rejected: list[Rejected] = []
        for pair, kept in attempts:
            job = FakeJob(root, CONFIG, pair, box, "fomm-actors@0123abcd")
            if kept:
                clips += made_up(pair, pair.source, job)
            else:
                rejected.append(job._rejected((), "universal: no blink"))
        for footage in reals:
            clips += made_up(None, footage, RealJob(root, CONFIG, footage, check))
        print(f"{len(attempts):,} attempts, {len(clips):,} records")
        fact = lambda clip: {"fps": "25", "duration": 2.0, "udta_bytes": 99.0 + len(clip.clip_id)}  # noqa: E731
        auditing._measure = lambda function, manifest, chosen, describe: [fact(c) for c in chosen]
        manifest = Manifest(root, tuple(clips))
        report = step("audit, without reading files", auditing.audit, manifest)
        step("write the rejected", write_rejected, root, rejected)
        step("write the card", write_card, manifest, tuple(rejected), report, CardText("x", True))
        info = step("hash the splits", split_info, clips, "identity", 0)
        write_info(root, DatasetInfo(kind="built", splits=info))
        step("write the manifest", write_manifest, root, clips)
        step("read and check the manifest", read_manifest, root)
    rows = [(name, f"{times.mean(name):.2f}") for name in times.seconds]
    print(markdown_table(("what", "processor s"), rows, align_right=True))


def light_stage(count: int) -> dict[str, float]:
    """Peak memory in MB of this process and of its two workers after a stage of small clips."""
    set_quiet(True)
    config = replace(CONFIG, num_frames=8, size_px=64, noise_sigma=0.0, qualities=CONFIG.qualities)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.mp4"
        frames = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), np.uint8)
        write_video(path, frames, Fraction(25), crf=18)
        box = FaceSelection(box_xyxy=(0, 0, 64, 64), source_frame=0, reason="")
        check = SourceCheck(choice=box, screening=(), real_reason="")
        todo = [
            RealJob(Path(folder), config, Footage(path, "p", Action.TALK, i, split="train"), check)
            for i in range(count)
        ]
        done = 0
        with engine("local", workers=2):
            for result in building.run_all(todo, "light stage"):
                assert isinstance(result, ClipResult)
                done += bool(result.clips)
        assert done == count
        here = os.getpid()
        workers = Path(f"/proc/{here}/task/{here}/children").read_text().split()
        return {"this": high_water_mb(here), "workers": max(map(high_water_mb, map(int, workers)))}


def high_water_mb(process: int) -> float:
    """Largest resident memory that a process has had, in MB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def memory(counts: Sequence[int]) -> None:
    """Print peak memory at each number of clips."""
    rows = []
    for count in counts:
        found = in_a_process(__file__, ["light", "--clips", str(count)])
        rows.append((f"{count:,}", f"{found['this']:.0f}", f"{found['workers']:.0f}"))
    head = ("clips", "MB, the command", "MB, its largest worker")
    print(markdown_table(head, rows, align_right=True))


def workers(work: Path) -> None:
    """Print the time of the same animations with one worker and with two."""
    set_quiet(True)
    people, drivers = filmed(work)
    settle_numerics()
    generator = weights_id(CONFIG.weights)
    seconds = {}
    for count in (1, 2):
        with tempfile.TemporaryDirectory(dir=work) as folder, engine("local", workers=count):
            root = Path(folder)
            checks = list(building.run_all([PersonJob(root, CONFIG, f) for f in people], "check"))
            list(building.run_all([DriverJob(root, CONFIG, f) for f in drivers], "drivers"))
            todo = [
                FakeJob(root, CONFIG, pair, check.choice, generator)
                for person, check in zip(people, checks, strict=True)
                for pair in made_pairs([person], drivers)
            ]
            list(building.run_all(todo[:2], "warm up"))
            start = time.perf_counter()
            list(building.run_all(todo[2:], "animate"))
            seconds[count] = time.perf_counter() - start
            print(f"{count} at a time: {len(todo) - 2} animations in {seconds[count]:.1f} s")
    print(f"two workers do {seconds[1] / seconds[2]:.2f} times the work of one")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["stages", "records", "memory", "workers", "light"])
    parser.add_argument("--work", type=Path, default=Path("runs/scale"), help="folder for footage")
    parser.add_argument("--clips", type=int, default=100)
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    if asked.what == "light":
        print(json.dumps(light_stage(asked.clips)))
    elif asked.what == "memory":
        memory((asked.clips, 10 * asked.clips))
    else:
        {"stages": stages, "records": records, "workers": workers}[asked.what](asked.work)


if __name__ == "__main__":
    main()
