"""Charts in two themes that say what they show, and pictures of the right parts of the clips."""

import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from dfmnist.core.actions import TEN, Action
from dfmnist.experiments import images
from dfmnist.experiments.actions import action_chart, place_of
from dfmnist.experiments.charts import Curve, training_curves
from dfmnist.experiments.dataset_figures import spoof_chart
from dfmnist.experiments.experiment import headings
from dfmnist.experiments.results import ResultCell, ResultTable
from dfmnist.experiments.spoof_rates import SpoofRate
from dfmnist.experiments.theme import DARK, LIGHT, Chart
from dfmnist.media.video import write_video

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
    chart = spoof_chart(tmp_path, RATES)
    check(chart, "Yaw", "0 of 7", "3 of 7", "the paper's", "action-specific")
    assert "Yaw 0 of 7" in chart.alt


def test_figure6_shows_every_action_and_the_real_class(tmp_path: Path) -> None:
    def cells(action: Action | None) -> list[ResultCell]:
        row, _ = place_of(action)
        if action is Action.NOD:
            return [ResultCell(row=row, column="raw", state="not run")]
        return [
            ResultCell(
                row=row, column=q, state="run", value=0.9, low=0.8, high=0.95, n=40, groups=4
            )
            for q in ("raw", "c23", "c40")
        ]

    found = tuple(cell for action in (*TEN, None) for cell in cells(action))
    table = ResultTable(
        name="figure6", title="Figure 6: t", rows=headings(c.row for c in found),
        columns=headings(c.column for c in found), cells=found, stamp="smoke, not a result",
    )  # fmt: skip
    chart = action_chart(tmp_path, table)
    check(chart, "Embarrassment", "Real clips", "raw", "c23", "c40", "not run")
    check(chart, "smoke, not a result")
    assert "Smile, light (c23): 90%" in chart.alt
    assert "Nod, raw: not run" in chart.alt
    assert chart.png is not None
    assert chart.png.stat().st_size > 0


def test_curves_have_a_panel_for_each_run(tmp_path: Path) -> None:
    runs = [Curve(f"run {i}", (0.7, 0.5, 0.4), (0.5, 0.7, 0.6)) for i in range(4)]
    chart = training_curves(tmp_path, runs)
    check(chart, "run 0", "run 3", "epoch kept")
    assert "run 0: best validation accuracy 70%" in chart.alt


def test_charts_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    first = spoof_chart(tmp_path / "a", RATES)
    second = spoof_chart(tmp_path / "b", RATES)
    assert first.light.read_bytes() == second.light.read_bytes()
    assert first.dark.read_bytes() == second.dark.read_bytes()


def ramp(path: Path) -> Path:
    """Ten frames, each of one grey: 20, 40, ... 200."""
    images = (np.full((32, 32, 3), 20 * (i + 1), np.uint8) for i in range(10))
    write_video(path, images, Fraction(25), crf=10)
    return path


def test_strips_run_over_the_whole_clip(tmp_path: Path) -> None:
    clips = [("Yaw", ramp(tmp_path / "r.mp4"))] * 3
    picture = images.strips(tmp_path, "figure1", clips, count=5)
    assert [path.name for path in picture.tiles] == [f"figure1-0{n}.jpg" for n in range(3)]
    strip = np.asarray(Image.open(picture.tiles[0]).convert("L"), dtype=float)
    assert strip.shape == (128, 5 * 128)
    greys = strip.reshape(128, 5, 128).mean((0, 2))
    np.testing.assert_allclose(greys, [40, 80, 120, 160, 200], atol=4)
    assert picture.sheet == tmp_path / "figure1.jpg"
    assert picture.sheet.is_file()


def test_details_enlarge_what_changed_most(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sharp = np.full((256, 256, 3), 100, np.uint8)
    sharp[150:190, 30:70] = rng.integers(0, 255, (40, 40, 3))
    dull = np.full((256, 256, 3), 100, np.uint8)
    top, left = images.most_changed(sharp, dull, 64)
    assert top <= 150 <= 190 <= top + 64
    assert left <= 30 <= 70 <= left + 64
    picture = images.details(tmp_path, "figure9", [("raw", sharp), ("c40", dull)])
    assert [path.name for path in picture.tiles] == ["figure9-00.png", "figure9-01.png"]
    tile = np.asarray(Image.open(picture.tiles[0]))
    assert tile.shape == (512, 256, 3)
    assert np.array_equal(tile[256::4, ::4], sharp[top : top + 64, left : left + 64])
