"""The universal liveness detector: does a clip show a live face, whatever the action?

A photo that is shown for a whole clip, still or moved, stays one flat picture, and one with lids
that are painted shut now and then stays so beside the eyes (`planar.py`). A display or a print adds
a regular pattern (`pattern.py`). A generated clip may lose detail as it moves away from its source
frame, flicker, or have landmarks that jitter. All bounds but one (`DEFINED`) are tails of bona fide
clips alone (`calibrate.py`).
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from dfmnist.core.actions import Action
from dfmnist.core.arrays import Floats, Frames, RgbImage
from dfmnist.faces.mesh import Mesh
from dfmnist.faces.pose import signals
from dfmnist.liveness.action import seen_too_little
from dfmnist.liveness.base import Verdict
from dfmnist.liveness.pattern import pattern_peak
from dfmnist.liveness.planar import CODEC_FRAMES, flat_fit, landmark_jitter
from dfmnist.liveness.thresholds import (
    BoundKind,
    Thresholds,
    check_bounds,
    shipped_thresholds,
)
from dfmnist.liveness.tracking import track

MEASURES: dict[str, BoundKind] = {
    "planar_misfit": "least",
    "relief": "least",
    "pattern_peak": "most",
    "landmark_jitter": "most",
    "detail_kept": "least",
    "detail_flicker": "most",
    "largest_jump": "most",
}
"""The measures of a clip, with the side on which each is bounded."""

RESOLVED_PX = 0.09
"""Least `relief` of a live face: a definition, not fitted. Stills with painted lids measure 0.02 px
with camera noise and up to 0.072 at c23, the calmest people 0.114 (docs/project/LOG.md,
2026-11-26)."""
DEFINED: dict[str, float] = {"relief": RESOLVED_PX}
"""The bounds that are not fitted."""

TITLES: dict[str, str] = {
    "planar_misfit": "part of the face that no flat picture explains",
    "relief": "movement of the face's parts against a flat picture, beside the eyes",
    "pattern_peak": "regular pattern as of a display or a print",
    "landmark_jitter": "jitter of the landmarks",
    "detail_kept": "detail of the face relative to the clip's start",
    "detail_flicker": "flicker of the face's detail",
    "largest_jump": "jump of the face between two frames",
}
"""The title of each measure, used in the reason of a verdict."""


class UniversalDetector:
    """The local universal detector. It rejects a clip with the measure that failed."""

    name = "universal"

    def __init__(self, thresholds: Thresholds | None = None) -> None:
        """`thresholds` None means those shipped with the package."""
        self._thresholds = thresholds or shipped_thresholds()

    def __call__(self, frames_rgb_u8: Frames, fps: Fraction, action: Action) -> Verdict:
        """The verdict on frames (n, h, w, 3), which does not depend on `action`.

        The bounds were fitted at 25 frames/s; convert clips of another rate first.
        """
        return self.judge(frames_rgb_u8, track(frames_rgb_u8))

    def judge(self, frames_rgb_u8: Frames, meshes: Sequence[Mesh | None]) -> Verdict:
        """The same verdict with a mesh (or None) for each frame that is found already."""
        if reason := seen_too_little(signals(meshes)):
            return Verdict.not_assessed(self.name, reason)
        values = measure(frames_rgb_u8, meshes)
        score, reason = check_bounds(self._thresholds.universal, values, TITLES)
        return Verdict(self.name, not reason, score, reason)


def measure(frames_rgb_u8: Frames, meshes: Sequence[Mesh | None]) -> dict[str, float]:
    """The values of `MEASURES` for a clip whose face was found in at least one frame."""
    found = signals(meshes)
    size_px = float(np.nanmedian(found.size_px))
    kept, flicker = detail(frames_rgb_u8, meshes)
    centre = np.stack([found.centre_x_px, found.centre_y_px], axis=1)
    steps = np.hypot(*np.diff(centre, axis=0).T) / size_px
    flat = flat_fit(frames_rgb_u8, meshes)
    return {
        "planar_misfit": flat.misfit,
        "relief": flat.relief,
        "pattern_peak": pattern_peak(frames_rgb_u8, meshes),
        "landmark_jitter": landmark_jitter(meshes, size_px),
        "detail_kept": kept,
        "detail_flicker": flicker,
        "largest_jump": float(np.nanmax(steps)) if np.isfinite(steps).any() else 0.0,
    }


def detail(frames_rgb_u8: Frames, meshes: Sequence[Mesh | None]) -> tuple[float, float]:
    """The share of fine detail that the face keeps over the clip, and the flicker of that detail.

    Detail is the mean square of a band of 2 to 4 px on the face, halved in size first to average
    camera noise. It is averaged over `CODEC_FRAMES`, since in a coded clip it alternates with the
    types of frames (I, P and B have different quantisers). The share kept is the lower quartile
    over time of its ratio to the start's (shut eyes have less detail for a short time). Flicker is
    the median change of its logarithm between frames.
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
    energy = _averaged(np.maximum(energy, 1e-3))
    start = float(energy[0])
    flicker = float(np.median(np.abs(np.diff(np.log(energy)))))
    return float(np.percentile(energy, 25)) / start, flicker


def _averaged(energy: Floats) -> Floats:
    """Running means (m,) of `CODEC_FRAMES` values of `energy` (n,); all of it, if it is shorter."""
    width = min(CODEC_FRAMES, len(energy) - 1)
    return np.asarray(np.convolve(energy, np.full(width, 1 / width), mode="valid"))


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
