"""Charts in two themes that say what they show, and pictures of the right parts of the clips."""

import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from dfmnist.core.actions import TEN, Action
from dfmnist.experiments import figures, images
from dfmnist.experiments.results import Curve, SpoofRate
from dfmnist.experiments.theme import DARK, LIGHT, Chart
from dfmnist.media.video import write_video
from dfmnist.stats.intervals import Estimate

RATES = [
    SpoofRate(a, 0 if a is Action.YAW else 3, 7, {"action": (5, 7), "universal": (4, 7)})
    for a in TEN
]
SVG = "{http://www.w3.org/2000/svg}"


def texts(path: Path) -> list[str]:
    return ["".join(t.itertext()).strip() for t in ET.parse(path).iter(f"{SVG}text")]


def check(chart: Chart, *wanted: str) -> None:
    for path in (chart.light, chart.dark):
        found = texts(path)
        for text in wanted:
            assert text in found, (path.name, text)
    assert LIGHT.ink in chart.light.read_text()
    assert DARK.ink in chart.dark.read_text()
    assert LIGHT.ink not in chart.dark.read_text()


def test_figure2_shows_counts_and_zero_of_n(tmp_path: Path) -> None:
    chart = figures.figure2(tmp_path, RATES)
    check(chart, "Yaw", "0 of 7", "3 of 7", "the paper's", "action-specific")
    assert "Yaw 0 of 7" in chart.alt


def test_figure6_shows_every_action_and_the_real_class(tmp_path: Path) -> None:
    row = {q: Estimate(0.9, 0.8, 0.95, 40, 4) for q in ("raw", "c23", "c40")}
    chart = figures.figure6_chart(tmp_path, {**dict.fromkeys(TEN, row), None: row}, "resnet50")
    check(chart, "Embarrassment", "Real clips", "raw", "c23", "c40")
    assert "ResNet-50" in chart.alt


def test_curves_have_a_panel_for_each_run(tmp_path: Path) -> None:
    runs = [Curve(f"run {i}", (0.7, 0.5, 0.4), (0.5, 0.7, 0.6)) for i in range(4)]
    chart = figures.curves(tmp_path, runs)
    check(chart, "run 0", "run 3", "epoch kept")
    assert "run 0: best validation accuracy 70%" in chart.alt


def test_charts_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    first = figures.figure2(tmp_path / "a", RATES)
    second = figures.figure2(tmp_path / "b", RATES)
    assert first.light.read_bytes() == second.light.read_bytes()
    assert first.dark.read_bytes() == second.dark.read_bytes()


def ramp(path: Path) -> Path:
    """Ten frames, each of one grey: 20, 40, ... 200."""
    images = (np.full((32, 32, 3), 20 * (i + 1), np.uint8) for i in range(10))
    write_video(path, images, Fraction(25), crf=10)
    return path


def test_figure1_strips_run_over_the_whole_clip(tmp_path: Path) -> None:
    picture = images.figure1(tmp_path, [("Yaw", ramp(tmp_path / "r.mp4"))] * 3, count=5)
    strip = np.asarray(Image.open(picture.tiles[0].path).convert("L"), dtype=float)
    assert strip.shape == (128, 5 * 128)
    greys = strip.reshape(128, 5, 128).mean((0, 2))
    np.testing.assert_allclose(greys, [40, 80, 120, 160, 200], atol=4)
    assert picture.sheet.is_file()


def test_figure9_enlarges_what_changed_most(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sharp = np.full((256, 256, 3), 100, np.uint8)
    sharp[150:190, 30:70] = rng.integers(0, 255, (40, 40, 3))
    dull = np.full((256, 256, 3), 100, np.uint8)
    top, left = images.most_changed(sharp, dull, 64)
    assert top <= 150 <= 190 <= top + 64
    assert left <= 30 <= 70 <= left + 64
    picture = images.figure9(tmp_path, [("raw", sharp), ("c40", dull)])
    assert [t.label for t in picture.tiles] == ["raw", "c40"]
    tile = np.asarray(Image.open(picture.tiles[0].path))
    assert tile.shape == (512, 256, 3)
    assert np.array_equal(tile[256::4, ::4], sharp[top : top + 64, left : left + 64])


def test_figure7_puts_the_frame_above_its_heat(tmp_path: Path) -> None:
    grey, painted = (np.full((64, 64, 3), level, np.uint8) for level in (128, 30))
    picture = images.figure7(tmp_path, [("Nod", grey, painted)])
    tile = np.asarray(Image.open(picture.tiles[0].path)).astype(int)
    assert tile.shape == (128, 64, 3)
    assert abs(tile[:60] - 128).max() < 12
    assert abs(tile[68:] - 30).max() < 12
