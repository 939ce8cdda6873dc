"""Likeness of animated clips: following, detail and identity on clips whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib import cbook
from PIL import Image, ImageFilter

from dfmnist.animator_eval import identity
from dfmnist.animator_eval.identity import can_recognise, identity_distance
from dfmnist.animator_eval.likeness import MIN_RANGE, Follow, Likeness, follow_signals, likeness
from dfmnist.animator_eval.likeness_tables import likeness_table, reenactment_tables
from dfmnist.animator_eval.metrics import TrackedClip
from dfmnist.animator_eval.records import Reenactment
from dfmnist.animator_eval.reenact import moments
from dfmnist.faces.pose import Signals, signals

NAN = float("nan")


@pytest.fixture(scope="module")
def portrait() -> TrackedClip:
    """One picture of a face as a clip of one frame."""
    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    picture = Image.open(path).convert("RGB").crop((60, 30, 460, 430)).resize((200, 200))
    return TrackedClip.of(np.asarray(picture)[None])


def repeated(clip: TrackedClip, count: int) -> TrackedClip:
    meshes = [*clip.meshes] * count
    return TrackedClip(np.repeat(clip.frames, count, axis=0), meshes, signals(meshes))


def moved(**tracks: np.ndarray) -> Signals:
    count = len(next(iter(tracks.values())))
    values = {name: np.zeros(count) for name in Signals.__dataclass_fields__}
    return Signals(**(values | tracks))


def one(identity: float, gain: float = NAN, fall: float = 0.0, driver: float = 0.0) -> Likeness:
    still = Follow(correlation=NAN, gain=NAN, driver_range=0.0)
    correlation = NAN if np.isnan(gain) else 0.9
    mouth = Follow(correlation=correlation, gain=gain, driver_range=0.5)
    return Likeness(
        identity=identity, detail=0.8, lost=0.0, eye_fall=fall, driver_eye_fall=driver,
        signals=dict.fromkeys(MIN_RANGE, still) | {"mouth_open": mouth},
    )  # fmt: skip


def test_following_is_measured_where_the_driver_moves() -> None:
    wave = np.sin(np.linspace(0, 6, 60))
    driver = moved(yaw_deg=20 * wave, mouth_open=0.3 * wave, pitch_deg=wave)
    made = moved(yaw_deg=3 + 15 * wave, mouth_open=-0.3 * wave, pitch_deg=wave)
    found = follow_signals(made, driver)
    assert set(found) == set(MIN_RANGE)
    assert found["yaw_deg"].correlation == pytest.approx(1)
    assert found["yaw_deg"].gain == pytest.approx(0.75)
    assert found["mouth_open"].correlation == pytest.approx(-1)
    assert np.isnan(found["pitch_deg"].gain)  # two degrees are no movement
    assert found["pitch_deg"].driver_range == pytest.approx(2, abs=0.1)
    assert np.isnan(found["roll_deg"].correlation)


def test_detail_and_lost_faces(portrait: TrackedClip) -> None:
    same = repeated(portrait, 6)
    whole = likeness(same, same, portrait)
    assert whole.detail == pytest.approx(1, abs=0.01)
    assert whole.lost == 0
    blurred = Image.fromarray(portrait.frames[0]).filter(ImageFilter.GaussianBlur(3))
    made = replace(same, frames=np.repeat(np.asarray(blurred)[None], 6, axis=0))
    assert likeness(made, same, portrait).detail < 0.3
    lost = replace(same, meshes=[None, None, *same.meshes[2:]])
    assert likeness(lost, same, portrait).lost == pytest.approx(2 / 6)
    nothing = replace(same, meshes=[None] * 6)
    assert np.isnan(likeness(nothing, same, portrait).detail)


def test_identity_is_the_mean_distance_to_the_reference(
    portrait: TrackedClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    bright = replace(repeated(portrait, 8), frames=np.repeat(portrait.frames, 8, axis=0))
    bright.frames[4:] //= 2
    monkeypatch.setattr(
        identity, "face_identity", lambda: lambda frame, mesh: np.array([frame.mean(), 0.0])
    )
    half = float(portrait.frames.mean()) / 2
    assert identity_distance(bright, portrait) == pytest.approx(half / 2, abs=0.5)  # half of frames
    assert identity_distance(bright, repeated(portrait, 8)) == pytest.approx(half / 2, abs=0.5)
    assert identity_distance(bright, bright) == 0  # frame by frame
    monkeypatch.setattr(identity, "face_identity", lambda: None)
    assert np.isnan(identity_distance(bright, portrait))


@pytest.mark.skipif(not can_recognise(), reason="the extra 'identity' is not installed")
def test_the_network_knows_a_person_again(portrait: TrackedClip) -> None:
    mirrored = TrackedClip.of(np.ascontiguousarray(portrait.frames[:, :, ::-1]))
    assert identity_distance(portrait, portrait) == 0
    assert 0 < identity_distance(mirrored, portrait) < 0.4
    stretched = Image.fromarray(portrait.frames[0]).resize((130, 200))
    other = TrackedClip.of(np.asarray(stretched)[None])
    assert identity_distance(other, portrait) > identity_distance(mirrored, portrait)


def test_tables_of_likeness() -> None:
    found = [
        Reenactment(source=source, driver=driver, likeness=measured)
        for source, driver, measured in (
            ("a.png", "x.mp4", one(0.3, gain=0.5, fall=0.5, driver=0.6)),
            ("b.png", "x.mp4", one(0.7, gain=0.7, fall=0.1, driver=0.6)),
            ("a.png", "y.mp4", one(0.5)),
        )
    ]
    text = "\n".join(reenactment_tables(found))
    row = "| all | 3 | 0.50 | 2 of 3 | 0.80 | 0.0% | 1 of 2 | – | – | – | 0.90 / 0.60 |"
    assert row in text
    assert "| a.png | 2 | 0.40 | 2 of 2 | 0.80 | 0.0% | 1 of 1 |" in text
    assert "### Source by driver: identity\n\n| source | x.mp4 | y.mp4 |" in text
    assert "| b.png | 0.70 | – |" in text  # no such pair
    unknown = likeness_table({"shown": [one(NAN)]}, "x")
    assert "| shown | 1 | – | – | 0.80 |" in unknown


def test_moments_are_the_driver_s_extremes() -> None:
    tracks = {name: np.zeros(9) for name in ("mouth_open", "yaw_deg", "pitch_deg", "roll_deg")}
    lids = np.full(9, 0.3)
    lids[2], tracks["mouth_open"][5], tracks["yaw_deg"][7] = 0.1, 0.6, -20
    tracks["roll_deg"][8] = 12
    tracks["mouth_open"][3] = NAN
    assert moments(moved(**tracks, eye_right=lids, eye_left=lids)) == [5, 2, 7, 8]
