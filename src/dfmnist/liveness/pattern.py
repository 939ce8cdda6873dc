"""Test for a display or a halftone print: a regular pattern over the face's finest texture.

A camera that films a display sees the beat of its own pixels with the display's (moiré), and a
print has the rows of a halftone screen. Either is a sharp peak in the spectrum of a face, whose own
texture, and a camera's noise, spread over all frequencies (as in Garcia and de Queiroz 2015).
"""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import median_filter

from dfmnist.core.arrays import Floats, Frames, RgbImage
from dfmnist.faces.mesh import Mesh

SIDE_PX = 96
"""Side in pixels of the square in the middle of the face that is measured."""
MOST_FRAMES = 12
"""Largest number of frames, spread over the clip, whose spectra are averaged."""
FINEST = 0.1
"""Lowest frequency in cycles per pixel that counts: features of the face are coarser."""
AROUND = 15
"""Number of frequencies along each side of the square whose median a peak is compared with."""

NOISE = 2.0
"""Standard deviation, in grey levels, of the noise that is taken to be in each frame. It hides the
residue of an encoder's cosines, which is all that is left between the frequencies of a face at
c40."""


def pattern_peak(frames_rgb_u8: Frames, meshes: Sequence[Mesh | None]) -> float:
    """How far the highest peak in the spectrum of the face stands above what is around it.

    It is the natural logarithm of the ratio of power, averaged over frames (n, h, w, 3); 0 if no
    frame shows a face, or if frames are smaller than the square.
    """
    seen = [index for index, mesh in enumerate(meshes) if mesh is not None]
    if not seen:
        return 0.0
    chosen = [seen[i] for i in np.linspace(0, len(seen) - 1, MOST_FRAMES).astype(int)]
    squares = [
        _square(frames_rgb_u8[index], mesh)
        for index in dict.fromkeys(chosen)
        if (mesh := meshes[index]) is not None
    ]
    if squares[0].shape != _WINDOW.shape:
        return 0.0
    power = np.mean([np.abs(np.fft.rfft2(s * _WINDOW)) ** 2 for s in squares], axis=0)
    height = np.log(np.fft.fftshift(power, axes=0) + NOISE**2 * (_WINDOW**2).sum())
    above = height - median_filter(height, size=AROUND, mode="nearest")
    return max(float(above[_FINE].max()), 0.0)


def _square(frame: RgbImage, mesh: Mesh) -> Floats:
    """The middle of the face in grey without its mean; smaller in a frame that is."""
    xy = mesh.points[:, :2]
    x, y = (xy.min(axis=0) + xy.max(axis=0)) / 2 - SIDE_PX / 2
    height, width = frame.shape[:2]
    left, top = (
        int(np.clip(at, 0, max(size - SIDE_PX, 0))) for at, size in ((x, width), (y, height))
    )
    grey = frame[top : top + SIDE_PX, left : left + SIDE_PX] @ np.array([0.299, 0.587, 0.114])
    return np.asarray(grey - grey.mean())


_WINDOW: Floats = np.outer(np.hanning(SIDE_PX), np.hanning(SIDE_PX))
_FINE = (
    np.hypot(np.fft.fftshift(np.fft.fftfreq(SIDE_PX))[:, None], np.fft.rfftfreq(SIDE_PX)) > FINEST
)
