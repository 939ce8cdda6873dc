"""An attack with one photo: lids are painted over its open eyes now and then, so that it blinks."""

import numpy as np
from PIL import Image, ImageDraw

from dfmnist.attacks.photo import still
from dfmnist.core.arrays import Floats, Floats32, Frames, RgbImage
from dfmnist.core.errors import InputError
from dfmnist.faces.mesh import EyePoints, face_mesh

FINE = 4
"""Factor by which the painted shape is drawn larger, for a smooth edge."""
SHUT = (0.5, 1.0, 1.0, 1.0, 0.5)
"""Share of the eye that the lid covers in each frame of a blink, at 25 frames/s: 0.2 s."""
PAUSE_S = (0.6, 1.4)
"""Shortest and longest time between two blinks."""
LASHES = 0.35
"""Brightness of the line at the lid's edge, relative to the lid."""

_LOWER, _UPPER = [*range(9)], [0, *range(9, 16), 8]
"""Points of an eye's contour along its lower and upper lid, from corner to corner."""


def painted_lids(
    source: RgbImage, num_frames: int, rng: np.random.Generator, fps: float = 25.0
) -> Frames:
    """The photo `source` (h, w, 3) with painted blinks: (n, h, w, 3). All else stands still.

    The lid has the colour of the skin above the eye. Raises `InputError` for a photo without a
    face.
    """
    mesh = face_mesh()(source)
    if mesh is None or mesh.eyes is None:
        raise InputError("no face whose lids could be painted")
    out = still(source, num_frames)
    painted = {share: _with_lids(source, mesh.eyes, share) for share in set(SHUT)}
    at = rng.uniform(*PAUSE_S) / 2
    while (first := round(at * fps)) < num_frames:
        length = max(1, round(len(SHUT) * fps / 25))
        for index in range(length):
            if first + index < num_frames:
                out[first + index] = painted[SHUT[index * len(SHUT) // length]]
        at += rng.uniform(*PAUSE_S)
    return out


def _with_lids(source: RgbImage, eyes: EyePoints, share: float) -> RgbImage:
    """The photo with the upper `share` of both eyes covered."""
    out = source.astype(np.float32)
    for contour in eyes.contours:
        upper, lower = contour[_UPPER, :2], contour[_LOWER, :2]
        edge = upper + share * (lower - upper)
        skin = _skin_above(source, upper, lower)
        lid = np.concatenate([upper, edge[::-1]])
        for shape, colour, line in ((lid, skin, False), (edge, LASHES * skin, True)):
            cover = _cover(source.shape[:2], shape, line=line)
            out = (out * (1 - cover) + colour * cover).astype(np.float32)
    return np.clip(np.round(out), 0, 255).astype(np.uint8)


def _skin_above(source: RgbImage, upper: Floats32, lower: Floats32) -> Floats:
    """Median colour (3,) of the skin just above the upper lid."""
    height = max(2.0, float((lower[:, 1] - upper[:, 1]).mean()))
    x, y = upper[2:-2].mean(axis=0) - (0, 0.7 * height)
    half = max(2, round(0.4 * height))
    rows = slice(max(int(y) - half, 0), max(int(y) + half, 1))
    columns = slice(max(int(x) - 2 * half, 0), max(int(x) + 2 * half, 1))
    return np.asarray(np.median(source[rows, columns].reshape(-1, 3), axis=0))


def _cover(size_hw: tuple[int, int], points: Floats32, *, line: bool) -> Floats32:
    """How much of each pixel (h, w, 1) a polygon or a line through `points` (n, 2) covers."""
    height, width = size_hw
    picture = Image.new("L", (width * FINE, height * FINE))
    corners = [(float(x) * FINE, float(y) * FINE) for x, y in points]
    draw = ImageDraw.Draw(picture)
    if line:
        draw.line(corners, fill=255, width=FINE)
    else:
        draw.polygon(corners, fill=255)
    small = picture.resize((width, height), Image.Resampling.BOX)
    return (np.asarray(small, np.float32)[:, :, None] / 255).astype(np.float32)
