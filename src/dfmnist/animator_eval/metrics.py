"""How close one clip comes to another: pixels, structure, face points, pose, facial actions.

`made` and `true` are clips of one length, (n, h, w, 3) uint8. A figure that cannot be had is NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer
from scipy.ndimage import correlate1d

from dfmnist.faces.mesh import Mesh, face_mesh
from dfmnist.faces.pose import Signals, signals

Frames = npt.NDArray[np.uint8]
Meshes = Sequence[Mesh | None]
Number = Annotated[
    float,
    BeforeValidator(lambda value: float("nan") if value is None else value),
    PlainSerializer(lambda value: value if np.isfinite(value) else None, when_used="json"),
]
"""A float that JSON writes as null where it is NaN."""

CHANGED = 20
"""A pixel counts as moving where a channel differs by more from the source (of 255)."""
AKD_PX = 256
"""Keypoint distances are in pixels of a picture of this side."""
WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2
"""K1 and K2 of Wang et al. (2004), squared; the pixels' range is 1."""
COMPARED = (
    "yaw_deg", "pitch_deg", "roll_deg", "eye_aspect", "mouth_open", "mouth_width",
    "mouth_corner_lift", "brow_raise", "gaze_side", "gaze_down",
)  # fmt: skip
"""Signals of the face mesh in which a clip is held against the true one."""


class SignalFit(BaseModel):
    """One clip against the true one. The signals: mean absolute difference over the frames in
    which the mesh finds a face in both clips, in the unit of `faces.pose.Signals`."""

    model_config = ConfigDict(frozen=True)

    l1: Number
    """Mean absolute difference of the pixels, of 1."""
    psnr: Number
    """dB over all pixels, all frames together."""
    psnr_moving: Number
    """dB over the pixels that truly move, all frames together."""
    ssim: Number
    """Mean of the frames'."""
    akd_px: Number
    """Mean distance of the 468 mesh points, in pixels at 256."""
    lost: Number
    """Of the frames whose true face the mesh finds, the share in which it finds none here."""
    yaw_deg: Number
    pitch_deg: Number
    roll_deg: Number
    eye_aspect: Number
    """Opening of the lids by the iris model, over the eye's width."""
    mouth_open: Number
    mouth_width: Number
    mouth_corner_lift: Number
    brow_raise: Number
    gaze_side: Number
    gaze_down: Number


@dataclass(frozen=True, eq=False)
class TrackedClip:
    """A clip and what the face mesh sees in it."""

    frames: Frames
    meshes: Meshes
    signals: Signals

    @classmethod
    def of(cls, frames: Frames, meshes: Meshes | None = None) -> "TrackedClip":
        """Follow the face through `frames`, unless its `meshes` are known."""
        meshes = face_mesh().track(frames) if meshes is None else meshes
        return cls(frames, meshes, signals(meshes))

    @property
    def unseen(self) -> float:
        """Share of the frames in which no face is found."""
        return sum(mesh is None for mesh in self.meshes) / len(self.meshes)


def compare(made: TrackedClip, true: TrackedClip) -> SignalFit:
    """All figures of `made`; what moves is told from the first frame of `true`."""
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
    """Mean absolute difference, of 1."""
    return float(np.abs(made.astype(np.int16) - true).mean() / 255)


def psnr(made: Frames, true: Frames) -> float:
    """dB, from the mean squared error over all frames; at most 138 (frames that are the same)."""
    return _decibel((made.astype(np.int16) - true).ravel())


def moving_psnr(made: Frames, true: Frames, source: Frames) -> float:
    """dB over the pixels where `true` differs from `source` (h, w, 3); NaN where none does."""
    changed = np.abs(true.astype(np.int16) - source).max(axis=-1) > CHANGED
    return _decibel(made[changed].astype(np.int16) - true[changed])


def _decibel(error: npt.NDArray[np.int16]) -> float:
    if not error.size:
        return float("nan")
    square = float((error.astype(np.float32) ** 2).mean(dtype=np.float64))
    return float(10 * np.log10(255**2 / max(square, 1e-9)))


def ssim(made: Frames, true: Frames) -> float:
    """Structural similarity, mean over the frames and their channels: 1 for the same frames.

    Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error Visibility to
    Structural Similarity", 2004: Gaussian window of 11 pixels and deviation 1.5, K1 0.01, K2 0.03,
    only where the whole window lies in the picture. Raises `ValueError` for smaller frames.
    """
    if min(true.shape[1:3]) < WINDOW:
        raise ValueError(f"frames of {true.shape[1:3]}; expected {WINDOW} pixels or more a side")
    return float(np.mean([_ssim(a, b) for a, b in zip(made, true, strict=True)]))


def _ssim(made: Frames, true: Frames) -> float:
    x, y = made.astype(np.float64) / 255, true.astype(np.float64) / 255
    mean_x, mean_y = _blur(x), _blur(y)
    both, squares = mean_x * mean_y, mean_x**2 + mean_y**2
    covariance = _blur(x * y) - both
    variances = _blur(x * x + y * y) - squares  # of x and y together: one filter less
    alike = (2 * both + C1) * (2 * covariance + C2) / ((squares + C1) * (variances + C2))
    return float(alike.mean())


def _blur(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The window's weighted mean around each pixel of (h, w, 3) that has a whole window."""
    half = WINDOW // 2
    weights = np.exp(-0.5 * ((np.arange(WINDOW) - half) / SIGMA) ** 2)
    weights /= weights.sum()
    out = correlate1d(correlate1d(values, weights, axis=0), weights, axis=1)
    return np.asarray(out[half:-half, half:-half], np.float64)


def keypoint_distance(made: Meshes, true: Meshes, side_px: int) -> tuple[float, float]:
    """(average keypoint distance in pixels at 256, share of the true faces that are not found).

    The distance is Euclidean, over the 468 points and the frames in which both faces are found.
    After Siarohin et al. (2019), section 4, whose landmarks come from another detector.
    """
    pairs = [(a, b) for a, b in zip(made, true, strict=True) if b is not None]
    if not pairs:
        return float("nan"), float("nan")
    far = [
        float(np.linalg.norm(a.points[:, :2] - b.points[:, :2], axis=1).mean())
        for a, b in pairs
        if a is not None
    ]
    akd = float(np.mean(far)) * AKD_PX / side_px if far else float("nan")
    return akd, 1 - len(far) / len(pairs)


def signal_errors(made: Signals, true: Signals) -> dict[str, float]:
    """Mean absolute difference of each signal of `COMPARED` over the frames that have both."""
    return {name: _mean(np.abs(getattr(made, name) - getattr(true, name))) for name in COMPARED}


def _mean(values: npt.NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def follow(animated: npt.ArrayLike, driver: npt.ArrayLike) -> tuple[float, float]:
    """Correlation, and slope of the regression of `animated` on `driver`; frames with NaN drop."""
    a, d = np.asarray(animated, np.float64), np.asarray(driver, np.float64)
    known = np.isfinite(a) & np.isfinite(d)
    if known.sum() < 3 or np.ptp(d[known]) == 0:
        return float("nan"), float("nan")
    a, d = a[known] - a[known].mean(), d[known] - d[known].mean()
    slope = float((a * d).sum() / (d * d).sum())
    size = float(np.sqrt((a * a).sum() * (d * d).sum()))
    return (float((a * d).sum()) / size if size else 0.0), slope


def eye_fall(found: Signals) -> float:
    """Largest fall of the eyes' aspect ratio, as a share of its median over the first five
    frames."""
    return 1 - float(np.nanmin(_openness(found))) if _rested(found) else float("nan")


def eye_return(found: Signals) -> float:
    """The widest the eyes open after their lowest point, as a share of their start."""
    if not _rested(found):
        return float("nan")
    openness = _openness(found)
    return float(np.nanmax(openness[int(np.nanargmin(openness)) :]))


def _rested(found: Signals) -> bool:
    return bool(np.isfinite(np.asarray(found.eye_aspect, np.float64)[:5]).any())


def _openness(found: Signals) -> npt.NDArray[np.float64]:
    aspect = np.asarray(found.eye_aspect, np.float64)
    return np.asarray(aspect / float(np.nanmedian(aspect[:5])))
