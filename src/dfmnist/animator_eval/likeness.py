"""Likeness of an animated clip to its source person and to its driver, where no true clip exists.

A real person cannot be filmed giving somebody else's performance. What can be measured: whether
the face stays that of the source, keeps its detail, and follows the driver's movements.
"""

import numpy as np
from pydantic import BaseModel, ConfigDict

from dfmnist.animator_eval.identity import identity_distance
from dfmnist.animator_eval.metrics import JsonFloat, TrackedClip, eye_fall, follow
from dfmnist.core.arrays import Frames
from dfmnist.faces.mesh import Mesh
from dfmnist.faces.pose import Signals
from dfmnist.liveness.universal import detail

MIN_RANGE: dict[str, float] = {
    "yaw_deg": 5.0,
    "pitch_deg": 5.0,
    "roll_deg": 5.0,
    "mouth_open": 0.08,
    "mouth_width": 0.03,
    "eye_aspect": 0.08,
    "brow_raise": 0.02,
    "gaze_side": 0.06,
    "gaze_down": 0.06,
}
"""Signals that an animated clip should follow, each with the smallest range of the driver's signal
(5th to 95th percentile) for which following is measured. Below it there is nothing to follow."""
START_FRAMES = 4
"""Number of frames of the source that `detail` takes as the clip's start."""


class Follow(BaseModel):
    """How one signal of the face mesh in an animated clip follows that of its driver."""

    model_config = ConfigDict(frozen=True)

    correlation: JsonFloat
    """Pearson's correlation over time; NaN where the driver hardly moves."""
    gain: JsonFloat
    """Slope of the least-squares line of the animated signal on the driver's: 1 is full size."""
    driver_range: JsonFloat
    """Range of the driver's signal, from its 5th to its 95th percentile."""


class Likeness(BaseModel):
    """Likeness of one animated clip to its source and to its driver."""

    model_config = ConfigDict(frozen=True)

    identity: JsonFloat
    """Mean distance of the face's embedding to the source's; below 0.6 it is one person."""
    detail: JsonFloat
    """Share of the source's fine detail on the face that the clip keeps (`universal.detail`)."""
    lost: JsonFloat
    """Share of the driver's faces in whose frames the mesh finds no face in the animated clip."""
    eye_fall: JsonFloat
    """Largest fall of the eyes' aspect ratio in the animated clip, as a share of its start."""
    driver_eye_fall: JsonFloat
    signals: dict[str, Follow]
    """Following by signal (`MIN_RANGE`)."""


def likeness(made: TrackedClip, driving: TrackedClip, reference: TrackedClip) -> Likeness:
    """Measure the clip `made` of the person in `reference`, who is moved as in `driving`.

    `made` and `driving` have one length. `reference` is the true clip of that length, or the source
    picture as a clip of one frame.
    """
    seen = [i for i, mesh in enumerate(driving.meshes) if mesh is not None]
    lost = [made.meshes[i] is None for i in seen]
    return Likeness(
        identity=identity_distance(made, reference),
        detail=_detail_kept(made, reference),
        lost=float(np.mean(lost)) if lost else float("nan"),
        eye_fall=eye_fall(made.signals),
        driver_eye_fall=eye_fall(driving.signals),
        signals=follow_signals(made.signals, driving.signals),
    )


def follow_signals(made: Signals, driving: Signals) -> dict[str, Follow]:
    """Correlation and gain of every signal of `MIN_RANGE` over time, `made` on `driving`.

    Both tracks are of one length and are compared frame by frame; frames without a face in either
    do not count. Yaw, pitch and roll are the head's angles, mouth opening, mouth width, lids (the
    eyes' aspect ratio), brows and gaze are ratios of lengths within the face (`faces.pose`).
    """
    found = {}
    for name, least in MIN_RANGE.items():
        one, other = (np.asarray(getattr(s, name), np.float64) for s in (made, driving))
        known = other[np.isfinite(other)]
        span = float(np.ptp(np.percentile(known, (5, 95)))) if known.size else float("nan")
        correlation, gain = follow(one, other) if span >= least else (float("nan"),) * 2
        found[name] = Follow(correlation=correlation, gain=gain, driver_range=span)
    return found


def _detail_kept(made: TrackedClip, reference: TrackedClip) -> float:
    """Share of the detail of the reference's first frame that `made` keeps."""
    start: Frames = np.repeat(reference.frames[:1], START_FRAMES, axis=0)
    meshes: list[Mesh | None] = [reference.meshes[0]] * START_FRAMES
    if reference.meshes[0] is None or not any(made.meshes):
        return float("nan")
    return detail(np.concatenate([start, made.frames]), [*meshes, *made.meshes])[0]
