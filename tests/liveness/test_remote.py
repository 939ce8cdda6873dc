"""A service that misbehaves costs a verdict, never the batch, and never a secret."""

import base64
import io
import json
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests import misbehaving as bad
from tests.misbehaving import Behaviour, Service, service

from dfmnist.core.actions import Action
from dfmnist.core.errors import InputError
from dfmnist.liveness.base import Verdict
from dfmnist.liveness.clip_file import ClipFile
from dfmnist.liveness.detector_config import HttpDetector
from dfmnist.liveness.remote import RemoteDetector
from dfmnist.media.video import write_video

SECRET = "s3cr3t/token+1"
LIVE = bad.says({"result": {"live": True, "score": 0.9}})


@pytest.fixture
def clip(tmp_path: Path) -> ClipFile:
    path = tmp_path / "fake" / "ann.MP4"
    frames = np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3), np.uint8)
    write_video(path.with_suffix(".mp4"), frames, Fraction(25), crf=23)
    path.with_suffix(".mp4").rename(path)
    return ClipFile(path, Action.BLINK)


def settings(server: Service, **changes: Any) -> HttpDetector:
    values: dict[str, Any] = {
        "kind": "http",
        "name": "mine",
        "authorisation": "I run this service on this machine.",
        "url": server.url,
        "headers": {"Authorization": "Bearer ${LIVENESS_TOKEN}"},
        "answer": {"live": "result.live", "score": "result.score"},
        "timeout_s": 5,
        "retries": 2,
        "backoff_s": 0.01,
        "calls_per_s": 1000,
    }
    return HttpDetector.model_validate(values | changes)


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIVENESS_TOKEN", SECRET)
    monkeypatch.setenv("DFMNIST_CACHE", str(tmp_path / "cache"))


def asked(server: Service, clip: ClipFile, **changes: Any) -> Verdict:
    return RemoteDetector(settings(server, **changes)).assess(clip)


def test_a_verdict_and_what_was_sent(clip: ClipFile) -> None:
    with service(LIVE) as server:
        verdict = asked(
            server, clip, fields={"action": "{action}", "n": 3},
            query={"api_key": "${LIVENESS_TOKEN}"},
            action_names={"blink": "eye blink"}, clip_field="video",
        )  # fmt: skip
        (got,) = server.received
    assert verdict == Verdict("mine", True, 0.9, "")
    timers = [t for t in threading.enumerate() if isinstance(t, threading.Timer)]
    assert all(timer.finished.is_set() for timer in timers)  # none waits for the deadline
    assert got.headers["Authorization"] == f"Bearer {SECRET}"
    assert got.path == "/v1/check?api_key=s3cr3t%2Ftoken%2B1"
    kind, boundary = got.headers["Content-Type"].split("; boundary=")
    assert kind == "multipart/form-data"
    parts = got.body.split(b"--" + boundary.encode())
    assert parts[1].endswith(b'name="action"\r\n\r\neye blink\r\n')
    assert parts[2].endswith(b'name="n"\r\n\r\n3\r\n')
    assert b'name="video"; filename="clip.mp4"' in parts[3]
    assert parts[3].endswith(clip.path.read_bytes() + b"\r\n")
    assert b"ann" not in got.body
    assert b"fake" not in got.body  # a name or a folder could tell the class


def test_base64_and_frames(clip: ClipFile) -> None:
    with service(LIVE) as server:
        asked(server, clip, send="base64", clip_field="data", fields={"mode": "video"})
        asked(server, clip, send="frames", clip_field="images", frames=3)
        whole, frames = (json.loads(got.body) for got in server.received)
    assert whole["mode"] == "video"
    assert base64.b64decode(whole["data"]) == clip.path.read_bytes()
    pictures = [Image.open(io.BytesIO(base64.b64decode(text))) for text in frames["images"]]
    assert [(p.format, p.size) for p in pictures] == [("JPEG", (32, 32))] * 3


@pytest.mark.parametrize(
    ("behaviour", "reason", "calls"),
    [
        (bad.status(500), "HTTP status 500", 3),
        (bad.status(429), "HTTP status 429", 3),
        (bad.status(404), "HTTP status 404", 1),
        (bad.status(302, Location="http://127.0.0.1:9/"), "HTTP status 302", 1),
        (bad.hangs_up, "the connection failed", 3),
        (bad.raw(b'{"result": {"live": tr', length=80), "the answer is truncated", 3),
        (bad.raw(b'{"result": {"live": tr'), "the answer is not valid JSON", 1),
        (bad.raw(b"[" * 100_000), "the answer is not valid JSON", 1),
        (bad.raw(b" " * (1 << 20) + b"{}"), "the answer has more than 1048576 bytes", 1),
        (bad.raw(b'{"result": {"live": true, "score": NaN}}'), "'result.score' is not a finite", 1),
        (bad.raw(b'{"result": {"live": true, "score": 1' + b"0" * 400 + b"}}"), "not a finite", 1),
        (bad.says({"result": {"live": "true", "score": 1}}), "'result.live' is 'true';", 1),
        (bad.says({"result": {"live": 1, "score": 1}}), "'result.live' is 1; expected", 1),
        (bad.says({"result": {"live": None, "score": 1}}), "'result.live' is null", 1),
        (bad.says({"result": {"live": True, "score": "0.9"}}), "'result.score' is '0.9'", 1),
        (bad.says({"result": [True]}), "the answer has no 'result.score'", 1),
        (bad.says({"error": "busy"}), "the answer has no 'result.score'", 1),
        (bad.says([]), "the answer has no 'result.score'", 1),
    ],
)  # fmt: skip
def test_whatever_goes_wrong_is_not_assessed(
    clip: ClipFile, behaviour: Behaviour, reason: str, calls: int
) -> None:
    with service(behaviour) as server:
        verdict = asked(server, clip)
        assert len(server.received) == calls
    assert (verdict.live, verdict.assessed, verdict.score) == (False, False, 0.0)
    assert verdict.reason.startswith(reason) or reason in verdict.reason
    assert "\n" not in verdict.reason


@pytest.mark.parametrize("behaviour", [bad.silent, bad.dripping])
def test_a_slow_service_is_left_at_the_deadline(clip: ClipFile, behaviour: Behaviour) -> None:
    start = time.monotonic()
    with service(behaviour) as server:
        verdict = asked(server, clip, timeout_s=0.3, retries=1)
        assert len(server.received) == 2
    assert verdict == Verdict.not_assessed("mine", "no answer within 0.3 s")
    assert time.monotonic() - start < 3


def test_no_service_at_all(clip: ClipFile) -> None:
    with service(LIVE) as server:
        config = settings(server)
    verdict = RemoteDetector(config).assess(clip)
    assert verdict.reason == "the connection was refused"


def test_it_waits_longer_each_time_and_as_it_is_told(clip: ClipFile) -> None:
    told = bad.status(429, Retry_After="1")
    with service(bad.status(503), bad.status(503), told, LIVE) as server:
        assert asked(server, clip, retries=3, backoff_s=0.1).live
        at = [got.at_s for got in server.received]
    waits = np.diff(at)
    # nothing says how late a busy machine may be
    assert (waits >= [0.1, 0.2, 1.0]).all()


def test_the_rate_is_kept_between_detectors(clip: ClipFile) -> None:
    with service(bad.status(404)) as server:
        begin = time.monotonic()
        for _ in range(4):  # as processes would: they share the file of calls alone
            asked(server, clip, calls_per_s=5)
        took = time.monotonic() - begin  # a busy machine receives calls late, and the next in time
    assert len(server.received) == 4
    assert took > 0.59


def test_the_budget_holds_over_runs(clip: ClipFile) -> None:
    with service(bad.status(500)) as server:
        assert asked(server, clip, budget=4).reason == "HTTP status 500"
        second = asked(server, clip, budget=4)
        assert len(server.received) == 4
        third = asked(server, clip, budget=4)
        assert len(server.received) == 4
    assert not second.assessed
    assert third.reason == "the budget of 4 calls is used up; `budget` in the settings raises it"


def test_a_service_that_does_not_know_us_is_asked_once(clip: ClipFile) -> None:
    with service(bad.status(401)) as server:
        detector = RemoteDetector(settings(server))
        reasons = [detector.assess(clip).reason for _ in range(3)]
        assert len(server.received) == 1
    assert reasons[0] == "HTTP status 401"
    assert set(reasons[1:]) == {"HTTP status 401 before, so no further call"}


def test_an_answer_is_kept_by_clip_action_and_request(clip: ClipFile, tmp_path: Path) -> None:
    with service(bad.status(500), LIVE) as server:
        assert not asked(server, clip, retries=0).assessed  # a failure is not kept
        assert asked(server, clip).live
        assert asked(server, clip).live
        assert len(server.received) == 2
        moved = ClipFile(clip.path.rename(tmp_path / "other.mp4"), clip.action)
        strict = {"live": "", "score": "result.score", "threshold": 0.95}
        assert not asked(server, moved, answer=strict).live  # other rules, the same answer
        assert len(server.received) == 2
        asked(server, ClipFile(moved.path, Action.NOD))
        asked(server, moved, fields={"mode": "b"})
        assert len(server.received) == 4


def test_a_secret_is_in_requests_alone(clip: ClipFile, tmp_path: Path) -> None:
    echo = {"result": {"live": f"no {SECRET}", "score": 0.1}, SECRET: [f"Bearer {SECRET}"]}
    rules = {"live": "result.live", "live_values": ["yes"], "attack_values": ["no ***"]}
    with service(bad.says(echo)) as server:
        detector = RemoteDetector(settings(server, answer=rules))
        refused = RemoteDetector(settings(server)).assess(clip)
        verdict = detector.assess(clip)
    assert verdict.assessed
    for text in (repr(detector), repr(refused), repr(vars(detector)), refused.reason):
        assert SECRET not in text
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert any("***" in path.read_text() for path in kept)
    for path in kept:
        assert SECRET not in path.read_text()
        assert "LIVENESS" not in path.name


def test_a_missing_secret_and_a_missing_clip(
    clip: ClipFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with service(LIVE) as server:
        gone = asked(server, ClipFile(tmp_path / "gone.mp4", None))
        assert not gone.assessed
        assert str(tmp_path) not in gone.reason
        monkeypatch.delenv("LIVENESS_TOKEN")
        with pytest.raises(InputError, match="needs the variable LIVENESS_TOKEN"):
            asked(server, clip)
        monkeypatch.setenv("LIVENESS_TOKEN", "two\nlines")
        with pytest.raises(InputError, match="odd characters") as caught:
            asked(server, clip)
        assert "two" not in str(caught.value)
        assert not server.received
