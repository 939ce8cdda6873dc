"""The page in a real browser, as a person uses it (needs playwright and a Chromium)."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dfmnist.core.actions import Action
from dfmnist.media.video import probe, read_frames, write_video
from dfmnist.pipeline.config import FilmConfig
from dfmnist.pipeline.film import film_people

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]
LIMIT_MB = 5
PATIENCE_MS = 180_000
expect = sync_api.expect


@pytest.fixture(scope="module")
def blink(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of a synthetic actor who blinks."""
    config = FilmConfig(
        people=(1, 1, 1), clips_per_action=(1, 1, 1), drivers=(1, 1, 1), takes=1,
        actions=(Action.BLINK,),
    )  # fmt: skip
    people, _ = film_people(config, tmp_path_factory.mktemp("film") / "footage")
    return next(p for p in sorted(people.parent.rglob("*.mp4")) if "blink" in p.name)


@pytest.fixture(scope="module")
def camera(blink: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as an uncompressed film, which Chromium shows in place of a camera."""
    path = tmp_path_factory.mktemp("camera") / "blink.y4m"
    info, frames = probe(blink), read_frames(blink)
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{info.width} H{info.height} F25:1 Ip A1:1 C420jpeg\n".encode())
        for frame in frames:
            r, g, b = np.moveaxis(frame.astype(np.float64), -1, 0)
            y = 16 + 0.257 * r + 0.504 * g + 0.098 * b
            u = 128 - 0.148 * r - 0.291 * g + 0.439 * b
            v = 128 + 0.439 * r - 0.368 * g - 0.071 * b
            file.write(b"FRAME\n")
            for plane in (y, u[::2, ::2], v[::2, ::2]):
                file.write(plane.round().astype(np.uint8).tobytes())
    return path


@pytest.fixture(scope="module")
def address(dataset: Path, report: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page that `dfmnist serve` serves; Ctrl-C ends it."""
    command = [sys.executable, "-m", "dfmnist", "serve", "--port", "0"]
    command += ["--dataset", str(dataset), "--report", str(report)]
    command += ["--max-upload-mb", str(LIMIT_MB)]
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    with log.open("w") as errors:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert server.stdout is not None
        line = server.stdout.readline()
        found = re.match(r"http://127\.0\.0\.1:\d+/", line)
        assert found, (line, log.read_text())
        yield found[0]
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def browser(camera: Path) -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={camera}",
            ],
        )


class User:
    """A person with a browser, who notes every address that the page asks for."""

    def __init__(self, browser: Any, address: str) -> None:
        context = browser.new_context()
        context.grant_permissions(["camera", "microphone"])
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.asked: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)
        self.tab("Detect")

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def button(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).locator("visible=true").click()

    def choose(self, file: Path, place: int = 0) -> None:
        inputs = self.page.locator("input[type=file]")
        inputs.nth(place).set_input_files(str(file))

    def sees(self, text: str) -> None:
        shown = self.page.get_by_text(text).locator("visible=true").first
        expect(shown).to_be_visible(timeout=PATIENCE_MS)


@pytest.fixture
def user(browser: Any, address: str) -> User:
    return User(browser, address)


def test_an_upload_is_judged_and_nothing_else_is_asked(
    user: User, address: str, blink: Path
) -> None:
    user.choose(blink)
    user.sees(blink.name[:8])
    user.button("Detect")
    user.page.locator(".dfm.verdict").wait_for()
    user.page.locator("svg.timeline").wait_for()
    user.page.locator("a[href*='verdict.json']").first.wait_for()
    others = [u for u in user.asked if not u.startswith((address, "blob:", "data:"))]
    assert others == []


def test_a_wrong_file_and_one_over_the_limit_are_refused_in_words(
    user: User, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.mp4"
    wrong.write_text("no video")
    user.choose(wrong)
    user.sees("wrong.mp4")
    user.button("Detect")
    user.sees("wrong.mp4: cannot be read as video")
    large = tmp_path / "large.mp4"
    large.write_bytes(bytes((LIMIT_MB + 1) * 10**6))
    user.page.get_by_label("Clear").first.click()
    user.choose(large)
    user.sees("exceed the maximum allowed size")


def test_work_is_cancelled_and_the_next_begins(user: User, blink: Path, tmp_path: Path) -> None:

    long = tmp_path / "long.mp4"
    frames = read_frames(blink)
    write_video(long, (f for _ in range(60) for f in frames), Fraction(25), crf=35)
    user.choose(long)
    user.sees("long.mp4")
    user.button("Detect")
    user.sees("look at long.mp4")
    user.button("Cancel")
    user.sees("Cancelled.")
    user.page.get_by_label("Clear").first.click()
    user.choose(blink)
    user.sees(blink.name[:8])
    user.button("Detect")
    user.page.locator(".dfm.verdict").wait_for()


def test_two_users_at_once_both_get_their_answer(browser: Any, address: str, blink: Path) -> None:
    users = [User(browser, address) for _ in range(2)]
    for each in users:
        each.choose(blink)
        each.sees(blink.name[:8])
    for each in users:
        each.button("Detect")
    for each in users:
        each.page.locator(".dfm.verdict").wait_for()


def test_an_action_is_filmed_by_the_camera_and_checked(user: User) -> None:
    user.tab("Liveness check")
    user.page.get_by_text("Click to Access Webcam").locator("visible=true").click()
    record = user.page.get_by_label("start recording").locator("visible=true")
    record.click()
    user.page.wait_for_timeout(4000)
    record.click()
    user.page.locator("video[src^=http], video[src^=blob]").locator("visible=true").first.wait_for()
    user.page.wait_for_timeout(2000)
    user.button("Check")
    answer = user.page.locator("table:visible, .dfm.bad:visible").first
    answer.wait_for()
    assert re.search("action|the camera left out frames", answer.inner_text())


def test_a_photo_is_animated_with_consent(user: User, blink: Path) -> None:
    user.tab("Animate")
    user.choose(blink, 1)
    user.page.wait_for_timeout(1500)
    user.choose(blink, user.page.locator("input[type=file]").count() - 1)
    user.page.wait_for_timeout(2500)
    user.button("Animate")
    user.sees("no consent")
    user.page.get_by_label("The person shown agreed").check()
    user.button("Animate")
    user.sees("50 frames at 25 a second.")
    user.page.locator("video[src*=animation-ai-generated]").wait_for()


def test_a_dataset_is_looked_through(user: User) -> None:
    user.tab("Dataset")
    user.sees("1 to 12 of 13")
    user.button("Next")
    user.sees("13 to 13 of 13")
    user.page.get_by_label("Screening").click()
    user.page.get_by_role("option", name="rejected").click()
    user.sees("no nod")
    user.page.get_by_text("Open the report.").click()
    user.sees("the report")
