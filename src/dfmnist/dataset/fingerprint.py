"""Perceptual hash of clips, by which copies of one recording are found whatever their encoding.

The hash of a frame is the sign-free low end of its cosine transform: brightness on a small square,
transformed, without its mean, with each frequency weighted by itself, since pictures have less of
the higher ones. Encoding again, resizing and cutting a few percent off the edges change it little;
mirroring turns the sign of every odd horizontal frequency, so that mirrored copies are found with
one more product. A clip has the hashes of a few frames of its first seconds, at equal times
whatever the frame rate.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfmnist.media.video import frame_times, frames_at

FRAMES = 4
"""Number of frames of a clip that are hashed."""
WINDOW_S = 2.0
"""Length in seconds of the beginning of a clip that frames are taken from."""
SIDE_PX = 32
"""Side of the square that a frame is resized to, in pixels."""
FREQUENCIES = 8
"""Number of frequencies in each direction."""
FLAT = 3.0
"""Standard deviation of brightness, in levels, below which a frame is empty: black, or one colour.
An empty frame says nothing about whether clips are copies."""
NEAR = 0.0
"""Largest distance of copies of one recording."""
BLOCK = 2048
"""Number of clips that are compared with all others at once."""

Hash = NDArray[np.float32]
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def fingerprint(path: Path) -> Hash:
    """The hash of a clip: (`FRAMES` · (`FREQUENCIES`² - 1),), of length 1; all zero if it is empty.

    Only the first seconds are decoded. Raises `InputError` for a file that cannot be read.
    """
    times = frame_times(path)
    length_s = min(WINDOW_S, times.duration_s)
    moments_s = (np.arange(FRAMES) + 0.5) * length_s / FRAMES
    frames = frames_at(path, times.index_at(moments_s), (SIDE_PX, SIDE_PX), times=times)
    return hash_of(frames)


def hash_of(frames_rgb_u8: NDArray[np.uint8]) -> Hash:
    """The hash of frames (n, `SIDE_PX`, `SIDE_PX`, 3); see `fingerprint`."""
    from scipy.fft import dctn

    luma = frames_rgb_u8.astype(np.float32) @ _LUMA
    spectrum = dctn(luma, axes=(1, 2), norm="ortho")[:, :FREQUENCIES, :FREQUENCIES] * _weights()
    parts = spectrum.reshape(len(luma), -1)[:, 1:]
    parts[luma.std(axis=(1, 2)) < FLAT] = 0
    lengths = np.linalg.norm(parts, axis=1, keepdims=True)
    whole = (parts / np.where(lengths > 0, lengths, 1)).ravel()
    return (whole / max(float(np.linalg.norm(whole)), 1e-9)).astype(np.float32)


def _weights() -> NDArray[np.float32]:
    u = np.arange(FREQUENCIES, dtype=np.float32)
    return np.hypot(u[:, None], u[None])


def mirrored(hashes: Hash) -> Hash:
    """The hashes (n, k) of the same clips mirrored left to right."""
    signs = np.where(np.arange(FREQUENCIES) % 2, -1, 1).astype(np.float32)
    one = np.broadcast_to(signs, (FREQUENCIES, FREQUENCIES)).ravel()[1:]
    return hashes * np.tile(one, FRAMES)


def near_pairs(a: Hash, b: Hash) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], Hash]]:
    """Pairs of the clips of `a` (n, k) and `b` (m, k) that are copies: indices and distances.

    A distance is 0 for equal pictures and 1 for unrelated ones. Pairs come in blocks, so that
    memory stays small whatever the number of clips; copies are found mirrored, too.
    """
    other = mirrored(b)
    for start in range(0, len(a), BLOCK):
        rows = a[start : start + BLOCK]
        distance = 1 - np.maximum(rows @ b.T, rows @ other.T)
        first, second = np.nonzero(distance <= NEAR)
        yield first + start, second, distance[first, second]
