"""Is this a live face, whatever it was asked to do? A handful of measures, each with its bounds.

A photo shown again and again, still or moved, stays one flat picture (`planar.py`). A generated
clip may lose detail as it leaves its source frame, flicker, or shake in its landmarks. The bounds
are the tails of bona fide clips alone (`calibrate.py`).
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from dfmnist.core.actions import Action
from dfmnist.core.arrays import Frames, RgbImage
from dfmnist.faces.mesh import Mesh
from dfmnist.faces.pose import signals
from dfmnist.liveness.action import seen_too_little
from dfmnist.liveness.base import Verdict
from dfmnist.liveness.planar import landmark_jitter, planar_misfit
from dfmnist.liveness.thresholds import Thresholds, judge, shipped
from dfmnist.liveness.tracking import track

MEASURES: dict[str, tuple[str, ...]] = {
    "planar_misfit": ("least",),
    "landmark_jitter": ("most",),
    "detail_kept": ("least",),
    "detail_flicker": ("most",),
    "largest_jump": ("most",),
}
"""What is measured, and on which side it is bounded."""

WORDS: dict[str, str] = {
    "planar_misfit": "what no flat picture, moved or still, explains of the face",
    "landmark_jitter": "shaking of the landmarks",
    "detail_kept": "detail of the face against the clip's start",
    "detail_flicker": "flicker of the face's detail",
    "largest_jump": "jump of the face between two frames",
}


class UniversalDetector:
    """Local passive liveness detector; explains each rejection by the measure that failed."""

    name = "universal"

    def __init__(self, thresholds: Thresholds | None = None) -> None:
        """`thresholds` None: those shipped with the package."""
        self._thresholds = thresholds or shipped()

    def __call__(self, frames_rgb_u8: Frames, fps: Fraction, action: Action) -> Verdict:
        """Judge (n, h, w, 3) frames, whatever `action` was asked.

        The bounds were fitted at 25 frames/s; bring clips of another rate to it first.
        """
        return self.judge(frames_rgb_u8, track(frames_rgb_u8))

    def judge(self, frames_rgb_u8: Frames, meshes: Sequence[Mesh | None]) -> Verdict:
        """As the call, with a mesh for each frame that was found already."""
        if reason := seen_too_little(signals(meshes)):
            return Verdict(self.name, False, 0.0, reason)
        values = measure(frames_rgb_u8, meshes)
        score, reason = judge(self._thresholds.universal, values, WORDS)
        return Verdict(self.name, not reason, score, reason)


def measure(frames_rgb_u8: Frames, meshes: Sequence[Mesh | None]) -> dict[str, float]:
    """The values of `MEASURES` for a clip whose face was found in at least one frame."""
    found = signals(meshes)
    size_px = float(np.nanmedian(found.size_px))
    kept, flicker = detail(frames_rgb_u8, meshes)
    centre = np.stack([found.centre_x_px, found.centre_y_px], axis=1)
    steps = np.hypot(*np.diff(centre, axis=0).T) / size_px
    return {
        "planar_misfit": planar_misfit(frames_rgb_u8, meshes),
        "landmark_jitter": landmark_jitter(meshes, size_px),
        "detail_kept": kept,
        "detail_flicker": flicker,
        "largest_jump": float(np.nanmax(steps)) if np.isfinite(steps).any() else 0.0,
    }


def detail(frames_rgb_u8: Frames, meshes: Sequence[Mesh | None]) -> tuple[float, float]:
    """(detail kept, flicker): fine detail of the face against the start of the same clip.

    Detail is the mean square of a band of 2 to 4 px on the face, its camera noise averaged by
    halving; kept is the lower quartile over time of its ratio to the first frames' (shut eyes have
    less, for a short time), flicker the median change of its logarithm between frames.
    """
    energy = np.array(
        [
            _fine_energy(frame, mesh)
            for frame, mesh in zip(frames_rgb_u8, meshes, strict=True)
            if mesh is not None
        ]
    )
    if len(energy) < 2:
        return 1.0, 0.0
    energy = np.maximum(energy, 1e-3)
    start = float(np.median(energy[:4]))
    flicker = float(np.median(np.abs(np.diff(np.log(energy)))))
    return float(np.percentile(energy, 25)) / start, flicker


def _fine_energy(frame: RgbImage, mesh: Mesh) -> float:
    height, width = frame.shape[:2]
    low = np.clip(mesh.points[:, :2].min(axis=0), 0, None).astype(int) // 2 * 2
    high = np.minimum(mesh.points[:, :2].max(axis=0), (width, height)).astype(int) // 2 * 2
    if (high - low < 16).any():
        return 0.0
    face = frame[low[1] : high[1], low[0] : high[0], 1].astype(np.float32)
    half = (face[::2, ::2] + face[1::2, ::2] + face[::2, 1::2] + face[1::2, 1::2]) / 4
    band = (
        half[1:-1, 1:-1] - (half[:-2, 1:-1] + half[2:, 1:-1] + half[1:-1, :-2] + half[1:-1, 2:]) / 4
    )
    return float((band**2).mean())
