"""Colour jitter against the standard library's colour conversion and values by hand."""

import colorsys

import numpy as np
import pytest
import torch

from dfmnist.fomm.training.jitter import Jitter, draw_jitter, jitter_colours, shift_hue

STILL = Jitter(1.0, 1.0, 1.0, 0.0)


def pixel(*rgb: float) -> torch.Tensor:
    return torch.tensor(rgb).reshape(1, 3, 1, 1)


def test_hue_is_the_hexcones() -> None:
    images = torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    images[0, :, 0, 0] = 0.4  # grey has no hue
    images[0, :, 0, 1] = torch.tensor([0.7, 0.7, 0.1])  # two channels share the greatest value
    for turns in (-0.1, 0.07, 0.5):
        found = shift_hue(images, turns).permute(0, 2, 3, 1).reshape(-1, 3)
        for before, after in zip(images.permute(0, 2, 3, 1).reshape(-1, 3), found, strict=True):
            h, s, v = colorsys.rgb_to_hsv(*before.double().tolist())
            wanted = colorsys.hsv_to_rgb((h + turns) % 1, s, v)
            np.testing.assert_allclose(after, wanted, atol=1e-5)


def test_factors_by_hand() -> None:
    pair = torch.cat([pixel(0.2, 0.4, 0.6), pixel(0.6, 0.6, 0.6)])
    grey = 0.299 * 0.2 + 0.587 * 0.4 + 0.114 * 0.6
    brighter = jitter_colours(pair, Jitter(1.1, 1.0, 1.0, 0.0))
    torch.testing.assert_close(brighter, pair * 1.1)
    flatter = jitter_colours(pair, Jitter(1.0, 0.9, 1.0, 0.0))
    mean = (grey + 0.6) / 2  # of both pictures: one change of colours for the pair
    torch.testing.assert_close(flatter, 0.9 * pair + 0.1 * mean)
    duller = jitter_colours(pair, Jitter(1.0, 1.0, 0.9, 0.0))
    torch.testing.assert_close(duller[0].flatten(), 0.9 * pair[0].flatten() + 0.1 * grey)
    torch.testing.assert_close(duller[1], pair[1])
    torch.testing.assert_close(jitter_colours(pair, STILL), pair)


def test_one_colour_goes_to_one_colour_in_both_pictures() -> None:
    images = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    images[:, :, 2, 2] = torch.tensor([0.3, 0.5, 0.2])
    found = jitter_colours(images, draw_jitter(np.random.default_rng(5), 0.1))
    torch.testing.assert_close(found[0, :, 2, 2], found[1, :, 2, 2])
    assert not torch.allclose(found, images, atol=1e-3)
    assert 0 <= found.min() <= found.max() <= 1


def test_order_is_drawn_and_matters() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_jitter(rng, 0.1) for _ in range(50)]
    assert len({j.order for j in drawn}) > 10
    assert all(abs(j.hue) <= 0.1 and 0.9 <= j.brightness <= 1.1 for j in drawn)
    bright = pixel(0.95, 0.5, 0.2)
    first = jitter_colours(bright, Jitter(1.1, 0.9, 1.0, 0.0, (0, 1, 2, 3)))
    last = jitter_colours(bright, Jitter(1.1, 0.9, 1.0, 0.0, (1, 0, 2, 3)))
    assert not torch.allclose(first, last, atol=1e-3)  # brightness clips where it comes first


def test_amount_zero_changes_nothing() -> None:
    images = torch.rand(1, 3, 3, 3)
    drawn = draw_jitter(np.random.default_rng(0), 0.0)
    assert (drawn.brightness, drawn.hue) == (pytest.approx(1), pytest.approx(0))
    torch.testing.assert_close(jitter_colours(images, drawn), images, atol=1e-6, rtol=0)
