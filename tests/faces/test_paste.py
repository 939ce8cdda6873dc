"""Animated crops that are put back into the full picture: where, how softly, in which colours."""

import numpy as np

from dfmnist.faces.crop import square_crop
from dfmnist.faces.paste import FADE, PasteBack

BOX = (30.4, 20.4, 90.4, 80.4)
"""A square of 60 pixels, from (30, 20)."""


def scene() -> np.ndarray:
    """A picture (100, 140, 3) whose colours change slowly."""
    y, x = np.mgrid[:100, :140]
    return np.stack([50 + x, 60 + y, 120 + (x + y) // 3], -1).astype(np.uint8)


def test_the_crop_lies_where_it_was_cut_and_nothing_else_changes() -> None:
    picture = scene()
    pasted = PasteBack(BOX, (140, 100))(picture, np.full((32, 32, 3), 255, np.uint8))
    outside = np.ones((100, 140), bool)
    outside[20:80, 30:90] = False
    assert np.array_equal(pasted[outside], picture[outside])
    edge = round(60 * FADE)
    assert (pasted[20 + edge : 80 - edge, 30 + edge : 90 - edge] == 255).all()
    # towards the sides it fades without a step
    line = pasted[50, 29:60, 0].astype(int)
    assert np.abs(np.diff(line)).max() < 0.2 * (255 - picture[50, 30, 0])
    assert np.abs(line[:2] - picture[50, 29:31, 0]).max() <= 2
    assert np.array_equal(picture, scene())  # the picture itself is not changed


def test_a_crop_of_the_picture_itself_changes_nothing() -> None:
    picture = scene()
    face = square_crop(picture[None], BOX, 60)[0]
    assert np.array_equal(PasteBack(BOX, (140, 100))(picture, face), picture)


def test_colours_of_the_model_are_taken_out() -> None:
    picture = scene()
    face = square_crop(picture[None], BOX, 64)[0]
    shade = np.linspace(-30, 10, 64)[:, None]
    darker = np.clip(face + shade, 0, 255).astype(np.uint8)
    paste = PasteBack(BOX, (140, 100))
    plain = np.abs(paste(picture, darker).astype(int) - picture).max()
    paste.correct(face, darker)
    corrected = np.abs(paste(picture, darker).astype(int) - picture).max()
    assert plain > 15
    assert corrected <= 5


def test_a_square_that_exceeds_the_picture_does_not_fade_at_its_edge() -> None:
    picture = scene()
    pasted = PasteBack((-20, -10, 40, 50), (140, 100))(picture, np.zeros((32, 32, 3), np.uint8))
    assert pasted[:30, :20].max() == 0
    assert np.array_equal(pasted[55:], picture[55:])
    all_of_it = PasteBack((-5, -25, 145, 125), (140, 100))
    assert all_of_it(picture, np.zeros((32, 32, 3), np.uint8)).max() == 0
