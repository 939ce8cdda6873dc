"""Training data of the small model: cropped clips with their points, and batches by step.

The points of actors are known; those of people are found by the face mesh (`people_data`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from dfmnist.core.arrays import Frames, RgbImage
from dfmnist.core.errors import InputError
from dfmnist.fomm.networks.keypoints import Keypoints
from dfmnist.media.video import read_frames

Array = npt.NDArray[np.float32]

FACE_POINTS = ("forehead", "chin", "ear_left", "ear_right", "cheek_left", "cheek_right")
"""Names of the points whose extent is that of an MTCNN box; the crop follows them."""
SOFT_POINTS = ("lip", "mouth", "upper", "lower", "pupil", "chin", "jaw", "brow", "neck", "head_top")
"""Parts of names of points that facial actions move, so that they do not show the head's pose."""
REST_FRAMES = 2
"""Number of frames at the start of each clip that show a face at rest."""
REACH = 0.5
"""Radius of the neighbourhood that decides a point's Jacobian, in halves of the frame."""


@dataclass(frozen=True)
class StoredFrames:
    """Frames of a clip in a file (.npy), of which one is read at a time.

    The file is open only while it is read, because a folder may hold thousands of clips.
    """

    path: Path
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> RgbImage:
        """The frame (size, size, 3) at `index`."""
        return np.array(np.load(self.path, mmap_mode="r")[index])


@dataclass(frozen=True, eq=False)
class FaceClips:
    """All training clips, cropped: c clips of n frames with p named points."""

    frames: Sequence[Frames | StoredFrames]
    """Frames of each clip, (n, size, size, 3)."""
    points: list[Array]
    """Points of each clip, true or found by the mesh, (n, p, 2), in [-1, 1]."""
    jacobians: list[Array]
    """Linear maps around each point from the mean face to each frame, (n, p, 2, 2)."""
    names: tuple[str, ...]
    """Names of the p points."""
    identities: tuple[int | str, ...]
    """Who each clip shows: the identity seed of an actor, or the name of a person."""
    groups: tuple[str, ...]
    """Performance of each clip; clips with equal values show the same one, frame by frame."""

    def is_person(self, clip: int) -> bool:
        """Whether `clip` shows a person, whose points were found, and not an actor."""
        return isinstance(self.identities[clip], str)

    def __add__(self, other: "FaceClips") -> "FaceClips":
        """The clips of both; they must have the same points."""
        assert self.names == other.names
        return FaceClips(
            [*self.frames, *other.frames],
            [*self.points, *other.points],
            [*self.jacobians, *other.jacobians],
            self.names,
            (*self.identities, *other.identities),
            (*self.groups, *other.groups),
        )

    def partners(self, clip: int) -> list[int]:
        """Indices of the clips in which other people give the performance of `clip`."""
        group = self.groups[clip]
        mine = self.identities[clip]
        return [i for i, g in enumerate(self.groups) if g == group and self.identities[i] != mine]


def crop_square(points: Array, margin: float) -> Array:
    """Square (left, top, side) in pixels around all points (n, p, 2) of a clip."""
    low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    side = float((high - low).max()) * (1 + 2 * margin)
    left, top = (low + high) / 2 - side / 2
    return np.array([left, top, side], np.float32)


def cut(frames: Frames, square: Array, size: int) -> Frames:
    """The square of each frame resized to `size`; outside of the frame its border repeats."""
    left, top, side = (float(v) for v in square)
    x0, y0, n = round(left), round(top), max(1, round(side))
    height, width = frames.shape[1:3]
    columns = np.clip(np.arange(x0, x0 + n), 0, width - 1)
    rows = np.clip(np.arange(y0, y0 + n), 0, height - 1)
    return np.stack(
        [
            np.asarray(
                Image.fromarray(frame[rows][:, columns]).resize(
                    (size, size), Image.Resampling.LANCZOS
                )
            )
            for frame in frames
        ]
    )


def local_affines(
    points: Array, names: Sequence[str], mean_face: Mapping[str, tuple[float, float]] | None = None
) -> Array:
    """Linear maps (n, p, 2, 2) around each point from the mean face to each frame.

    `points` are (n, p, 2) in [-1, 1]. The fit is weighted least squares over the points that only
    the head's pose moves. It is regularised by the fit of the full face, so that the far side of a
    turned head stays invertible. The mean face is that of `points`; `mean_face` gives other
    positions for the points that the pose alone moves.
    """
    rigid = np.array([not any(part in name for part in SOFT_POINTS) for name in names])
    mean = points.mean(axis=0, dtype=np.float64)
    base, moved = mean[rigid], points[:, rigid].astype(np.float64)
    if mean_face is not None:
        base = np.array([mean_face[name] for name, own in zip(names, rigid, strict=True) if own])
    everywhere = _fit(base, moved, np.ones((1, len(base))), np.eye(2)[None, None], 1e-3)
    near = np.exp(-((mean[:, None] - base) ** 2).sum(-1) / (2 * REACH**2))
    return _fit(base, moved, near, everywhere, 0.1).astype(np.float32)


def _fit(
    base: npt.NDArray[np.float64],
    moved: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    prior: npt.NDArray[np.float64],
    strength: float,
) -> npt.NDArray[np.float64]:
    """Linear maps (n, k, 2, 2) from `base` (r, 2) to `moved` (n, r, 2) with weights (k, r).

    Each is regularised towards `prior` by `strength`, a share of the spread of `base`.
    """
    share = weights / weights.sum(axis=1, keepdims=True)
    from_offset = base - (share @ base)[:, None]  # (k, r, 2)
    to_offset = moved[:, None] - np.einsum("kr,nri->nki", share, moved)[:, :, None]
    cross = np.einsum("kr,nkri,krj->nkij", share, to_offset, from_offset)
    square = np.einsum("kr,kri,krj->kij", share, from_offset, from_offset)
    pull = strength * np.trace(square, axis1=1, axis2=2)[:, None, None] * np.eye(2)
    # a @ inv(b), written as a solve of the transposes
    right = np.swapaxes(cross + prior @ pull, -1, -2)
    return np.swapaxes(np.linalg.solve(np.swapaxes(square + pull, -1, -2)[None], right), -1, -2)


def face_square(points: Array, margin: tuple[float, float], rng: np.random.Generator) -> Array:
    """Square (left, top, side) in whole pixels around the `FACE_POINTS` (n, 6, 2) of a clip.

    Its margin is drawn from the range `margin`, a share of the points' extent, and its place is
    shifted at random by up to 3% of its side.
    """
    square = crop_square(points, float(rng.uniform(*margin)))
    square[:2] += rng.uniform(-0.03, 0.03, 2).astype(np.float32) * square[2]
    return np.asarray(np.round(square), np.float32)


def load_actor_clips(
    folder: Path,
    names: Sequence[str],
    size: int,
    *,
    margin: tuple[float, float],
    seed: int,
    mean_face: Mapping[str, tuple[float, float]] | None = None,
) -> FaceClips:
    """Clips under `folder`: each `*.mp4` with its truth (`.json`) beside it, cropped to the face.

    `margin` is the range of the crop's margin around the face points, drawn once per clip.
    `mean_face` is that of `local_affines`. Raises `InputError` if there is no clip, or a point is
    missing in the truth.
    """
    paths = sorted(p for p in folder.rglob("*.mp4") if p.with_suffix(".json").is_file())
    if not paths:
        raise InputError.of(folder, "holds no clips with truth", "*.mp4 with *.json beside them")
    rng = np.random.default_rng([seed, 0xC0])
    frames, points, affines, identities, groups = [], [], [], [], []
    for path in paths:
        truth = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        named = truth["landmarks2d"]
        if missing := [n for n in (*names, *FACE_POINTS) if n not in named]:
            raise InputError.of(path.with_suffix(".json"), f"lacks points {missing}", "all of them")
        face = np.stack([np.asarray(named[n], np.float32) for n in FACE_POINTS], axis=1)
        square = face_square(face, margin, rng)
        every = np.stack([np.asarray(v, np.float32) for v in named.values()], axis=1)
        every = (every - square[:2]) / square[2] * 2 - 1
        frames.append(cut(read_frames(path), square, size))
        chosen = [list(named).index(n) for n in names]
        points.append(every[:, chosen])
        affines.append(every)
        identities.append(int(truth["identity_seed"]))
        groups.append(str(truth["performance_seed"]))
    counts = np.cumsum([len(a) for a in affines])[:-1]
    fitted = np.split(
        local_affines(np.concatenate(affines), list(named), mean_face)[:, chosen], counts
    )
    return FaceClips(frames, points, fitted, tuple(names), tuple(identities), tuple(groups))


class Drawn(NamedTuple):
    """A batch as it is drawn on the CPU; `developed` makes it a `Batch` on the tensors' device.

    Its r rows are sources, targets, the drivers at the source's moment and at the target's.
    """

    pixels: Tensor
    """Frames, (r, side, side, 3), uint8."""
    value: Tensor
    """Points, (r, k, 2)."""
    jacobian: Tensor
    """Jacobians of the points, (r, k, 2, 2)."""
    gains: Tensor
    """Factors of the colours, (r, 3)."""
    shifts: Tensor
    """Shifts of the colours, (r, 1)."""
    saturation: Tensor
    """Factor of the saturation, (r, 1)."""
    flipped: Tensor
    """Whether each row is mirrored, (r,)."""
    order: Tensor
    """Index of the point that each becomes in a mirrored picture, (k,)."""
    same: int
    cross: int
    size: int

    def to(self, device: torch.device) -> "Drawn":
        """The same on `device`."""
        held = {name: v for name, v in self._asdict().items() if isinstance(v, Tensor)}
        moved: dict[str, Any] = {name: tensor.to(device) for name, tensor in held.items()}
        return self._replace(**moved)


class Batch(NamedTuple):
    """Batch of b pairs; in the last `cross` of them the driver is another person."""

    source: Tensor
    """Source frames, (b, 3, h, w), in [0, 1]."""
    target: Tensor
    """Target frames, (b, 3, h, w): the source's person at the driving frame's moment."""
    driver_first: Tensor
    """Drivers, (cross, 3, h, w), at the moment of the source frame."""
    driver: Tensor
    """Drivers, (cross, 3, h, w), at the moment of the target frame."""
    truth: Keypoints
    """True points of source, target, driver_first and driver, concatenated."""


@dataclass(frozen=True)
class Draw:
    """Composition of the batch of a step."""

    size: int
    """Side of the frames in pixels; the clips are reduced to it."""
    same: int
    """Number of pairs in which source and driver are one person."""
    cross: int
    """Number of pairs whose driver is another person who gives the same performance."""
    rest: float = 0.4
    """Share of sources that are a face at rest, as sources are when the model is used."""
    saturation: float = 0.0
    """Most by which the saturation of a pair's colours is reduced; 1 gives grey pictures too."""


def draw_batch(
    footage: FaceClips,
    draw: Draw,
    clips: Sequence[int],
    seed: int,
    step: int,
    actors_share: float = 0.0,
) -> Batch:
    """The batch of `step`, on the CPU; the arguments are those of `draw_pairs`."""
    return developed(draw_pairs(footage, draw, clips, seed, step, actors_share))


def draw_pairs(
    footage: FaceClips,
    draw: Draw,
    clips: Sequence[int],
    seed: int,
    step: int,
    actors_share: float = 0.0,
) -> Drawn:
    """The pairs of `step`; equal arguments give equal pairs, whatever was drawn before.

    If `clips` show people, a pair is of actors with probability `actors_share`, where there are
    actors too. A pair of actors is then a cross pair with the probability that `draw` has; people
    have no cross pairs, because nobody knows how they would have given another's performance.
    """
    rng = np.random.default_rng([seed, step])
    people = [clip for clip in clips if footage.is_person(clip)]
    if people:
        actors = [clip for clip in clips if not footage.is_person(clip)]
        draw, of_actors = _composition(draw, actors_share if actors else 0.0, rng)
    source, target, first, driver = [], [], [], []
    for i in range(draw.same + draw.cross):
        if not people:
            clip = int(rng.choice(clips))
        elif i >= draw.same + draw.cross - of_actors:
            clip = int(rng.choice(actors))
        else:
            clip = _of_anyone(footage, people, rng)
        a, b = (int(v) for v in rng.choice(len(footage.frames[clip]), 2, replace=False))
        if rng.random() < draw.rest and b >= REST_FRAMES:
            a = int(rng.integers(REST_FRAMES))
        source.append((clip, a))
        target.append((clip, b))
        if i >= draw.same:
            allowed = set(clips)
            others = [c for c in footage.partners(clip) if c in allowed] or [clip]
            other = int(rng.choice(others))
            first.append((other, a))
            driver.append((other, b))
    rows = [*source, *target, *first, *driver]
    pixels = torch.from_numpy(np.stack([footage.frames[c][f] for c, f in rows]))
    value = torch.from_numpy(np.stack([footage.points[c][f] for c, f in rows]))
    jacobian = torch.from_numpy(np.stack([footage.jacobians[c][f] for c, f in rows]))
    gains, shifts, saturation, flipped = _draw_colours(draw, rng)
    order = torch.tensor(mirror_order(footage.names))
    return Drawn(
        *(pixels, value, jacobian, gains, shifts, saturation, flipped, order),
        *(draw.same, draw.cross, draw.size),
    )


def developed(drawn: Drawn) -> Batch:
    """The batch of `drawn`: frames of its size with random colours and mirroring."""
    images = reduce_to(drawn.pixels.permute(0, 3, 1, 2).float().div_(255), drawn.size)
    images, truth = augment(images, drawn)
    n, m = drawn.same + drawn.cross, drawn.cross
    return Batch(
        images[:n], images[n : 2 * n], images[2 * n : 2 * n + m], images[2 * n + m :], truth
    )


def _composition(draw: Draw, share: float, rng: np.random.Generator) -> tuple[Draw, int]:
    """The batch of a step with people in it: its same and cross pairs, and the pairs of actors.

    The pairs of actors are the last ones, and the cross pairs the last of these.
    """
    total = draw.same + draw.cross
    of_actors = int(rng.binomial(total, share))
    cross = int(rng.binomial(of_actors, draw.cross / total))
    return replace(draw, same=total - cross, cross=cross), of_actors


def _of_anyone(footage: FaceClips, clips: Sequence[int], rng: np.random.Generator) -> int:
    """One of `clips`: first a person is drawn, then one of the person's clips."""
    own: dict[int | str, list[int]] = {}
    for clip in clips:
        own.setdefault(footage.identities[clip], []).append(clip)
    chosen = list(own.values())[int(rng.integers(len(own)))]
    return int(rng.choice(chosen))


def reduce_to(images: Tensor, size: int) -> Tensor:
    """Images reduced to `size` by averaging square blocks of pixels."""
    ratio = images.shape[-1] // size
    return F.avg_pool2d(images, ratio) if ratio > 1 else images


def mirror_order(names: Sequence[str]) -> list[int]:
    """Index of the point that each becomes in a mirrored picture, where left and right swap."""
    swap = {"left": "right", "right": "left"}
    other = ["_".join(swap.get(part, part) for part in name.split("_")) for name in names]
    return [list(names).index(name) for name in other]


def _draw_colours(draw: Draw, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gains, shifts, saturation and mirroring of each row of a `Drawn`.

    Source and target of a pair get the same colours, the two driver frames others. A pair is
    mirrored with its driver.
    """
    pairs, cross = draw.same + draw.cross, draw.cross
    gain = rng.uniform(0.85, 1.15, (pairs + cross, 3)) * rng.uniform(0.85, 1.15, (pairs + cross, 1))
    shift = rng.uniform(-0.06, 0.06, (pairs + cross, 1))
    flip = rng.random(pairs) < 0.5
    vivid = np.ones((pairs + cross, 1))
    if draw.saturation:
        vivid = 1 - draw.saturation * np.clip(rng.uniform(-0.5, 1.1, (pairs + cross, 1)), 0, 1)
    person = [
        *range(pairs),
        *range(pairs),
        *range(pairs, pairs + cross),
        *range(pairs, pairs + cross),
    ]
    pair = [*range(pairs), *range(pairs), *range(draw.same, pairs), *range(draw.same, pairs)]
    gains, shifts, saturation = (
        torch.from_numpy(values[person].astype(np.float32)) for values in (gain, shift, vivid)
    )
    return gains, shifts, saturation, torch.from_numpy(flip[pair])


def augment(images: Tensor, drawn: Drawn) -> tuple[Tensor, Keypoints]:
    """Images (r, 3, h, w) and points with the random colours and mirroring of `drawn`."""
    images = images * drawn.gains[:, :, None, None] + drawn.shifts[:, :, None, None]
    grey = images.mean(dim=1, keepdim=True)
    share = drawn.saturation[:, :, None, None]
    images = torch.where(share < 1, grey + (images - grey) * share, images).clamp_(0, 1)
    flipped = drawn.flipped
    images = torch.where(flipped[:, None, None, None], images.flip(-1), images)
    sign = torch.tensor([-1.0, 1.0], device=images.device)
    value = torch.where(flipped[:, None, None], drawn.value[:, drawn.order] * sign, drawn.value)
    turned = drawn.jacobian[:, drawn.order] * sign[:, None] * sign[None, :]
    jacobian = torch.where(flipped[:, None, None, None], turned, drawn.jacobian)
    return images.contiguous(memory_format=torch.channels_last), Keypoints(value, jacobian)
