"""Performances of an actor: the ten actions, talking, and free movement for training."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dfmnist.core.actions import Action
from dfmnist.core.arrays import Floats

RANDOM = "random"
"""Value of `Performance.action` for free movement."""
QUIET_START_FRAMES = 4
"""Number of first frames without a spontaneous blink; the source frame is chosen there."""
PAIRS = ("eyeBlink", "mouthSmile", "cheekSquint", "browOuterUp", "browDown", "eyeWide", "eyeSquint",
         "mouthStretch", "mouthFrown", "mouthPress", "mouthDimple", "mouthUpperUp",
         "mouthLowerDown", "noseSneer")  # fmt: skip
"""Facial actions that ARKit has for each side, without `Left` or `Right`."""


@dataclass(frozen=True, eq=False)
class Performance:
    """Head pose, facial actions and gaze in each of n frames."""

    yaw_deg: Floats
    """Yaw of the head, (n,); positive to the person's left (the image's right)."""
    pitch_deg: Floats
    """Pitch of the head, (n,); positive is up."""
    roll_deg: Floats
    """Roll of the head, (n,); positive to the person's right shoulder (the image's left)."""
    facial: dict[str, Floats]
    """Facial actions by ARKit name, (n,) each, 0 to 1; a missing name is 0."""
    gaze_deg: Floats
    """Yaw and pitch of the eyes within the head, (n, 2), with the signs of the head's."""
    sway_m: Floats
    """Shift of the head with the body, (n, 3)."""
    action: str
    seed: int
    fps: int = 25
    lively: bool = False
    """True for a performance with natural co-movement (`perform_lively`)."""

    def __len__(self) -> int:
        return len(self.yaw_deg)


@dataclass
class _Take:
    """A performance under construction, with tracks that grow by additions."""

    n: int
    fps: int
    rng: np.random.Generator
    yaw: Floats = field(init=False)
    pitch: Floats = field(init=False)
    roll: Floats = field(init=False)
    gaze: Floats = field(init=False)
    sway: Floats = field(init=False)
    facial: dict[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.yaw, self.pitch, self.roll = np.zeros((3, self.n))
        self.gaze = np.zeros((self.n, 2))
        self.sway = np.zeros((self.n, 3))

    def add(self, name: str, track: Floats) -> None:
        """Add `track` to a facial action, or to both sides of one of `PAIRS`."""
        names = [name + "Left", name + "Right"] if name in PAIRS else [name]
        for one in names:
            self.facial[one] = self.facial.get(one, np.zeros(self.n)) + track

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def seconds(self) -> Floats:
        return np.arange(self.n) / self.fps


def min_jerk(t: Floats) -> Floats:
    """Minimum-jerk curve from 0 to 1 as `t` goes from 0 to 1 (Flash and Hogan 1985, eq. 4)."""
    t = np.clip(t, 0.0, 1.0)
    return np.asarray(t**3 * (10 - 15 * t + 6 * t * t))


def pulse(seconds: Floats, start: float, onset: float, hold: float, offset: float) -> Floats:
    """Pulse that rises to 1 within `onset`, holds for `hold` and falls to 0 within `offset`.

    All times are in seconds.
    """
    rise = min_jerk((seconds - start) / onset)
    fall = min_jerk((seconds - start - onset - hold) / offset)
    return rise - fall


def smooth_noise(rng: np.random.Generator, n: int, knot_frames: float) -> Floats:
    """Smooth noise (n,) with a standard deviation of about 1 and a knot every `knot_frames`."""
    knots = rng.normal(size=int(n / knot_frames) + 4)
    at = np.arange(n) / knot_frames + 1 + rng.random()
    low = np.minimum(at.astype(int), len(knots) - 2)
    return np.asarray(knots[low] + (knots[low + 1] - knots[low]) * min_jerk(at - low))


def perform(action: Action | str, seed: int, num_frames: int = 50, fps: int = 25) -> Performance:
    """Performance of `action`, with random amplitude, timing and repetition for each seed.

    It starts near neutral, moves with minimum-jerk onset and offset, and returns to neutral if the
    clip is long enough. `fps` is an integer: actors are filmed at 25.
    """
    action = Action(action)
    order = list(Action).index(action)
    take = _Take(num_frames, fps, np.random.default_rng([seed, 0x9E2F, order]))
    _natural(take)
    _PERFORM[action](take)
    if action is not Action.BLINK and num_frames > 10:
        _spontaneous_blinks(take, 0.9 if action is Action.TALK else 0.12)
    return _finish(take, action.value, seed)


def perform_lively(
    action: Action | str, seed: int, num_frames: int = 50, fps: int = 25
) -> Performance:
    """Performance of `action` by a person who does not hold still: `perform` with co-movement.

    The action is smaller (`EXTENT` of that in `perform`), the head begins turned away from the
    camera and sways, brows and lips move, the eyes wander and blink. Amplitudes are those of
    recorded people (`SWAY_DEG`, `START_DEG`, `BLINKS_PER_S`). The same seed gives the same result.
    """
    action = Action(action)
    order = list(Action).index(action)
    take = _Take(num_frames, fps, np.random.default_rng([seed, 0x11FE, order]))
    _PERFORM[action](take)
    if action is Action.TALK:
        _scale_face(take, take.uniform(*TALK_EXTENT))
    else:
        share = take.uniform(*EXTENT)
        take.yaw, take.pitch, take.roll = (share * a for a in (take.yaw, take.pitch, take.roll))
        take.gaze *= share
        _scale_face(take, share)
    _co_movement(take)
    _spontaneous_blinks(take, 2 * BLINKS_PER_S)
    return replace(_finish(take, action.value, seed), lively=True)


EXTENT = (0.7, 1.0)
"""Extent of an action in `perform_lively` relative to `perform`. Recorded people nod by 10 to 14
degrees and turn by 8 to 23 to each side, where `perform` has 14 to 25 and 22 to 35."""
TALK_EXTENT = (1.0, 1.8)
"""The same for the face of those who talk: a newsreader's mouth opens by 0.19 to 0.27 of its width
within 2 s, that of the actors in `perform` by 0.09 to 0.18."""
SWAY_DEG = (1.0, 1.0, 0.5)
"""Median standard deviation of yaw, pitch and roll within 2 s beside an action, in degrees. Of nine
recorded people who do something else or talk, the medians are 1.0, 0.9 and 0.4, the largest 2.6,
3.5 and 3.7, and the logarithms deviate by 0.8 to 1.0: the head poses of four motion templates of
LivePortrait, and five public videos of faces."""
RESTLESS = 0.7
"""Standard deviation of the logarithm of a person's own share of `SWAY_DEG`."""
MOST_RESTLESS = 3.5
"""Largest such share."""
WITHIN_2_S = 0.65
"""Standard deviation of `smooth_noise` with a knot every 0.5 s within 2 s, where it is 1 in all."""
START_DEG = (4.5, 7.0, 1.5)
"""Root mean square of the yaw, pitch and roll in which these people hold the head, in degrees."""
BLINKS_PER_S = 26 / 60
"""Rate of spontaneous blinks in conversation (Bentivoglio et al. 1997: 26 a minute)."""


LEAST_SHUT = 0.9
"""Share of a complete blink from which on lids count as shut."""
LEAST_EXTENT = {Action.YAW: 22.0, Action.NOD: 14.0, Action.RIGHT_SLOPE: 16.0,
                Action.LEFT_SLOPE: 16.0, Action.LOOK_UP: 16.0, Action.SMILE: 0.28}  # fmt: skip
"""The smallest extent of an action in `perform`: angles in degrees, and for a smile the share of
`mouthSmile` in an embarrassment, which contains a smile."""
MOVES: dict[Action, frozenset[str]] = {
    Action.BLINK: frozenset({"lids"}),
    Action.YAW: frozenset({"yaw"}),
    Action.NOD: frozenset({"pitch"}),
    Action.RIGHT_SLOPE: frozenset({"roll"}),
    Action.LEFT_SLOPE: frozenset({"roll"}),
    Action.LOOK_UP: frozenset({"pitch"}),
    Action.SMILE: frozenset({"smile"}),
    Action.EMBARRASSMENT: frozenset({"pitch", "yaw", "smile"}),
    Action.TALK: frozenset({"smile"}),
}
"""What an action moves by itself. That is never another action: who nods does not also look up."""


def done_beside(performance: Performance) -> frozenset[Action]:
    """The actions that the person of a `perform`ance also does, beside the one requested.

    They come from co-movement: natural blinks, restless heads, faint smiles. An action counts if it
    is as large as the smallest one that `perform_lively` makes on request (`LEAST_EXTENT` times
    the lower end of `EXTENT`); a blink counts if both lids shut.
    """
    moved = MOVES.get(Action(performance.action), frozenset())
    least = {action: EXTENT[0] * extent for action, extent in LEAST_EXTENT.items()}
    rest = np.zeros(len(performance))
    lids = np.minimum(*(performance.facial.get(f"eyeBlink{s}", rest) for s in ("Left", "Right")))
    yaw = performance.yaw_deg - performance.yaw_deg[0]
    roll = performance.roll_deg - performance.roll_deg[0]
    fallen = np.maximum.accumulate(performance.pitch_deg) - performance.pitch_deg
    back = np.maximum.accumulate(performance.pitch_deg[::-1])[::-1] - performance.pitch_deg
    risen = performance.pitch_deg - np.minimum.accumulate(performance.pitch_deg)
    nods = np.minimum(fallen, back).max() >= least[Action.NOD]
    done = {
        Action.BLINK: ("lids", lids.max() >= LEAST_SHUT),
        Action.YAW: ("yaw", min(yaw.max(), -yaw.min()) >= least[Action.YAW]),
        Action.NOD: ("pitch", nods),
        Action.LOOK_UP: ("pitch", not nods and risen.max() >= least[Action.LOOK_UP]),
        Action.RIGHT_SLOPE: ("roll", roll.max() >= least[Action.RIGHT_SLOPE]),
        Action.LEFT_SLOPE: ("roll", -roll.min() >= least[Action.LEFT_SLOPE]),
        Action.SMILE: (
            "smile", performance.facial.get("mouthSmileLeft", rest).max() >= least[Action.SMILE]
        ),
    }  # fmt: skip
    return frozenset(a for a, (part, seen) in done.items() if part not in moved and seen)


def _scale_face(take: _Take, share: float) -> None:
    """Multiply the facial actions by `share`; blinks stay complete."""
    for name, track in take.facial.items():
        if not name.startswith("eyeBlink"):
            take.facial[name] = share * track


def _co_movement(take: _Take) -> None:
    """Add what people do beside an action: a pose of their own, sway, coupling, lips and brows."""
    rng, knot = take.rng, 0.5 * take.fps
    head = np.stack([take.yaw, take.pitch, take.roll])
    coupling = rng.normal(0, 0.12, (3, 3)) * (1 - np.eye(3))  # a turn also tilts, and so on
    sway = np.array(SWAY_DEG) * np.minimum(np.exp(rng.normal(0, RESTLESS, 3)), MOST_RESTLESS)
    noise = np.stack([smooth_noise(rng, take.n, knot) for _ in range(3)])
    start = rng.normal(0, START_DEG)
    head = head + coupling @ head + sway[:, None] / WITHIN_2_S * noise + start[:, None]
    take.yaw, take.pitch, take.roll = head
    take.sway += 0.002 * np.stack([smooth_noise(rng, take.n, knot) for _ in range(3)], 1)
    wander = np.repeat(rng.normal(0, 1, (take.n // 12 + 2, 2)) * (4, 2), 12, axis=0)[: take.n]
    take.gaze += wander
    restless = float(min(np.exp(rng.normal(0, RESTLESS)), MOST_RESTLESS))
    for name, most in (("browInnerUp", 0.08), ("browOuterUp", 0.06), ("browDown", 0.08),
                       ("eyeSquint", 0.06), ("mouthPress", 0.1), ("mouthStretch", 0.05),
                       ("mouthSmile", 0.05), ("jawOpen", 0.02)):  # fmt: skip
        activity = np.clip(smooth_noise(rng, take.n, knot), 0, None)
        take.add(name, restless * most * activity)


def _finish(take: _Take, action: str, seed: int) -> Performance:
    facial = {k: np.clip(v, 0.0, 1.0) for k, v in sorted(take.facial.items()) if np.any(v)}
    return Performance(
        take.yaw, take.pitch, take.roll, facial, take.gaze, take.sway, action, seed, take.fps
    )


def _natural(take: _Take) -> None:
    """Add the small movements of a person at rest: a sway of a degree, and wandering eyes.

    They include the pose at the start, which has the same distribution for every action.
    """
    rng, knot = take.rng, 0.7 * take.fps
    take.yaw += rng.normal(0, 0.7) + 0.45 * smooth_noise(rng, take.n, knot)
    take.pitch += rng.normal(0, 0.7) + 0.45 * smooth_noise(rng, take.n, knot)
    take.roll += rng.normal(0, 0.5) + 0.35 * smooth_noise(rng, take.n, knot)
    take.sway += 0.0012 * np.stack([smooth_noise(rng, take.n, 1.1 * take.fps) for _ in range(3)], 1)
    jump = np.repeat(rng.normal(0, 0.8, (take.n // 8 + 2, 2)), 8, axis=0)
    take.gaze += jump[rng.integers(8) :][: take.n]
    take.add("mouthPress", np.full(take.n, max(0.0, rng.normal(0.03, 0.04))))
    take.add("browInnerUp", np.clip(0.03 * smooth_noise(rng, take.n, knot), 0, 0.1))


def _blink(take: _Take, start: float, strength: float = 1.0, slow: float = 1.0) -> None:
    """Add a blink: it closes in 70 to 110 ms, holds 20 to 120 ms, opens in 120 to 200 ms."""
    shape = strength * pulse(
        take.seconds(),
        start,
        take.uniform(0.07, 0.11) * slow,
        take.uniform(0.02, 0.12) * slow,
        take.uniform(0.12, 0.20) * slow,
    )
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        take.facial[name] = np.maximum(take.facial.get(name, np.zeros(take.n)), shape)
    take.gaze[:, 1] -= 2.0 * shape


def _spontaneous_blinks(take: _Take, per_clip: float) -> None:
    """Add random blinks, `per_clip` of them on average in 50 frames, none in the first frames."""
    for _ in range(int(take.rng.poisson(per_clip * take.n / 50))):
        first = QUIET_START_FRAMES / take.fps
        latest = max(first + 0.01, take.n / take.fps - 0.4)
        _blink(take, take.uniform(first, latest))


def _slots(take: _Take, count: int, length_s: tuple[float, float]) -> list[tuple[float, float]]:
    """Time slots (start, length) within the clip, `count` in order, of about `length_s` seconds."""
    total = take.n / take.fps
    lead = take.uniform(0.16, 0.30) * min(1.0, total / 2)
    room = (total - lead - 0.12 * min(1.0, total / 2)) / count
    slots = []
    for i in range(count):
        length = min(take.uniform(*length_s), room)
        slots.append((lead + i * room + take.uniform(0, room - length), length))
    return slots


def _do_blink(take: _Take) -> None:
    count = int(take.rng.choice([1, 2, 3], p=[0.3, 0.45, 0.25]))
    count = max(1, min(count, int(take.n / take.fps / 0.5)))
    for start, length in _slots(take, count, (0.3, 0.42)):
        _blink(take, start, slow=min(1.0, length / 0.34))


def _do_open_mouth(take: _Take) -> None:
    count = int(take.rng.choice([1, 2], p=[0.65, 0.35]))
    for start, length in _slots(take, count, (1.2, 1.6) if count == 1 else (0.7, 0.8)):
        on, off = take.uniform(0.26, 0.36), take.uniform(0.26, 0.38)
        shape = take.uniform(0.72, 1.0) * pulse(
            take.seconds(), start, on * length, (1 - on - off) * length, off * length
        )
        take.add("jawOpen", shape)
        take.add("mouthLowerDown", 0.25 * shape)
        take.add("mouthUpperUp", 0.12 * shape)
        take.add("browInnerUp", take.uniform(0, 0.2) * shape)
        take.pitch += take.uniform(0, 3) * shape


def _do_yaw(take: _Take) -> None:
    side = take.rng.choice([-1.0, 1.0])
    first, second = _slots(take, 2, (0.8, 0.95))
    for sign, (start, length) in ((side, first), (-side, second)):
        on, off = take.uniform(0.34, 0.42), take.uniform(0.34, 0.42)
        shape = pulse(take.seconds(), start, on * length, (1 - on - off) * length, off * length)
        amplitude = sign * take.uniform(22, 35)
        take.yaw += amplitude * shape
        take.roll += take.uniform(-0.06, 0.06) * amplitude * shape
        take.gaze[:, 0] += take.uniform(-0.35, 0.15) * amplitude * shape


def _do_nod(take: _Take) -> None:
    count = int(take.rng.choice([1, 2], p=[0.4, 0.6]))
    up_first = take.rng.random() < 0.2
    for start, length in _slots(take, count, (1.3, 1.6) if count == 1 else (0.75, 0.85)):
        down, up = -take.uniform(14, 25), take.uniform(12, 18)
        half = length / 2
        parts = [(up, start), (down, start + half)] if up_first else [
            (down, start), (up, start + half)]  # fmt: skip
        for amplitude, begin in parts:
            shape = pulse(take.seconds(), begin, 0.46 * half, 0.08 * half, 0.46 * half)
            take.pitch += amplitude * shape
            take.gaze[:, 1] -= take.uniform(0.2, 0.5) * amplitude * shape


def _slope(take: _Take, sign: float) -> None:
    count = int(take.rng.choice([1, 2], p=[0.7, 0.3]))
    for start, length in _slots(take, count, (1.3, 1.6) if count == 1 else (0.75, 0.85)):
        on, off = take.uniform(0.3, 0.4), take.uniform(0.3, 0.4)
        shape = pulse(take.seconds(), start, on * length, (1 - on - off) * length, off * length)
        amplitude = take.uniform(16, 28)
        take.roll += sign * amplitude * shape
        take.yaw += take.uniform(-2, 2) * shape
        take.sway[:, 0] -= sign * 0.006 * shape


def _do_right_slope(take: _Take) -> None:
    _slope(take, 1.0)


def _do_left_slope(take: _Take) -> None:
    _slope(take, -1.0)


def _do_look_up(take: _Take) -> None:
    ((start, length),) = _slots(take, 1, (1.2, 1.65))
    on, off = take.uniform(0.28, 0.38), take.uniform(0.28, 0.38)
    shape = pulse(take.seconds(), start, on * length, (1 - on - off) * length, off * length)
    take.pitch += take.uniform(16, 28) * shape
    take.gaze[:, 1] += take.uniform(2, 14) * shape
    take.add("browInnerUp", take.uniform(0, 0.3) * shape)
    take.add("browOuterUp", take.uniform(0, 0.2) * shape)


def _do_smile(take: _Take) -> None:
    ((start, length),) = _slots(take, 1, (1.3, 1.7))
    on, off = take.uniform(0.25, 0.36), take.uniform(0.28, 0.38)
    shape = pulse(take.seconds(), start, on * length, (1 - on - off) * length, off * length)
    strength = take.uniform(0.6, 1.0)
    open_lips = take.uniform(0, 1)
    take.add("mouthSmile", strength * shape)
    take.add("cheekSquint", 0.6 * strength * shape)
    take.add("eyeSquint", take.uniform(0.15, 0.5) * strength * shape)
    take.add("mouthUpperUp", 0.35 * open_lips * shape)
    take.add("mouthLowerDown", 0.25 * open_lips * shape)
    take.add("jawOpen", 0.10 * open_lips * shape)
    take.pitch += take.uniform(-2, 2) * shape


def _do_surprise(take: _Take) -> None:
    ((start, length),) = _slots(take, 1, (1.2, 1.6))
    on, off = take.uniform(0.16, 0.24), take.uniform(0.3, 0.4)
    shape = pulse(take.seconds(), start, on * length, (1 - on - off) * length, off * length)
    strength = take.uniform(0.8, 1.0)
    take.add("browInnerUp", strength * shape)
    take.add("browOuterUp", strength * shape)
    take.add("eyeWide", strength * shape)
    take.add("jawOpen", take.uniform(0.32, 0.6) * shape)
    take.add("mouthFunnel", take.uniform(0, 0.25) * shape)
    take.pitch += take.uniform(0, 4) * shape


def _do_embarrassment(take: _Take) -> None:
    ((start, length),) = _slots(take, 1, (1.5, 1.75))
    on, off = take.uniform(0.28, 0.36), take.uniform(0.22, 0.3)
    t = take.seconds()
    side = take.rng.choice([-1.0, 1.0])
    shape = pulse(t, start, on * length, (1 - on - off) * length, off * length)
    late = pulse(t, start + 0.12, on * length, (0.9 - on - off) * length, off * length)
    eyes = pulse(t, start, 0.16, length - 0.36, 0.2)
    take.gaze += np.stack([side * take.uniform(6, 18) * eyes, -take.uniform(16, 26) * eyes], 1)
    take.yaw += side * take.uniform(7, 15) * late
    take.pitch -= take.uniform(6, 13) * late
    take.roll += take.uniform(-6, 6) * late
    take.add("mouthSmile", take.uniform(0.28, 0.5) * shape)
    take.add("mouthPress", take.uniform(0.4, 0.9) * shape)
    take.add("mouthRollLower", take.uniform(0.1, 0.5) * shape)
    take.add("cheekSquint", take.uniform(0.1, 0.3) * shape)
    take.add("browInnerUp", take.uniform(0, 0.35) * shape)


VISEMES: tuple[dict[str, float], ...] = (
    {"jawOpen": 0.42, "mouthLowerDown": 0.2},
    {"jawOpen": 0.24, "mouthStretch": 0.3, "mouthUpperUp": 0.12},
    {"jawOpen": 0.20, "mouthFunnel": 0.55},
    {"jawOpen": 0.08, "mouthPucker": 0.65},
    {"mouthPress": 0.5, "mouthRollLower": 0.25},
    {"jawOpen": 0.08, "mouthRollLower": 0.35, "mouthUpperUp": 0.2},
    {"jawOpen": 0.14, "mouthLowerDown": 0.3, "mouthSmile": 0.15},
    {"jawOpen": 0.30, "mouthUpperUp": 0.1},
    {"jawOpen": 0.05},
)
"""Nine mouth shapes of speech: a, e, o, u, m, f, s, eh, rest."""


def _do_talk(take: _Take) -> None:
    rng, t = take.rng, take.seconds()
    loud = take.uniform(0.7, 1.15)
    at = take.uniform(0.1, 0.25)
    end = t[-1] - 0.05 if take.n > 1 else 0.0
    while at < end:
        length = take.uniform(0.13, 0.24)
        pause = rng.random() < 0.08
        shape = pulse(t, at - 0.05, 0.5 * length, 0.1 * length, 0.6 * length)
        if not pause:
            for name, value in VISEMES[rng.integers(len(VISEMES))].items():
                take.add(name, loud * value * take.uniform(0.7, 1.1) * shape)
        at += length * (2.5 if pause else 0.75)
    gate = min_jerk(t / 0.4)
    knot = 0.45 * take.fps
    take.yaw += gate * take.uniform(1.5, 4.5) * smooth_noise(rng, take.n, knot)
    take.pitch += gate * take.uniform(1.0, 2.8) * smooth_noise(rng, take.n, knot)
    take.roll += gate * take.uniform(0.8, 2.2) * smooth_noise(rng, take.n, knot)
    look = np.repeat(rng.normal(0, 1, (take.n // 14 + 2, 2)) * (6, 2.5), 14, axis=0)[: take.n]
    take.gaze += gate[:, None] * look
    brows = np.clip(smooth_noise(rng, take.n, knot), 0, 2) * take.uniform(0.05, 0.22) * gate
    take.add("browInnerUp", brows)
    take.add("browOuterUp", 0.7 * brows)
    take.add("mouthSmile", np.clip(take.uniform(-0.1, 0.25), 0, 1) * gate)


_PERFORM = {
    Action.BLINK: _do_blink,
    Action.OPEN_MOUTH: _do_open_mouth,
    Action.YAW: _do_yaw,
    Action.NOD: _do_nod,
    Action.RIGHT_SLOPE: _do_right_slope,
    Action.LEFT_SLOPE: _do_left_slope,
    Action.LOOK_UP: _do_look_up,
    Action.SMILE: _do_smile,
    Action.SURPRISE: _do_surprise,
    Action.EMBARRASSMENT: _do_embarrassment,
    Action.TALK: _do_talk,
}


def perform_random(seed: int, n: int, fps: int = 25, *, far: bool = False) -> Performance:
    """Free movement of `n` frames to train the motion model on, each factor on its own track.

    A track holds a value for a few frames and then moves to the next. About half of the values are
    neutral, so that each factor's effect is also seen alone, and any two frames differ a lot. With
    `far` the head turns by up to 44 degrees (without, 35) and leans by 35, and lips part over the
    teeth more often.
    """
    reach = 1.25 if far else 1.0
    take = _Take(n, fps, np.random.default_rng([seed, 0x7A5D]))

    def track(low: float, high: float, neutral: float = 0.5, **hold: Any) -> Floats:
        return _holds(take.rng, n, low, high, neutral, **hold)

    _natural(take)
    take.yaw += track(-35 * reach, 35 * reach, 0.42)
    take.pitch += track(-25 * reach, 25 * reach, 0.45)
    take.roll += track(-28 * reach, 28 * reach, 0.5)
    take.gaze += np.stack([track(-24, 24), track(-20, 14)], 1)
    take.sway += np.stack([track(-0.02, 0.02, 0.3) for _ in range(3)], 1)
    blink = track(0.25, 1.15, 0.58, frames=(1, 4))
    uneven = track(-0.5, 0.5, 0.85)
    take.add("eyeBlinkLeft", np.clip(blink + uneven * (blink > 0.1), 0, 1))
    take.add("eyeBlinkRight", np.clip(blink - uneven * (blink > 0.1), 0, 1))
    take.add("eyeWide", track(0.3, 1, 0.75))
    take.add("eyeSquint", track(0.2, 1, 0.8))
    take.add("jawOpen", track(0.1, 1.0, 0.5))
    take.add("mouthSmile", track(0.2, 1.0, 0.6))
    brows = track(0.2, 1.0, 0.6)
    take.add("browInnerUp", brows + track(0.2, 0.8, 0.85))
    take.add("browOuterUp", brows)
    take.add("browDown", track(0.2, 1.0, 0.8) * (brows < 0.1))
    for name in ("mouthPucker", "mouthFunnel", "mouthPress", "mouthRollLower", "mouthFrown",
                 "mouthStretch", "mouthUpperUp", "mouthLowerDown", "mouthLeft", "mouthRight",
                 "cheekSquint", "jawLeft", "jawRight", "noseSneer", "cheekPuff"):  # fmt: skip
        take.add(name, track(0.2, 0.9, 0.84))
    if far:
        take.add("mouthUpperUp", track(0.1, 0.7, 0.5))
        take.add("mouthLowerDown", track(0.1, 0.7, 0.6))
        take.add("tongueOut", track(0.1, 0.5, 0.93))
    return _finish(take, RANDOM, seed)


def _holds(
    rng: np.random.Generator,
    n: int,
    low: float,
    high: float,
    neutral: float,
    frames: tuple[int, int] = (2, 7),
) -> Floats:
    """Track (n,) of random values from `low` to `high`, held and joined by smooth moves.

    A share `neutral` of the values is 0; each is held for a number of frames within `frames`.
    """
    count = n // (frames[0] + 1) + 3
    values = np.where(rng.random(count) < neutral, 0.0, rng.uniform(low, high, count))
    starts = np.cumsum(rng.integers(frames[0], frames[1] + 1, count) + 2)
    starts = starts - starts[0] - rng.integers(0, frames[0] + 3)
    result = np.full(n, values[0])
    for i in range(1, count):
        glide = min_jerk((np.arange(n) - (starts[i] - 2)) / 3)
        result += glide * (values[i] - values[i - 1])
    return result
