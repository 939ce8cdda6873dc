"""The driver's mouth between the lips of an animated face: charts and drawing, by hand."""

import numpy as np
import pytest

from dfmnist.fomm.guide import NUM_POINTS
from dfmnist.fomm.mouth import (
    CHART_HW,
    LOWER,
    SKIN,
    UPPER,
    Mouth,
    chart_of,
    draw_mouth,
    light_of,
    opening,
)

SIZE = 64
GREEN = Mouth(np.full((*CHART_HW, 3), (0, 90, 0), np.uint8), 120)
"""The source's own mouth."""


def plain(level: int, light: float = 120) -> Mouth:
    return Mouth(np.full((*CHART_HW, 3), level, np.uint8), light)


def face(gap: float, turn_deg: float = 0.0, at: tuple[float, float] = (0.0, 0.2)) -> np.ndarray:
    """Face points whose mouth is 0.5 wide and `gap` widths open in the middle."""
    points = np.zeros((NUM_POINTS, 3), np.float32)
    x = np.linspace(-0.25, 0.25, len(UPPER))
    arch = 0.5 * gap / 2 * (1 - (x / 0.25) ** 2)
    points[list(UPPER), :2] = np.column_stack([x, -arch])
    points[list(LOWER), :2] = np.column_stack([x, arch])
    points[list(SKIN), :2] = (0.0, -0.6)
    a = np.radians(turn_deg)
    points[:, :2] = points[:, :2] @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) + at
    return points


def painted(points: np.ndarray, size: int = SIZE) -> np.ndarray:
    """A grey picture whose mouth is red in its left half and white in its right one."""
    picture = np.full((size, size, 3), 120, np.uint8)
    y, x = np.mgrid[:size, :size] / (size - 1) * 2 - 1
    centre = points[[UPPER[0], UPPER[-1]], :2].mean(axis=0)
    along = points[UPPER[-1], :2] - points[UPPER[0], :2]
    side = (x - centre[0]) * along[0] + (y - centre[1]) * along[1]
    near = np.hypot(x - centre[0], y - centre[1]) < 0.3
    picture[near & (side < 0)] = (200, 0, 0)
    picture[near & (side >= 0)] = (255, 255, 255)
    return picture


@pytest.mark.parametrize("turn_deg", [0, 25])
def test_a_chart_shows_the_mouth_upright(turn_deg: float) -> None:
    points = face(0.6, turn_deg)
    chart = chart_of(painted(points), points)
    assert chart.shape == (*CHART_HW, 3)
    assert (chart[:, 4:20] == (200, 0, 0)).all()
    assert (chart[:, 28:44] == 255).all()


def test_the_chart_of_a_picture_that_is_not_square() -> None:
    points = face(0.6)
    wide = np.repeat(painted(points), 2, axis=1)
    chart = chart_of(wide, points)
    assert (chart[:, 4:18] == (200, 0, 0)).all()
    assert (chart[:, 30:44] == 255).all()


@pytest.mark.parametrize("turn_deg", [0, -20])
def test_the_mouth_is_drawn_between_the_lips(turn_deg: float) -> None:
    driver = face(0.6)
    chart = chart_of(painted(driver), driver)
    points = face(0.5, turn_deg, at=(0.1, 0.0))
    frame = np.full((SIZE, SIZE, 3), 120, np.uint8)
    kept = frame.copy()
    made = draw_mouth(frame, points, Mouth(chart, 120), GREEN, 0.0)
    np.testing.assert_array_equal(frame, kept)

    def pixel(along: float, down: float) -> list[int]:
        a = np.radians(turn_deg)
        place = np.array([along, down]) @ [[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]
        x, y = np.round((place + (0.1, 0.0) + 1) / 2 * (SIZE - 1)).astype(int)
        return [int(v) for v in made[y, x]]

    assert pixel(-0.12, 0) == [200, 0, 0]
    assert pixel(0.12, 0) == [255, 255, 255]
    for outside in ((0, -0.25), (0, 0.25), (-0.35, 0), (0.35, 0)):
        assert pixel(*outside) == [120, 120, 120]
    changed = np.argwhere((made != 120).any(axis=-1))
    assert len(changed) < 16 * 9  # the mouth alone: 16 pixels wide, 8 high


def test_the_mouth_ends_at_the_lips() -> None:
    """64 pixels wide (0.5 of 128), 32 high in the middle, at 256 px."""
    made = draw_mouth(FRAME, face(0.5, at=(0, 0)), plain(240), GREEN, 0.0)
    rows, columns = np.nonzero(made[..., 0] > 180)
    assert (rows.min(), rows.max()) == pytest.approx((127.5 - 15.4, 127.5 + 15.4), abs=1)
    assert (columns.min(), columns.max()) == pytest.approx((127.5 - 31, 127.5 + 31), abs=1.5)
    for x in (110, 127, 145):
        height = 15.94 * (1 - ((x - 127.5) / 31.9) ** 2)
        inside = np.flatnonzero(made[:, x, 0] > 180)
        assert (inside[0], inside[-1]) == pytest.approx((127.5 - height, 127.5 + height), abs=2)
        assert len(inside) == inside[-1] - inside[0] + 1


def middle(made: np.ndarray) -> list[int]:
    return [int(v) for v in made[128, 128]]


FRAME = np.full((256, 256, 3), 120, np.uint8)


def test_only_what_is_wider_open_than_in_the_source_is_the_drivers() -> None:
    """Nothing below 0.03 beyond the source's gap, half at 0.065, all from 0.1."""
    assert opening(face(0.3)) == pytest.approx(0.3, abs=1e-3)
    assert opening(face(-0.3)) == 0

    def drawn(gap: float, source_gap: float = 0.0) -> list[int]:
        return middle(draw_mouth(FRAME, face(gap, at=(0, 0)), plain(240), GREEN, source_gap))

    assert drawn(0.04, 0.02) == [120] * 3
    assert draw_mouth(FRAME, face(0.025), plain(240), GREEN, 0.0) is FRAME
    assert drawn(0.085, 0.02)[0] == pytest.approx(180, abs=3)
    assert drawn(0.13, 0.02) == [240] * 3
    beyond = face(0.5, at=(3.0, 0.0))  # beside the picture
    np.testing.assert_array_equal(draw_mouth(FRAME, beyond, plain(240), GREEN, 0.0), FRAME)


def test_an_open_mouth_of_the_source_stays_its_own() -> None:
    """From a gap of 0.05 on, fully from 0.12; the driver's comes over it where it opens wider."""

    def drawn(gap: float, source_gap: float) -> list[int]:
        return middle(draw_mouth(FRAME, face(gap, at=(0, 0)), plain(240), GREEN, source_gap))

    assert drawn(0.3, 0.3) == [0, 90, 0]
    assert drawn(0.2, 0.3) == [0, 90, 0]
    assert drawn(0.085, 0.085) == pytest.approx([60, 105, 60], abs=2)
    assert drawn(0.365, 0.3) == pytest.approx([120, 165, 120], abs=3)
    assert drawn(0.41, 0.3) == [240] * 3
    closed = face(-0.1, at=(0, 0))
    assert draw_mouth(FRAME, closed, plain(240), GREEN, 0.3) is FRAME


def test_the_mouth_takes_the_light_of_the_face() -> None:
    points = face(0.5, at=(0, 0))
    assert light_of(FRAME, points) == 120
    for light, level in ((150, 80), (100, 120), (20, 150)):  # the last: 1.5 times at most
        made = draw_mouth(FRAME, points, plain(100, light), GREEN, 0.0)
        assert middle(made) == [level] * 3
    darker = Mouth(GREEN.chart, 90.0)
    assert middle(draw_mouth(FRAME, points, plain(1), darker, 0.5)) == [0, 120, 0]
