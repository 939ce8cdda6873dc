"""Scoring: P(fake) of every frame of a dataset's split by a finished run, written as Parquet.

A clip that cannot be scored (missing, truncated, or not as long as the manifest says) stays in the
table as one row with a reason and no score.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from scipy.special import expit

from dfmnist.core.arrays import Floats, Frames
from dfmnist.core.batch import failure, published
from dfmnist.core.choices import SPLITS
from dfmnist.core.console import progress_bar
from dfmnist.core.errors import InputError
from dfmnist.core.files import check_writable
from dfmnist.core.prefetch import prefetch_map
from dfmnist.dataset.headers import header_of
from dfmnist.dataset.manifest import METADATA, Clip, Manifest, manifest_hash, read_manifest
from dfmnist.dataset.people import groups_of, people_of
from dfmnist.dataset.qualities import qualities_of
from dfmnist.dataset.splits import assert_fair
from dfmnist.detectors.backends import DetectorBackend, Logits, choose_backend, score_clips
from dfmnist.detectors.data import decode
from dfmnist.detectors.run import Run, load_run
from dfmnist.detectors.scores import GROUP, SCHEMA, unscored, write_scores
from dfmnist.media.sample import evenly, sample_frames

CLIP_SCORE = "mean logit"
"""The score of a clip, as a table's metadata names it."""
Indices = NDArray[np.int64]
Decoded = tuple[Indices, Frames] | str
"""The indices of frames and the frames, or the reason why there are none."""


def score(
    run_dir: Path,
    manifest: Path,
    split: str = "test",
    qualities: Sequence[str] | None = None,
    out: Path | None = None,
    *,
    backend: str = "auto",
    precision: str = "auto",
    quiet: bool = False,
) -> pl.DataFrame:
    """The scores of one split with the columns of `scores.SCHEMA`, also written to `out` if given.

    `manifest` is a dataset's folder or its metadata.jsonl. `qualities` None means those that the
    run was trained on (three for `mixed`). Each clip gives as many evenly spaced frames as in
    training. `core.inference.choose` explains `backend` and `precision`. Raises `InputError` if
    the run has not finished, there are no such clips, or none could be scored.
    """
    if out is not None:
        check_writable(out)
    run = load_run(run_dir)
    dataset, clips = clips_to_score(manifest, split, qualities or run.config.qualities)
    model = choose_backend(run.network, backend, precision, run.frame_px)
    tables = []
    with progress_bar() as bar:
        task = bar.add_task(f"score {run.config.network}", total=len(clips), visible=not quiet)
        for table in _score_all(run, model, dataset, clips):
            tables.append(table)
            bar.advance(task)
    scores = with_groups(pl.concat(tables), clips)
    failed = unscored(scores)
    if len(failed) == len(clips):
        what = (
            f"none of {len(clips)} {split} clips could be scored (the first: {failed[0, 'reason']})"
        )
        raise InputError.of(manifest, what, "the videos that the manifest names")
    if out is not None:
        write_scores(scores, out, notes(run, model, dataset.root))
    return scores


def notes(run: Run, model: DetectorBackend, root: Path) -> dict[str, str]:
    """The metadata of a table of scores: the run, the dataset, the calibration, the backend."""
    return {
        "run": run.folder.resolve().name,
        "run_hash": run.hash,
        "network": run.config.network,
        "manifest": manifest_hash(root),
        "temperature": repr(run.calibration.temperature),
        "threshold": repr(run.calibration.threshold),
        "clip_score": CLIP_SCORE,
        "backend": model.name,
        "precision": model.precision,
    }


def clips_to_score(path: Path, split: str, qualities: Sequence[str]) -> tuple[Manifest, list[Clip]]:
    """The dataset in `path` and its clips of one split in `qualities`. Raises `InputError`."""
    if split not in SPLITS:
        raise InputError(f"split is '{split}'; expected one of {', '.join(SPLITS)}")
    if path.is_file() and path.name != METADATA:
        # a score's dataset is named by the hash of its folder's metadata.jsonl
        raise InputError.of(path, "not a manifest", f"a dataset folder or its {METADATA}")
    manifest = read_manifest(path)
    assert_fair(manifest.clips, manifest.info)  # a person of the training tests nothing
    wanted = dict.fromkeys(qualities)
    clips = [c for q in wanted for c in manifest.select(split=split, quality=q).clips]
    if not clips:
        there = qualities_of(manifest.select(split=split).clips)
        what = f"holds no {split} clips in {' or '.join(wanted)}"
        raise InputError.of(path, what, f"one of {', '.join(there)}" if there else "clips to score")
    return manifest, clips


def _score_all(
    run: Run, model: DetectorBackend, dataset: Manifest, clips: Sequence[Clip]
) -> Iterator[pl.DataFrame]:
    """Yield the table of each clip in order; clips are decoded while others are scored."""
    size_px, count = run.frame_px, run.config.frames_per_clip
    outcomes: deque[Indices | str] = deque()
    decoded = partial(
        decode_clip, dataset, count=count, size_px=size_px, consecutive=model.consecutive
    )
    threads = torch.get_num_threads()

    def frames() -> Iterator[Frames]:
        for found in prefetch_map(decoded, clips, threads=threads, max_pending=threads):
            if isinstance(found, str):
                outcomes.append(found)
                yield np.empty((0, size_px, size_px, 3 * model.consecutive), np.uint8)
            else:
                outcomes.append(found[0])
                yield found[1]

    for clip, logits in zip(clips, score_clips(model, frames()), strict=True):
        outcome = outcomes.popleft()
        if not np.isfinite(logits).all():
            outcome = f"{clip.file_name}: the network's output is not a finite number"
        yield _table(run, clip, outcome, logits)


def decode_clip(
    dataset: Manifest, clip: Clip, count: int, size_px: int | None = None, consecutive: int = 1
) -> Decoded:
    """Up to `count` evenly spaced frames of a clip with their indices, or why there are none.

    `size_px` is the side to which they are resized; None keeps the clip's own pixels.
    """
    path = dataset.path(clip)
    try:
        if size_px is None:
            indices, frames = sample_frames(path, count, consecutive=consecutive)
        else:
            indices, frames = decode(path, count, size_px, consecutive)
        num_frames = header_of(dataset, clip).num_frames
    except Exception as error:
        return published(failure(error, path), path)
    if not np.array_equal(indices, evenly(num_frames, count)):
        what = "not as long as the manifest says"
        return str(InputError.of(path.name, what, f"{num_frames} frames"))
    return indices, frames


def with_groups(scores: pl.DataFrame, clips: Sequence[Clip]) -> pl.DataFrame:
    """The table with the column `GROUP` where a clip shows several people, else as it is."""
    if all(len(people_of(clip, drivers=False)) == 1 for clip in clips):
        return scores
    names = {"clip_id": [c.clip_id for c in clips], GROUP: groups_of(clips)}
    groups = pl.DataFrame(names).unique("clip_id")
    return scores.join(groups, on="clip_id", how="left", maintain_order="left")


def _table(run: Run, clip: Clip, outcome: Indices | str, raw: Logits) -> pl.DataFrame:
    """The rows of one clip: one for each frame, or one with the reason why there is no score."""
    about: dict[str, Any] = {"run": run.hash, "threshold": run.calibration.threshold}
    if isinstance(outcome, str):
        return clip_table(clip, **about, reason=outcome)
    logits = run.calibration.logits(raw.astype(np.float64))
    return clip_table(clip, **about, frames=outcome, p_fake=expit(logits), logits=logits)


def clip_table(
    clip: Clip,
    *,
    run: str,
    threshold: float,
    frames: Sequence[int | None] | Indices = (None,),
    p_fake: Sequence[float | None] | Floats = (None,),
    logits: Sequence[float | None] | Floats = (None,),
    reason: str | None = None,
) -> pl.DataFrame:
    """The rows of one clip in a table of scores, one for each of `frames`, `p_fake` and `logits`.

    Without these it is one row, which must have a `reason`.
    """
    columns = {"frame": list(frames), "p_fake": list(p_fake), "logit": list(logits)}
    fixed = {
        "clip_id": clip.clip_id,
        "quality": str(clip.quality),
        "split": str(clip.split),
        "label": str(clip.label),
        "action": clip.action_name or None,
        "source_id": clip.source,
        "driver_id": clip.driver,
        "threshold": threshold,
        "reason": reason,
        "run": run,
    }
    schema = {name: SCHEMA[name] for name in columns}
    table = pl.DataFrame(columns, schema_overrides=schema)
    return table.with_columns(
        pl.lit(value, SCHEMA[name]).alias(name) for name, value in fixed.items()
    ).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
