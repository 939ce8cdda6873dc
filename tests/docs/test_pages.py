"""Every code block of the pages is run as it is printed, or says why it is not."""

import csv
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from matplotlib import cbook
from PIL import Image
from tests.dataset.test_layouts import celeb_df
from tests.dataset.trees import differ
from tests.detectors.conftest import clip_frames, make_dataset
from tests.docs.blocks import RUN, SHOWN, Block, blocks_of, shell
from tests.media.test_sound import filmed

from dfmnist.core import jobs
from dfmnist.core.files import cache_dir
from dfmnist.media.image import read_image, write_image
from dfmnist.media.sound import Sound
from dfmnist.media.video import write_video

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    page for page in (ROOT / "README.md", *DOCS.rglob("*.md"))
    if page != DOCS / "CLI.md" and "example-report" not in page.parts
)  # fmt: skip
"""Every page that is written by hand."""
Make = Callable[[Path], object]


def nothing(folder: Path) -> None:
    """The page needs nothing."""


def portrait(folder: Path) -> None:
    """`photo.jpg` and `video.mp4` of one face, and a tiny dataset `mydata`."""
    make_dataset(folder / "mydata")
    picture = Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    face = np.asarray(picture.convert("RGB"))[:480, :480]
    write_image(folder / "photo.jpg", face)
    write_video(folder / "video.mp4", np.stack([face] * 3), Fraction(25), crf=18)


def dataset(folder: Path) -> None:
    """A tiny dataset `mydata`, whose fakes are blurred."""
    make_dataset(folder / "mydata")


def downloads(folder: Path) -> None:
    """`Celeb-DF-v2` as it is unpacked, and a folder of other people's clips."""
    celeb_df(folder / "Celeb-DF-v2")
    differ(folder / "Celeb-DF-v2")
    clips_of_six(folder / "theirs")


def clips_of_six(root: Path) -> None:
    """A real and a fake clip of each of six people: `real/a/a.mp4`, …"""
    for index, who in enumerate("abcdef"):
        for label in ("real", "fake"):
            clip = root / label / who / f"{who}.mp4"
            clip.parent.mkdir(parents=True)
            write_video(clip, clip_frames(index, label == "fake"), Fraction(25), crf=23)


def many(folder: Path) -> None:
    """What `portrait` makes, and folders of videos."""
    portrait(folder)
    for name in ("folder", "clips"):
        (folder / name).mkdir()
        shutil.copyfile(folder / "video.mp4", folder / name / "one.mp4")


def animated(folder: Path) -> None:
    """A photo of one person and of two, a talk, and a driver of seven seconds with sound."""
    portrait(folder)
    face = read_image(folder / "photo.jpg")
    write_image(folder / "group.jpg", np.concatenate([face, face], 1))
    write_video(folder / "talk.mp4", np.stack([face] * 45), Fraction(25), crf=18)
    write_video(
        folder / "driving.mp4", np.stack([face] * 35), Fraction(5), crf=18,
        sound=Sound(filmed(folder / "sound.mkv"), Fraction(0), Fraction(7)),
    )  # fmt: skip


def licensed(folder: Path) -> None:
    """A dataset that states a licence and consents, and a folder of clips."""
    dataset(folder)
    clips_of_six(folder / "MYCLIPS")


QUICK: dict[str, Make] = {
    "docs/DATASETS.md": licensed,
    "docs/contribute.md": nothing,
    "docs/guides/public-dataset.md": downloads,
    "docs/install.md": nothing,
}
"""Pages whose blocks take seconds, with what they need."""


@pytest.fixture(scope="session")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the tutorial was followed."""
    folder = tmp_path_factory.mktemp("tutorial")
    follow("docs/tutorial.md", folder, tmp_path_factory.mktemp("tools"), here=False)
    return folder


def after_the_tutorial(folder: Path, tutorial: Path) -> None:
    """`runs/smoke` of the tutorial, and a clip of it."""
    shutil.copytree(tutorial / "runs" / "smoke", folder / "runs" / "smoke")
    portrait(folder)
    clips = sorted((folder / "runs" / "smoke" / "footage" / "people").rglob("*surprise*.mp4"))
    shutil.copyfile(clips[0], folder / "clip.mp4")


def recordings(folder: Path, tutorial: Path) -> None:
    """The tutorial's footage, laid out as somebody's own: `people` and `moves`."""
    footage = tutorial / "runs" / "smoke" / "footage"
    for name, of in (("people", "people.csv"), ("moves", "drivers.csv")):
        for row in csv.DictReader((footage / of).read_text("utf-8").splitlines()):
            clip = footage / row["file"]
            of_it = f"{row['identity']}#{clip.stem}.mp4"
            place = folder / name / (row["action"] if name == "moves" else "") / of_it
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(clip, place)


LONG: dict[str, Callable[[Path, Path], object]] = {
    "README.md": after_the_tutorial,
    "docs/ANIMATE.md": lambda folder, _: animated(folder),
    "docs/DETECTORS.md": lambda folder, _: many(folder),
    "docs/api.md": after_the_tutorial,
    "docs/guides/check-a-video.md": after_the_tutorial,
    "docs/guides/judge-your-detector.md": lambda folder, _: dataset(folder),
    "docs/guides/liveness-service.md": after_the_tutorial,
    "docs/guides/reproduce-the-paper.md": after_the_tutorial,
    "docs/guides/train-an-animator.md": after_the_tutorial,
    "docs/guides/your-own-videos.md": recordings,
}
"""Pages whose blocks take minutes, with what they need of the tutorial."""


def named(page: Path) -> str:
    """Path of a page below the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: str) -> list[Block]:
    """The blocks of a page."""
    return blocks_of((ROOT / page).read_text("utf-8"))


def follow(page: str, folder: Path, tools: Path, *, here: bool) -> None:
    """Run all blocks of a page in `folder`."""
    with shell(folder, tools, here=here) as opened:
        for block in blocks(page):
            if (block.language in RUN and not block.reason) or block.is_file:
                opened.run(block)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own with the models that are in the user's, so that nothing is left there."""
    own = tmp_path_factory.mktemp("cache")
    for name in ("actors", "faces", "imagenet"):
        if (cache_dir() / name).exists():
            (own / name).symlink_to(cache_dir() / name)
    monkeypatch.setenv("DFMNIST_CACHE", str(own))


@pytest.mark.parametrize("page", QUICK)
def test_a_page_can_be_followed(
    page: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a machine of one core, where jobs run in this process; others take seconds to start."""
    monkeypatch.setattr(jobs, "cpu_count", lambda: 1)
    QUICK[page](tmp_path)
    follow(page, tmp_path, tmp_path_factory.mktemp("tools"), here=True)


@pytest.mark.soak
@pytest.mark.parametrize("page", LONG)
def test_a_long_page_can_be_followed(
    page: str, tutorial: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    LONG[page](tmp_path, tutorial)
    follow(page, tmp_path, tmp_path_factory.mktemp("tools"), here=False)


@pytest.mark.parametrize("page", map(named, PAGES))
def test_every_block_is_run_or_says_why_not(page: str) -> None:
    followed = {"docs/tutorial.md", *QUICK, *LONG}
    for block in blocks(page):
        where = f"{page}, line {block.line}"
        if block.language in SHOWN or block.is_file or block.reason:
            continue
        assert block.language in RUN, f"{where}: a block of language {block.language!r}"
        assert page in followed, f"{where}: no test follows this page"
