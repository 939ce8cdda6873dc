"""Crops cover a frame, and frames of one unit are cropped alike."""

import numpy as np
import pytest
import torch

from dfmnist.detectors.crops import crop, grid, random_crops, starts


@pytest.mark.parametrize(
    ("side", "size", "expected"),
    [(256, 128, [0, 128]), (256, 224, [0, 32]), (256, 100, [0, 78, 156]), (64, 64, [0])],
)
def test_starts_cover_the_side_with_the_fewest_crops(
    side: int, size: int, expected: list[int]
) -> None:
    assert starts(side, size) == expected


def test_every_pixel_lies_in_a_crop() -> None:
    seen = torch.zeros(1, 1, 130, 97)
    for corner in grid(130, 97, 40):
        part = crop(seen, corner, 40)
        assert part.shape[-2:] == (40, 40)
        part += 1
    assert bool((seen > 0).all())


def test_a_crop_larger_than_the_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="128 px does not fit a side of 100 px"):
        starts(100, 128)


def test_random_crops_take_native_pixels_at_one_place_for_all_frames() -> None:
    frame = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)
    frames = np.stack([frame % 251, frame // 3 % 251, frame % 83], axis=-1).astype(np.uint8)
    pair = np.stack([frames, 255 - frames])
    places = set()
    for seed in range(30):
        a, b = random_crops(pair, 8, np.random.default_rng(seed))
        assert a.shape == (8, 8, 3)
        assert np.array_equal(a, 255 - b)
        found = [
            (y, x)
            for y in range(13)
            for x in range(23)
            if np.array_equal(frames[y : y + 8, x : x + 8], a)
        ]
        assert len(found) == 1
        places.add(found[0])
    assert len(places) > 15
