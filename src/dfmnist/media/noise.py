"""Camera noise, which is added to real clips and, after animation, to fakes."""

import numpy as np
from numpy.typing import NDArray

from dfmnist.core.arrays import Frames

_BANK = 1 << 20
"""Number of random samples drawn for a clip; each frame reads them from a random offset. New
samples for each frame would take five times as long and make no visible difference."""


def add_camera_noise(frames_rgb_u8: Frames, seed: int, sigma: float = 2.0) -> Frames:
    """Add sensor noise of about `sigma` levels at mid grey to frames (n, h, w, 3).

    Shot noise grows with the square root of the brightness; read noise is constant. Most of the
    noise is luma; chroma noise is weaker and smooth over two by two pixels, as after demosaicing.
    The same seed gives the same noise. `sigma` 0 returns the frames unchanged.
    """
    if sigma == 0:
        return frames_rgb_u8
    rng = np.random.default_rng(seed)
    n, h, w, _ = frames_rgb_u8.shape
    luma_bank = rng.standard_normal(_BANK, dtype=np.float32)
    chroma_bank = rng.standard_normal(_BANK, dtype=np.float32) * np.float32(0.5)
    gain = _gain_of_level(sigma)
    out = np.empty_like(frames_rgb_u8)
    for index in range(n):
        frame = frames_rgb_u8[index]
        luma = _field(luma_bank, rng, h, w)
        red, blue = (_smooth_field(chroma_bank, rng, h, w) for _ in range(2))
        for channel, noise in enumerate((luma + red, luma - 0.3 * (red + blue), luma + blue)):
            level = frame[..., channel]
            noisy = noise
            noisy *= gain[level]
            noisy += level
            np.rint(noisy, out=noisy)
            np.clip(noisy, 0, 255, out=noisy)
            out[index, ..., channel] = noisy
    return out


def _gain_of_level(sigma: float) -> NDArray[np.float32]:
    """Noise deviation at each of the 256 levels: at mid grey half of the variance is shot noise."""
    level = np.arange(256, dtype=np.float32) / 128
    return (sigma * np.sqrt(0.5 + 0.5 * level)).astype(np.float32)


def _field(
    bank: NDArray[np.float32], rng: np.random.Generator, h: int, w: int
) -> NDArray[np.float32]:
    """Samples (h, w) from a random offset in `bank`."""
    if h * w >= bank.size:
        return rng.standard_normal((h, w), dtype=np.float32)
    start = int(rng.integers(0, bank.size - h * w))
    return bank[start : start + h * w].reshape(h, w).copy()


def _smooth_field(
    bank: NDArray[np.float32], rng: np.random.Generator, h: int, w: int
) -> NDArray[np.float32]:
    half = _field(bank, rng, (h + 1) // 2, (w + 1) // 2)
    return half.repeat(2, axis=0).repeat(2, axis=1)[:h, :w]
