"""DFDC, the Deepfake Detection Challenge: its training parts and its test videos.

`dfdc_train_part_N/metadata.json` says for each video of its folder `{"x.mp4": {"label": "FAKE",
"split": "train", "original": "y.mp4"}}`; the test videos lie beside, or in a folder `test` or
`videos` beside, a `labels.csv` with the columns filename and label (1 is fake), in a folder `test`
at the top. Actors are not named: a video counts as a person, and a fake belongs to its original.
There is no official validation split in the parts.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dfmnist.core.errors import InputError
from dfmnist.core.tables import read_table
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.layouts.base import Layout, below, clip

PART, METADATA, LABELS = "dfdc_train_part_*", "metadata.json", "labels.csv"
EXPECTED = "folders dfdc_train_part_N with metadata.json, and a folder test with labels.csv"


def read(root: Path) -> Iterator[Clip]:
    """Yield the clips of DFDC that the parts' metadata and the test's labels list."""
    for folder in sorted(path for path in root.glob(PART) if path.is_dir()):
        for name, facts in _metadata(folder / METADATA).items():
            path = folder / name
            label = _label(folder / METADATA, name, facts.get("label"))
            original = str(facts.get("original") or name) if label == "fake" else name
            yield clip(
                below(root, path), label, (Path(original).stem,), clip_id=Path(name).stem,
                method="dfdc" if label == "fake" else "",
            )  # fmt: skip
    if (root / "test" / LABELS).is_file():
        yield from _tested(root)


def _metadata(path: Path) -> dict[str, dict[str, Any]]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError.of(path, f"cannot be read ({error})", "the metadata of a part") from None
    if not isinstance(facts, dict) or not all(isinstance(v, dict) for v in facts.values()):
        raise InputError.of(path, "is no object of objects", '{"x.mp4": {"label": "FAKE"}}')
    return facts


def _label(path: Path, name: str, label: object) -> str:
    if label not in ("REAL", "FAKE"):
        raise InputError.of(path, f"{name} has the label {label!r}", "REAL or FAKE")
    return str(label).lower()


def _tested(root: Path) -> Iterator[Clip]:
    folder = root / "test"
    places = [folder, folder / "videos", folder / "test"]
    for line, row in read_table(folder / LABELS, ("filename", "label")):
        known = {"0": "real", "1": "fake", "REAL": "real", "FAKE": "fake"}
        label = known.get(row["label"].upper())
        if label is None:
            where = f"{folder / LABELS}:{line}"
            raise InputError.of(where, f"label '{row['label']}'", "0 for real or 1 for fake")
        path = next((p / row["filename"] for p in places if (p / row["filename"]).is_file()), None)
        stem = Path(row["filename"]).stem
        yield clip(
            below(root, path or folder / row["filename"]), label, (f"test {stem}",), split="test",
            clip_id=f"test-{stem}", method="dfdc" if label == "fake" else "",
        )  # fmt: skip


def looks_like(root: Path) -> bool:
    """Whether a folder holds DFDC."""
    return any(root.glob(f"{PART}/{METADATA}")) or (root / "test" / LABELS).is_file()


LAYOUT = Layout(
    kind="dfdc",
    title="DFDC",
    read=read,
    looks_like=looks_like,
    expected=EXPECTED,
    notes=("Actors are not named: a video counts as a person, and a fake as its original.",),
)
