"""How far the face mesh itself can be trusted: its signals in true clips against what is known.

An actor's pose, facial actions and gaze are known in every frame. A signal that does not follow
them in a true clip says nothing about an animated one.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from dfmnist.actors.film import truth_paths
from dfmnist.animator_eval.metrics import Number, follow
from dfmnist.faces.pose import Signals

Float = npt.NDArray[np.float64]

DEGREES = ("yaw_deg", "pitch_deg", "roll_deg")
FACIAL: dict[str, tuple[float, tuple[str, ...]]] = {
    "eye_aspect": (-1.0, ("eyeBlinkLeft", "eyeBlinkRight")),
    "mouth_open": (1.0, ("jawOpen",)),
    "mouth_width": (1.0, ("mouthSmileLeft", "mouthSmileRight")),
    "mouth_corner_lift": (1.0, ("mouthSmileLeft", "mouthSmileRight")),
    "brow_raise": (1.0, ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")),
}
"""Signal: the sign and the ARKit names of the known actions, whose mean it should follow."""
GAZE: dict[str, tuple[int, float]] = {"gaze_side": (0, 1.0), "gaze_down": (1, -1.0)}
"""Signal: the column of the known gaze, and its sign."""
MOVES = {"degrees": 5.0, "facial": 0.2, "gaze": 8.0}
"""What must change by less says nothing of how well it is followed; degrees, of 1, degrees."""


class Meter(BaseModel):
    """One signal of the mesh against the truth, in one true clip."""

    model_config = ConfigDict(frozen=True)

    correlation: Number
    """NaN where the truth hardly changes."""
    error_deg: Number
    """Mean absolute error of the change since the first frame; NaN for what has no common unit."""


def read_meters(clip: Path, found: Signals) -> dict[str, Meter]:
    """Every signal of `found`, the mesh of an actor's clip, against the truth beside `clip`."""
    with np.load(truth_paths(clip)[1]) as truth:
        pose, facial, gaze = truth["pose_deg"], truth["facial"], truth["gaze_deg"]
        names = [str(name) for name in truth["facial_names"]]
    meters = {}
    for column, name in enumerate(DEGREES):
        meters[name] = _meter(getattr(found, name), pose[:, column], MOVES["degrees"], True)
    for name, (sign, actions) in FACIAL.items():
        known = sign * facial[:, [names.index(action) for action in actions]].mean(axis=1)
        meters[name] = _meter(getattr(found, name), known, MOVES["facial"], False)
    for name, (column, sign) in GAZE.items():
        known = sign * gaze[:, column]
        meters[name] = _meter(getattr(found, name), known, MOVES["gaze"], False)
    return meters


def _meter(found: Float, known: npt.ArrayLike, moves: float, in_degrees: bool) -> Meter:
    known = np.asarray(known, np.float64)
    error = np.abs((found - found[0]) - (known - known[0]))
    seen = error[np.isfinite(error)]
    return Meter(
        correlation=follow(found, known)[0] if np.ptp(known) >= moves else float("nan"),
        error_deg=float(seen.mean()) if in_degrees and seen.size else float("nan"),
    )
