"""The Python API: what `import dfmnist` offers, lazily, each with an example that runs."""

import pkgutil
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import cbook
from PIL import Image

import dfmnist
from dfmnist import recipes, stages
from dfmnist.core.errors import InputError
from dfmnist.media.image import write_image
from dfmnist.media.video import write_video
from tests.detectors.conftest import make_dataset
from tests.running import run_example

FUNCTIONS = ("animate", "build", "demo", "detect", "evaluate", "load", "score", "train")


def test_the_public_names() -> None:
    assert sorted(dfmnist.__all__) == sorted((*FUNCTIONS, "InputError", "__version__"))
    assert set(dfmnist.__all__) <= set(dir(dfmnist))
    for name in dfmnist.__all__:
        assert getattr(dfmnist, name) is not None
    assert dfmnist.InputError is InputError
    with pytest.raises(AttributeError, match="module 'dfmnist' has no attribute 'shout'"):
        _ = dfmnist.shout


def test_every_function_has_an_example() -> None:
    for name in FUNCTIONS:
        assert ">>> import dfmnist" in (getattr(dfmnist, name).__doc__ or ""), name


def fresh(code: str) -> str:
    """What `code` prints in a process of its own."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_importing_loads_next_to_nothing() -> None:
    heavy = "torch numpy av polars typer pydantic openvino"
    said = fresh(
        "import sys, dfmnist; dfmnist.InputError, dir(dfmnist); "
        f"print(*set(sys.modules) & set({heavy.split()!r}))"
    )
    assert said.strip() == ""


def test_functions_are_no_rooms() -> None:
    """`import dfmnist.x` would put the room in the place of a function of that name."""
    rooms = {module.name for module in pkgutil.iter_modules(dfmnist.__path__)}
    assert {"detectors", "pipeline", "stages"} <= rooms
    assert not rooms & set(FUNCTIONS)
    assert all(callable(getattr(dfmnist, name)) for name in FUNCTIONS)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the examples name."""
    folder = tmp_path_factory.mktemp("named")
    make_dataset(folder / "mydata")
    picture = Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    face = np.asarray(picture.convert("RGB"))[:480, :480]
    write_image(folder / "photo.jpg", face)
    for name in ("driving.mp4", "video.mp4"):
        write_video(folder / name, np.stack([face] * 3), Fraction(25), crf=18)
    return folder


@pytest.fixture
def here(named: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with all that the examples name."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(named, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.mark.parametrize("name", ["load", "train", "score", "evaluate", "detect", "animate"])
def test_the_example_runs(here: Path, name: str) -> None:
    run_example(getattr(dfmnist, name))


def test_the_demo_hands_its_recipe_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its example, minutes long, is run by `make soak`."""
    called: list[Any] = []
    monkeypatch.setattr(stages, "run_recipe", lambda *given: called.append(given))
    dfmnist.demo(tmp_path, recipe="smoke", workers=2)
    assert called == [(recipes.smoke(), tmp_path)]


def test_several_videos_and_a_file_of_scores(here: Path) -> None:
    settings = {"network": "meso4", "epochs": 1, "size_px": 64, "frames_per_clip": 2}
    run = dfmnist.train("mydata/metadata.jsonl", "runs", device="cpu", **settings)
    assert dfmnist.train(here / "mydata", here / "runs", **settings) == here / run
    both = dfmnist.detect(["video.mp4", here / "driving.mp4"], run, cropped=True)
    assert [Path(one.path).name for one in both] == ["video.mp4", "driving.mp4"]
    (here / "text.mp4").write_text("no video")
    both = dfmnist.detect(["text.mp4", "photo.jpg"], run, cropped=True)
    assert "text.mp4: cannot be read as video" in (both[0].error or "")
    assert both[1].p_fake > 0
    dfmnist.score(run, "mydata", "validation", ["c40"], "scores.parquet")
    assert dfmnist.evaluate("scores.parquet").num_clips == 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dfmnist.train("mydata", "runs", colour=3), "colour: no such setting; expected"),
        (
            lambda: dfmnist.train("mydata", "runs", network="lenet"),
            "network is 'lenet'; expected one of resnet50",
        ),
        (lambda: dfmnist.train("nowhere", "runs"), "nowhere: no such file"),
        (lambda: dfmnist.load("nowhere"), "nowhere: no such file"),
        (
            lambda: dfmnist.detect("video.mp4", "nowhere"),
            "nowhere: no such run, file or name; expected",
        ),
        (lambda: dfmnist.evaluate("nowhere"), "nowhere: no such file"),
        (lambda: dfmnist.animate("photo.jpg", "driving.mp4"), "animate: expected two arrays"),
        (lambda: dfmnist.demo("out", recipe="huge"), "recipe huge; expected demo or smoke"),
        (lambda: dfmnist.build("s", "d", "o", licence="", consent="c"), "licence is empty"),
    ],
)
def test_bad_input_is_one_line(here: Path, call: Any, message: str) -> None:
    with pytest.raises(InputError) as stop:
        call()
    assert message in str(stop.value)
