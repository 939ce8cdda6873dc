"""Animators of other people in a build: programs and functions that are made here."""

import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.pipeline.test_promises import CONFIG, Stage, footage, staged

from dfmnist.core.actions import Action
from dfmnist.core.choices import Quality
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json
from dfmnist.core.jobs import engine, run_jobs
from dfmnist.dataset.manifest import driver_file_name, read_manifest, read_rejected
from dfmnist.dataset.provenance import read_provenance
from dfmnist.media.video import read_comment, read_frames, write_video
from dfmnist.pipeline import animators, jobs
from dfmnist.pipeline.animators import animate_by, end_animators, generator_of
from dfmnist.pipeline.build import build
from dfmnist.pipeline.config import BuildConfig

FUNCTIONS = '''
import os, sys, time
import numpy as np

__version__ = "2.5"
print("this is no answer")
MODES = {
    "double": lambda frames: frames.repeat(2, 1).repeat(2, 2),
    "nothing": lambda frames: None,
    "floats": lambda frames: np.full(frames.shape, np.nan),
    "short": lambda frames: frames[1:],
    "wide": lambda frames: frames[:, :8],
    "flat": lambda frames: frames[..., 0],
    "mixed": lambda frames: [frames[0], frames[1][:5]],
    "leaves": lambda frames: sys.exit(3),
    "dies": lambda frames: os._exit(7),
    "sleeps": lambda frames: time.sleep(60),
    "usual": lambda frames: frames,
}


def move(source, driver, fps):
    """Each frame is the source, brighter by its number, changed as the file `mode` says."""
    assert source.shape == driver.shape[1:], source.shape
    assert source.dtype == driver.dtype == np.uint8
    assert float(fps) == 25
    print("neither is this")
    mode = open("mode").read()
    if mode == "raises":
        raise ValueError("no face\\nat all")
    return MODES[mode](np.stack([source + np.uint8(i) for i in range(len(driver))]))
'''
COPY = "import shutil, sys; shutil.copy(sys.argv[2], sys.argv[3])"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working directory with the module `mover`, in which one process of it runs."""
    folder = tmp_path_factory.mktemp("here")
    (folder / "mover.py").write_text(FUNCTIONS)
    frames = np.random.default_rng(1).integers(0, 200, (3, 16, 16, 3), np.uint8)
    write_video(folder / "d.mp4", frames, Fraction(25), crf=10)
    yield folder
    end_animators()


@pytest.fixture
def pair(here: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, Path]:
    """A source and a driving clip."""
    monkeypatch.chdir(here)
    return np.random.default_rng(0).integers(0, 200, (16, 16, 3), np.uint8), here / "d.mp4"


def program(code: str = COPY) -> str:
    return f"{sys.executable} -I -S -c {shlex.quote(code)} {{source}} {{driver}} {{out}}"


def moved(
    pair: tuple[np.ndarray, Path], animator: str = "mover:move", limit_s: float = 60, mode: str = ""
) -> np.ndarray:
    (pair[1].parent / "mode").write_text(mode)
    config = BuildConfig(animator=animator, animator_limit_s=limit_s)
    folder = pair[1].parent / "work" / "one"
    try:
        return animate_by(config, *pair, folder)
    finally:
        assert not folder.exists()


def test_a_kept_process_finds_the_files_of_another_folder(
    pair: tuple[np.ndarray, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, config = moved(pair, mode="usual"), BuildConfig(animator="mover:move")
    shutil.copy(pair[1], tmp_path / "other.mp4")
    monkeypatch.chdir(tmp_path)
    found = animate_by(config, pair[0], Path("other.mp4"), Path("work"))
    np.testing.assert_array_equal(found, wanted)
    assert not Path("work").exists()


def test_a_function_gets_both_and_its_frames_are_taken(pair: tuple[np.ndarray, Path]) -> None:
    expected = np.stack([pair[0] + np.uint8(i) for i in range(3)])
    assert np.array_equal(moved(pair, mode="usual"), expected)
    running = animators._RUNNING["mover:move"]
    resized = moved(pair, mode="double")
    assert resized.shape == expected.shape
    assert np.abs(resized.astype(int) - expected).mean() < 12
    assert animators._RUNNING["mover:move"] is running  # the module is loaded once


def test_a_function_that_fails_is_one_line(pair: tuple[np.ndarray, Path]) -> None:
    for mode, said in {
        "raises": "mover:move: the function raised ValueError: no face at all",
        "nothing": "the function returned None; expected frames (n, h, w, 3)",
        "floats": "values of type float64, some of them NaN or infinite; expected uint8 frames",
        "short": "gave 2 frames; expected 3, one for each of the driver's",
        "wide": "gave frames of 16x8; expected square ones",
        "flat": "gave an array of shape (3, 16, 16); expected (3, side, side, 3)",
        "mixed": "mover:move: ValueError: ",
        "leaves": "mover:move: the function ended the program",
    }.items():
        with pytest.raises(InputError) as stop:
            moved(pair, mode=mode)
        assert str(stop.value).startswith("mover:move: ")
        assert said in str(stop.value)
        assert "\n" not in str(stop.value)


def test_a_function_that_ends_or_blocks_its_process_is_started_again(
    pair: tuple[np.ndarray, Path],
) -> None:
    with pytest.raises(InputError, match=r"mover:move: ended its process \(exit code 7\)"):
        moved(pair, mode="dies")
    moved(pair, mode="usual")
    blocked = animators._RUNNING["mover:move"]._process
    with pytest.raises(InputError, match=r"mover:move: did not end within 0\.3 s"):
        moved(pair, mode="sleeps", limit_s=0.3)
    assert blocked.poll() is not None
    assert not animators._RUNNING


def test_a_program_gets_files_and_its_video_is_taken(pair: tuple[np.ndarray, Path]) -> None:
    is_png = "assert open(sys.argv[1], 'rb').read(24)[16:] == bytes([0, 0, 0, 16] * 2)"
    assert np.array_equal(moved(pair, program(f"{COPY}; {is_png}")), read_frames(pair[1]))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; print('no\\n  model.pt', file=sys.stderr); sys.exit(3)",
         "the program ended with exit code 3 (model.pt); expected exit code 0 and a video"),
        ("", "ended without the file {out}"),
        ("import sys; open(sys.argv[3], 'w').write('no video')", "out.mp4: cannot be read as vid"),
        ("import time; time.sleep(60)", "did not end within 0.5 s"),
    ],
)  # fmt: skip
def test_a_program_that_fails_is_one_line(
    pair: tuple[np.ndarray, Path], code: str, said: str
) -> None:
    with pytest.raises(InputError) as stop:
        moved(pair, program(code), 0.5 if "sleep" in code else 60)
    assert said in str(stop.value)
    assert "\n" not in str(stop.value)


def test_square_frames_are_resized_and_other_clips_refused(pair: tuple[np.ndarray, Path]) -> None:
    other = pair[1].parent / "other.mp4"
    copy = program(f"import shutil, sys; shutil.copy({str(other)!r}, sys.argv[3])")
    for shape, said in (((4, 16, 16, 3), "gave 4 frames; expected 3"),
                        ((3, 16, 32, 3), "gave frames of 32x16; expected square")):  # fmt: skip
        write_video(other, np.zeros(shape, np.uint8), Fraction(25), crf=40)
        with pytest.raises(InputError, match=said):
            moved(pair, copy)
    write_video(other, np.full((3, 64, 64, 3), 77, np.uint8), Fraction(30), crf=1)
    made = moved(pair, copy)
    assert made.shape == (3, 16, 16, 3)
    assert np.abs(made.astype(int) - 77).max() < 3


def test_the_generator_says_name_version_and_content(pair: tuple[np.ndarray, Path]) -> None:
    folder = pair[1].parent
    of = lambda **s: generator_of(BuildConfig(**s))  # noqa: E731
    function = of(animator="mover:move")
    assert function.text.startswith("mover-2.5@")
    assert function.method == "mover"
    (folder / "mover.py").write_text(FUNCTIONS + "\n# changed\n")
    assert of(animator="mover:move").text != function.text
    (folder / "mover.py").write_text(FUNCTIONS)
    (folder / "go.py").write_text(COPY)
    command = f"{sys.executable} go.py {{source}} {{driver}} {{out}}"
    named = {"animator": command, "animator_name": "Live Portrait", "animator_version": "1.1"}
    assert of(animator=command).text.startswith("go@")
    before = of(**named)
    assert before.text.startswith("Live Portrait-1.1@")
    assert before.method == "live-portrait"
    (folder / "go.py").write_text("pass")
    assert of(**named).text != before.text
    assert of(**named, animator_limit_s=9) == of(**named)
    for animator, said in (
        ("no_such_module:f", "--animator no_such_module:f: module no_such_module cannot be impor"),
        ("mover:other", "--animator mover:other: module mover has no function other"),
        ("no-such-program {source} {driver} {out}", "there is no program 'no-such-program'"),
    ):
        with pytest.raises(InputError, match=said):
            of(animator=animator)
    with pytest.raises(InputError, match="'面' has no letter"):
        of(animator=command, animator_name="面")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"animator": "run {source} {out}"}, "lacks {driver}; expected a command with {source}"),
        ({"animator": "mover.shift"}, "lacks {source}, {driver}, {out}; expected a command"),
        ({"animator": "run '{source}"}, "--animator: cannot be read"),
        ({"animator": ""}, "--animator: is empty"),
        ({"animator": "a:b", "weights": Path("w")}, "--weights and --motion have no effect"),
        ({"animator": "a:b", "motion": "absolute"}, "--weights and --motion have no effect"),
        ({"animator": "a:b", "animator_name": " "}, "--animator-name is empty"),
        ({"animator_version": "1"}, "name an --animator"),
        ({"animator_limit_s": 0.0}, "animator_limit_s is 0; expected seconds"),
        ({"animator_limit_s": float("nan")}, "animator_limit_s is nan; expected seconds"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, object], said: str) -> None:
    with pytest.raises(InputError) as stop:
        BuildConfig(**settings)  # type: ignore[arg-type]
    assert said in str(stop.value)


# A build


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stage]:
    """A build's stand-ins, but for the animation."""
    monkeypatch.chdir(tmp_path)
    real = jobs.animate

    def needless(*_: object, **__: object) -> None:
        raise AssertionError("keypoints are the motion model's")

    with staged() as found:
        jobs.animate, jobs.save_motion = real, needless
        yield found


COPIES = """
import shutil, sys
from pathlib import Path
source, driver, out = map(Path, sys.argv[1:])
with open("calls", "a") as calls:
    calls.write(driver.name + " ")
if Path("fails").exists() and "d1" in driver.name:
    raise SystemExit("no memory")
shutil.copy(driver, out)
"""
SETTINGS = replace(
    CONFIG,
    animator=f"{sys.executable} -S mover_program.py {{source}} {{driver}} {{out}}",
    animator_name="Mover",
    animator_version="3",
    qualities=(Quality.RAW,),
    attempts_per_clip=1,
)


def made(folder: Path, config: BuildConfig = SETTINGS) -> Path:
    people = footage(folder / "people", ["p0", "p1", "p2"], (Action.SMILE,))
    driving = footage(folder / "drivers", ["d0", "d1", "d2"], (Action.SMILE,))
    return build(people, driving, people, config, folder / "set")


def test_a_build_by_another_animator(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "mover_program.py").write_text(COPIES)
    (tmp_path / "fails").touch()
    root = made(tmp_path)
    fakes = list(read_manifest(root).select(label="fake").clips)
    assert {c.split for c in fakes} == {"train", "test"}  # d1 drives in validation
    generator = read_json(root / "build.json")["generator"]
    assert generator.startswith("Mover-3@")
    assert {(c.generator, c.method) for c in fakes} == {(generator, "mover")}
    assert all(c.screening for c in fakes)
    found = read_provenance(read_comment(root / fakes[0].file_name))
    assert found is not None
    assert found[1].endswith(f", by {generator}")
    assert f"made by {generator}" in (root / "README.md").read_text()
    failed = [r for r in read_rejected(root) if r.label == "fake"]
    assert {(r.generator, r.action) for r in failed} == {(generator, None)}
    assert {r.reason.partition(" ended ")[2] for r in failed} == {
        "with exit code 1 (no memory); expected exit code 0 and a video"
    }
    driver = root / driver_file_name(fakes[0].driver, fakes[0].performed, fakes[0].take)
    frames = [read_frames(path).astype(int) for path in (root / fakes[0].file_name, driver)]
    assert 0 < np.abs(frames[0] - frames[1]).mean() < 4  # the program's frames, with noise
    assert not any((root / "work" / "animating").iterdir())
    # what is done is kept; what failed is tried again, and a record says who animates
    calls = (tmp_path / "calls").read_text().split()
    (root / "metadata.jsonl").unlink()
    (tmp_path / "fails").unlink()
    made(tmp_path)
    assert {c.split for c in read_manifest(root).clips} == {"train", "validation", "test"}
    again = (tmp_path / "calls").read_text().split()[len(calls) :]
    assert {name[:2] for name in again} == {"d1"}
    (tmp_path / "mover_program.py").write_text(COPIES + "\n")
    for config, said in (
        (SETTINGS, f"was begun with the animator {generator}, now it is Mover-3@"),
        (replace(SETTINGS, animator_name="Other"), "now it is Other-3@"),
    ):
        with pytest.raises(InputError, match=said):
            made(tmp_path, config)


def test_an_animator_that_cannot_be_found_leaves_no_folder(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="module nowhere cannot be imported"):
        made(tmp_path, replace(SETTINGS, animator="nowhere:f"))
    assert not (tmp_path / "set").exists()


@pytest.mark.soak
def test_several_processes_call_one_function(pair: tuple[np.ndarray, Path]) -> None:
    """Each worker process has its own process of the function."""
    (pair[1].parent / "mode").write_text("usual")
    config = BuildConfig(animator="mover:move")
    given = [(config, *pair, pair[1].parent / "work" / str(i)) for i in range(4)]
    with engine("local", workers=2):
        found = list(run_jobs(_one, given, describe="animate"))
    assert all(np.array_equal(frames, found[0]) for frames in found)


def _one(given: tuple[BuildConfig, np.ndarray, Path, Path]) -> np.ndarray:
    return animate_by(*given)
