"""Movement of a face over a clip: how far head, eyes, mouth, brows and gaze move.

All measures are changes from the person's own neutral, which is estimated from the whole clip: a
face that is stern, open-mouthed or tilted at rest does not count as an action, and a clip may begin
in the middle of one.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, median_filter

from dfmnist.core.arrays import Floats
from dfmnist.faces.pose import Signals

HALF_SHUT = 0.6
"""Share of the open eye's opening below which an eye counts as shut."""
REST_DEG = 3.0
"""Distance in degrees from the neutral pose at which a frame counts half towards it."""
USUAL_YAW_DEG, USUAL_ROLL_DEG = 5.0, 4.0
"""Spread in degrees of the yaw and roll in which people hold the head towards a camera. Measured:
root mean squares of 5 and 1.5 in six public videos of faces."""
USUAL_WEIGHT = 0.25
"""Weight of that expectation, in shares of the clip's frames."""
RESTING_PERCENTILE = 10.0
"""Percentile over time of mouth, brows and gaze that counts as their neutral: what an action does
to them is a rise, and one that fills the clip leaves this share of it at rest."""
EYE_WIDTH = 0.3
"""Width of an eye in distances between the outer eye corners (`faces.pose`)."""
NARROW_PERCENTILE = 25.0
"""Percentile over the frames with open eyes of their opening, from which a rise of the lids is
measured."""
BLINK_S = 0.5
"""Longest time in seconds for which shut eyes are a blink, and in which eyes shut or open in one.
The gaze is not measured then: lids that fall carry the visible iris down."""
SMILE_S = 0.4
"""Time in seconds, in total, for which a smile must be held to count."""
SMILE_RESTS = 20.0
"""Percentile over time of the mouth's width and corners from which a smile is measured: nearer to
the middle of a rest, and so less moved by noise, than `RESTING_PERCENTILE`."""
CORNERS_PER_WIDTH = 1.25
"""Rise of the mouth's corners that goes with a widening of 1, both in the units of `Signals`."""
EMBARRASSED = {"lowered_aside_deg": 10.0, "gaze_down_wide": 0.1, "corner_lift": 0.05}
"""The extents of a plain embarrassment: those which `Movement.embarrassed` is relative to."""
START_S = 0.2
"""Seconds at the start that speak for the neutral pose beside the whole clip: who is asked to do
something begins at rest."""
START_WEIGHT = 0.25
"""Weight of the start, in shares of the clip's frames."""


@dataclass(frozen=True)
class Movement:
    """The extent of each movement in a clip, in degrees (head) or in the units of `Signals`."""

    yaw_both_deg: float
    """The smaller of the turns to both sides: from the neutral, from the camera's direction (a turn
    from left to right is one), or from the middle of a turn that is made three times (a shake)."""
    yaw_range_deg: float
    pitch_rise_deg: float
    """The largest angle by which the head rises, from wherever it is held: cameras stand at any
    height, so that no angle is neutral for all."""
    lowered_aside_deg: float
    """The largest angle by which the head both turns to a side and falls, from any time to a later
    one."""
    pitch_dip_deg: float
    """The largest angle by which the head falls and then rises again."""
    pitch_range_deg: float
    roll_right_deg: float
    roll_left_deg: float
    roll_range_deg: float
    eye_closure: float
    """How far both eyes closed and opened again, each within `BLINK_S`: 0 means as open as ever, 1
    closed. Eyes that are cast down, or half shut for longer, close by nothing."""
    mouth_opening: float
    mouth_open_s: float
    """Time for which the mouth was open by more than half of its widest opening, in seconds."""
    mouth_speed: float
    """Mean speed of the mouth's opening and closing, 1/s."""
    mouth_widening: float
    corner_lift: float
    """Rise of the mouth's corners while the mouth is wide."""
    raise_open: float
    """Rise of the brows, and twice that of the lids, from rest to an open mouth, in distances
    between the outer eye corners. An opening jaw pulls the brows' skin too, but not the lids."""
    gaze_down_wide: float
    """Lowering of the gaze while the mouth is wide, other than by a blink."""
    smile: float
    """Rise of the mouth's corners and widening of the mouth, whichever is less in its own units, at
    the same time and for `SMILE_S` in total."""
    embarrassed: float
    """Lowering of the head to a side, of the gaze, and lifting of the corners, as the geometric
    mean of their shares of `EMBARRASSED`: the mesh of a head that is turned and lowered shows
    hardly more than two of the three."""

    def values(self) -> dict[str, float]:
        """The measures by name."""
        return {f.name: float(getattr(self, f.name)) for f in fields(self)}


def movement(signals: Signals, fps: float) -> Movement:
    """The movement in a clip whose face was found in at least one frame."""
    yaw_deg, pitch, roll_deg = map(_steady, (signals.yaw_deg, signals.pitch_deg, signals.roll_deg))
    start = max(1, round(START_S * fps))
    yaw = yaw_deg - neutral_pose(yaw_deg, USUAL_YAW_DEG, start)
    roll = roll_deg - neutral_pose(roll_deg, USUAL_ROLL_DEG, start)
    least_shut = _openness(signals)
    mouth, width = _rise(signals.mouth_open), _rise(signals.mouth_width)
    gaze_down = np.where(_blinking(least_shut, fps), np.nan, signals.gaze_down)
    shy = {
        "lowered_aside_deg": _lowered_aside(yaw, pitch),
        "gaze_down_wide": _rise_during(gaze_down, width),
        "corner_lift": _rise_during(signals.mouth_corner_lift, width),
    }
    return Movement(
        yaw_both_deg=max(
            min(_most(yaw), _most(-yaw)), min(_most(yaw_deg), _most(-yaw_deg)), _swing(yaw) / 2
        ),
        yaw_range_deg=float(np.ptp(yaw)),
        pitch_rise_deg=_rise_over_time(pitch),
        pitch_dip_deg=_dip(pitch),
        pitch_range_deg=float(np.ptp(pitch)),
        roll_right_deg=_most(roll),
        roll_left_deg=_most(-roll),
        roll_range_deg=float(np.ptp(roll)),
        eye_closure=_closure(least_shut, fps),
        mouth_opening=_most(mouth),
        mouth_open_s=_held_s(mouth, fps),
        mouth_speed=float(np.abs(np.diff(mouth)).mean() * fps) if len(mouth) > 1 else 0.0,
        mouth_widening=_most(width),
        raise_open=_raise_during(signals, mouth),
        smile=_smile(signals, fps),
        embarrassed=float(np.cbrt(np.prod([shy[k] / full for k, full in EMBARRASSED.items()]))),
        **shy,
    )


def neutral_pose(track_deg: Floats, usual_deg: float, start: int = 1) -> float:
    """The person's neutral angle in a track (n,) in degrees: where the head is held longest.

    It is the frame's value with the largest support. Each frame supports the angles near it
    (Geman and McClure's kernel of width `REST_DEG`); so does the median of the first `start`
    frames, with the weight `START_WEIGHT` of the clip, and the camera's direction, 0, supports
    those within about `usual_deg` with the weight `USUAL_WEIGHT`.
    """
    support = _near(track_deg[:, None] - track_deg).mean(axis=1)
    begun = START_WEIGHT * _near(track_deg - float(np.median(track_deg[:start])))
    expected = USUAL_WEIGHT / (1 + (track_deg / usual_deg) ** 2)
    return float(track_deg[int((support + begun + expected).argmax())])


def _near(apart_deg: Floats) -> Floats:
    return np.asarray(1 / (1 + (apart_deg / REST_DEG) ** 2))


def filled(track: Floats) -> Floats:
    """`track` (n,) with NaN replaced by linear interpolation; all zeros if every value is NaN."""
    seen = np.isfinite(track)
    if not seen.any():
        return np.zeros_like(track)
    at = np.arange(len(track))
    return np.interp(at, at[seen], track[seen])


def _steady(track: Floats) -> Floats:
    """The track without gaps and without outliers of one frame."""
    return np.asarray(median_filter(filled(track), size=3, mode="nearest"))


def _rise(track: Floats, resting: float = RESTING_PERCENTILE) -> Floats:
    """The change from the resting level, the percentile `resting`."""
    steady = _steady(track)
    return steady - float(np.percentile(steady, resting))


def _smile(signals: Signals, fps: float) -> float:
    """The largest level that both widening and lift of the corners keep up for `SMILE_S` in all."""
    wide = CORNERS_PER_WIDTH * _rise(signals.mouth_width, SMILE_RESTS)
    both = np.minimum(wide, _rise(signals.mouth_corner_lift, SMILE_RESTS))
    frames = min(max(round(SMILE_S * fps), 1), len(both))
    return max(float(np.sort(both)[-frames]), 0.0)


def _rise_during(track: Floats, other: Floats) -> float:
    """Median of a track while another change is large, above its median while that is small.

    Large is more than half of the other's largest value, small its lowest quarter of the frames.
    """
    large = other > max(float(other.max()), 1e-6) / 2
    small = other <= np.percentile(other, 25)
    if not large.any():
        return 0.0
    steady = _steady(track)
    return float(max(np.median(steady[large]) - np.median(steady[small]), 0.0))


def _raise_during(signals: Signals, opening: Floats) -> float:
    """Rise of brows and lids from their resting level to the time of a large opening."""
    large = opening > max(float(opening.max()), 1e-6) / 2
    if not large.any():
        return 0.0
    eyes = np.minimum(filled(signals.eye_right), filled(signals.eye_left))
    is_open = eyes >= HALF_SHUT * np.percentile(eyes, 75)
    lids = EYE_WIDTH * (eyes - np.percentile(eyes[is_open], NARROW_PERCENTILE))
    brows = _rise(signals.brow_raise)
    return float(sum(max(np.median(track[large]), 0.0) for track in (brows, 2 * lids)))


def _most(change: Floats) -> float:
    return float(max(change.max(), 0.0))


def _held_s(change: Floats, fps: float) -> float:
    """Time in seconds for which a change is more than half of its largest value."""
    return float((change > max(float(change.max()), 1e-6) / 2).sum() / fps)


def _rise_over_time(track: Floats) -> float:
    """The largest rise from any value to a later one."""
    return float((track - np.minimum.accumulate(track)).max())


def _lowered_aside(yaw: Floats, pitch: Floats) -> float:
    """The largest d such that, between two times, the yaw changes and the pitch falls by d."""
    turned = np.abs(yaw[None, :] - yaw[:, None])
    fallen = pitch[:, None] - pitch[None, :]
    return max(float(np.triu(np.minimum(turned, fallen)).max()), 0.0)


def _dip(change: Floats) -> float:
    """The largest d such that the track falls by d and later rises by d."""
    fallen = np.maximum.accumulate(change) - change
    risen = np.maximum.accumulate(change[::-1])[::-1] - change
    return float(np.minimum(fallen, risen).max())


def _swing(track: Floats, turns: int = 3) -> float:
    """The largest d such that the track goes up and down in turn, `turns` times by d or more."""
    low, high = 0.0, float(np.ptp(track))
    while high - low > 0.1:
        middle = (low + high) / 2
        low, high = (middle, high) if _turns(track, middle) >= turns else (low, middle)
    return low


def _turns(track: Floats, least: float) -> int:
    """Number of alternating rises and falls of `least` or more, without those within others."""
    count, direction = 0, 0
    lowest = highest = float(track[0])
    for value in track.tolist():
        lowest, highest = min(lowest, value), max(highest, value)
        if direction <= 0 and value - lowest >= least:
            count, direction, highest = count + 1, 1, value
        elif direction >= 0 and highest - value >= least:
            count, direction, lowest = count + 1, -1, value
    return count


def _openness(signals: Signals) -> Floats:
    """The opening (n,) of the eye that is more open, relative to open eyes: a wink is no blink.

    It is not smoothed, since a blink at 25 frames/s is shut for one frame only.
    """
    eyes = [filled(track) for track in (signals.eye_right, signals.eye_left)]
    return np.maximum(*(eye / max(float(np.percentile(eye, 75)), 1e-6) for eye in eyes))


def _closure(openness: Floats, fps: float) -> float:
    """The largest d by which the opening, 1 at most, falls within `BLINK_S` and then rises."""
    eyes = np.minimum(openness, 1.0)
    window = max(round(BLINK_S * fps), 1) + 1
    past = maximum_filter1d(eyes, window, origin=(window - 1) // 2, mode="nearest")
    coming = maximum_filter1d(eyes, window, origin=-(window // 2), mode="nearest")
    return float(np.clip(np.minimum(past, coming) - eyes, 0, 1).max())


def _shut(openness: Floats) -> list[tuple[int, int]]:
    """The first frame and the one after the last of each time for which both eyes are shut."""
    edges = np.diff(np.concatenate([[0], openness < HALF_SHUT, [0]]).astype(int))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _blinking(openness: Floats, fps: float) -> NDArray[np.bool_]:
    """The frames (n,) of blinks, with those in which the lids fall and rise."""
    found = np.zeros(len(openness), bool)
    for first, last in _shut(openness):
        if last - first <= BLINK_S * fps:
            found[max(first - 2, 0) : last + 2] = True
    return found
