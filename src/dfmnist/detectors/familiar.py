"""What a detector knows: how far a frame's features lie from those of held-out clips.

A network answers about every picture, also about one that is like nothing that it was trained on.
The pooled last maps of the validation clips are therefore described by a Gaussian (probabilistic
principal components; Tipping and Bishop, 1999), and a face whose features lie further from it than
nearly all held-out clips do is "outside what this detector knows". The distance is Mahalanobis's,
as in Lee et al., arXiv:1807.03888, with one Gaussian for both classes. Roots of the features are
taken first: averages of activations are skewed, and their roots are closer to a Gaussian.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from dfmnist.core.arrays import Floats, Floats32
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path

FILE = "familiar.safetensors"
"""The description's file in a run's folder."""
COMPONENTS = 48
"""Largest number of principal components that are kept."""
FOLDS = 5
"""Number of parts that the validation people are dealt to for held-out distances."""
WITHIN = 0.95
"""Share of the held-out clips that the limit takes as known."""
LEAST_PEOPLE = 4
"""Fewest people whose clips say anything about another person."""
_NUMBERS = ("residual", "limit", "clips", "people")


@dataclass(frozen=True)
class Familiar:
    """The features of held-out clips as a Gaussian, and the limit of what is known.

    Distances are root mean squares over the features' dimensions of their standard scores, so
    about 1 for a typical frame.
    """

    mean: Floats32
    """Mean (d,) of the roots of the frames' pooled features."""
    axes: Floats32
    """Principal axes (k, d), each of length 1."""
    variances: Floats32
    """Variance (k,) along each of the axes."""
    residual: float
    """Mean variance of a dimension that the axes leave over."""
    limit: float
    """Distance of a clip from which on it is outside; it was measured on people left out."""
    clips: int
    """Number of validation clips, each quality counted, that the description is made of."""
    people: int
    """Number of people in these clips."""

    def distances(self, features: Floats32) -> Floats:
        """The distance (n,) of each frame from its pooled features (n, d)."""
        away = _roots(features) - self.mean
        along = away @ self.axes.T.astype(np.float64)
        left = np.maximum((away**2).sum(1) - (along**2).sum(1), 0)
        square = (along**2 / self.variances).sum(1) + left / self.residual
        distance: Floats = np.sqrt(square / features.shape[1])
        return distance


def fit_familiar(
    features: Sequence[Floats32], people: Sequence[str], *, within: float = WITHIN
) -> Familiar | None:
    """The description of clips with pooled features (n, d) each; `people` names each one's person.

    The limit is the distance within which the share `within` of the clips lies when each is
    measured by a description made without its person's part of the people. None for fewer than
    `LEAST_PEOPLE` people, of whom no limit can be measured, and for features that are not finite.
    """
    names = sorted(set(people))
    if len(names) < LEAST_PEOPLE or not all(np.isfinite(f).all() for f in features):
        return None
    folds = min(FOLDS, len(names))
    fold_of = {name: index % folds for index, name in enumerate(names)}
    held_out: list[float] = []
    for fold in range(folds):
        rest = [f for f, p in zip(features, people, strict=True) if fold_of[p] != fold]
        part = _described(rest, np.inf, len(names))
        held_out += [
            float(part.distances(f).mean())
            for f, p in zip(features, people, strict=True)
            if fold_of[p] == fold
        ]
    limit = float(np.quantile(held_out, within, method="higher"))
    return _described(features, limit, len(names))


def _described(features: Sequence[Floats32], limit: float, people: int) -> Familiar:
    frames = _roots(np.concatenate(features))
    mean = frames.mean(0)
    away = frames - mean
    dims, most = away.shape[1], min(COMPONENTS, away.shape[1] - 1, len(features) // 2)
    values, vectors = np.linalg.eigh(away.T @ away / len(away))  # ascending
    variances, axes = values[::-1][:most], vectors.T[::-1][:most]
    left = max(float(np.trace(away.T @ away) / len(away) - variances.sum()), 0.0)
    floor = max(float(values.sum()) * 1e-6 / dims, 1e-12)
    return Familiar(
        mean.astype(np.float32),
        axes.astype(np.float32),
        np.maximum(variances, floor).astype(np.float32),
        max(left / (dims - most), floor),
        limit,
        len(features),
        people,
    )


def _roots(features: Floats32) -> Floats:
    """Square roots; of a negative value, those of its size with its sign."""
    roots: Floats = np.sign(features) * np.sqrt(np.abs(features, dtype=np.float64))
    return roots


def write_familiar(known: Familiar, path: Path, notes: dict[str, str]) -> None:
    """Write `known` as safetensors, completely or not at all.

    `notes` are kept as the file's metadata, such as what the description was made of.
    """
    arrays: dict[str, NDArray[Any]] = {
        "mean": known.mean,
        "axes": np.ascontiguousarray(known.axes),  # safetensors writes memory as it lies
        "variances": known.variances,
    }
    about = notes | {name: repr(getattr(known, name)) for name in _NUMBERS}
    with atomic_path(path) as temporary:
        save_file(arrays, temporary, metadata=about)


def read_familiar(folder: Path, weights_sha256: str) -> Familiar | None:
    """What the run in `folder` knows; None where it has no such file, as older runs have none.

    `weights_sha256` is the hash of the run's weights. Raises `InputError` for a file that
    `write_familiar` did not write, and for one that was made with other weights.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            about = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in ("mean", "axes", "variances")}
        found = Familiar(
            *(arrays[name].astype(np.float32) for name in ("mean", "axes", "variances")),
            *(float(about[name]) for name in _NUMBERS[:2]),
            *(int(about[name]) for name in _NUMBERS[2:]),
        )
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise InputError.of(path, f"cannot be read ({error})", "one that dfmnist wrote") from None
    if problem := _problem(found):
        raise InputError.of(path, problem, "one that dfmnist wrote")
    if about.get("weights_sha256") != weights_sha256:
        how = "`dfmnist detector know RUN DATASET` to make it anew"
        raise InputError.of(path, "was made with other weights than the run's", how)
    return found


def _problem(found: Familiar) -> str:
    shapes = (found.mean.ndim, found.axes.ndim, found.variances.ndim) == (1, 2, 1)
    if not shapes or found.axes.shape != (len(found.variances), len(found.mean)):
        return "its arrays do not fit together"
    arrays = (found.mean, found.axes, found.variances)
    if not all(np.isfinite(a).all() for a in arrays) or not (found.variances > 0).all():
        return "holds a number that is not finite or not above 0"
    if not (0 < found.residual < np.inf and found.limit > 0):
        return "holds a number that is not finite or not above 0"
    return ""
