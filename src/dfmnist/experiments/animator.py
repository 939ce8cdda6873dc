"""How well the animator transfers a performance from one unseen actor to another.

Only synthetic actors allow the question: source A is animated by driver B, and compared with the
frames that A would really have shown in B's performance.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from dfmnist.actors.film import FilmJob, film
from dfmnist.actors.seeds import SEED_RANGES, check_range
from dfmnist.core.actions import TEN, Action
from dfmnist.core.engine import progress_bar
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path, write_json, write_text
from dfmnist.faces.crop import crop_clip
from dfmnist.faces.mesh import face_mesh
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.faces.pose import Signals, signals
from dfmnist.fomm.animate import Animator
from dfmnist.fomm.checkpoint import weights_id
from dfmnist.media.video import read_frames

Frames = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]

CHANGED = 20
"""A pixel counts as moving where a channel differs by more from the source (of 255)."""
FOLLOWED: dict[Action, str] = {
    Action.YAW: "yaw_deg",
    Action.NOD: "pitch_deg",
    Action.LOOK_UP: "pitch_deg",
    Action.RIGHT_SLOPE: "roll_deg",
    Action.LEFT_SLOPE: "roll_deg",
    Action.OPEN_MOUTH: "mouth_open",
}
"""The signal of the face mesh in which the animated clip should follow its driver."""
BLINK_FALL = 0.4
"""A blink is one when the eyes' aspect ratio falls by this share of its value at the start.

The ratio is that of the lids found by the iris model, as the screening measures it. The mesh alone
sees a shut eye about half open; it is reported beside.
"""


@dataclass(frozen=True)
class ClipScore:
    """One animated clip against the truth."""

    action: Action
    source: int
    driver: int
    psnr: float
    """dB over the pixels that truly move, all frames together."""
    psnr_still: float
    """The same for showing the source all along."""
    psnr_driver: float
    """The same for showing the driver."""
    correlation: float
    """Of the animated clip's signal with the driver's; NaN where the action has no signal."""
    gain: float
    """Regression slope of the animated clip's signal on the driver's."""
    eye_fall: float
    """Largest fall of the eyes' aspect ratio, as a share of its value at the start."""
    driver_eye_fall: float
    mesh_eye_fall: float
    """The same by the face mesh alone, without the iris model."""
    driver_mesh_eye_fall: float


def moving_psnr(made: Frames, true: Frames, source: Frames) -> float:
    """PSNR of `made` (n, h, w, 3) over the pixels where `true` differs from `source` (h, w, 3)."""
    difference = np.abs(true.astype(np.int16) - source.astype(np.int16))
    changed = difference.max(axis=-1) > CHANGED
    if not changed.any():
        return float("nan")
    error = made.astype(np.float64)[changed] - true.astype(np.float64)[changed]
    return float(10 * np.log10(255**2 / max(float((error**2).mean()), 1e-9)))


def follow(animated: npt.ArrayLike, driver: npt.ArrayLike) -> tuple[float, float]:
    """Correlation, and slope of the regression of `animated` on `driver`; frames with NaN drop."""
    a, d = np.asarray(animated, np.float64), np.asarray(driver, np.float64)
    known = np.isfinite(a) & np.isfinite(d)
    if known.sum() < 3 or np.ptp(d[known]) == 0:
        return float("nan"), float("nan")
    a, d = a[known] - a[known].mean(), d[known] - d[known].mean()
    slope = float((a * d).sum() / (d * d).sum())
    size = float(np.sqrt((a * a).sum() * (d * d).sum()))
    return (float((a * d).sum()) / size if size else 0.0), slope


def eye_fall(found: Signals) -> float:
    """Largest fall of the eyes' aspect ratio from its median over the first five frames."""
    aspect = np.asarray(found.eye_aspect, np.float64)
    if not np.isfinite(aspect[:5]).any():
        return float("nan")
    start = float(np.nanmedian(aspect[:5]))
    return 1 - float(np.nanmin(aspect)) / start


def score_clip(
    animator: Animator,
    action: Action,
    people: tuple[int, int],
    true: Frames,
    driving: Frames,
) -> tuple[ClipScore, Frames]:
    """Animate the first frame of `true` with `driving`; both (n, size, size, 3) crops."""
    source = true[0]
    made = animator.animate(animator.encode(source), animator.keypoints(driving))
    mesh = face_mesh()
    tracks = [mesh.track(clip) for clip in (made, driving)]
    ours, theirs = (signals(found) for found in tracks)
    coarse = [signals([m and replace(m, eyes=None) for m in found]) for found in tracks]
    correlation = gain = float("nan")
    if action in FOLLOWED:
        correlation, gain = follow(
            getattr(ours, FOLLOWED[action]), getattr(theirs, FOLLOWED[action])
        )
    still = np.broadcast_to(source, true.shape)
    return (
        ClipScore(
            action,
            *people,
            moving_psnr(made, true, source),
            moving_psnr(still, true, source),
            moving_psnr(driving, true, source),
            correlation,
            gain,
            eye_fall(ours),
            eye_fall(theirs),
            eye_fall(coarse[0]),
            eye_fall(coarse[1]),
        ),
        made,
    )


def evaluate_animator(
    weights: Path | None,
    actors: Sequence[int],
    takes: int,
    out: Path,
    *,
    num_frames: int = 50,
) -> list[dict[str, float | str]]:
    """Score the ten actions across identities; one row an action.

    Each actor is a source once, with the next one as driver; `takes` performances an action and
    pair. Clips are filmed under `out` and kept; `clips.json`, `table.md`, `sheet.png` and
    `actions.png` (source, driver and animation at the height of each action) are written there.
    Raises `InputError` unless the actors' seeds are the evaluation's.
    """
    check_range("evaluation", actors)
    if len(actors) < 2:
        raise InputError("evaluate-animator: expected at least two actors")
    animator = Animator(weights)
    scores: list[ClipScore] = []
    rows: list[Frames] = []
    columns: dict[Action, Frames] = {}
    pairs = [(actors[i], actors[(i + 1) % len(actors)]) for i in range(len(actors))]
    with progress_bar() as bar:
        task = bar.add_task("evaluate the animator", total=len(TEN) * len(pairs) * takes)
        for action in TEN:
            for number, (source, driver) in enumerate(pairs):
                for take in range(takes):
                    seed = SEED_RANGES["evaluation"].start + take
                    clips = [
                        _crop(film(_job(out, who, action, seed, num_frames)), animator.size)
                        for who in (source, driver)
                    ]
                    bar.advance(task)
                    if clips[0] is None or clips[1] is None:
                        continue
                    score, made = score_clip(animator, action, (source, driver), clips[0], clips[1])
                    scores.append(score)
                    if number == TEN.index(action) % len(pairs) and take == 0:
                        rows.append(_strip(clips[0], clips[1], made))
                        columns[action] = _column(action, clips[0], clips[1], made)
    table = summarise(scores)
    write_json(out / "clips.json", [_plain(score) for score in scores])
    text = markdown(table)
    write_text(out / "table.md", f"Weights `{weights_id(weights)}`\n\n{text}")
    if rows:
        _save(out / "sheet.png", Image.fromarray(np.concatenate(rows)))
        _save(out / "actions.png", _labelled(columns))
    return table


def summarise(scores: Sequence[ClipScore]) -> list[dict[str, float | str]]:
    """One row an action: means, medians for gain, and the share of blinks that are blinks."""
    table: list[dict[str, float | str]] = []
    for action in TEN:
        chosen = [score for score in scores if score.action is action]
        if not chosen:
            continue

        def mean(name: str, chosen: Sequence[ClipScore] = chosen) -> float:
            values = np.array([getattr(score, name) for score in chosen], np.float64)
            return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")

        blinks = [s.eye_fall >= BLINK_FALL for s in chosen if s.driver_eye_fall >= BLINK_FALL]
        coarse = [
            s.mesh_eye_fall >= BLINK_FALL for s in chosen if s.driver_mesh_eye_fall >= BLINK_FALL
        ]
        row: dict[str, float | str] = {"action": action.value, "clips": float(len(chosen))}
        for name in ("psnr", "psnr_still", "psnr_driver", "correlation", "gain"):
            row[name] = mean(name)
        good = [s.correlation >= 0.8 and 0.6 <= s.gain <= 1.3 for s in chosen]
        row["follows"] = float(np.mean(good)) if action in FOLLOWED else float("nan")
        for name, falls in (("blinks", blinks), ("blinks_mesh", coarse)):
            row[name] = float(np.mean(falls)) if action is Action.BLINK and falls else np.nan
        table.append(row)
    return table


def markdown(table: Sequence[dict[str, float | str]]) -> str:
    """The table for `docs/ANIMATOR.md`."""
    heads = {
        "action": "action",
        "clips": "clips",
        "psnr": "PSNR, moving pixels (dB)",
        "psnr_still": "no motion",
        "psnr_driver": "copy of driver",
        "correlation": "correlation",
        "gain": "gain",
        "follows": "clips that follow",
        "blinks": "clips that blink",
        "blinks_mesh": "… by the mesh alone",
    }
    lines = ["| " + " | ".join(heads.values()) + " |", "|" + "---|" * len(heads)]
    for row in table:
        cells = []
        for name in heads:
            value = row[name]
            if isinstance(value, str):
                cells.append(value)
            elif np.isnan(value):
                cells.append("–")
            elif name == "clips":
                cells.append(f"{value:.0f}")
            elif name in ("follows", "blinks", "blinks_mesh"):
                cells.append(f"{value:.0%}")
            else:
                cells.append(f"{value:.2f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _job(out: Path, who: int, action: Action, seed: int, num_frames: int) -> FilmJob:
    path = out / "clips" / f"{who}-{action.value}-{seed}.mp4"
    return FilmJob(who, action, seed, num_frames, path)


def _crop(path: Path, size: int) -> Frames | None:
    frames, _ = crop_clip(read_frames(path), mtcnn(), size)
    return frames


def _plain(score: ClipScore) -> dict[str, float | str | None]:
    values = {name: getattr(score, name) for name in score.__dataclass_fields__}
    return {
        name: value.value
        if isinstance(value, Action)
        else (None if isinstance(value, float) and np.isnan(value) else value)
        for name, value in values.items()
    }


def _strip(true: Frames, driving: Frames, made: Frames) -> Frames:
    """Driver, truth and animation at six moments, one above the other."""
    at = np.linspace(0, len(true) - 1, 8).round().astype(int)[1:-1]
    return np.concatenate(
        [np.concatenate(list(clip[at]), axis=1) for clip in (driving, true, made)], axis=0
    )


def _column(action: Action, true: Frames, driving: Frames, made: Frames) -> Frames:
    """Source, driver and animation at the height of the driver's action, at half size."""
    if action is Action.BLINK:
        at = int(np.nanargmin(signals(face_mesh().track(driving)).eye_aspect))
    else:
        far = np.abs(driving.astype(np.int16) - driving[0].astype(np.int16)).mean(axis=(1, 2, 3))
        at = int(far.argmax())
    pictures = [Image.fromarray(frame).reduce(2) for frame in (true[0], driving[at], made[at])]
    return np.concatenate([np.asarray(picture) for picture in pictures])


def _labelled(columns: dict[Action, Frames]) -> Image.Image:
    """The columns side by side, with the actions' names above and the rows' names beside."""
    side, left, top = next(iter(columns.values())).shape[1], 76, 24
    page = Image.new("RGB", (left + side * len(columns), top + 3 * side), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=13)
    for row, name in enumerate(("source", "driver", "animated")):
        draw.text((left - 8, top + (row + 0.5) * side), name, "black", font, anchor="rm")
    for number, (action, column) in enumerate(columns.items()):
        page.paste(Image.fromarray(column), (left + number * side, top))
        name = action.value.replace("_", " ")
        draw.text((left + (number + 0.5) * side, top / 2), name, "black", font, anchor="mm")
    return page


def _save(path: Path, image: Image.Image) -> None:
    with atomic_path(path) as temporary:
        image.save(temporary)
