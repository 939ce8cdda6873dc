"""`dataset.json` beside a manifest: where the files lie, and how the splits were made.

A dataset without this file has its files in the folder of its manifest. The file is no part of the
manifest's hash: one dataset that lies in different places on two machines is the same dataset.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from dfmnist.core.choices import SplitRule
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, write_json
from dfmnist.core.records import problems_by_field

INFO = "dataset.json"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SplitInfo(_Record):
    """How the splits of a dataset were made."""

    rule: SplitRule
    seed: int = 0
    drivers: bool = True
    """Whether nobody who drives is in two splits either; only for the rule `identity`."""
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the names of all clips and their splits."""


class DatasetInfo(_Record):
    """What `dataset.json` says."""

    name: str = ""
    """Name of the dataset."""
    root: Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\x00]+$")] = "."
    """Folder of the files: relative to the folder of the manifest, or absolute. A dataset with an
    absolute root cannot be published."""
    kind: str = ""
    """Layout that the files were read by, such as `folder` or `celeb-df-v2`; `built` for a dataset
    of this project's own."""
    official_splits: bool = False
    """Whether the splits are those that the makers of the dataset published."""
    made_by: str = ""
    """Program that wrote the manifest, with its version."""
    splits: SplitInfo | None = None
    synthetic_actors: bool = False
    """Whether everyone in the clips is a synthetic actor."""
    notes: tuple[str, ...] = ()
    """What a reader should know of the splits and the files, a sentence each."""

    @property
    def is_absolute(self) -> bool:
        """Whether the folder of the files is named by an absolute path."""
        return Path(self.root).is_absolute()


def read_info(folder: Path) -> DatasetInfo:
    """Read the `dataset.json` of a dataset folder; the defaults if there is none.

    Raises `InputError` for a file that says something else.
    """
    path = Path(folder) / INFO
    if not path.is_file():
        return DatasetInfo()
    try:
        return DatasetInfo.model_validate(read_json(path))
    except ValidationError as error:
        expected = f"some of {', '.join(DatasetInfo.model_fields)}"
        raise InputError.of(path, "; ".join(problems_by_field(error)), expected) from None


def write_info(folder: Path, info: DatasetInfo) -> Path:
    """Write `dataset.json` into a dataset folder, completely or not at all."""
    path = Path(folder) / INFO
    write_json(path, info.model_dump(mode="json"))
    return path
