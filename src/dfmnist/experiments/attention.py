"""Where a detector looks: class activation maps, and the share of each region of the face.

Figure 7 (section 5.5). The paper says in words where ResNet-50 looks (the mouth for opening the
mouth, head and neck for looking up, the profile for yaw and slopes). Here it is a number too: the
share of the positive evidence for FAKE in each region, beside the region's share of the picture,
so that "twice its area" can be said. Networks are loaded only where maps are drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from scipy.special import expit

from dfmnist.core.actions import INFO, TEN, Action
from dfmnist.core.arrays import Frames
from dfmnist.core.choices import QUALITIES
from dfmnist.core.console import progress_bar
from dfmnist.core.errors import InputError
from dfmnist.dataset.manifest import Clip, Manifest
from dfmnist.experiments import images
from dfmnist.experiments.experiment import Experiment, Made, gallery, tile
from dfmnist.experiments.measure import DRAWS, NOT_RUN
from dfmnist.experiments.paper import ALL_MODELS, FIGURE7_WORDS, MODEL_TITLES
from dfmnist.experiments.plan import Plan, PlanContext, RunSpec
from dfmnist.experiments.results import Heading, RegionShare, ResultCell, ResultTable, ResultTile
from dfmnist.media.image import write_image
from dfmnist.media.sample import each_rgb, sample_frames
from dfmnist.media.video import frames_at
from dfmnist.stats.intervals import draw_identities

if TYPE_CHECKING:
    from dfmnist.detectors.run import Run
    from dfmnist.faces.mesh import Mesh

SIDE_PX = 192
"""Side of the frames and maps that are shown."""
FEW_FRAMES = 4
"""Frames of each clip whose shares are averaged: a few seconds for the demo's dataset."""
ALL = "all"
"""Key of the row of all actions together."""
REGION_TITLES = {
    "mouth": "Mouth",
    "eyes": "Eyes and brows",
    "face": "Rest of the face",
    "outline": "Outline",
    "neck": "Neck",
    "background": "Background",
}
"""Titles of `faces.regions.REGIONS`, in their order."""
CHANGED = "changed"
"""Key of the column of the pixels that the animation changed; it overlaps the regions."""
COLUMN_TITLES = {**REGION_TITLES, CHANGED: "What the animation changed"}
LEAST_CHANGE = 8
"""Change of a pixel's brightness, in levels of 255, that counts as made by the animation; camera
noise and compression stay below it."""
CHANGE_BOX_PX = 7
"""Side of the square over which a change is averaged before it is compared."""


def figure7(context: PlanContext) -> Plan:
    """Plan of Figure 7: the training of Table 3's ResNet-50 on raw."""
    return Plan(more_runs=(context.run(context.recipe.main),))


def shown_beside(lead: RunSpec, runs: Sequence[RunSpec]) -> list[RunSpec]:
    """The runs whose maps stand beside the lead's, in the order of the paper's tables.

    They are trained on the whole of the same dataset with the same seed: other networks on the
    lead's quality, and the lead's network on other single qualities.
    """
    ours = lead.config

    def alike(run: RunSpec) -> bool:
        c = run.config
        whole = run.start is None and not c.actions and c.corpus == c.fakes == c.reals == 1
        one = (c.quality == ours.quality) != (c.network == ours.network)
        known = c.network in ALL_MODELS and c.quality in QUALITIES
        return run.dataset == lead.dataset and c.seed == ours.seed and whole and one and known

    order = {name: index for index, name in enumerate((*ALL_MODELS, *QUALITIES))}
    return sorted(
        filter(alike, dict.fromkeys(runs)),
        key=lambda r: (
            r.config.network == ours.network, order[r.config.network], order[r.config.quality]
        ),
    )  # fmt: skip


def _draw(made: Made, folder: Path) -> ResultTable:
    """Draw maps by the plan's run, and by others of the same call, of each action's first fake."""
    from dfmnist.detectors.run import load_run

    ran, lead = made.executed.runs, made.plan.more_runs[0]
    if ran[lead].folder is None:
        return made.not_run(ran[lead].reason)
    tested = {clip.quality for clip in made.main.select(split="test", label="fake").clips}
    chosen = [s for s in shown_beside(lead, list(ran)) if s.config.quality in tested]
    folders = [ran[spec].folder for spec in (lead, *chosen)]
    runs = [load_run(path) for path in folders if path is not None]
    try:
        rows = draw_maps(made.main, runs)
    except InputError as error:
        return made.not_run(str(error))
    stacks = [
        (INFO[r.clip.performed].title, np.concatenate([r.frame, r.maps[0].image])) for r in rows
    ]
    sheet = images.sheet(folder / "figure7.jpg", stacks, columns=5)
    tiles = [t for index, run in enumerate((None, *runs)) for t in _tiles(folder, rows, run, index)]
    looks = "; ".join(f"{where}: {what}" for where, what in FIGURE7_WORDS.items())
    stamp = made.context.recipe.stamp
    said = f"The paper says of its maps: {looks}."
    cells, why = _shares_or_reason(made.main, runs[0], stamp)
    how = (
        f"No shares of the face's regions: {why}."
        if why
        else "The numbers: each region's share of the evidence for fake, a few frames of every "
        "test fake, and how many times its own area that is (1× is no preference). What the "
        "animation changed is every place that differs from the clip's first frame, which is close "
        "to the photo that was animated; it overlaps the regions."
    )
    return gallery(
        made,
        [row.clip for row in rows],
        sheet,
        tiles,
        [said, f"{stamp.capitalize()}." if stamp else "", how],
        rows=[Heading(key=k, title=_title(k)) for k in dict.fromkeys(c.row for c in cells)],
        columns=[Heading(key=k, title=t) for k, t in COLUMN_TITLES.items() if cells],
        cells=cells,
    )


def _tiles(
    folder: Path, rows: Sequence["ActionMaps"], run: "Run | None", index: int
) -> list[ResultTile]:
    """One line of Figure 7, a tile an action: plain frames (`run` None) or a detector's maps."""
    tiles = []
    for row in rows:
        action = INFO[row.clip.performed].title
        path = folder / f"figure7-{index:02d}-{row.clip.performed.value}.jpg"
        write_image(path, row.maps[index - 1].image if run else row.frame)
        if run is None:
            group, detail = "Frame", f"{row.clip.quality}, untouched"
            alt, note = f"{action}: the frame itself", ""
        else:
            group = MODEL_TITLES.get(run.config.network, run.config.network)
            detail = f"trained on {run.config.quality}"
            alt = f"{action}: where {group} ({detail}) looks"
            note = f"P(fake) {row.maps[index - 1].p_fake:.2f}"
        tiles.append(tile(row.clip, path, action, alt, group=group, detail=detail, note=note))
    return tiles


# Maps


@dataclass(frozen=True)
class AttentionMap:
    """One detector's map of one frame."""

    image: Frames
    """The frame with the map laid over it: (side, side, 3)."""
    p_fake: float


@dataclass(frozen=True)
class ActionMaps:
    """One action: a frame, and each detector's map of it."""

    clip: Clip
    """The clip in the quality of the plain frame."""
    frame: Frames
    """(side, side, 3)."""
    maps: tuple[AttentionMap, ...]


def draw_maps(
    manifest: Manifest, runs: Sequence["Run"], side_px: int = SIDE_PX
) -> list[ActionMaps]:
    """Maps by each of `runs`, for each action of the test fakes.

    An action is shown by its first clip by name (no picking) and that clip's middle frame, where
    most actions are at their height. Each run sees the quality that it was trained on (raw for a
    mixed one); the plain frame is in the first run's. Raises `InputError`: no such clips.
    """
    qualities = [run.config.qualities[0] for run in runs]
    shown = _first_clips(manifest, list(dict.fromkeys(qualities)))
    if not shown:
        what = f"holds no fake test clip of an action in {' and '.join(dict.fromkeys(qualities))}"
        raise InputError.of(manifest.root, what, "clips for Figure 7")
    rows = []
    for clips in shown:
        frames = {q: sample_frames(manifest.path(c), 1, consecutive=2)[1] for q, c in clips.items()}
        rows.append(
            ActionMaps(
                clips[qualities[0]],
                images.resize(frames[qualities[0]][0, ..., :3], side_px),
                tuple(_map(r, frames[q], side_px) for r, q in zip(runs, qualities, strict=True)),
            )
        )
    return rows


def _first_clips(manifest: Manifest, qualities: Sequence[str]) -> list[dict[str, Clip]]:
    """The first test fake of each action, by name, that is there in every quality wanted."""
    found = []
    for action in TEN:
        by_clip: dict[str, dict[str, Clip]] = {}
        for clip in manifest.select(split="test", label="fake", action=action.value).clips:
            if clip.quality in qualities:
                by_clip.setdefault(clip.clip_id, {})[clip.quality] = clip
        complete = [name for name, clips in by_clip.items() if len(clips) == len(qualities)]
        if complete:
            found.append(by_clip[min(complete)])
    return found


def _map(run: "Run", pair: Frames, side_px: int) -> AttentionMap:
    """The map of a frame (1, h, w, 6), which has its next frame behind it."""
    import torch

    from dfmnist.detectors.cam import cam, overlay

    network = run.network
    small = _as_seen(run, pair)
    with torch.no_grad():
        raw = network.frame_logits(network.normalise(torch.from_numpy(small).permute(0, 3, 1, 2)))
    shown = images.resize(pair[0, ..., :3], side_px)
    painted = overlay(shown[None], cam(network, small))[0]
    return AttentionMap(painted, float(expit(run.calibration.logits(raw.numpy()))[0]))


def _as_seen(run: "Run", pairs: Frames) -> Frames:
    """Frames (n, h, w, 6), each with its next one, in the size and channels that `run` takes."""
    seen = pairs[..., : 3 * run.network.consecutive]
    return each_rgb(seen, lambda rgb: np.stack([images.resize(f, run.frame_px) for f in rgb]))


# Shares of the face's regions


def frame_shares(
    cam: Float[np.ndarray, "n h w"], meshes: Sequence["Mesh | None"]
) -> Float[np.ndarray, "n r"]:
    """Shares of the maps' positive values in each region, in the order of `REGION_TITLES`.

    Meshes are in pixels of the maps. The shares of a frame sum to 1; a frame without a face, or
    without a positive value, is a row of NaN. Maps of ones give the regions' shares of the picture.
    """
    from dfmnist.faces.regions import region_labels

    if len(cam) != len(meshes):
        raise ValueError(f"{len(cam)} maps and {len(meshes)} meshes; expected one for each")
    shares = np.full((len(cam), len(REGION_TITLES)), np.nan)
    for row, (heat, mesh) in enumerate(zip(cam, meshes, strict=True)):
        positive = np.maximum(heat.astype(np.float64), 0)
        total = positive.sum()
        if mesh is not None and total > 0:
            labels = region_labels(mesh, heat.shape)
            sums = np.bincount(labels.ravel(), positive.ravel(), minlength=len(REGION_TITLES))
            shares[row] = sums / total
    return shares


def changed_pixels(frames_rgb_u8: Frames, first_rgb_u8: Frames) -> NDArray[np.bool_]:
    """True (n, h, w) where frames (n, h, w, 3) differ from the clip's first frame (h, w, 3).

    A difference is averaged over the channels and over a square of `CHANGE_BOX_PX`, and counts
    from `LEAST_CHANGE` levels on.
    """
    difference = frames_rgb_u8.astype(np.float32) - first_rgb_u8.astype(np.float32)
    smooth = uniform_filter(difference.mean(-1), (0, CHANGE_BOX_PX, CHANGE_BOX_PX))
    changed: NDArray[np.bool_] = np.abs(smooth) >= LEAST_CHANGE
    return changed


def _with_changed(
    shares: Float[np.ndarray, "n r"],
    cam: Float[np.ndarray, "n h w"],
    changed: NDArray[np.bool_],
) -> Float[np.ndarray, "n c"]:
    """The shares of the regions, and that of the changed pixels as one more column."""
    positive = np.maximum(cam.astype(np.float64), 0)
    inside = np.where(changed, positive, 0).sum((1, 2))
    with np.errstate(invalid="ignore"):
        last = inside / positive.sum((1, 2))
    return np.column_stack([shares, np.where(np.isnan(shares[:, 0]), np.nan, last)])


@dataclass(frozen=True)
class _ClipShares:
    clip: Clip
    share: Float[np.ndarray, "n c"]
    """Shares of the evidence in the columns of `COLUMN_TITLES`."""
    area: Float[np.ndarray, "n c"]


def _shares_or_reason(
    manifest: Manifest, run: "Run", stamp: str
) -> tuple[tuple[ResultCell, ...], str]:
    """The cells of `region_cells`, or why there are none."""
    from dfmnist.faces.weights import MODELS as FACE_MODELS
    from dfmnist.faces.weights import models_dir

    if not all((models_dir() / f"{name}.tflite").is_file() for name in FACE_MODELS):
        return (), "the face models are not there (dfmnist fetch faces)"
    cells = region_cells(manifest, run, stamp=stamp)
    if not any(cell.n for cell in cells):
        return (), "no face was found in the test clips"
    return cells, ""


def region_cells(
    manifest: Manifest, run: "Run", frames_per_clip: int = FEW_FRAMES, stamp: str = ""
) -> tuple[ResultCell, ...]:
    """A cell for each action of the test fakes and each column, and one of all actions together.

    Clips are in the run's own quality, raw for a mixed one. The interval is the 95% bootstrap over
    people. Raises `InputError`: no such clips.
    """
    quality = run.config.qualities[0]
    clips = manifest.select(split="test", quality=quality, label="fake").clips
    if not clips:
        what = f"holds no fake test clips in {quality}"
        raise InputError.of(manifest.root, what, "clips to look at")
    found = []
    with progress_bar() as bar:
        task = bar.add_task("where it looks", total=len(clips))
        for clip in clips:
            found.append(_clip_shares(run, manifest, clip, frames_per_clip))
            bar.advance(task)
    generator = np.random.default_rng(0)
    cells: list[ResultCell] = []
    for action in (*TEN, None):
        mine = [f for f in found if action is None or f.clip.action is action]
        if mine:
            notes = (stamp,) if stamp else ()
            cells += _action_cells(action.value if action else ALL, mine, generator, notes)
    return tuple(cells)


def _clip_shares(run: "Run", manifest: Manifest, clip: Clip, count: int) -> _ClipShares:
    from dfmnist.detectors.cam import evidence
    from dfmnist.faces.mesh import face_mesh

    _, pairs = sample_frames(manifest.path(clip), count, consecutive=2)
    frames = np.ascontiguousarray(pairs[..., :3])
    maps = evidence(run.network, _as_seen(run, pairs), size_hw=frames.shape[1:3])
    mesh = face_mesh()
    meshes = [mesh(frame, with_eyes=False) for frame in frames]
    changed = changed_pixels(frames, frames_at(manifest.path(clip), np.zeros(1, np.int64))[0])
    share, area = (
        _with_changed(frame_shares(cam, meshes), cam, changed) for cam in (maps, np.ones_like(maps))
    )
    return _ClipShares(clip, share, area)


def _action_cells(
    action: str,
    found: Sequence[_ClipShares],
    generator: np.random.Generator,
    notes: tuple[str, ...],
) -> list[ResultCell]:
    share = np.concatenate([f.share for f in found])
    area = np.concatenate([f.area for f in found])
    people = np.concatenate([[f.clip.source] * len(f.share) for f in found])
    kept = ~np.isnan(share[:, 0])
    share, area, people = share[kept], area[kept], people[kept]
    left_out = int((~kept).sum())
    if not len(share):
        why = f"{NOT_RUN}: no face, or no evidence for fake, in its {left_out} frames"
        return [
            ResultCell(row=action, column=region, state="not run", notes=(why,))
            for region in COLUMN_TITLES
        ]
    counts, who = draw_identities(people, DRAWS, generator)
    weights = counts[:, who]
    drawn = weights @ share / weights.sum(1, keepdims=True)
    low, high = np.clip(np.percentile(drawn, [2.5, 97.5], axis=0), 0, 1)
    mean, mean_area = np.clip(share.mean(0), 0, 1), np.clip(area.mean(0), 0, 1)
    return [
        ResultCell(
            row=action,
            column=region,
            state="run",
            value=float(mean[i]),
            low=float(low[i]),
            high=float(high[i]),
            n=len(share),
            groups=counts.shape[1],
            notes=notes,
            region=RegionShare(
                area=float(mean_area[i]),
                times_area=float(mean[i] / mean_area[i]) if mean_area[i] > 0 else None,
                left_out=left_out,
                clips=len(found),
            ),
        )
        for i, region in enumerate(COLUMN_TITLES)
    ]


def _title(action: str) -> str:
    return "All actions" if action == ALL else INFO[Action(action)].title


FIGURE7 = Experiment("figure7", "Figure 7: class activation maps", figure7, _draw)
