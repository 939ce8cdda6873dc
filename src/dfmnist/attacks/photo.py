"""Two presentation attacks with one photo before the camera: held still, or moved by hand."""

import numpy as np
from PIL import Image

from dfmnist.core.arrays import Floats, Frames, RgbImage


def still(source: RgbImage, num_frames: int) -> Frames:
    """The photo `source` (h, w, 3) shown in every frame: (n, h, w, 3)."""
    return np.repeat(source[None], num_frames, axis=0)


def planar_warp(
    source: RgbImage, num_frames: int, rng: np.random.Generator, fps: float = 25.0
) -> Frames:
    """The photo `source` (h, w, 3) as a flat print that a hand moves and tilts: (n, h, w, 3).

    The print shifts (up to 6% of the width), approaches (up to 7%), turns (up to 12 degrees) and
    tilts out of the plane (up to 25 degrees, in perspective). The movements are smooth and random;
    `rng` decides their size. The edge of the print repeats outside of it.
    """
    height, width = source.shape[:2]
    border = max(height, width)
    padded = np.pad(source, ((border, border), (border, border), (0, 0)), mode="edge")
    photo = Image.fromarray(padded)
    out = np.empty((num_frames, height, width, 3), np.uint8)
    for index, moved in enumerate(hand_motion(num_frames, rng, fps, (width, height))):
        back = np.array([[1, 0, border], [0, 1, border], [0, 0, 1.0]]) @ np.linalg.inv(moved)
        out[index] = np.asarray(
            photo.transform(
                (width, height),
                Image.Transform.PERSPECTIVE,
                tuple((back / back[2, 2]).ravel()[:8].tolist()),
                Image.Resampling.BICUBIC,
            )
        )
    return out


def hand_motion(
    num_frames: int,
    rng: np.random.Generator,
    fps: float,
    size_wh: tuple[int, int],
    share: float = 1.0,
) -> Floats:
    """The homographies (n, 3, 3) of a flat object of `size_wh` pixels that a hand moves and tilts.

    They map the object's pixels to those of the frame; the first is near the identity. The limits
    of `planar_warp` are scaled by `share`.
    """
    width, height = size_wh
    strength = rng.uniform(0.35, 1.0)
    limits = np.array([0.06, 0.06, 0.07, np.deg2rad(12), np.deg2rad(25), np.deg2rad(25)])
    tracks = np.stack([_drift(num_frames, rng, fps) for _ in limits])
    tracks = share * strength * limits[:, None] * tracks
    return np.stack([_photo_homography(values, width, height) for values in tracks.T])


def _drift(num_frames: int, rng: np.random.Generator, fps: float) -> Floats:
    """A smooth random track (n,) that starts at 0 and stays within -1 and 1: a sum of sines."""
    seconds = np.arange(num_frames) / fps
    waves = [
        rng.uniform(0.3, 1.0) * np.sin(2 * np.pi * (rate * seconds + rng.random()))
        for rate in rng.uniform(0.2, 1.3, 3)
    ]
    track = np.sum(waves, axis=0)
    track -= track[0]
    return np.asarray(track / max(np.abs(track).max(), 1e-6))


def _photo_homography(values: Floats, width: int, height: int) -> Floats:
    """Homography (3, 3) of the photo for `values`: shift x, y, approach, turn, tilt x, y."""
    right, down, nearer, turn, tilt_x, tilt_y = values
    distance = 2.5 * width  # from the camera to the photo, in pixels of the photo
    cos, sin = np.cos([tilt_x, tilt_y, turn]), np.sin([tilt_x, tilt_y, turn])
    about_x = np.array([[1, 0, 0], [0, cos[0], -sin[0]], [0, sin[0], cos[0]]])
    about_y = np.array([[cos[1], 0, sin[1]], [0, 1, 0], [-sin[1], 0, cos[1]]])
    about_z = np.array([[cos[2], -sin[2], 0], [sin[2], cos[2], 0], [0, 0, 1]])
    rotation = about_z @ about_y @ about_x
    # a plane point (x, y, 0), turned, then moved to the camera's axis at `distance`
    plane = np.stack(
        [rotation[:, 0], rotation[:, 1], [right * width, down * width, distance / (1 + nearer)]],
        axis=1,
    )
    camera = np.diag([distance, distance, 1.0])
    middle = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
    return np.asarray(middle @ camera @ plane @ np.linalg.inv(middle))
