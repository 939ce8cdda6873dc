"""WebDataset shards: tar files of clips with their records, for clusters that read in sequence.

The form is that of https://github.com/webdataset/webdataset: a sample is `KEY.mp4` and `KEY.json`
one after the other. The same clips give the same bytes.
"""

import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dfmnist.core.config import seed_of
from dfmnist.core.files import atomic_path
from dfmnist.core.jobs import run_jobs
from dfmnist.dataset.rows import Row

FOLDER = "webdataset"
_BLOCK = 512
"""Unit in which a tar file holds what it holds, in bytes."""


@dataclass(frozen=True)
class Sample:
    """One clip of a shard."""

    key: str
    """Path of the clip without its suffix; its last part holds no dot, which begins a suffix."""
    path: Path
    size_bytes: int
    row: str
    """The record as JSON."""


@dataclass(frozen=True)
class ShardJob:
    """One shard to write."""

    target: Path
    samples: tuple[Sample, ...]


def write_shards(root: Path, splits: Mapping[str, Sequence[Row]], shard_bytes: int) -> list[Path]:
    """Write the clips below `root`, whose rows are given by split, as `webdataset/SPLIT-N.tar`.

    A shard holds at most `shard_bytes`, or one clip. Clips are mixed, the same way every time, so
    that a shard holds both classes.
    """
    jobs = []
    for split, rows in splits.items():
        samples = sorted((_sample(root / split, row) for row in rows), key=_mixed)
        for number, part in enumerate(_parts(samples, shard_bytes)):
            jobs.append(ShardJob(root / FOLDER / f"{split}-{number:06d}.tar", tuple(part)))
    return list(run_jobs(write_shard, jobs, describe="write shards"))


def _sample(folder: Path, row: Row) -> Sample:
    path = folder / row["file_name"]
    return Sample(
        row["file_name"].removesuffix(path.suffix),
        path,
        path.stat().st_size,
        json.dumps(row, ensure_ascii=False),
    )


def _mixed(sample: Sample) -> tuple[int, str]:
    return seed_of("webdataset", sample.key), sample.key


def _parts(samples: Sequence[Sample], most: int) -> Iterator[list[Sample]]:
    part: list[Sample] = []
    size = 0
    for sample in samples:
        if part and size + _size(sample) > most:
            yield part
            part, size = [], 0
        part.append(sample)
        size += _size(sample)
    if part:
        yield part


def _size(sample: Sample) -> int:
    """Bytes that a sample takes in a tar file, where no name is too long for a plain header."""
    bodies = (sample.size_bytes, len(sample.row.encode()))
    return sum(_BLOCK + -(-body // _BLOCK) * _BLOCK for body in bodies)


def write_shard(job: ShardJob) -> Path:
    """Write one shard; at the top level, for other processes."""
    with (
        atomic_path(job.target) as temporary,
        tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for sample in job.samples:
            suffix = PurePosixPath(sample.path.name).suffix.lower()
            with sample.path.open("rb") as file:
                tar.addfile(_member(f"{sample.key}{suffix}", sample.size_bytes), file)
            row = sample.row.encode()
            tar.addfile(_member(f"{sample.key}.json", len(row)), io.BytesIO(row))
    return job.target


def _member(name: str, size: int) -> tarfile.TarInfo:
    """Header of a file in a shard: nobody's, of no day."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member
