"""One look for every chart: two themes, a fixed palette, and SVG that is the same bytes each time.

The palette is the page's (`reports/page.css`): teal is real, orange is fake, and the three
qualities are one violet from strong to weak. They differ in grey and for colour-blind readers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfmnist.core.files import atomic_path

FONT_STACK = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

PNG_DPI = 200


@dataclass(frozen=True)
class Theme:
    """Colours of a chart; the background is the page's, so it stays transparent."""

    name: Literal["light", "dark"]
    ink: str
    muted: str
    grid: str
    band: str
    """Colour behind every other row."""
    real: str
    fake: str
    quality: dict[str, str]
    paper: str
    """Colour of the paper's values."""
    backdrop: str
    """Colour of the page behind the chart, which fills hollow marks."""


LIGHT = Theme(
    "light",
    ink="#1d2026",
    muted="#5d6470",
    grid="#dcdfe4",
    band="#f4f4f1",
    real="#0f766e",
    fake="#c2410c",
    quality={"raw": "#3b2a8c", "c23": "#6d59d3", "c40": "#9d8ae6"},
    paper="#1d2026",
    backdrop="#ffffff",
)
DARK = Theme(
    "dark",
    ink="#eceae4",
    muted="#a3a8b3",
    grid="#363b45",
    band="#20242c",
    real="#2dd4bf",
    fake="#fb923c",
    quality={"raw": "#d3caff", "c23": "#9d8cf5", "c40": "#6a58c8"},
    paper="#eceae4",
    backdrop="#181b21",
)
THEMES: tuple[Theme, ...] = (LIGHT, DARK)


@dataclass(frozen=True)
class Chart:
    """A chart written in both themes; paths of its files."""

    light: Path
    dark: Path
    alt: str
    """Words for those who cannot see the chart."""
    png: Path | None = None
    """The light chart on white as PNG, where it was asked for."""


def _settings(theme: Theme) -> Any:
    return {
        "font.family": "DejaVu Sans",
        "font.size": 9.0,
        "text.color": theme.ink,
        "axes.labelcolor": theme.muted,
        "axes.edgecolor": theme.grid,
        "axes.linewidth": 0.8,
        "xtick.color": theme.muted,
        "ytick.color": theme.ink,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
        "svg.fonttype": "none",
        "svg.hashsalt": "dfmnist",
        "axes.unicode_minus": True,
    }


def bare(axes: Axes, theme: Theme, *, grid: Literal["x", "y"] = "x") -> None:
    """Drop the box, keep a quiet grid along one axis."""
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.grid(axis=grid, color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)


def draw(
    folder: Path,
    stem: str,
    alt: str,
    paint: Callable[[Figure, Theme], None],
    size_in: tuple[float, float],
    *,
    png: bool = False,
) -> Chart:
    """Paint the chart in both themes into `folder/stem-light.svg` and `folder/stem-dark.svg`.

    With `png` the light one is also painted on white into `folder/stem.png`, for papers and
    editors without SVG. Text stays text, in the reader's own interface font; DejaVu, which
    matplotlib measures with, is wider than those, so nothing overflows.
    """
    paths = []
    for theme in THEMES:
        with matplotlib.rc_context(_settings(theme)):
            figure = Figure(figsize=size_in)
            paint(figure, theme)
            path = folder / f"{stem}-{theme.name}.svg"
            with atomic_path(path) as temporary:
                # no date: same input, same bytes
                figure.savefig(temporary, format="svg", metadata={"Date": None, "Creator": None})
                text = temporary.read_text(encoding="utf-8").replace("'DejaVu Sans'", FONT_STACK)
                temporary.write_text(text, encoding="utf-8")
            paths.append(path)
    image = folder / f"{stem}.png" if png else None
    if image is not None:
        with matplotlib.rc_context(_settings(LIGHT) | {"savefig.facecolor": "white"}):
            figure = Figure(figsize=size_in, dpi=PNG_DPI)
            paint(figure, LIGHT)
            with atomic_path(image) as temporary:
                figure.savefig(temporary, format="png", metadata={"Software": None})
    return Chart(paths[0], paths[1], alt, image)
