"""What the tabs answer, as the page calls them."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("gradio", reason="needs the extra 'app'")

from tests.app.conftest import NASTY

from dfmnist.app import animate as animate_tab
from dfmnist.app import liveness as liveness_tab
from dfmnist.app.animate import AnimateTab
from dfmnist.app.browse import ALL, KEPT, PER_PAGE, REJECTED, BrowseTab
from dfmnist.app.detect import DetectTab
from dfmnist.app.folder import PageFolder
from dfmnist.app.liveness import LivenessTab, instruction, other_action
from dfmnist.app.uploads import problem
from dfmnist.core.actions import TEN
from dfmnist.core.errors import InputError
from dfmnist.detectors import watch
from dfmnist.detectors.chosen import choose_detector
from dfmnist.faces.mtcnn import Detections
from dfmnist.liveness.base import Verdict
from dfmnist.media.image import write_image
from dfmnist.media.opening import FrameTimes
from dfmnist.media.video import write_video
from dfmnist.pipeline.files import Animated


class OneFace:
    """A face detector that sees one face in the middle."""

    def detect(self, image_rgb_u8: np.ndarray) -> Detections:
        side = float(image_rgb_u8.shape[0])
        box = np.array([[side / 4, side / 4, side * 3 / 4, side * 3 / 4]], np.float32)
        return Detections(box, np.ones(1, np.float32), np.zeros((1, 5, 2), np.float32))


@pytest.fixture(scope="module")
def detect(folder: PageFolder) -> DetectTab:
    return DetectTab(choose_detector(), folder)


@pytest.fixture
def one_face(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "mtcnn", OneFace)


def film(path: Path, count: int = 40) -> Path:
    picture = np.random.default_rng(0).integers(0, 255, (1, 16, 16, 3), np.uint8)
    write_video(path, picture.repeat(8, 1).repeat(8, 2).repeat(count, 0), Fraction(25), crf=23)
    return path


def test_detect_shows_the_verdict_timeline_maps_and_answer(
    detect: DetectTab, tmp_path: Path, one_face: None
) -> None:
    steps = list(detect.detect(str(film(tmp_path / "my clip.mp4")), None, True))
    body, gallery, answer = steps[-1]
    assert 'class="dfm verdict' in body
    assert "<svg" in body
    assert "Face 1" in body
    pictures = gallery.value
    assert pictures
    file = Path(answer.value["path"] if isinstance(answer.value, dict) else answer.value)
    text = file.read_text()
    assert '"path": "my clip.mp4"' in text  # the owner's name, no path of the server
    assert str(tmp_path) not in text + body
    assert any("<svg" in step[0] or "Face 1" in step[0] for step in steps[:-1])  # while it worked


def test_detect_judges_a_photo(detect: DetectTab, tmp_path: Path, one_face: None) -> None:
    write_image(tmp_path / "a.png", np.full((128, 128, 3), 90, np.uint8))
    body = list(detect.detect(str(tmp_path / "a.png"), None, False))[-1][0]
    assert "(photo)" in body
    assert "<svg" not in body


def test_detect_takes_what_was_filmed(detect: DetectTab, tmp_path: Path, one_face: None) -> None:
    body = list(detect.detect(None, str(film(tmp_path / "webcam.webm.mp4", 8)), False))[-1][0]
    assert "Face 1" in body


def test_a_wrong_file_is_one_line_with_its_own_name(detect: DetectTab, tmp_path: Path) -> None:
    wrong = tmp_path / f"{NASTY[:20]}.mp4".replace("/", "")
    wrong.write_text("no video")
    body = list(detect.detect(str(wrong), None, True))[-1][0]
    assert 'class="dfm bad"' in body
    assert "<img" not in body  # escaped
    assert str(tmp_path) not in body
    missing = list(detect.detect(None, None, True))[-1][0]
    assert "no photo or video" in missing


def test_leaving_the_page_ends_the_work(
    detect: DetectTab, tmp_path: Path, one_face: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    whole = watch.each_look

    def counted(*args: Any) -> Any:
        for one in whole(*args):
            looks.append(one[0])
            yield one

    monkeypatch.setattr(watch, "each_look", counted)
    monkeypatch.setattr(watch, "STRETCH_LOOKS", 1)
    monkeypatch.setattr(watch, "PER_SECOND", 25.0)
    steps = detect.detect(str(film(tmp_path / "long.mp4", 200)), None, False)
    for body, _, _ in steps:
        if "Face 1" in body:
            break
    steps.close()
    after = list(detect.detect(None, None, True))  # waits for nothing that is still running
    assert "no photo or video" in after[-1][0]
    assert len(looks) < 200


def test_liveness_shows_each_detector_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def check(path: Path, action: str, detectors: Any, even: bool) -> tuple[Verdict, ...]:
        asked.append((path.name, action, detectors, even))
        return (
            Verdict("action", True, 0.8, ""),
            Verdict("mine", False, 0.2, f"{NASTY} too still"),
        )

    monkeypatch.setattr(liveness_tab, "check_clip", check)
    clip = film(tmp_path / "me.mp4", 4)
    body = list(LivenessTab(("action", "mine")).check(str(clip), "blink"))[-1]
    assert asked == [("me.mp4", "blink", ("action", "mine"), True)]
    assert "Not live" in body
    assert "too still" in body
    assert "<img" not in body


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ((Verdict("a", True, 1.0, ""),), "Live:"),
        ((Verdict("a", True, 1.0, ""), Verdict.not_assessed("b", "no face")), "Not assessed:"),
    ],
)
def test_liveness_says_what_all_detectors_say(
    verdicts: Any,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(liveness_tab, "check_clip", lambda *_, **__: verdicts)
    clip = film(tmp_path / "me.mp4", 4)
    assert said in list(LivenessTab(()).check(str(clip), "blink"))[-1]


@pytest.mark.parametrize("gap_ms", [120, 300])
def test_liveness_takes_uneven_frames_unless_some_are_missing(
    gap_ms: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = (0, 40, 80, *range(80 + gap_ms, 80 + gap_ms + 13 * 40, 40))
    times = FrameTimes(ticks, Fraction(1, 1000), Fraction(25), True, True)
    clip = tmp_path / "cam.mp4"
    write_video(
        clip, np.zeros((len(ticks), 32, 32, 3), np.uint8), Fraction(25), crf=18, times=times
    )
    refused = list(LivenessTab(("universal",)).check(str(clip), "blink"))[-1]
    assert ("no face found" if gap_ms < 250 else "0.30 s lie between") in refused
    assert "uneven times" not in refused
    monkeypatch.setattr(liveness_tab, "check_clip", lambda *_, **__: (Verdict("a", True, 1.0, ""),))
    judged = list(LivenessTab(("universal",)).check(str(clip), "blink"))[-1]
    assert "frames a second at uneven times; judged at 25." in judged


def test_liveness_asks_for_an_action_in_words() -> None:
    assert "close both eyes and open" in instruction("blink")
    assert "tilt the head to your right shoulder" in instruction("right_slope")
    for action in TEN:
        assert other_action(action.value) in {each.value for each in TEN} - {action.value}


def test_animate_wants_consent_and_labels_its_result(
    folder: PageFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []

    def animate(source: Path, driver: Path, out: Path, config: Any) -> Animated:
        calls.append((source, driver, config))
        out.write_bytes(b"mp4")
        return Animated(out, 50, Fraction(25), 0)

    monkeypatch.setattr(animate_tab, "animate_file", animate)
    tab, photo, clip = AnimateTab(folder), tmp_path / "a.png", tmp_path / "b.mp4"
    refused = list(tab.animate(str(photo), str(clip), False, False, False))
    assert "no consent" in refused[-1][0]
    assert calls == []
    said, made = list(tab.animate(str(photo), str(clip), True, True, True))[-1]
    assert "50 frames at 25 a second" in said
    assert Path(made).name == "animation-ai-generated.mp4"
    source, driver, config = calls[0]
    assert (source, driver) == (photo, clip)
    assert (config.paste_back, config.sound, config.cache) == (True, True, False)
    assert "no driver" in list(tab.animate(str(photo), None, True, True, True))[-1][0]


def test_browse_filters_and_turns_pages(dataset: Path) -> None:
    tab = BrowseTab(dataset)

    def shown(*wanted: Any, page: int = 0) -> tuple[str, int]:
        return tab.show(*wanted, page)

    everything = (KEPT, ALL, ALL, ALL, ALL, "")
    first, page = shown(*everything)
    assert first.count("<video") == PER_PAGE
    assert "1 to 12 of 13" in first
    last, page = shown(*everything, page=99)
    assert (page, last.count("<video")) == (1, 1)
    assert shown(*everything, page=-1)[1] == 0
    assert "<img" not in first  # names are escaped
    for wanted, count in (
        ((KEPT, "smile", ALL, ALL, ALL, ""), 1),
        ((KEPT, ALL, "c23", ALL, ALL, ""), 1),
        ((KEPT, ALL, ALL, "fake", ALL, ""), 12),
        ((KEPT, ALL, ALL, ALL, "train", ""), 0),
        ((KEPT, ALL, ALL, ALL, ALL, "onerror"), 12),
        ((KEPT, ALL, ALL, ALL, ALL, "nobody"), 0),
    ):
        assert shown(*wanted)[0].count("<video") == count, wanted


def test_browse_shows_why_attempts_were_rejected(dataset: Path) -> None:
    tab = BrowseTab(dataset)
    table, _ = tab.show(REJECTED, "nod", ALL, ALL, ALL, "", 0)
    assert "no nod" in table
    assert "action" in table
    assert "<img" not in table
    assert "No attempt" in tab.show(REJECTED, "smile", ALL, ALL, ALL, "", 0)[0]


def test_problems_name_no_folder_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    assert problem(InputError("/srv/up/load/a.mp4: no face; expected one")) == (
        "a.mp4: no face; expected one"
    )
    assert not caplog.records
    said = problem(ValueError("in /srv/up/load/a.mp4\nboom"))
    assert said == "this could not be done: ValueError: in a.mp4 boom"
    assert caplog.records[0].exc_info is not None
