"""Movement is measured from the person's own neutral, wherever the clip begins."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest

from dfmnist.faces.pose import Signals
from dfmnist.liveness import tracking
from dfmnist.liveness.measures import TITLES
from dfmnist.liveness.movement import filled, movement, neutral_pose

MakeSignals = Callable[..., Signals]
Pulse = Callable[..., npt.NDArray[np.float64]]
FPS = 25.0


def test_a_face_is_followed_once_and_the_last_clip_alone_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    mesh = SimpleNamespace(track=lambda frames: asked.append(len(frames)) or [None] * len(frames))
    monkeypatch.setattr(tracking, "face_mesh", lambda: mesh)
    monkeypatch.setattr(tracking, "_last", {})
    long, short = np.zeros((5, 8, 8, 3), np.uint8), np.zeros((3, 8, 8, 3), np.uint8)
    for frames in (long, long.copy(), short, short, long):
        assert tracking.track(frames) == (None,) * len(frames)
    assert asked == [5, 3, 5]
    assert len(tracking._last) == 1


def test_rest_is_no_movement(make_signals: MakeSignals) -> None:
    moved = movement(make_signals(), FPS)
    assert moved.yaw_range_deg < 1.0
    assert moved.yaw_both_deg < 0.45
    assert moved.pitch_dip_deg < 1.0
    assert moved.eye_closure < 0.05
    assert moved.mouth_opening < 0.01
    assert set(moved.values()) == set(TITLES)


def test_turns_to_both_sides_count_from_the_neutral(
    make_signals: MakeSignals, pulse: Pulse
) -> None:
    both = movement(make_signals(yaw_deg=pulse(25, 5, 20) - pulse(18, 26, 20)), FPS)
    assert both.yaw_range_deg == pytest.approx(43, abs=2.5)
    assert both.yaw_both_deg == pytest.approx(18, abs=2.5)
    one = movement(make_signals(yaw_deg=pulse(25)), FPS)
    assert one.yaw_range_deg == pytest.approx(25, abs=1.5)
    assert one.yaw_both_deg < 3


@pytest.mark.parametrize(
    "turn",
    [
        np.linspace(-25, 20, 50),
        np.concatenate([np.full(20, -25.0), np.linspace(-25, 20, 10), np.full(20, 20.0)]),
        9 - 12 * np.cos(np.arange(50) / 4),
    ],
    ids=["from right to left", "held at both ends", "shaken, all of it to the left"],
)
def test_a_turn_that_never_rests_in_front_is_a_turn_to_both_sides(
    make_signals: MakeSignals, turn: npt.NDArray[np.float64]
) -> None:
    assert movement(make_signals(yaw_deg=turn), FPS).yaw_both_deg > 10


def test_a_shaken_head_turns_half_of_its_way_to_each_side(make_signals: MakeSignals) -> None:
    shaken = movement(make_signals(yaw_deg=9 - 12 * np.cos(np.arange(50) / 4)), FPS)
    assert shaken.yaw_both_deg == pytest.approx(12, abs=0.7)


def test_the_neutral_is_where_the_head_is_held_or_begins() -> None:
    held = np.concatenate([np.full(8, 24.0), np.linspace(24, 0, 12), np.zeros(30)])
    assert neutral_pose(held, 4.0, 5) == pytest.approx(0, abs=0.5)  # it ends upright
    tilted = np.concatenate([np.zeros(18), np.linspace(0, 24, 8), np.full(24, 24.0)])
    assert neutral_pose(tilted, 4.0, 5) == pytest.approx(0, abs=0.5)  # and here it begins so
    assert neutral_pose(np.full(50, -7.0), 4.0, 5) == -7.0


def test_nod_goes_down_and_comes_back_at_any_height(
    make_signals: MakeSignals, pulse: Pulse
) -> None:
    for height in (0, 18):
        nod = movement(make_signals(pitch_deg=height - pulse(20)), FPS)
        assert nod.pitch_dip_deg == pytest.approx(20, abs=1.5)
    held = movement(make_signals(pitch_deg=np.linspace(0, -20, 50)), FPS)
    assert held.pitch_range_deg > 17
    assert held.pitch_dip_deg < 1
    lowered = np.interp(np.arange(50), [10, 16, 28, 40], [0, -12, -12, 9])
    raised = movement(make_signals(pitch_deg=lowered), FPS)
    assert raised.pitch_rise_deg == pytest.approx(21, abs=1.5)  # from where it was lowered to
    up = movement(make_signals(pitch_deg=pulse(20)), FPS)
    assert up.pitch_rise_deg == pytest.approx(20, abs=1.5)
    assert up.pitch_dip_deg < 2


def test_blink_of_one_frame_counts_and_wink_does_not(make_signals: MakeSignals) -> None:
    shut = np.zeros(50)
    shut[20] = -0.25
    blink = movement(make_signals(eye_right=shut, eye_left=shut), FPS)
    assert blink.eye_closure > 0.75
    wink = movement(make_signals(eye_right=shut), FPS)
    assert wink.eye_closure < 0.05


def test_eyes_that_are_cast_down_or_sink_slowly_do_not_blink(make_signals: MakeSignals) -> None:
    cast, shut_at_last = np.zeros((2, 50))
    slow = -0.25 * np.sin(np.arange(50) / 50 * np.pi)
    cast[10:40] = -0.25
    shut_at_last[30:] = -0.25
    for eyes in (cast, shut_at_last, slow):
        assert movement(make_signals(eye_right=eyes, eye_left=eyes), FPS).eye_closure < 0.33
    brief = np.zeros(50)
    brief[14:24] = -0.25  # 0.4 s
    assert movement(make_signals(eye_right=brief, eye_left=brief), FPS).eye_closure > 0.75


def test_lids_that_fall_for_a_blink_do_not_lower_the_gaze(make_signals: MakeSignals) -> None:
    shut, lowered = np.zeros(50), np.zeros(50)
    shut[20:28], lowered[19:29] = -0.22, 0.12  # 0.32 s
    wide = np.zeros(50)
    wide[19:29] = 0.08
    blink = make_signals(eye_right=shut, eye_left=shut, gaze_down=lowered, mouth_width=wide)
    assert movement(blink, FPS).gaze_down_wide < 0.01
    seen = make_signals(gaze_down=lowered, mouth_width=wide)
    assert movement(seen, FPS).gaze_down_wide == pytest.approx(0.12, abs=0.01)
    shut[15:40], lowered[14:41], wide[14:41] = -0.22, 0.12, 0.08  # eyes that are cast down
    cast = make_signals(eye_right=shut, eye_left=shut, gaze_down=lowered, mouth_width=wide)
    assert movement(cast, FPS).gaze_down_wide == pytest.approx(0.12, abs=0.01)


def test_corners_brows_and_lids_count_while_the_mouth_is_wide_or_open(
    make_signals: MakeSignals, pulse: Pulse
) -> None:
    smile = movement(make_signals(mouth_width=pulse(0.1), mouth_corner_lift=pulse(0.05)), FPS)
    assert smile.corner_lift == pytest.approx(0.045, abs=0.01)
    apart = movement(
        make_signals(mouth_width=pulse(0.1, 2, 20), mouth_corner_lift=pulse(0.05, 28, 20)), FPS
    )
    assert apart.corner_lift < 0.02
    opened = {"mouth_open": pulse(0.6, 10, 30)}
    assert movement(make_signals(**opened), FPS).raise_open < 0.002
    brows = movement(make_signals(**opened, brow_raise=pulse(0.04, 10, 30)), FPS)
    assert brows.raise_open == pytest.approx(0.032, abs=0.01)
    wide = pulse(0.06, 10, 30)
    lids = movement(make_signals(**opened, eye_right=wide, eye_left=wide), FPS)
    assert lids.raise_open == pytest.approx(0.03, abs=0.01)
    shut = np.zeros(50)
    shut[:16] = -0.2  # eyes that open are not wide
    woken = movement(make_signals(**opened, eye_right=shut, eye_left=shut), FPS)
    assert woken.raise_open < 0.002


def test_a_mouth_is_open_while_it_is_more_than_half_as_wide_as_ever(
    make_signals: MakeSignals,
) -> None:
    steps = np.zeros(50)
    steps[10:20], steps[20:30] = 0.6, 0.25
    opened = movement(make_signals(mouth_open=steps), FPS)
    assert opened.mouth_open_s == pytest.approx(10 / FPS)
    for at, found in ((slice(10, 20), 0.04), (slice(20, 30), 0)):  # brows up while it is open
        brows = np.zeros(50)
        brows[at] = 0.04
        raised = movement(make_signals(mouth_open=steps, brow_raise=brows), FPS).raise_open
        assert raised == pytest.approx(found, abs=0.002)


def test_exactly_half_as_wide_is_not_open(make_signals: MakeSignals) -> None:
    tracks = {name: np.zeros(50) for name in vars(make_signals())}
    tracks["mouth_open"][10:20], tracks["mouth_open"][20:30] = 0.5, 0.25
    assert movement(Signals(**tracks), FPS).mouth_open_s == pytest.approx(10 / FPS)
    tracks["brow_raise"][10:20] = 0.04
    assert movement(Signals(**tracks), FPS).raise_open == pytest.approx(0.04)


def test_a_smile_is_wide_and_lifted_at_once_and_held(
    make_signals: MakeSignals, pulse: Pulse
) -> None:
    def smile(width: npt.ArrayLike, lift: npt.ArrayLike) -> float:
        return movement(make_signals(mouth_width=width, mouth_corner_lift=lift), FPS).smile

    assert smile(pulse(0.08, 8, 36), pulse(0.05, 8, 36)) == pytest.approx(0.045, abs=0.01)
    assert smile(pulse(0.08, 8, 36), 0) < 0.002
    assert smile(0, pulse(0.05, 8, 36)) < 0.002
    assert smile(pulse(0.08, 2, 20), pulse(0.05, 28, 20)) < 0.01  # one after the other
    assert smile(pulse(0.08, 20, 8), pulse(0.05, 20, 8)) < 0.01  # shorter than 0.4 s


def test_embarrassment_is_the_mean_of_its_signs_and_needs_all(
    make_signals: MakeSignals, pulse: Pulse
) -> None:
    signs = {
        "yaw_deg": pulse(11, 8, 36), "pitch_deg": -pulse(11, 8, 36),
        "gaze_down": pulse(0.12, 8, 36), "mouth_corner_lift": pulse(0.06, 8, 36),
    }  # fmt: skip
    wide = pulse(0.06, 8, 36)

    def found(**changed: npt.ArrayLike) -> float:
        tracks = {**signs, "mouth_width": wide, **changed}
        return movement(make_signals(**tracks), FPS).embarrassed

    assert found() == pytest.approx(1, abs=0.15)
    faint = found(mouth_corner_lift=signs["mouth_corner_lift"] / 8)
    assert faint == pytest.approx(found() / 2, rel=0.15)
    for name in ("yaw_deg", "pitch_deg", "gaze_down", "mouth_corner_lift"):
        assert found(**{name: 0}) < 0.45, name


def test_a_head_is_lowered_to_a_side_by_what_it_does_of_both(
    make_signals: MakeSignals, pulse: Pulse
) -> None:
    turned, lowered = pulse(10, 12, 30), -pulse(7, 12, 30)
    both = movement(make_signals(yaw_deg=turned, pitch_deg=lowered), FPS)
    assert both.lowered_aside_deg == pytest.approx(7, abs=1.5)
    for one in ({"yaw_deg": turned}, {"pitch_deg": lowered}):
        assert movement(make_signals(**one), FPS).lowered_aside_deg < 1.5
    raised = movement(make_signals(yaw_deg=pulse(10, 5, 20), pitch_deg=-pulse(7, 28, 20)), FPS)
    assert raised.lowered_aside_deg > 5  # turned back to the neutral while it falls


def test_the_gaze_is_lowered_while_the_mouth_is_wide(
    make_signals: MakeSignals, pulse: Pulse
) -> None:
    down = pulse(0.1, 12, 30)
    shy = movement(make_signals(gaze_down=down, mouth_width=pulse(0.08, 12, 30)), FPS)
    assert shy.gaze_down_wide == pytest.approx(0.08, abs=0.02)
    apart = movement(
        make_signals(gaze_down=pulse(0.1, 2, 16), mouth_width=pulse(0.08, 28, 20)), FPS
    )
    assert apart.gaze_down_wide < 0.02


def test_one_wild_frame_is_no_movement_of_head_or_mouth(make_signals: MakeSignals) -> None:
    wild = np.zeros(50)
    wild[30] = 40
    moved = movement(make_signals(yaw_deg=wild, mouth_open=wild / 40), FPS)
    assert moved.yaw_range_deg < 1.5
    assert moved.mouth_opening < 0.01


def test_lost_frames_are_bridged(make_signals: MakeSignals, pulse: Pulse) -> None:
    gap = pulse(20)
    gap[22:25] = np.nan
    assert movement(make_signals(roll_deg=gap), FPS).roll_right_deg == pytest.approx(20, abs=2)
    assert filled(np.array([np.nan, 1, np.nan, 3])).tolist() == [1, 1, 2, 3]
    assert filled(np.full(3, np.nan)).tolist() == [0, 0, 0]


def test_two_frames_can_be_measured(make_signals: MakeSignals) -> None:
    short = Signals(**{name: track[:2] for name, track in vars(make_signals()).items()})
    assert all(np.isfinite(list(movement(short, FPS).values().values())))
