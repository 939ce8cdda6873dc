"""Each of the ten actions moves what it is named after, at human speed, and starts near neutral."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dfmnist.actors.performance import (
    MOST_RESTLESS,
    QUIET_START_FRAMES,
    SWAY_DEG,
    Performance,
    done_beside,
    perform,
    perform_lively,
    perform_random,
)
from dfmnist.core.actions import TEN, Action

SEEDS = range(12)


def takes(action: Action) -> list[Performance]:
    return [perform(action, seed) for seed in SEEDS]


def runs(mask: np.ndarray) -> list[int]:
    """Lengths of the stretches of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return list(edges[1::2] - edges[::2])


@pytest.mark.parametrize("action", list(Action))
def test_every_action_starts_near_neutral_and_frontal(action: Action) -> None:
    for p in takes(action):
        pose = np.stack([p.yaw_deg, p.pitch_deg, p.roll_deg], 1)
        assert np.abs(pose[0]).max() < 4
        assert all(track[0] < 0.2 for track in p.facial.values())
        assert all(track[0] == 0 for n, track in p.facial.items() if n.startswith("eyeBlink"))


def test_first_poses_have_one_distribution_for_all_actions() -> None:
    spread = {
        a: np.std([[p.yaw_deg[0], p.pitch_deg[0]] for p in (perform(a, s) for s in range(40))])
        for a in TEN
    }
    assert max(spread.values()) < 1.6 * min(spread.values())


@pytest.mark.parametrize("action", list(Action))
def test_shapes_bounds_and_the_arkit_names(action: Action) -> None:
    p = perform(action, 3, num_frames=33)
    assert len(p) == 33
    assert p.gaze_deg.shape == (33, 2)
    for track in p.facial.values():
        assert track.shape == (33,)
        assert track.min() >= 0
        assert track.max() <= 1


@pytest.mark.parametrize("action", list(Action))
def test_a_seed_is_a_take(action: Action) -> None:
    first, again, other = perform(action, 1), perform(action, 1), perform(action, 2)
    assert np.array_equal(first.yaw_deg, again.yaw_deg)
    assert first.facial.keys() == again.facial.keys()
    assert not np.array_equal(first.yaw_deg, other.yaw_deg)


def test_blinks_are_full_both_sided_and_at_human_speed() -> None:
    counts = set()
    for p in takes(Action.BLINK):
        left, right = p.facial["eyeBlinkLeft"], p.facial["eyeBlinkRight"]
        assert left.max() > 0.97
        assert right.max() > 0.97
        lengths = runs(left > 0.1)
        counts.add(len(lengths))
        assert all(2 <= n <= 10 for n in lengths), lengths  # 80 to 400 ms
    assert counts <= {1, 2, 3}
    assert len(counts) > 1


@pytest.mark.parametrize("action", [a for a in TEN if a is not Action.BLINK])
def test_spontaneous_blinks_are_rare_and_never_early(action: Action) -> None:
    blinked = 0
    for seed in range(60):
        track = perform(action, seed).facial.get("eyeBlinkLeft")
        if track is not None:
            blinked += 1
            assert track[:QUIET_START_FRAMES].max() == 0
    assert blinked < 20


def test_yaw_turns_both_ways_and_comes_back() -> None:
    for p in takes(Action.YAW):
        assert p.yaw_deg.max() > 18
        assert p.yaw_deg.min() < -18
        assert np.abs(p.yaw_deg).max() < 40
        assert abs(p.yaw_deg[-1]) < 6


def test_nod_goes_down_and_up() -> None:
    for p in takes(Action.NOD):
        assert -30 < p.pitch_deg.min() < -10
        assert 8 < p.pitch_deg.max() < 25


@pytest.mark.parametrize(("action", "sign"), [(Action.RIGHT_SLOPE, 1), (Action.LEFT_SLOPE, -1)])
def test_slopes_tilt_to_their_own_side(action: Action, sign: int) -> None:
    for p in takes(action):
        roll = sign * p.roll_deg
        assert 13 < roll.max() < 31
        assert roll.min() > -4
        assert np.abs(p.yaw_deg).max() < 7


def test_look_up_raises_the_head_only() -> None:
    for p in takes(Action.LOOK_UP):
        assert 13 < p.pitch_deg.max() < 31
        assert p.pitch_deg.min() > -4


def test_mouth_smile_and_surprise() -> None:
    assert all(p.facial["jawOpen"].max() > 0.7 for p in takes(Action.OPEN_MOUTH))
    assert all(p.facial["mouthSmileLeft"].max() > 0.55 for p in takes(Action.SMILE))
    for p in takes(Action.SURPRISE):
        assert p.facial["browInnerUp"].max() > 0.7
        assert p.facial["eyeWideLeft"].max() > 0.7
        assert 0.28 < p.facial["jawOpen"].max() < 0.65


def test_embarrassment_looks_down_and_aside_with_a_held_smile() -> None:
    for p in takes(Action.EMBARRASSMENT):
        apex = int(p.gaze_deg[:, 1].argmin())
        assert p.gaze_deg[apex, 1] < -12
        assert abs(p.gaze_deg[apex, 0]) > 3
        assert 0.2 < p.facial["mouthSmileLeft"].max() < 0.6
        assert p.pitch_deg.min() < -4


def test_talking_moves_the_mouth_often_and_the_head_little() -> None:
    for p in takes(Action.TALK):
        jaw = p.facial["jawOpen"]
        assert (np.diff(np.sign(np.diff(jaw))) < 0).sum() >= 2
        assert np.abs(p.yaw_deg).max() < 20


def test_random_frames_differ_and_half_of_each_factor_is_neutral() -> None:
    pools: dict[str, list[np.ndarray]] = {}
    for seed in range(40):
        p = perform_random(seed, 24)
        for name in ("jawOpen", "eyeBlinkLeft", "mouthSmileLeft", "browInnerUp"):
            pools.setdefault(name, []).append(p.facial.get(name, np.zeros(24)))
        pools.setdefault("yaw", []).append(p.yaw_deg / 35)
        pools.setdefault("roll", []).append(p.roll_deg / 28)
    for name, tracks in pools.items():
        values = np.abs(np.concatenate(tracks))
        assert 0.25 < (values < 0.08).mean() < 0.85, name
        assert values.max() > 0.85, name


@pytest.mark.parametrize("action", TEN)
def test_lively_people_do_the_same_action_with_other_movements(action: Action) -> None:
    for seed in SEEDS:
        p, again = perform_lively(action, seed), perform_lively(action, seed)
        assert p.lively
        assert not perform(action, seed).lively
        assert np.array_equal(p.yaw_deg, again.yaw_deg)
        assert all(t.min() >= 0 and t.max() <= 1 for t in p.facial.values())
        blinks = p.facial.get("eyeBlinkLeft", np.zeros(1))
        assert action is not Action.BLINK or blinks.max() == pytest.approx(1, abs=0.02)


def test_lively_people_sway_as_much_as_recorded_ones() -> None:
    sway = []
    for seed in range(60):
        p = perform_lively(Action.SMILE, seed)
        sway.append([track.std() for track in (p.yaw_deg, p.pitch_deg, p.roll_deg)])
    median = np.median(sway, axis=0)
    assert (np.abs(np.log2(median / SWAY_DEG)) < 0.4).all(), median
    assert (np.max(sway, axis=0) < 2.2 * MOST_RESTLESS * np.array(SWAY_DEG)).all()
    starts = np.array([perform_lively(Action.SMILE, seed).pitch_deg[0] for seed in range(60)])
    assert 4 < starts.std() < 11  # they do not begin straight before the camera


def test_lively_people_talk_louder_and_act_less_widely() -> None:
    def extents(does: Callable[[Action, int], Performance], action: Action, name: str) -> float:
        return float(np.median([does(action, seed).facial[name].max() for seed in SEEDS]))

    assert extents(perform_lively, Action.TALK, "jawOpen") > extents(
        perform, Action.TALK, "jawOpen"
    )
    wide, less = (
        np.median([np.ptp(does(Action.NOD, seed).pitch_deg) for seed in SEEDS])
        for does in (perform, perform_lively)
    )
    assert 0.6 * wide < less < wide


def test_what_people_do_beside_the_action_is_what_they_do_as_far_as_on_request() -> None:
    still = perform(Action.OPEN_MOUTH, 1)
    rest = np.zeros(len(still))
    swing = 11 * np.sin(np.linspace(0, 2 * np.pi, len(still)))  # up by 11 degrees, down by 22
    plain = replace(still, yaw_deg=rest, pitch_deg=rest, roll_deg=rest, facial={})
    assert done_beside(plain) == frozenset()
    shut = {"eyeBlinkLeft": rest + 1, "eyeBlinkRight": rest + 1}
    assert done_beside(replace(plain, facial=shut)) == {Action.BLINK}
    assert done_beside(replace(plain, facial={"eyeBlinkLeft": rest + 1})) == frozenset()  # a wink
    assert done_beside(replace(plain, pitch_deg=swing)) == {Action.NOD}
    assert done_beside(replace(plain, pitch_deg=-swing)) == {Action.NOD}
    assert done_beside(replace(plain, pitch_deg=np.linspace(0, 12, 50))) == {Action.LOOK_UP}
    assert done_beside(replace(plain, pitch_deg=np.linspace(0, 9, 50))) == frozenset()
    assert done_beside(replace(plain, yaw_deg=1.5 * swing)) == {Action.YAW}
    assert done_beside(replace(plain, roll_deg=np.linspace(0, 12, 50))) == {Action.RIGHT_SLOPE}
    assert done_beside(replace(plain, facial={"mouthSmileLeft": rest + 0.3})) == {Action.SMILE}
    for action in TEN:  # the action itself, and what it moves, is never beside it
        assert action not in done_beside(perform(action, 3))
    assert Action.NOD not in done_beside(replace(perform(Action.EMBARRASSMENT, 3), pitch_deg=swing))
