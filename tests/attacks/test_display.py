"""A print and a display keep the picture, and leave the traces that they are made of."""

import numpy as np
import pytest

from dfmnist.attacks.display import SHOWN, printed, replayed
from dfmnist.core.arrays import Frames

SIDE = 96


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture(scope="module")
def clip() -> Frames:
    """(6, 96, 96, 3): a soft blob that grows brighter."""
    y, x = np.mgrid[:SIDE, :SIDE]
    blob = 40 + 150 * np.exp(-(((x - 48) / 20) ** 2 + ((y - 48) / 26) ** 2))
    frames = np.stack([blob + 8 * index for index in range(6)])
    return np.repeat(frames[..., None], 3, axis=-1).astype(np.uint8)


def inner(frames: Frames) -> np.ndarray:
    edge = round(SIDE * (1 - SHOWN) / 2) + 14
    return frames[:, edge:-edge, edge:-edge].astype(np.float64)


def fine(frames: np.ndarray) -> float:
    """Mean square of what a pixel differs from the mean of its neighbours."""
    middle = frames[:, 1:-1, 1:-1]
    around = (frames[:, :-2, 1:-1] + frames[:, 2:, 1:-1] + frames[:, 1:-1, :-2]
              + frames[:, 1:-1, 2:]) / 4  # fmt: skip
    return float(((middle - around) ** 2).mean())


def test_a_print_is_one_picture_with_a_white_border_and_less_contrast(clip: Frames) -> None:
    frames = printed(clip[0], 6, rng())
    assert frames.shape == clip.shape
    assert frames.dtype == np.uint8
    assert (frames == printed(clip[0], 6, rng())).all()
    assert (frames != printed(clip[0], 6, np.random.default_rng(4))).any()
    row = frames[0, SIDE // 2].mean(axis=-1)
    assert row[:20].max() > 215  # the border
    assert row[:4].max() < 120  # the room behind it
    assert np.ptp(inner(frames)[0]) < np.ptp(inner(clip)[0])
    assert fine(inner(frames)) > 4 * fine(inner(clip))  # halftone and grain
    assert abs(inner(frames)[5].mean() - inner(frames)[0].mean()) < 6  # the clip goes on, it not


def test_a_display_shows_the_clip_in_a_dark_bezel_with_coloured_stripes(clip: Frames) -> None:
    frames = replayed(clip, rng())
    assert frames.shape == clip.shape
    assert (frames == replayed(clip, rng())).all()
    row = frames[0, SIDE // 2].mean(axis=-1)
    assert row[:20].min() < 25  # the bezel
    assert row[0] > 30
    assert inner(frames)[5].mean() - inner(frames)[0].mean() > 20  # it moves on as the clip does
    grey = inner(clip) - inner(clip).mean(axis=-1, keepdims=True)
    colour = inner(frames) - inner(frames).mean(axis=-1, keepdims=True)
    assert np.abs(grey).max() == 0
    assert colour.std(axis=(0, 1, 2)).min() > 2  # red, green and blue beat apart
    assert fine(inner(frames)) > 10 * fine(inner(clip))


def test_both_move_in_perspective(clip: Frames) -> None:
    for frames in (printed(clip[0], 6, rng()), replayed(np.repeat(clip[:1], 6, 0), rng())):
        assert np.abs(frames[5].astype(int) - frames[0]).mean() > 1
