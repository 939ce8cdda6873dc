"""Scoring: P(fake) of every frame of a dataset's split by a finished run, written as Parquet.

A clip that cannot be scored (missing, truncated, or not as long as the manifest says) stays in the
table as one row with a reason and no score.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from scipy.special import expit

from dfmnist.core.arrays import Frames
from dfmnist.core.batch import failure, published
from dfmnist.core.choices import QUALITIES, SPLITS
from dfmnist.core.console import progress_bar
from dfmnist.core.errors import InputError
from dfmnist.core.prefetch import prefetch_map
from dfmnist.dataset.manifest import METADATA, Clip, manifest_hash, read_manifest
from dfmnist.dataset.splits import assert_disjoint
from dfmnist.detectors.backends import DetectorBackend, Logits, choose_backend, score_clips
from dfmnist.detectors.data import decode
from dfmnist.detectors.run import Run, load_run
from dfmnist.detectors.scores import SCHEMA, unscored, write_scores
from dfmnist.media.sample import evenly

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
    run = load_run(run_dir)
    root, clips = _clips(manifest, split, qualities or run.config.qualities)
    model = choose_backend(run.network, backend, precision, run.frame_px)
    tables = []
    with progress_bar() as bar:
        task = bar.add_task(f"score {run.config.network}", total=len(clips), visible=not quiet)
        for table in _score_all(run, model, root, clips):
            tables.append(table)
            bar.advance(task)
    scores = pl.concat(tables)
    failed = unscored(scores)
    if len(failed) == len(clips):
        what = (
            f"none of {len(clips)} {split} clips could be scored (the first: {failed[0, 'reason']})"
        )
        raise InputError.of(manifest, what, "the videos that the manifest names")
    if out is not None:
        write_scores(scores, out, notes(run, model, root))
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


def _clips(path: Path, split: str, qualities: Sequence[str]) -> tuple[Path, list[Clip]]:
    """The dataset's folder and the requested clips. Raises `InputError`."""
    if split not in SPLITS:
        raise InputError(f"split is '{split}'; expected one of {', '.join(SPLITS)}")
    if unknown := [q for q in qualities if q not in QUALITIES]:
        raise InputError(f"quality is '{unknown[0]}'; expected one of {', '.join(QUALITIES)}")
    if path.is_file() and path.name != METADATA:
        # a score's dataset is named by the hash of its folder's metadata.jsonl
        raise InputError.of(path, "not a manifest", f"a dataset folder or its {METADATA}")
    manifest = read_manifest(path)
    assert_disjoint(manifest.clips, drivers=False)  # a person of the training tests nothing
    wanted = dict.fromkeys(qualities)
    clips = [c for q in wanted for c in manifest.select(split=split, quality=q).clips]
    if not clips:
        what = f"holds no {split} clips in {' or '.join(wanted)}"
        raise InputError.of(path, what, "clips to score")
    return manifest.root, clips


def _score_all(
    run: Run, model: DetectorBackend, root: Path, clips: Sequence[Clip]
) -> Iterator[pl.DataFrame]:
    """Yield the table of each clip in order; clips are decoded while others are scored."""
    size_px, count = run.frame_px, run.config.frames_per_clip
    outcomes: deque[Indices | str] = deque()
    decoded = partial(_decode, root, count=count, size_px=size_px, consecutive=model.consecutive)
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


def _decode(root: Path, clip: Clip, count: int, size_px: int, consecutive: int) -> Decoded:
    path = root / clip.file_name
    try:
        indices, frames = decode(path, count, size_px, consecutive)
    except Exception as error:
        return published(failure(error, path), path)
    if not np.array_equal(indices, evenly(clip.num_frames, count)):
        what = "not as long as the manifest says"
        return str(InputError.of(path.name, what, f"{clip.num_frames} frames"))
    return indices, frames


def _table(run: Run, clip: Clip, outcome: Indices | str, raw: Logits) -> pl.DataFrame:
    """The rows of one clip: one for each frame, or one with the reason why there is no score."""
    failed = isinstance(outcome, str)
    logits = run.calibration.logits(raw.astype(np.float64))
    columns = {
        "frame": [None] if failed else outcome,
        "p_fake": [None] if failed else expit(logits),
        "logit": [None] if failed else logits,
    }
    fixed = {
        "clip_id": clip.clip_id,
        "quality": str(clip.quality),
        "split": str(clip.split),
        "label": str(clip.label),
        "action": str(clip.action),
        "source_id": clip.source_id,
        "driver_id": clip.driver_id,
        "threshold": run.calibration.threshold,
        "reason": outcome if failed else None,
        "run": run.hash,
    }
    schema = {name: SCHEMA[name] for name in columns}
    table = pl.DataFrame(columns, schema_overrides=schema)
    return table.with_columns(
        pl.lit(value, SCHEMA[name]).alias(name) for name, value in fixed.items()
    ).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
