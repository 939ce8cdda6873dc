"""Scoring by a detector that is not this package's: a Python function or a program.

A function is given frames and answers with P(fake); a program is given a clip's file and prints
it. The table of scores is the one of `detectors.scores`, so that every later step treats such a
detector as it treats a run.
"""

import contextlib
import json
from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.special import logit

from dfmnist.core.arrays import Floats
from dfmnist.core.console import progress_bar
from dfmnist.core.errors import InputError
from dfmnist.core.files import check_writable
from dfmnist.core.jobs import cpu_count
from dfmnist.core.plugins import (
    PluginError,
    call,
    end_programs,
    filled,
    find_function,
    parse_plugin,
    plain_value,
    run_program,
)
from dfmnist.core.prefetch import prefetch_map
from dfmnist.dataset.manifest import Clip, Manifest, manifest_hash, read_manifest
from dfmnist.dataset.qualities import qualities_of
from dfmnist.detectors.external import ExternalDetector
from dfmnist.detectors.score import (
    CLIP_SCORE,
    Decoded,
    Indices,
    clip_table,
    clips_to_score,
    decode_clip,
    with_groups,
)
from dfmnist.detectors.scores import EXTERNAL, unscored, write_scores

TIMEOUT_S = 600.0
"""Time in seconds after which a program is ended."""
NEAREST = 1e-6
"""Smallest distance of a P(fake) from 0 and 1 for its logit."""
NO_SCORE = "the detector gave no score"


Answer = tuple[Indices | None, Floats] | str
"""P(fake) of frames with their indices, P(fake) of the clip or of frames that are not named (no
indices), or the reason why there is none."""


def score_external(
    detector: ExternalDetector,
    dataset: Path,
    split: str = "test",
    qualities: Sequence[str] | None = None,
    out: Path | None = None,
    *,
    function: Callable[..., Any] | None = None,
    quiet: bool = False,
) -> pl.DataFrame:
    """The scores that a detector of the user's gives one split, with the columns of `SCHEMA`.

    Each frame that a function judged is a row; a detector that judges whole clips gives one row a
    clip, without a frame, and a program that prints a list one row for each number. A clip that
    cannot be read, and one for which the detector answers None (or null), is a row with a reason.
    `qualities` None means all that the split has. `function` is
    the function itself, in place of its name. Nothing is written, and `InputError` is raised, if
    the detector raises, or answers with anything but numbers from 0 to 1, one for each frame or one
    for the clip.
    """
    if out is not None:
        check_writable(out)
    if qualities is None:
        qualities = _all_qualities(dataset, split)
    manifest, clips = clips_to_score(dataset, split, qualities)
    judge = _function(detector, function) if detector.kind == "function" else _program(detector)
    tables = []
    with progress_bar() as bar:
        task = bar.add_task(f"score {detector.name}", total=len(clips), visible=not quiet)
        with contextlib.closing(judge(manifest, clips)) as answers:
            for clip, answer in zip(clips, answers, strict=True):
                tables.append(_rows(detector, clip, answer))
                bar.advance(task)
    scores = with_groups(pl.concat(tables), clips)
    failed = unscored(scores)
    if len(failed) == len(clips):
        what = f"scored none of {len(clips)} {split} clips (the first: {failed[0, 'reason']})"
        raise InputError.of(f"--detector {detector.text}", what, "a score of one clip or more")
    if out is not None:
        write_scores(scores, out, notes(detector, manifest.root))
    return scores


def notes(detector: ExternalDetector, root: Path) -> dict[str, str]:
    """The metadata of a table of scores of a detector of the user's on the dataset in `root`."""
    return {
        EXTERNAL: detector.name,
        "detector": detector.text,
        "run_hash": detector.hash,
        "manifest": manifest_hash(root),
        "threshold": repr(detector.threshold),
        "clip_score": CLIP_SCORE,
    }


def _all_qualities(dataset: Path, split: str) -> list[str]:
    found = read_manifest(dataset).select(split=split).clips
    return list(qualities_of(found)) or ["raw"]


_Judge = Callable[[Manifest, Sequence[Clip]], Generator[Answer]]


def _function(detector: ExternalDetector, function: Callable[..., Any] | None) -> _Judge:
    """A judge that gives each clip's frames to the function, which is called in this thread."""
    given = f"--detector {detector.text}"
    own = function or find_function(detector.text, given)

    def judge(manifest: Manifest, clips: Sequence[Clip]) -> Generator[Answer]:
        read = partial(decode_clip, manifest, count=detector.frames)
        threads = max(1, cpu_count() - 1)
        for clip, found in zip(
            clips, prefetch_map(read, clips, threads=threads, max_pending=threads), strict=True
        ):
            yield _asked(own, given, clip, found)

    return judge


def _asked(function: Callable[..., Any], given: str, clip: Clip, found: Decoded) -> Answer:
    if isinstance(found, str):
        return found
    indices, frames = found
    frames.flags.writeable = False  # a function that changes them would change nothing else
    try:
        answer = call(function, frames)
        if answer is None:
            return NO_SCORE
        values = _probabilities(answer, len(frames))
    except PluginError as error:
        raise _of_clip(given, clip, error) from None
    return (indices if values.ndim else None), np.atleast_1d(values)


def _of_clip(given: str, clip: Clip, error: PluginError) -> InputError:
    expected = "P(fake) from 0 to 1, one for each frame or one for the clip"
    return InputError.of(given, f"{error} ({clip.file_name})", expected)


def _probabilities(answer: Any, frames: int | None) -> Floats:
    """P(fake) as one number (), or as one for each of the `frames` (n,). Raises `PluginError`.

    `frames` None accepts any number of them.
    """
    try:
        if hasattr(answer, "detach"):  # a tensor of torch, maybe on a GPU and with a gradient
            answer = answer.detach().cpu().numpy()
        values: Floats = np.asarray(plain_value(answer), np.float64)
    except (TypeError, ValueError):
        raise PluginError(f"the answer is {type(answer).__name__}, no number") from None
    if values.ndim > 1 or (values.ndim and frames is not None and len(values) != frames):
        shape = "x".join(map(str, values.shape))
        raise PluginError(f"the answer has shape {shape} for {frames or 'any number of'} frames")
    if values.ndim and not len(values):
        raise PluginError("the answer is an empty list")
    odd = values[~((values >= 0) & (values <= 1))] if values.ndim else values
    if not np.all((values >= 0) & (values <= 1)):
        raise PluginError(f"the answer holds {np.ravel(odd)[0]:g}")
    return values


def _program(detector: ExternalDetector) -> _Judge:
    """A judge that runs the program for each clip, several at a time."""
    given = f"--detector {detector.name}"
    command = parse_plugin(f"command:{detector.text}", given).words

    def asked(manifest: Manifest, clip: Clip) -> Answer:
        path = manifest.path(clip)
        if not path.is_file():
            return f"{clip.file_name}: no such file"
        try:
            words = filled(command, {"clip": str(path.resolve())}, last="clip")
            answer = _printed(run_program(words, TIMEOUT_S))
            if answer is None:
                return NO_SCORE
            values = _probabilities(answer, None)
        except PluginError as error:
            raise _of_clip(given, clip, error) from None
        return None, np.atleast_1d(values)  # it does not say which frames it looked at

    def judge(manifest: Manifest, clips: Sequence[Clip]) -> Generator[Answer]:
        threads = cpu_count()
        ask = partial(asked, manifest)
        try:
            yield from prefetch_map(ask, clips, threads=threads, max_pending=threads)
        finally:
            end_programs()  # after Ctrl-C or a failure, the other threads' programs

    return judge


def _printed(printed: bytes) -> Any:
    """The number, list or null that a program printed, bare or as the field `p_fake`."""
    if not printed.strip():
        raise PluginError("the program printed nothing")
    try:
        found = json.loads(printed)
    except (ValueError, RecursionError):
        raise PluginError("the program printed no valid JSON") from None
    if isinstance(found, dict):
        if "p_fake" not in found:
            raise PluginError("the program printed an object without p_fake")
        found = found["p_fake"]
    if isinstance(found, bool):
        raise PluginError("the program printed true or false, no number")
    return found


def _rows(detector: ExternalDetector, clip: Clip, answer: Answer) -> pl.DataFrame:
    if isinstance(answer, str):
        return clip_table(clip, run=detector.hash, threshold=detector.threshold, reason=answer)
    indices, values = answer
    return clip_table(
        clip,
        run=detector.hash,
        threshold=detector.threshold,
        frames=[None] * len(values) if indices is None else indices,
        p_fake=values,
        logits=logit(np.clip(values, NEAREST, 1 - NEAREST)),
    )
