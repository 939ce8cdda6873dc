"""Metrics of a generated clip against the true one: pixels, structure, face points, signals.

The clips `made` and `true` have one length: (n, h, w, 3) uint8. A metric that cannot be computed
is NaN. SSIM and PSNR are computed here and not by torchmetrics, whose SSIM counts a reflected
border and whose import loads matplotlib; the tests hold both to its values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer
from scipy.ndimage import correlate1d

from dfmnist.core.arrays import Frames
from dfmnist.faces.mesh import Mesh, face_mesh
from dfmnist.faces.pose import Signals, signals

Meshes = Sequence[Mesh | None]
"""Face mesh of each frame of a clip; None where no face is found."""
JsonFloat = Annotated[
    float,
    BeforeValidator(lambda value: float("nan") if value is None else value),
    PlainSerializer(lambda value: value if np.isfinite(value) else None, when_used="json"),
]
"""A float that is written to JSON as null where it is NaN."""

CHANGED = 20
"""A pixel counts as moving if a channel differs from the source by more than this (of 255)."""
AKD_SIDE_PX = 256
"""Side of the picture in whose pixels keypoint distances are given."""
WINDOW, SIGMA = 11, 1.5
"""Size and standard deviation, in pixels, of SSIM's Gaussian window."""
C1, C2 = 0.01**2, 0.03**2
"""Constants of SSIM: squares of K1 and K2 of Wang et al. (2004), for pixels from 0 to 1."""
COMPARED = (
    "yaw_deg", "pitch_deg", "roll_deg", "eye_aspect", "mouth_open", "mouth_width",
    "mouth_corner_lift", "brow_raise", "gaze_side", "gaze_down",
)  # fmt: skip
"""Signals of the face mesh in which a clip is compared with the true one."""


class SignalFit(BaseModel):
    """Metrics of one clip against the true one.

    A signal's value is its mean absolute difference over the frames in which the mesh finds a
    face in both clips, in the unit of `faces.pose.Signals`.
    """

    model_config = ConfigDict(frozen=True)

    l1: JsonFloat
    """Mean absolute difference of the pixels, for pixels from 0 to 1."""
    psnr: JsonFloat
    """PSNR in dB over all pixels of all frames together."""
    psnr_moving: JsonFloat
    """PSNR in dB over the pixels that move in the true clip, all frames together."""
    ssim: JsonFloat
    """Structural similarity, mean over the frames."""
    akd_px: JsonFloat
    """Average keypoint distance: mean distance of the 468 mesh points, in pixels at 256."""
    lost: JsonFloat
    """Share of the frames with a face in the true clip in which the mesh finds none here."""
    yaw_deg: JsonFloat
    pitch_deg: JsonFloat
    roll_deg: JsonFloat
    eye_aspect: JsonFloat
    """Opening of the lids found by the iris model, divided by the eye's width."""
    mouth_open: JsonFloat
    mouth_width: JsonFloat
    mouth_corner_lift: JsonFloat
    brow_raise: JsonFloat
    gaze_side: JsonFloat
    gaze_down: JsonFloat


@dataclass(frozen=True, eq=False)
class TrackedClip:
    """A clip with the face mesh and its signals in each frame."""

    frames: Frames
    meshes: Meshes
    signals: Signals

    @classmethod
    def of(cls, frames: Frames, meshes: Meshes | None = None) -> "TrackedClip":
        """Track the face through `frames` (n, h, w, 3), or take its known `meshes`."""
        meshes = face_mesh().track(frames) if meshes is None else meshes
        return cls(frames, meshes, signals(meshes))

    @property
    def unseen(self) -> float:
        """Share of the frames in which the mesh finds no face."""
        return sum(mesh is None for mesh in self.meshes) / len(self.meshes)


def compare(made: TrackedClip, true: TrackedClip) -> SignalFit:
    """All metrics of `made` against `true`; pixels move relative to the first frame of `true`."""
    akd, lost = keypoint_distance(made.meshes, true.meshes, true.frames.shape[1])
    return SignalFit(
        l1=l1(made.frames, true.frames),
        psnr=psnr(made.frames, true.frames),
        psnr_moving=moving_psnr(made.frames, true.frames, true.frames[0]),
        ssim=ssim(made.frames, true.frames),
        akd_px=akd,
        lost=lost,
        **signal_errors(made.signals, true.signals),
    )


def l1(made: Frames, true: Frames) -> float:
    """Mean absolute difference of all pixels, for pixels from 0 to 1."""
    return float(np.abs(made.astype(np.int16) - true).mean() / 255)


def psnr(made: Frames, true: Frames) -> float:
    """PSNR in dB from the mean squared error over all frames; 138 for equal clips."""
    return _decibel((made.astype(np.int16) - true).ravel())


def moving_psnr(made: Frames, true: Frames, source: Frames) -> float:
    """PSNR in dB over the pixels of `true` that differ from `source` (h, w, 3); NaN without any."""
    changed = np.abs(true.astype(np.int16) - source).max(axis=-1) > CHANGED
    return _decibel(made[changed].astype(np.int16) - true[changed])


def _decibel(error: npt.NDArray[np.int16]) -> float:
    if not error.size:
        return float("nan")
    square = float((error.astype(np.float32) ** 2).mean(dtype=np.float64))
    return float(10 * np.log10(255**2 / max(square, 1e-9)))


def ssim(made: Frames, true: Frames) -> float:
    """Structural similarity (SSIM), mean over frames and channels: 1 for equal clips.

    Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error Visibility to
    Structural Similarity", 2004: Gaussian window of 11 pixels and deviation 1.5, K1 0.01, K2 0.03.
    Windows that leave the picture do not count. Raises `ValueError` for frames below 11 pixels.
    """
    if min(true.shape[1:3]) < WINDOW:
        raise ValueError(f"frames of {true.shape[1:3]}; expected {WINDOW} pixels or more a side")
    return float(np.mean([_ssim(a, b) for a, b in zip(made, true, strict=True)]))


def _ssim(made: Frames, true: Frames) -> float:
    x, y = made.astype(np.float64) / 255, true.astype(np.float64) / 255
    mean_x, mean_y = _blur(x), _blur(y)
    both, squares = mean_x * mean_y, mean_x**2 + mean_y**2
    covariance = _blur(x * y) - both
    variances = _blur(x * x + y * y) - squares  # x's plus y's: saves one filter pass
    alike = (2 * both + C1) * (2 * covariance + C2) / ((squares + C1) * (variances + C2))
    return float(alike.mean())


def _blur(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Gaussian mean around each pixel of (h, w, 3) whose window lies in the picture."""
    half = WINDOW // 2
    weights = np.exp(-0.5 * ((np.arange(WINDOW) - half) / SIGMA) ** 2)
    weights /= weights.sum()
    out = correlate1d(correlate1d(values, weights, axis=0), weights, axis=1)
    return np.asarray(out[half:-half, half:-half], np.float64)


def keypoint_distance(made: Meshes, true: Meshes, side_px: int) -> tuple[float, float]:
    """Average keypoint distance in pixels at 256, and the share of the true faces not found.

    The distance is Euclidean, over the 468 points and the frames in which both faces are found.
    `side_px` is the side of the clips' frames. Follows Siarohin et al. (2019), section 4, whose
    landmarks come from another detector.
    """
    pairs = [(a, b) for a, b in zip(made, true, strict=True) if b is not None]
    if not pairs:
        return float("nan"), float("nan")
    far = [
        float(np.linalg.norm(a.points[:, :2] - b.points[:, :2], axis=1).mean())
        for a, b in pairs
        if a is not None
    ]
    akd = float(np.mean(far)) * AKD_SIDE_PX / side_px if far else float("nan")
    return akd, 1 - len(far) / len(pairs)


def signal_errors(made: Signals, true: Signals) -> dict[str, float]:
    """Mean absolute difference of each signal of `COMPARED` over the frames where both exist."""
    return {name: _mean(np.abs(getattr(made, name) - getattr(true, name))) for name in COMPARED}


def _mean(values: npt.NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def follow(animated: npt.ArrayLike, driver: npt.ArrayLike) -> tuple[float, float]:
    """Correlation of two tracks (n,), and the slope of the regression of `animated` on `driver`.

    Frames with NaN are left out. Both are NaN if fewer than three are left or `driver` is constant.
    """
    a, d = np.asarray(animated, np.float64), np.asarray(driver, np.float64)
    known = np.isfinite(a) & np.isfinite(d)
    if known.sum() < 3 or np.ptp(d[known]) == 0:
        return float("nan"), float("nan")
    a, d = a[known] - a[known].mean(), d[known] - d[known].mean()
    slope = float((a * d).sum() / (d * d).sum())
    size = float(np.sqrt((a * a).sum() * (d * d).sum()))
    return (float((a * d).sum()) / size if size else 0.0), slope


def eye_fall(found: Signals) -> float:
    """Largest fall of the eyes' aspect ratio, as a share of its median in the first five frames."""
    return 1 - float(np.nanmin(_openness(found))) if _rested(found) else float("nan")


def eye_reopening(found: Signals) -> float:
    """Largest aspect ratio of the eyes after its minimum, as a share of its value at the start."""
    if not _rested(found):
        return float("nan")
    openness = _openness(found)
    return float(np.nanmax(openness[int(np.nanargmin(openness)) :]))


def _rested(found: Signals) -> bool:
    return bool(np.isfinite(np.asarray(found.eye_aspect, np.float64)[:5]).any())


def _openness(found: Signals) -> npt.NDArray[np.float64]:
    aspect = np.asarray(found.eye_aspect, np.float64)
    return np.asarray(aspect / float(np.nanmedian(aspect[:5])))
