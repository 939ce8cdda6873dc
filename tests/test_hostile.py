"""Hostile and broken files, given to every command that takes such a file."""

import contextlib
import faulthandler
import hashlib
import json
import os
import pickle
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
import torch
from matplotlib import cbook
from PIL import Image
from safetensors.torch import load_file, save_file

from dfmnist.core.choices import Quality
from dfmnist.core.text import markdown_table, visible
from dfmnist.dataset.manifest import read_rejected
from dfmnist.detectors.train import train
from dfmnist.faces.mesh import face_mesh
from dfmnist.faces.weights import models_dir
from dfmnist.fomm.checkpoint import save_networks
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import KPDetector
from dfmnist.media.image import write_image
from dfmnist.media.video import write_video
from dfmnist.pipeline import jobs
from tests import hostile
from tests.detectors.conftest import make_dataset
from tests.detectors.test_train import TINY
from tests.fomm.test_networks import tiny
from tests.pipeline.test_promises import footage, staged
from tests.running import called

pytestmark = pytest.mark.soak

LIMIT_S = 30.0
"""Longest time that a command may work on a hostile file, and that it may wait."""
LONGEST_S = 300.0
"""Longest time on the clock, on a machine that is busy with other work."""
LIMIT_BYTES = 2 << 30
"""Largest growth of the process's memory."""
Outcome = Literal["refused", "listed", "accepted"]
REFUSED: tuple[Outcome, ...] = ("refused",)
NAMED: tuple[Outcome, ...] = ("refused", "listed")
ANY: tuple[Outcome, ...] = ("refused", "listed", "accepted")


class TooLongError(BaseException):
    """The time is up; no `except Exception` of the program catches it."""


def _scheduled() -> tuple[float, float]:
    """Seconds that this thread has run, and those that it was ready while others ran."""
    ran, queued, _ = Path("/proc/thread-self/schedstat").read_text().split()
    return int(ran) / 1e9, int(queued) / 1e9


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Raise `TooLongError` for a command that works or waits longer than the limit.

    Time in which other programs have the processor does not count. The process ends if nothing
    else helps.
    """
    began, at_first = time.monotonic(), _scheduled()

    def look(*_: object) -> None:
        passed = time.monotonic() - began
        ran, queued = (now - then for now, then in zip(_scheduled(), at_first, strict=True))
        waited = passed - ran - queued
        if max(ran, waited) > LIMIT_S or passed > LONGEST_S:
            raise TooLongError(f"{ran:.0f} s of work, {waited:.0f} s of waiting")

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S + 1, 1)
    faulthandler.dump_traceback_later(2 * LONGEST_S, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)


def contents(folder: Path) -> dict[str, str]:
    """What lies below `folder`: the hash of a file, the target of a link, or the kind."""
    found = {}
    for here, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(here, name)
            if path.is_symlink():
                found[str(path)] = f"link to {path.readlink()}"
            elif path.is_file():
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
            else:
                found[str(path)] = str(path.lstat().st_mode)
    return found


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def held_bytes() -> int:
    """The memory that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@dataclass(frozen=True)
class Pair:
    """One file given to one command, and what came of it."""

    kind: str
    file: str
    command: str
    outcome: Outcome
    seconds: float
    """Processor time, which does not depend on what else the machine does."""


@dataclass
class Trials:
    """Every pair so far, and every fault that was found."""

    capsys: pytest.CaptureFixture[str]
    proof: Path
    """The file that a payload writes when it runs."""
    scratch: Path
    """The folder of temporary files, which is empty between commands."""
    pairs: list[Pair] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def give(
        self,
        kind: str,
        name: str,
        path: Path,
        *arguments: object,
        out: Path | None = None,
        may: Sequence[Outcome] = ANY,
        codes: Sequence[int] = (0, 2),
        names: Sequence[str] = (),
    ) -> str:
        """Run `dfmnist ARGUMENTS` over the file `path`, and note every fault; what was printed.

        `out` is what the command writes: a refused command leaves no file there. `names` are
        other words that name the file.
        """
        command = str(arguments[0])
        label = f"{kind}: {name}: {' '.join(map(str, arguments))[:160]!r}"
        before = contents(path.parent)
        peak, held = peak_bytes(), held_bytes()
        start = time.process_time()
        try:
            with limited():
                code, said, err = called(self.capsys, *arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            text = " ".join(str(error).split())[:300]
            self.faults.append(f"{label}: {type(error).__name__}: {text}")
            self.capsys.readouterr()
            code, said, err = -1, "", ""
        seconds = time.process_time() - start
        named = [visible(word) for word in (path.name, *names)]
        wanted = [*named, visible(path.parent.name)]
        shown = any(word in said + err for word in named)
        outcome: Outcome = "refused" if code else "listed" if shown else "accepted"
        self.pairs.append(Pair(kind, name, command, outcome, seconds))
        if code == -1:
            return ""
        last = (err.strip().splitlines() or [""])[-1]
        faults = []
        if code not in codes:
            faults.append(f"exit code {code}")
        if "Traceback" in said + err:
            faults.append("a traceback")
        if outcome not in may:
            faults.append(f"{outcome}; {said.strip()[-200:]!r}")
        if code:
            if not last.startswith("dfmnist: "):
                faults.append(f"the last line is {last[:200]!r}")
            if not any(word in last for word in wanted):
                faults.append(f"the file is not named: {last[:300]!r}")
            if "expected " not in last:
                faults.append(f"what was expected is not said: {last[:300]!r}")
            if out is not None and out.is_file():
                faults.append(f"{out} was written")
        if (now := peak_bytes()) > peak and now - held > LIMIT_BYTES:
            faults.append(f"took {(now - held) >> 20} MB")
        if contents(path.parent) != before:
            faults.append("its folder has changed")
        below = [path.parent, *([out.parent if out.suffix else out] if out is not None else [])]
        left = [p for folder in below for p in folder.rglob(".tmp-*")]
        if left := [*left, *self.scratch.iterdir()]:
            faults.append(f"left {left[0]}")
        if self.proof.exists():
            faults.append("code has run")
            self.proof.unlink()
        self.faults += [f"{label}: {fault}" for fault in faults]
        return said + err

    def expect_named(self, command: str, files: dict[Path, str], said: str) -> None:
        """Note each of `files`, of a batch, that is not named in what was printed.

        A line names five files of one reason and counts the rest, so a file that lies there for
        such a reason may be counted only.
        """
        counted = " more" in said
        for path, name in files.items():
            kind = "that are no files" if not path.is_file() else ""
            if visible(path.name) in said or (counted and kind and kind in said):
                self.pairs.append(Pair(FOOTAGE, name, command, "listed", 0.0))
            else:
                self.faults.append(f"{command} of a folder: {path.name} is not named")

    def table(self) -> str:
        """The figures: pairs by kind and outcome, and the slowest pair."""
        rows = []
        for kind in dict.fromkeys(pair.kind for pair in self.pairs):
            own = [pair for pair in self.pairs if pair.kind == kind]
            count = Counter(pair.outcome for pair in own)
            slow = max(own, key=lambda pair: pair.seconds)
            files = len({pair.file for pair in own})
            rows.append(
                (
                    *(kind, str(files), str(len(own)), str(count["refused"])),
                    *(str(count["listed"]), str(count["accepted"])),
                    f"{slow.seconds:.1f} s ({slow.command}, {slow.file})",
                )
            )
        head = ("kind", "files", "pairs", "refused", "named", "accepted", "slowest pair")
        return markdown_table(head, rows)


@dataclass(frozen=True)
class Good:
    """Sound files that stand beside the hostile ones."""

    root: Path
    clip: Path
    face: Path
    """A clip of a face."""
    photo: Path
    weights: Path
    """A tiny motion model."""
    dataset: Path
    run: Path
    """A tiny detector that was trained on the dataset, with scores of its test split."""


@pytest.fixture
def good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Good:
    root = tmp_path / "good"
    clip = hostile.encode(root / "clip.mp4", hostile.noise(5, 48, 64, 3))
    photo = root / "photo.png"
    write_image(photo, hostile.noise(40, 48, 3))
    with Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        face = np.asarray(image.convert("RGB").resize((256, 300)))
    write_video(root / "face.mp4", [face] * 4, Fraction(25), crf=23)
    torch.manual_seed(0)
    config = tiny(blend=True)
    weights = root / "tiny.safetensors"
    save_networks(weights, config, KPDetector(config), OcclusionAwareGenerator(config),
                  {"identity_seeds": [1]})  # fmt: skip
    dataset = make_dataset(root / "dataset", (Quality.RAW,))
    quick = replace(TINY, epochs=1, frames_per_clip=2)
    run = train(quick, dataset, root / "runs", quiet=True)
    code, _, err = called(capsys, "score", run, dataset, "--backend", "torch")
    assert code == 0, err
    return Good(root, clip, root / "face.mp4", photo, weights, dataset, run)


@pytest.fixture
def trials(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Trials:
    cache = tmp_path / "cache"
    cache.mkdir()
    if models_dir().is_dir():
        (cache / "faces").symlink_to(models_dir())
    monkeypatch.setenv("DFMNIST_CACHE", str(cache))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    return Trials(capsys, tmp_path / "code-ran", scratch)


def test_hostile_files(
    good: Good, trials: Trials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is refused, named or taken; nothing hangs, breaks, runs or is left half-written."""
    try:
        _footage(trials, good, tmp_path, monkeypatch)
        _manifests(trials, good, tmp_path)
        _weights(trials, good, tmp_path)
        _runs(trials, good, tmp_path)
        _cache(trials, good, tmp_path, monkeypatch)
    finally:
        table = trials.table()
        (tmp_path / "hostile.md").write_text(table)
        with trials.capsys.disabled():
            print("", table, f"peak memory {peak_bytes() >> 20} MB", *trials.faults, sep="\n")
    assert trials.faults == []
    assert len(trials.pairs) >= 150


FOOTAGE = "videos and photos"
BUILD = ("--licence", "CC0-1.0", "--consent", "drawn", "--driver-protocol", "shared",
         "--frames", 4, "--workers", 1)  # fmt: skip


def _footage(trials: Trials, good: Good, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Videos and photos, to `animate`, `detect` and `build`, alone and among good ones."""
    items = hostile.make_footage(tmp_path / "footage", good.clip, trials.proof)
    weights = ("--weights", good.weights, "--no-crop", "--no-cache")
    scored = ("--run", good.run, "--backend", "torch")
    for number, one in enumerate(items):
        out = tmp_path / "out" / f"media-{number:02d}"
        may = REFUSED if one.broken else ANY
        for command, arguments in (
            ("source", (one.path, good.clip, out / "source.mp4", *weights)),
            ("driver", (good.photo, one.path, out / "driver.mp4", *weights)),
        ):
            trials.give(FOOTAGE, one.name, one.path, "animate", *arguments, may=may,
                        out=out / f"{command}.mp4", names=["the source is a folder"])  # fmt: skip
        for option in (("--cropped",), ()):
            trials.give(FOOTAGE, one.name, one.path, "detect", *scored, *option, one.path, may=may)
    for name in ("broken", "odd"):
        own = [one for one in items if one.broken is (name == "broken")]
        people = _all_in_one_folder(good, own, tmp_path / name)
        named = {
            people / place(one): one.name for one in own if one.broken and not one.path.is_dir()
        }
        _animate_and_detect_all(trials, good, people, named, tmp_path)
        _build_of_all(trials, people, named, tmp_path)
    monkeypatch.chdir(next(one.path.parent for one in items if one.path.name == "-rf.mp4"))
    trials.give(FOOTAGE, "name with a leading dash", Path.cwd() / "-rf.mp4", "detect", *scored,
                "--cropped", "--", "-rf.mp4")  # fmt: skip
    monkeypatch.chdir(tmp_path)


def place(one: hostile.Footage) -> str:
    """The name of a hostile file in a folder with all others."""
    return f"{one.path.parent.name}-{one.path.name}" if one.broken else one.path.name


def _all_in_one_folder(good: Good, items: Sequence[hostile.Footage], people: Path) -> Path:
    """A folder with every hostile file and a good one."""
    people.mkdir()
    for one in items:
        if one.path.is_symlink():
            (people / place(one)).symlink_to(one.path.readlink())
        elif one.path.is_file():
            shutil.copy(one.path, people / place(one))
        elif one.path.is_dir():
            (people / place(one)).mkdir()
        else:
            os.mkfifo(people / place(one))
    shutil.copy(good.clip, people / "sound.mp4")
    return people


def _animate_and_detect_all(
    trials: Trials, good: Good, people: Path, named: dict[Path, str], tmp_path: Path
) -> None:
    """Each broken file of a folder is named, and the good one is done."""
    out, may = tmp_path / "out" / f"all-{people.name}", REFUSED if named else ANY
    said = trials.give(FOOTAGE, f"all that is {people.name}", people / "sound.mp4", "animate",
                       people, good.clip, out, "--weights", good.weights, "--no-crop", out=out,
                       may=may)  # fmt: skip
    if not (out / "sound.mp4").is_file():
        trials.faults.append("animate: the good file of a folder is not animated")
    trials.expect_named("animate", named, said)
    said = trials.give(FOOTAGE, f"all that is {people.name}", people / "sound.mp4", "detect",
                       people, "--run", good.run, "--cropped", "--backend", "torch",
                       may=may)  # fmt: skip
    if f"{people / 'sound.mp4'}: P(fake) 0." not in said:
        trials.faults.append("detect: the good file of a folder is not scored")
    videos = {path: name for path, name in named.items() if path.suffix == ".mp4"}
    trials.expect_named("detect", videos, said)


def _build_of_all(trials: Trials, people: Path, named: dict[Path, str], tmp_path: Path) -> None:
    """A build of three people whom the stand-ins see, and of every hostile file."""
    real_choose, out = jobs.choose, tmp_path / "out" / f"built-{people.name}"
    with staged() as stage, pytest.MonkeyPatch.context() as patch:

        def choose(one: Any, *args: Any, **more: Any) -> Any:
            seen = one.path.parent != people or one.path.name[:2] in ("p0", "p1", "p2")
            return (stage.choose if seen else real_choose)(one, *args, **more)

        patch.setattr(jobs, "choose", choose)
        footage(people, ["p0", "p1", "p2"])
        drivers = tmp_path / f"driving-{people.name}"
        for one in footage(tmp_path / f"moved-{people.name}", ["d0", "d1", "d2"]):
            target = drivers / one.action.value / one.path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            one.path.rename(target)
        said = trials.give(FOOTAGE, f"all that is {people.name}", people / "p0-smile.mp4",
                           "build", "--licence", "CC0-1.0", "--consent", "drawn", "--sources",
                           people, "--drivers", drivers, "--out", out, "--frames", 8,
                           "--workers", 1, "--set", "size_px=64", "--per-action", 3, out=out,
                           names=["metadata.jsonl"], may=("listed",))  # fmt: skip
    if (out / "metadata.jsonl").is_file():
        reasons = " ".join(one.reason for one in read_rejected(out))
        trials.expect_named("build", named, said + reasons)


def _manifests(trials: Trials, good: Good, tmp_path: Path) -> None:
    """Manifests, to every command that takes a dataset."""
    lines = (good.dataset / "metadata.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    broken = hostile.manifests(records)
    odd = hostile.odd_manifests(records)
    for number, (name, content) in enumerate({**broken, **odd}.items()):
        folder = tmp_path / "manifests" / f"manifest-{number:02d}"
        shutil.copytree(good.dataset, folder)
        (folder / "metadata.jsonl").write_bytes(content)
        _to_all(trials, good, name, folder, tmp_path, may=REFUSED if name in broken else ANY)
    for name, change in _folders(good).items():
        folder = tmp_path / "manifests" / f"manifest-{name.replace(' ', '-')}"
        shutil.copytree(good.dataset, folder)
        change(folder)
        _to_all(trials, good, name, folder, tmp_path, may=ANY)


def _folders(good: Good) -> dict[str, Any]:
    """What is done to a dataset folder, by words."""

    def as_folder(folder: Path) -> None:
        (folder / "metadata.jsonl").unlink()
        (folder / "metadata.jsonl").mkdir()

    def without_clips(folder: Path) -> None:
        shutil.rmtree(folder / "clips")

    def link_out(folder: Path) -> None:
        clip = next(folder.glob("clips/raw/g-*.mp4"))
        clip.unlink()
        clip.symlink_to(good.clip)

    def link_to_itself(folder: Path) -> None:
        clip = next(folder.glob("clips/raw/g-*.mp4"))
        clip.unlink()
        clip.symlink_to(clip.name)

    def damaged(folder: Path) -> None:
        for clip in folder.glob("clips/raw/*.mp4"):
            clip.write_bytes(b"half")

    def as_pipe(folder: Path) -> None:
        (folder / "metadata.jsonl").unlink()
        os.mkfifo(folder / "metadata.jsonl")

    def bad_rejections(folder: Path) -> None:
        (folder / "rejected.jsonl").write_text("[" * hostile.DEEP)

    def bad_audit(folder: Path) -> None:
        (folder / "audit.json").write_text('{"passed": "<b>", "limit": NaN}')

    def bad_build(folder: Path) -> None:
        (folder / "build.json").write_text("[1]")

    return {
        "a folder in its place": as_folder,
        "a pipe in its place": as_pipe,
        "clips missing": without_clips,
        "a link out of the folder": link_out,
        "a link to itself": link_to_itself,
        "clips damaged": damaged,
        "rejections nested": bad_rejections,
        "audit of other fields": bad_audit,
        "build.json a list": bad_build,
    }


def _to_all(
    trials: Trials,
    good: Good,
    name: str,
    folder: Path,
    tmp_path: Path,
    *,
    may: Sequence[Outcome],
) -> None:
    """Give the dataset `folder` to each command that takes one."""
    kind, manifest = "manifests", folder / "metadata.jsonl"
    out = tmp_path / "out" / folder.name
    quick = ("--network", "mesoinception4", "--epochs", 1, "--precision", "f32",
             *("--set", "size_px=64", "--set", "frames_per_clip=1"))  # fmt: skip
    for arguments, file in (
        (("score", good.run, folder, "--backend", "torch", "--out", out / "s.parquet"),
         out / "s.parquet"),
        (("train", folder, *quick, "--out", out / "runs"), out / "runs"),
        (("dataset", "verify", folder, "--workers", 1), None),
        (("dataset", "audit", folder, "--workers", 1), None),
        (("experiment", folder, "table1", "--recipe", "smoke", "--out", out / "experiments",
          "--workers", 1), out / "experiments"),
        (("report", folder, "--runs", good.run.parent, "--out", out / "report"), out / "report"),
    ):  # fmt: skip
        trials.give(kind, name, manifest, *arguments, out=file, may=may, names=["clips/raw/"])
    page = out / "report" / "index.html"
    if page.is_file():
        html = page.read_text()
        for text in (hostile.SCRIPT, hostile.INJECTIONS["picture"]):
            if text in html:
                trials.faults.append(f"report: {name}: {text} is in the page as it was written")


def _weights(trials: Trials, good: Good, tmp_path: Path) -> None:
    """Weights files, to every command that takes some."""
    kind = "weights"
    bad = hostile.make_weights(tmp_path / "weights", good.weights, trials.proof)
    configs = hostile.make_configs(tmp_path / "configs", good.weights)
    quick = ("--network", "mesoinception4", "--epochs", 1, "--precision", "f32",
             *("--set", "size_px=64", "--set", "frames_per_clip=1"))  # fmt: skip
    people, drivers = tmp_path / "one", tmp_path / "two" / "nod"
    for folder in (people, drivers):
        folder.mkdir(parents=True)
        for person in "abc":
            shutil.copy(good.clip, folder / f"{person}.mp4")
    for number, (name, path) in enumerate({**bad, **configs}.items()):
        out = tmp_path / "out" / f"model-{number:02d}"
        may = REFUSED if name in bad else ANY
        trials.give(kind, name, path, "animate", good.photo, good.clip, out / "o.mp4", "--no-crop",
                    "--weights", path, out=out / "o.mp4", may=may)  # fmt: skip
        trials.give(kind, name, path, "animator", "convert", path, out / "c.safetensors",
                    out=out / "c.safetensors", may=may)  # fmt: skip
        if name in bad:
            trials.give(kind, name, path, "train", good.dataset, *quick, "--weights", path, "--out",
                        out / "runs", out=out / "runs", may=may)  # fmt: skip
        elif name.startswith(("record", "people", "provenance")):
            trials.give(kind, name, path, "build", *BUILD, "--synthetic", "--weights", path,
                        "--sources", people, "--drivers", drivers.parent, "--out", out / "set",
                        out=out / "set", names=["no face found"], may=REFUSED)  # fmt: skip


def _runs(trials: Trials, good: Good, tmp_path: Path) -> None:
    """Folders of runs and tables of scores, to every command that takes some."""
    kind = "run folders"
    quick = ("--network", "mesoinception4", "--epochs", 1, "--precision", "f32",
             *("--set", "size_px=64", "--set", "frames_per_clip=1"))  # fmt: skip
    clip = good.dataset / "clips" / "raw" / "g-real.mp4"
    for number, (name, (change, broken)) in enumerate(hostile.run_changes(trials.proof).items()):
        runs = tmp_path / "runs" / f"hostile-{number:02d}"
        run = runs / good.run.name
        shutil.copytree(good.run, run)
        change(run)
        file, out = run / "run.json", tmp_path / "out" / f"run-{number:02d}"
        may = REFUSED if broken else ANY
        trials.give(kind, name, file, "score", run, good.dataset, "--backend", "torch", "--out",
                    out / "s.parquet", out=out / "s.parquet", may=may)  # fmt: skip
        trials.give(kind, name, file, "detect", clip, "--run", run, "--cropped", "--backend",
                    "torch", may=may)  # fmt: skip
        trials.give(kind, name, file, "report", good.dataset, "--runs", runs, "--out",
                    out / "report", out=out / "report", names=[runs.name])  # fmt: skip
        trials.give(kind, name, file, "train", good.dataset, *quick, "--weights", run, "--out",
                    out / "runs", out=out / "runs")  # fmt: skip
    _scores(trials, good, tmp_path)


def _scores(trials: Trials, good: Good, tmp_path: Path) -> None:
    """Damaged tables of scores, to `compare` and `report`."""
    kind, file = "run folders", "scores-test.parquet"
    sound = good.run / file
    content, table = sound.read_bytes(), pl.read_parquet(sound)
    tables: dict[str, bytes | pl.DataFrame] = {
        "scores empty": b"",
        "scores text": b"no scores\n",
        "scores cut at a half": content[: len(content) // 2],
        "scores with bit rot": hostile.flipped(content, 6),
        "scores with rot at the end": hostile.flipped(content, 7, 8, len(content) - 300),
        "scores a pickle": pickle.dumps(hostile.Payload(trials.proof)),
        "scores without rows": table.clear(),
        "scores without labels": table.drop("label"),
        "scores of texts": table.with_columns(logit=pl.lit("x")),
        "scores of lists": table.with_columns(logit=pl.lit([1.0])),
        "scores NaN": table.with_columns(logit=pl.lit(float("nan"))),
        "scores Infinity": table.with_columns(logit=pl.lit(float("inf"))),
        "scores of numbered labels": table.with_columns(label=pl.lit(1)),
        "scores of other labels": table.with_columns(label=pl.lit("<b>")),
        "scores of no action": table.with_columns(action=pl.lit("other")),
        "scores with a threshold of 2": table.with_columns(threshold=pl.lit(2.0)),
        "scores with a threshold NaN": table.with_columns(threshold=pl.lit(float("nan"))),
        "scores with a threshold text": table.with_columns(threshold=pl.lit("x")),
    }
    for number, (name, what) in enumerate(tables.items()):
        runs = tmp_path / "scores" / f"scores-{number:02d}"
        run = runs / good.run.name
        shutil.copytree(good.run, run)
        if isinstance(what, bytes):
            (run / file).write_bytes(what)
        else:
            what.write_parquet(run / file)
        out = tmp_path / "out" / f"scores-{number:02d}"
        may = ANY if name == "scores of no action" else REFUSED
        trials.give(kind, name, run / file, "compare", run / file, sound, may=may)
        trials.give(kind, name, run / file, "report", good.dataset, "--runs", runs, "--out",
                    out / "report", out=out / "report")  # fmt: skip


def _cache(trials: Trials, good: Good, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damaged files in the cache, to the commands that read it."""
    kind = "cache"
    models, first = models_dir(), tmp_path / "cache-0"
    if not models.is_dir():
        return
    shutil.copytree(models, first / "faces")
    monkeypatch.setenv("DFMNIST_CACHE", str(first))
    arguments = ("--weights", good.weights, "--no-crop")
    out = tmp_path / "out" / "cached"
    trials.give(kind, "sound", good.clip, "animate", good.photo, good.clip, out / "first.mp4",
                *arguments)  # fmt: skip
    (kept,) = (first / "motion").iterdir()
    code = pickle.dumps(hostile.Payload(trials.proof))
    whole = kept.read_bytes()
    odd = tmp_path / "odd.safetensors"
    tensors = load_file(kept)

    def other(**changes: Any) -> bytes:
        held = {k: v for k, v in {**tensors, **changes}.items() if v is not None}
        save_file(held, odd)
        return odd.read_bytes()

    nan = torch.full_like(tensors["value"], float("nan"))
    motions = {
        "motion empty": b"", "motion text": b"no motion", "motion a pickle": code,
        "motion cut at a half": whole[: len(whole) // 2],
        "motion with bit rot": hostile.flipped(whole, 8, 10, 0),
        "motion NaN": other(value=nan),
        "motion of one frame": other(**{k: v[:1].clone() for k, v in tensors.items()}),
        "motion of other keypoints": other(value=tensors["value"][:, :1].clone()),
        "motion without Jacobians": other(jacobian=None),
        "motion of other names": other(more=torch.zeros(1)),
        "motion of short faces": other(points=tensors["points"][:2].clone()),
        "motion of half floats": other(**{k: v.half() for k, v in tensors.items()}),
    }  # fmt: skip
    for number, (name, content) in enumerate(motions.items()):
        kept.write_bytes(content)
        for best in ((), ("--motion", "absolute")):
            kept.write_bytes(content)
            made = out / f"{number}{'-'.join(best)}.mp4"
            trials.give(kind, name, good.clip, "animate", good.photo, good.clip, made, *arguments,
                        *best, out=made, names=[kept.name])  # fmt: skip
    face = first / "faces" / "face_landmark.tflite"
    sound = face.read_bytes()
    for number, (name, content) in enumerate({
        "face model empty": b"", "face model a pickle": code,
        "face model cut at a half": sound[: len(sound) // 2],
        "face model with bit rot": hostile.flipped(sound, 9),
    }.items()):  # fmt: skip
        face.write_bytes(content)
        face_mesh.cache_clear()
        made = out / f"face-{number}.mp4"
        trials.give(kind, name, face, "animate", good.photo, good.clip, made, *arguments,
                    "--no-cache", out=made, may=REFUSED, names=["face models"])  # fmt: skip
        trials.give(kind, name, face, "detect", good.face, "--run", good.run, "--backend",
                    "torch")  # fmt: skip
    face_mesh.cache_clear()
