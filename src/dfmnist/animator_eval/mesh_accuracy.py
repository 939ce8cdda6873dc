"""Accuracy of the face mesh: its signals in an actor's true clip against the known truth.

An actor's pose, facial actions and gaze are known in every frame. A signal that does not follow
them in a true clip says nothing about an animated one.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from dfmnist.actors.film import truth_paths
from dfmnist.animator_eval.metrics import JsonFloat, follow
from dfmnist.core.arrays import Floats
from dfmnist.faces.pose import Signals

DEGREES = ("yaw_deg", "pitch_deg", "roll_deg")
"""Signals of the face mesh that are head angles, in the order of the truth's columns."""
FACIAL: dict[str, tuple[float, tuple[str, ...]]] = {
    "eye_aspect": (-1.0, ("eyeBlinkLeft", "eyeBlinkRight")),
    "mouth_open": (1.0, ("jawOpen",)),
    "mouth_width": (1.0, ("mouthSmileLeft", "mouthSmileRight")),
    "mouth_corner_lift": (1.0, ("mouthSmileLeft", "mouthSmileRight")),
    "brow_raise": (1.0, ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")),
}
"""Signal of the face mesh: sign and ARKit names of the known actions whose mean it follows."""
GAZE: dict[str, tuple[int, float]] = {"gaze_side": (0, 1.0), "gaze_down": (1, -1.0)}
"""Signal of the face mesh: column of the known gaze that it follows, and its sign."""
MIN_RANGE = {"degrees": 5.0, "facial": 0.2, "gaze": 8.0}
"""Smallest range of a known track (degrees, 0 to 1, degrees) for which a correlation is given."""


class MeshAccuracy(BaseModel):
    """Accuracy of one signal of the face mesh in one true clip."""

    model_config = ConfigDict(frozen=True)

    correlation: JsonFloat
    """Correlation of the signal with the truth; NaN where the truth hardly changes."""
    error_deg: JsonFloat
    """Mean absolute error of the change since the first frame; NaN for signals not in degrees."""


def measure_mesh(clip: Path, found: Signals) -> dict[str, MeshAccuracy]:
    """Accuracy of each signal of the face mesh in an actor's clip.

    `found` holds the signals measured in the clip; the truth is read from the file beside `clip`.
    """
    with np.load(truth_paths(clip)[1]) as truth:
        pose, facial, gaze = truth["pose_deg"], truth["facial"], truth["gaze_deg"]
        names = [str(name) for name in truth["facial_names"]]
    accuracy = {}
    for column, name in enumerate(DEGREES):
        accuracy[name] = _accuracy(
            getattr(found, name), pose[:, column], MIN_RANGE["degrees"], True
        )
    for name, (sign, actions) in FACIAL.items():
        known = sign * facial[:, [names.index(action) for action in actions]].mean(axis=1)
        accuracy[name] = _accuracy(getattr(found, name), known, MIN_RANGE["facial"], False)
    for name, (column, sign) in GAZE.items():
        known = sign * gaze[:, column]
        accuracy[name] = _accuracy(getattr(found, name), known, MIN_RANGE["gaze"], False)
    return accuracy


def _accuracy(
    found: Floats, known: npt.ArrayLike, min_range: float, in_degrees: bool
) -> MeshAccuracy:
    known = np.asarray(known, np.float64)
    error = np.abs((found - found[0]) - (known - known[0]))
    seen = error[np.isfinite(error)]
    return MeshAccuracy(
        correlation=follow(found, known)[0] if np.ptp(known) >= min_range else float("nan"),
        error_deg=float(seen.mean()) if in_degrees and seen.size else float("nan"),
    )
