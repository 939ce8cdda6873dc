"""Figure 7 as one picture: an action a row; the frame, then its activation map by each detector.

The paper shows ResNet-50 trained on raw; here further detectors and qualities stand beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
import torch
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont
from scipy.special import expit

from dfmnist.core.actions import INFO, TEN, Action
from dfmnist.core.errors import InputError
from dfmnist.dataset.manifest import Clip, Manifest, read_manifest
from dfmnist.detectors.cam import Method, cam, overlay
from dfmnist.detectors.run import Run, load_run
from dfmnist.experiments.images import Frames, resize
from dfmnist.experiments.paper import MODEL_TITLES
from dfmnist.media.image import write_image
from dfmnist.media.sample import sample_frames
from dfmnist.media.video import QUALITIES

INK, MUTED = (29, 32, 38), (93, 100, 112)
GAP, LINE, LEFT = 8, 18, 118
"""Pixels between tiles, of a line of text, and of the actions' column."""


@dataclass(frozen=True)
class Column:
    """One detector on clips of one quality."""

    run: Run
    quality: str

    @property
    def title(self) -> tuple[str, str]:
        """Two lines: the detector, and what it was trained on and sees."""
        name = self.run.config.network
        trained = self.run.config.quality
        sees = "" if trained == self.quality else f", sees {self.quality}"
        return MODEL_TITLES.get(name, name), f"trained on {trained}{sees}"


@dataclass(frozen=True)
class Cell:
    """A tile with the line under it."""

    image: Frames
    note: str


@dataclass(frozen=True)
class Row:
    """One action: the frame, then a tile for each column."""

    clip: Clip
    """In the quality of the plain frame."""
    cells: tuple[Cell, ...]

    @property
    def action(self) -> Action:
        """Of the clip."""
        return self.clip.action


@dataclass(frozen=True)
class Grid:
    """Figure 7 as tiles, for a page that lays them out itself."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    frame_quality: str
    """Of the frames shown plain."""


def cam_grid(
    dataset: Path,
    run_dirs: Sequence[Path],
    *,
    qualities: Sequence[str] | None = None,
    split: str = "test",
    label: str = "fake",
    method: Method = "auto",
    side_px: int = 128,
) -> Grid:
    """The tiles of Figure 7, `side_px` a side.

    Rows are the actions that the split has, each by the first clip of its name (no picking) and
    that clip's middle frame, where most actions are at their height. Columns are each run on each
    of `qualities` (None: on the quality that it was trained on, raw for a mixed one). A tile's
    note is P(fake) of the frame. Raises `InputError`: no finished run, no such clips.
    """
    if not run_dirs:
        raise InputError("no run for Figure 7; expected the folder of at least one finished run")
    if unknown := [q for q in qualities or () if q not in QUALITIES]:
        raise InputError(f"unknown quality '{unknown[0]}'; expected {', '.join(QUALITIES)}")
    runs = [load_run(folder) for folder in run_dirs]
    columns = [Column(r, q) for r in runs for q in qualities or r.config.qualities[:1]]
    manifest = read_manifest(dataset)
    wanted = list(dict.fromkeys(c.quality for c in columns))
    shown = _first_clips(manifest, split, label, wanted)
    if not shown:
        what = f"holds no {label} {split} clip of an action in {' and '.join(wanted)}"
        raise InputError.of(dataset, what, "clips for Figure 7")
    rows = []
    for clips in shown.values():
        frames = {q: sample_frames(manifest.path(c), 1)[1][0] for q, c in clips.items()}
        cells = [Cell(resize(frames[wanted[0]], side_px), "")]
        cells += [_cell(column, frames[column.quality], method, side_px) for column in columns]
        rows.append(Row(clips[wanted[0]], tuple(cells)))
    return Grid(tuple(columns), tuple(rows), wanted[0])


def cam_figure(
    dataset: Path,
    run_dirs: Sequence[Path],
    out: Path,
    *,
    qualities: Sequence[str] | None = None,
    split: str = "test",
    label: str = "fake",
    method: Method = "auto",
    side_px: int = 128,
) -> Path:
    """Write the tiles of `cam_grid`, an action a row, as the PNG `out`; returns it."""
    grid = cam_grid(
        dataset, run_dirs, qualities=qualities, split=split, label=label, method=method,
        side_px=side_px,
    )  # fmt: skip
    rows = [(INFO[row.action].title, row.cells) for row in grid.rows]
    write_image(out, _page(("Frame", grid.frame_quality), [c.title for c in grid.columns], rows))
    return out


def _first_clips(
    manifest: Manifest, split: str, label: str, qualities: Sequence[str]
) -> dict[Action, dict[str, Clip]]:
    """For each action the first clip, by name, that is there in every quality wanted."""
    found: dict[Action, dict[str, Clip]] = {}
    for action in TEN:
        by_clip: dict[str, dict[str, Clip]] = {}
        for clip in manifest.select(split=split, label=label, action=action.value).clips:
            if clip.quality in qualities:
                by_clip.setdefault(clip.clip_id, {})[clip.quality.value] = clip
        whole = [name for name, clips in by_clip.items() if len(clips) == len(qualities)]
        if whole:
            clips = by_clip[min(whole)]
            found[action] = {quality: clips[quality] for quality in qualities}
    return found


def _cell(column: Column, frame: Frames, method: Method, side_px: int) -> Cell:
    network = column.run.network
    small = resize(frame, column.run.config.input_size_px)[None]
    with torch.no_grad():
        raw = network(network.normalise(torch.from_numpy(small).permute(0, 3, 1, 2)))
    p_fake = float(expit(column.run.calibration.logits(raw.numpy()))[0])
    heat = cam(network, small, method)
    painted = overlay(resize(frame, side_px)[None], heat)[0]
    return Cell(painted, f"P(fake) {p_fake:.2f}")


def _page(
    first: tuple[str, str],
    titles: Sequence[tuple[str, str]],
    rows: Sequence[tuple[str, Sequence[Cell]]],
) -> npt.NDArray[np.uint8]:
    """The picture (h, w, 3): titles above, actions at the left, a key of the colours below."""
    side = rows[0][1][0].image.shape[0]
    step, tall = side + GAP, side + LINE + GAP
    width = LEFT + (1 + len(titles)) * step + GAP
    top = 2 * LINE + GAP
    page = Image.new("RGB", (width, top + len(rows) * tall + 2 * LINE + GAP), "white")
    pen = ImageDraw.Draw(page)
    for index, (name, detail) in enumerate((first, *titles)):
        x = LEFT + index * step
        _text(pen, (x, GAP // 2), name, 13, INK, side)
        _text(pen, (x, GAP // 2 + LINE), detail, 11, MUTED, side)
    for number, (title, cells) in enumerate(rows):
        y = top + number * tall
        _text(pen, (GAP, y + side // 2 - LINE // 2), title, 13, INK, LEFT - 2 * GAP)
        for index, cell in enumerate(cells):
            x = LEFT + index * step
            page.paste(Image.fromarray(cell.image), (x, y))
            _text(pen, (x, y + side + 2), cell.note, 11, MUTED, side)
    _key(page, pen, top + len(rows) * tall)
    return np.asarray(page)


def _key(page: Image.Image, pen: ImageDraw.ImageDraw, y: int) -> None:
    """What the colours mean; each map has its own least and greatest value."""
    ramp = (colormaps["jet"](np.linspace(0, 1, 64))[None, :, :3] * 255).astype(np.uint8)
    page.paste(Image.fromarray(ramp.repeat(LINE // 2, 0)), (LEFT, y + LINE // 4))
    words = "least to most evidence for fake, in each map"
    room = page.width - LEFT - 64 - 2 * GAP
    if pen.textlength(words, _font(11)) <= room:
        _text(pen, (LEFT + 64 + GAP, y), words, 11, MUTED, room)
    else:
        _text(pen, (GAP, y + LINE), words, 11, MUTED, page.width - 2 * GAP)


def _text(
    pen: ImageDraw.ImageDraw,
    xy: tuple[int, int],
    text: str,
    size: int,
    colour: tuple[int, int, int],
    room: int,
) -> None:
    """`text` in at most `room` pixels: smaller type where it would be wider."""
    while size > 7 and pen.textlength(text, _font(size)) > room:
        size -= 1
    pen.text(xy, text, fill=colour, font=_font(size))


def _font(size: int) -> ImageFont.FreeTypeFont:
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)
