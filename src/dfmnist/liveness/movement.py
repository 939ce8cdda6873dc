"""Movement of a face over a clip: how far head, eyes, mouth, brows and gaze move.

All measures are changes relative to the clip's first frames, so that a face that is stern,
open-mouthed or tilted at rest does not count as an action.
"""

from dataclasses import dataclass, fields

import numpy as np
from scipy.ndimage import median_filter

from dfmnist.core.arrays import Floats
from dfmnist.faces.pose import Signals

START_S = 0.16
"""Seconds at the start of a clip during which the face counts as at rest."""
HALF_SHUT = 0.6
"""Share of the open eye's opening below which an eye counts as shut."""


@dataclass(frozen=True)
class Movement:
    """The extent of each movement in a clip, in degrees (head) or in the units of `Signals`."""

    yaw_left_deg: float
    yaw_right_deg: float
    yaw_both_deg: float
    """The smaller of the turns to the left and to the right."""
    yaw_range_deg: float
    pitch_up_deg: float
    pitch_down_deg: float
    pitch_range_deg: float
    pitch_recovery_deg: float
    """Rise of the head after its lowest point."""
    roll_right_deg: float
    roll_left_deg: float
    roll_range_deg: float
    eye_closure: float
    """How far both eyes closed at the same time: 0 means as open as ever, 1 closed."""
    eye_shut_s: float
    """The longest time for which both eyes stayed shut, in seconds."""
    mouth_opening: float
    mouth_open_s: float
    """Time for which the mouth was open by more than half of its widest opening, in seconds."""
    mouth_speed: float
    """Mean speed of the mouth's opening and closing, 1/s."""
    mouth_widening: float
    corner_lift: float
    brow_raise: float
    gaze_down: float
    gaze_side: float

    def values(self) -> dict[str, float]:
        """The measures by name."""
        return {f.name: float(getattr(self, f.name)) for f in fields(self)}


TITLES: dict[str, str] = {
    "yaw_left_deg": "turn to the left, degrees",
    "yaw_right_deg": "turn to the right, degrees",
    "yaw_both_deg": "turn to the smaller side, degrees",
    "yaw_range_deg": "turning of the head, degrees",
    "pitch_up_deg": "raising of the head, degrees",
    "pitch_down_deg": "lowering of the head, degrees",
    "pitch_range_deg": "nodding of the head, degrees",
    "pitch_recovery_deg": "raising of the lowered head, degrees",
    "roll_right_deg": "tilt to the right, degrees",
    "roll_left_deg": "tilt to the left, degrees",
    "roll_range_deg": "tilting of the head, degrees",
    "eye_closure": "closing of the eyes",
    "eye_shut_s": "eyes shut, seconds",
    "mouth_opening": "opening of the mouth",
    "mouth_open_s": "mouth open, seconds",
    "mouth_speed": "speed of the lips, 1/s",
    "mouth_widening": "widening of the mouth",
    "corner_lift": "lifting of the mouth's corners",
    "brow_raise": "raising of the brows",
    "gaze_down": "lowering of the gaze",
    "gaze_side": "turning of the gaze aside",
}
"""The title of each measure, used in the reason of a verdict."""


def movement(signals: Signals, fps: float) -> Movement:
    """The movement in a clip whose face was found in at least one frame."""
    start = max(1, round(START_S * fps))
    yaw, pitch, roll = (
        _change(s, start) for s in (signals.yaw_deg, signals.pitch_deg, signals.roll_deg)
    )
    mouth = _change(signals.mouth_open, start)
    shut, shut_s = _closing(signals, start, fps)
    lowest = int(pitch.argmin())
    return Movement(
        yaw_left_deg=float(max(yaw.max(), 0.0)),
        yaw_right_deg=float(max(-yaw.min(), 0.0)),
        yaw_both_deg=float(max(min(yaw.max(), -yaw.min()), 0.0)),
        yaw_range_deg=float(np.ptp(yaw)),
        pitch_up_deg=float(max(pitch.max(), 0.0)),
        pitch_down_deg=float(max(-pitch.min(), 0.0)),
        pitch_range_deg=float(np.ptp(pitch)),
        pitch_recovery_deg=float(pitch[lowest:].max() - pitch[lowest]),
        roll_right_deg=float(max(roll.max(), 0.0)),
        roll_left_deg=float(max(-roll.min(), 0.0)),
        roll_range_deg=float(np.ptp(roll)),
        eye_closure=shut,
        eye_shut_s=shut_s,
        mouth_opening=float(max(mouth.max(), 0.0)),
        mouth_open_s=float((mouth > max(mouth.max(), 1e-6) / 2).sum() / fps),
        mouth_speed=float(np.abs(np.diff(mouth)).mean() * fps) if len(mouth) > 1 else 0.0,
        mouth_widening=_rise(signals.mouth_width, start),
        corner_lift=_rise(signals.mouth_corner_lift, start),
        brow_raise=_rise(signals.brow_raise, start),
        gaze_down=_rise(signals.gaze_down, start),
        gaze_side=float(np.abs(_change(signals.gaze_side, start)).max()),
    )


def filled(track: Floats) -> Floats:
    """`track` (n,) with NaN replaced by linear interpolation; all zeros if every value is NaN."""
    seen = np.isfinite(track)
    if not seen.any():
        return np.zeros_like(track)
    at = np.arange(len(track))
    return np.interp(at, at[seen], track[seen])


def _change(track: Floats, start: int) -> Floats:
    """The change from the median of the first `start` frames, without outliers of one frame."""
    smooth = np.asarray(median_filter(filled(track), size=3, mode="nearest"))
    return smooth - float(np.median(smooth[:start]))


def _rise(track: Floats, start: int) -> float:
    return float(max(_change(track, start).max(), 0.0))


def _closing(signals: Signals, start: int, fps: float) -> tuple[float, float]:
    """The closure and the longest time shut of the eye that closes less: a wink is no blink.

    The tracks are not smoothed, since a blink at 25 frames/s is shut for one frame only.
    """
    openness = []
    for track in (signals.eye_right, signals.eye_left):
        eye = filled(track)
        wide = max(float(np.median(eye[:start])), float(np.percentile(eye, 75)), 1e-6)
        openness.append(eye / wide)
    least_shut = np.maximum(*openness)
    longest = run = 0
    for shut in least_shut < HALF_SHUT:
        run = run + 1 if shut else 0
        longest = max(longest, run)
    return float(np.clip(1 - least_shut.min(), 0, 1)), longest / fps
