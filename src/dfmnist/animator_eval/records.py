"""Records that an evaluation keeps of each clip, and the names of the methods compared."""

from pydantic import BaseModel, ConfigDict

from dfmnist.animator_eval.likeness import Likeness
from dfmnist.animator_eval.mesh_accuracy import MeshAccuracy
from dfmnist.animator_eval.metrics import JsonFloat, SignalFit
from dfmnist.core.actions import Action

ANIMATED, STILL, DRIVER, AFFINE = "animated", "no motion", "copy of driver", "affine warp"
"""Names of the methods: the motion model and three baselines."""
NOISY = "true clip, camera noise"
"""Name of the reference: the true clip with the build's camera noise, a perfect animation."""
METHODS = (ANIMATED, STILL, DRIVER, AFFINE, NOISY)
"""Everything that is compared with the true clip, in the order of the tables."""
TRUE = "true"
"""Name of the true clip, of the source giving the driver's performance."""
SCREENED = (ANIMATED, AFFINE, TRUE)
"""Names of the clips that the liveness detectors are asked about."""


class EyeClosure(BaseModel):
    """Closing and opening of the eyes in one clip, as shares of their aspect ratio at the start."""

    model_config = ConfigDict(frozen=True)

    fall: JsonFloat
    """Largest fall of the aspect ratio of the iris model's lids."""
    reopening: JsonFloat
    """Largest aspect ratio after the minimum."""
    mesh_fall: JsonFloat
    """Largest fall of the face mesh's own aspect ratio, which stays half open for a closed eye."""


class LivenessAnswer(BaseModel):
    """Answer of one liveness detector on one clip."""

    model_config = ConfigDict(frozen=True)

    live: bool
    reason: str


class Transfer(BaseModel):
    """Metrics of one actor animated by another, against the first actor's true performance."""

    model_config = ConfigDict(frozen=True)

    action: Action
    source: int
    driver: int
    take: int
    fits: dict[str, SignalFit]
    """Metrics of each method of `METHODS`."""
    correlation: JsonFloat
    """Correlation of the animated clip's signal with the driver's; NaN if the action has none."""
    gain: JsonFloat
    """Regression slope of the animated clip's signal on the driver's."""
    eyes: EyeClosure
    driver_eyes: EyeClosure
    screening: dict[str, dict[str, LivenessAnswer]]
    """Answers by clip (`SCREENED`), then by liveness detector (action, universal)."""
    mesh_accuracy: dict[str, MeshAccuracy]
    """Accuracy of each signal of the face mesh in the true clip."""


class Reenactment(BaseModel):
    """Metrics of one person's picture moved as in another person's clip, without a true clip."""

    model_config = ConfigDict(frozen=True)

    source: str
    driver: str
    likeness: Likeness


class Record(BaseModel):
    """All measurements of one clip."""

    model_config = ConfigDict(frozen=True)

    name: str
    problem: str = ""
    """Reason why the clip could not be measured; empty if it was."""
    frames: int = 0
    unseen: JsonFloat = float("nan")
    """Share of the true frames in which the mesh finds no face."""
    reconstruction: dict[str, SignalFit] = {}
    """Metrics by method of the clip rebuilt from its own first frame, driven by itself."""
    likeness: dict[str, Likeness] = {}
    """Likeness by method of the rebuilt clip to the true one."""
    transfer: Transfer | None = None
    reenactment: Reenactment | None = None
