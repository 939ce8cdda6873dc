"""What an evaluation keeps of each clip, and the names of what is compared."""

from pydantic import BaseModel, ConfigDict

from dfmnist.animator_eval.mesh_accuracy import Meter
from dfmnist.animator_eval.metrics import Number, SignalFit
from dfmnist.core.actions import Action

ANIMATED, STILL, DRIVER, AFFINE = "animated", "no motion", "copy of driver", "affine warp"
NOISY = "true clip, camera noise"
"""What a clip that is all right would score: the true one, with the build's noise alone."""
METHODS = (ANIMATED, STILL, DRIVER, AFFINE, NOISY)
TRUE = "true"
SCREENED = (ANIMATED, AFFINE, TRUE)
"""The clips that the liveness detectors are asked about."""


class EyeClosure(BaseModel):
    """What the eyes of one clip do, as shares of their aspect ratio at the start."""

    model_config = ConfigDict(frozen=True)

    fall: Number
    """Largest fall, by the iris model's lids."""
    back: Number
    """The widest they open after their lowest point."""
    mesh_fall: Number
    """Largest fall by the face mesh alone, which sees a shut eye about half open."""


class LivenessAnswer(BaseModel):
    """One liveness detector's answer."""

    model_config = ConfigDict(frozen=True)

    live: bool
    reason: str


class Transfer(BaseModel):
    """One actor moved as another, against what the first would really have shown."""

    model_config = ConfigDict(frozen=True)

    action: Action
    source: int
    driver: int
    take: int
    fits: dict[str, SignalFit]
    """By method."""
    correlation: Number
    """Of the animated clip's signal with the driver's; NaN where the action has none."""
    gain: Number
    """Regression slope of the animated clip's signal on the driver's."""
    eyes: EyeClosure
    driver_eyes: EyeClosure
    screening: dict[str, dict[str, LivenessAnswer]]
    """By clip (`SCREENED`), then by detector (action, universal)."""
    meters: dict[str, Meter]
    """By signal: the mesh on the true clip against what is known of it."""


class Record(BaseModel):
    """All that is measured in one clip."""

    model_config = ConfigDict(frozen=True)

    name: str
    problem: str = ""
    """Why nothing could be measured; empty otherwise."""
    frames: int = 0
    unseen: Number = float("nan")
    """Share of the true frames in which the mesh finds no face."""
    reconstruction: dict[str, SignalFit] = {}
    """By method: the clip from its own first frame, driven by itself."""
    transfer: Transfer | None = None
