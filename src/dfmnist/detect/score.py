"""P(fake) for every frame of a split, by a finished run; as Parquet with the run's hash.

A clip that cannot be decoded stays as one row with a reason and no score.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from dfmnist.core.engine import progress_bar
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path
from dfmnist.dataset.manifest import Clip, manifest_hash, read_manifest
from dfmnist.detect.config import QUALITIES
from dfmnist.detect.data import decode
from dfmnist.detect.networks.base import Detector
from dfmnist.detect.run import Run, load_run

SCHEMA = {
    "clip_id": pl.String,
    "quality": pl.String,
    "split": pl.String,
    "label": pl.String,
    "action": pl.String,
    "source_id": pl.String,
    "driver_id": pl.String,
    "frame": pl.Int32,
    "p_fake": pl.Float32,
    "logit": pl.Float32,
    "reason": pl.String,
    "run": pl.String,
}
"""`frame` is the index in the clip; `reason` says why `p_fake` and `logit` are null."""


def frame_logits(
    network: Detector, frames_rgb_u8: NDArray[np.uint8], batch_size: int = 64
) -> NDArray[np.float32]:
    """Logits of FAKE (n,) for frames (n, h, w, 3) of the network's size."""
    parts = []
    with torch.no_grad():
        for start in range(0, len(frames_rgb_u8), batch_size):
            batch = torch.from_numpy(frames_rgb_u8[start : start + batch_size])
            parts.append(network(network.normalise(batch.permute(0, 3, 1, 2))).numpy())
    return np.concatenate(parts)


def score(
    run_dir: Path,
    manifest_root: Path,
    split: str = "test",
    qualities: Sequence[str] | None = None,
    out: Path | None = None,
    *,
    quiet: bool = False,
) -> pl.DataFrame:
    """The scores of one split, also written to `out` where given; columns are `SCHEMA`.

    `qualities` None is the quality that the run was trained on (three for `mixed`). The run's
    hash, the manifest's, and "clip score: mean logit" are in the file's metadata.
    Raises `InputError`: no finished run, no such clips.
    """
    run = load_run(run_dir)
    manifest = read_manifest(manifest_root)
    wanted = tuple(qualities or run.config.qualities)
    if unknown := [q for q in wanted if q not in QUALITIES]:
        raise InputError(f"unknown quality '{unknown[0]}'; expected {', '.join(QUALITIES)}")
    clips = [c for q in wanted for c in manifest.select(split=split, quality=q).clips]
    if not clips:
        what = f"holds no {split} clips in {' or '.join(wanted)}"
        raise InputError.of(manifest_root, what, "clips to score")
    tables = []
    with progress_bar() as bar:
        task = bar.add_task(f"score {run.config.network}", total=len(clips), visible=not quiet)
        for clip in clips:
            tables.append(_score_clip(run, manifest.root, clip))
            bar.advance(task)
    table = pl.concat(tables)
    if out is not None:
        notes = {
            "run": run.folder.resolve().name,
            "manifest": manifest_hash(manifest_root),
            "clip_score": "mean logit",
        }
        with atomic_path(out) as temporary:
            table.write_parquet(temporary, metadata=notes)
    return table


def _score_clip(run: Run, root: Path, clip: Clip) -> pl.DataFrame:
    size_px = run.config.input_size_px
    indices: list[int | None] = [None]
    logits: list[float | None] = [None]
    p_fake: list[float | None] = [None]
    reason: str | None = None
    try:
        found, frames = decode(root / clip.file_name, run.config.frames_per_clip, size_px)
    except InputError as error:
        reason = str(error)
    else:
        values = frame_logits(run.network, frames)
        indices, logits = [int(i) for i in found], [float(v) for v in values]
        p_fake = [float(p) for p in torch.sigmoid(torch.from_numpy(values))]
    fixed = {
        "clip_id": clip.clip_id,
        "quality": str(clip.quality),
        "split": str(clip.split),
        "label": str(clip.label),
        "action": str(clip.action),
        "source_id": clip.source_id,
        "driver_id": clip.driver_id,
        "reason": reason,
        "run": run.hash,
    }
    count = len(indices)
    columns = {name: [value] * count for name, value in fixed.items()}
    return pl.DataFrame(
        {**columns, "frame": indices, "p_fake": p_fake, "logit": logits}, schema_overrides=SCHEMA
    ).select(list(SCHEMA))
