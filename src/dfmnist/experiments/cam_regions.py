"""How much of a detector's attention lies on the mouth, the eyes, the head's outline, ...

The paper says in words where ResNet-50 looks (section 5.3, Figure 7: the mouth for opening the
mouth, head and neck for looking up, the profile for yaw and slope). Here it is a number: the
share of the positive evidence for FAKE in each region of the face, beside the region's share of
the picture, so that "twice its area" can be said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float
from PIL import Image

from dfmnist.core.actions import INFO, TEN, Action
from dfmnist.core.console import progress_bar
from dfmnist.core.errors import InputError
from dfmnist.dataset.manifest import Clip, Manifest, read_manifest
from dfmnist.detectors.cam import Method, evidence
from dfmnist.detectors.run import Run, load_run
from dfmnist.faces.mesh import Mesh, face_mesh
from dfmnist.faces.regions import REGIONS, region_labels
from dfmnist.faces.weights import MODELS, models_dir
from dfmnist.media.sample import sample_frames
from dfmnist.media.video import QUALITIES

FEW_FRAMES = 4
"""Of each clip, where a share is all that is wanted: a few seconds for the demo's dataset."""
DRAWS = 1000
"""Of people, for the intervals."""
REGION_TITLES = {
    "mouth": "Mouth",
    "eyes": "Eyes and brows",
    "face": "Rest of the face",
    "outline": "Outline",
    "neck": "Neck",
    "background": "Background",
}
SCHEMA = {
    "action": pl.String,
    "region": pl.String,
    "share": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "area": pl.Float64,
    "times_area": pl.Float64,
    "frames": pl.Int64,
    "left_out": pl.Int64,
    "clips": pl.Int64,
    "people": pl.Int64,
}


def region_shares(
    cam: Float[np.ndarray, "n h w"], meshes: Sequence[Mesh | None]
) -> dict[str, float]:
    """Share of the maps' positive values in each of `REGIONS`; the shares sum to 1.

    Meshes are in pixels of the maps. Each frame counts the same. Frames without a face, or
    without a positive value, are left out; NaN when none is left. Maps of ones give the
    regions' shares of the picture.
    """
    per_frame = frame_shares(cam, meshes)
    kept = per_frame[~np.isnan(per_frame[:, 0])]
    mean = kept.mean(0) if len(kept) else np.full(len(REGIONS), np.nan)
    return dict(zip(REGIONS, mean.tolist(), strict=True))


def frame_shares(
    cam: Float[np.ndarray, "n h w"], meshes: Sequence[Mesh | None]
) -> Float[np.ndarray, "n r"]:
    """The shares of each frame, in the order of `REGIONS`; a row of NaN where it is left out."""
    if len(cam) != len(meshes):
        raise ValueError(f"{len(cam)} maps and {len(meshes)} meshes; expected one for each")
    shares = np.full((len(cam), len(REGIONS)), np.nan)
    for row, (heat, mesh) in enumerate(zip(cam, meshes, strict=True)):
        positive = np.maximum(heat.astype(np.float64), 0)
        total = positive.sum()
        if mesh is not None and total > 0:
            labels = region_labels(mesh, heat.shape)
            sums = np.bincount(labels.ravel(), positive.ravel(), minlength=len(REGIONS))
            shares[row] = sums / total
    return shares


@dataclass(frozen=True)
class _ClipShares:
    clip: Clip
    share: Float[np.ndarray, "n r"]
    area: Float[np.ndarray, "n r"]


def regions_by_action(
    dataset: Path,
    run_dir: Path,
    *,
    split: str = "test",
    quality: str | None = None,
    label: str = "fake",
    frames_per_clip: int = 8,
    method: Method = "auto",
    seed: int = 0,
    quiet: bool = False,
) -> pl.DataFrame:
    """A row for each action and region (`SCHEMA`), and one of all actions together.

    `quality` None is the run's own, raw for a mixed one. `low` and `high` are the 95% bootstrap
    over people. Raises `InputError`: no finished run, no such clips.
    """
    run = load_run(run_dir)
    manifest = read_manifest(dataset)
    chosen = quality or run.config.qualities[0]
    if chosen not in QUALITIES:
        raise InputError(f"--quality is '{chosen}'; expected one of {', '.join(QUALITIES)}")
    clips = manifest.select(split=split, quality=chosen, label=label).clips
    if not clips:
        what = f"holds no {label} {split} clips in {chosen}"
        raise InputError.of(dataset, what, "clips to look at")
    found = []
    with progress_bar() as bar:
        task = bar.add_task("where it looks", total=len(clips), visible=not quiet)
        for clip in clips:
            found.append(_clip_shares(run, manifest, clip, frames_per_clip, method))
            bar.advance(task)
    generator = np.random.default_rng(seed)
    rows = []
    for action in (*TEN, None):
        mine = [f for f in found if action is None or f.clip.action is action]
        if mine:
            rows += _rows(action.value if action else "all", mine, generator)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def regions_or_reason(dataset: Path, run_dir: Path) -> tuple[pl.DataFrame | None, str]:
    """The table of `regions_by_action` from a few frames a clip, or why there is none."""
    if not all((models_dir() / f"{name}.tflite").is_file() for name in MODELS):
        return None, "the face models are not there (dfmnist fetch faces)"
    table = regions_by_action(dataset, run_dir, frames_per_clip=FEW_FRAMES, quiet=True)
    if not table["frames"].sum():
        return None, "no face was found in the test clips"
    return table, ""


def _clip_shares(
    run: Run, manifest: Manifest, clip: Clip, count: int, method: Method
) -> _ClipShares:
    _, frames = sample_frames(manifest.path(clip), count)
    side = (run.config.input_size_px,) * 2
    small = np.stack(
        [np.asarray(Image.fromarray(f).resize(side, Image.Resampling.LANCZOS)) for f in frames]
    )
    maps = evidence(run.network, small, method, size_hw=frames.shape[1:3])
    mesh = face_mesh()
    meshes = [mesh(frame, with_eyes=False) for frame in frames]
    area = frame_shares(np.ones_like(maps), meshes)
    return _ClipShares(clip, frame_shares(maps, meshes), area)


def _rows(
    action: str, found: Sequence[_ClipShares], generator: np.random.Generator
) -> list[tuple[object, ...]]:
    share = np.concatenate([f.share for f in found])
    area = np.concatenate([f.area for f in found])
    people = np.concatenate([[f.clip.source_id] * len(f.share) for f in found])
    kept = ~np.isnan(share[:, 0])
    share, area, people = share[kept], area[kept], people[kept]
    names, who = np.unique(people, return_inverse=True)
    facts = (len(share), int((~kept).sum()), len(found), len(names))
    if not len(share):
        nothing = (float("nan"),) * 5
        return [(action, region, *nothing, *facts) for region in REGIONS]
    counts = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=DRAWS)
    weights = counts[:, who].astype(np.float64)
    drawn = weights @ share / weights.sum(1, keepdims=True)
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    mean, mean_area = share.mean(0), area.mean(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        times = mean / mean_area
    columns = (mean, low, high, mean_area, times)
    return [
        (action, region, *(float(column[i]) for column in columns), *facts)
        for i, region in enumerate(REGIONS)
    ]


def titled(action: str) -> str:
    """An action of the table as people read it."""
    return "All actions" if action == "all" else INFO[Action(action)].title


def as_markdown(table: pl.DataFrame) -> str:
    """Actions down, regions across: the share in percent, and how many times its area that is."""
    head = ["Action", *(region.title() for region in REGIONS), "Frames"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for rows in table.partition_by("action", maintain_order=True):
        action = rows["action"][0]
        pairs = zip(rows["share"], rows["times_area"], strict=True)
        cells = [share_text(share, times) for share, times in pairs]
        left_out = rows["left_out"][0]
        frames = f"{rows['frames'][0]}" + (f" ({left_out} left out)" if left_out else "")
        lines.append("| " + " | ".join([titled(action), *cells, frames]) + " |")
    return "\n".join(lines) + "\n"


def share_text(share: float, times: float) -> str:
    """`31% (2.1×)`: a region's share, and how many times its area that is."""
    if np.isnan(share):
        return "–"
    return f"{100 * share:.0f}%" + (f" ({times:.1f}×)" if np.isfinite(times) else "")
