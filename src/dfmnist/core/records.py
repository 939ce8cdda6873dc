"""Records of finished jobs: pydantic models kept as JSON files, so that no job is done twice."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from dfmnist.core.files import read_json, write_json

Record = TypeVar("Record", bound=BaseModel)


def write_record(path: Path, record: BaseModel) -> None:
    """Write `record` as JSON, completely or not at all."""
    write_json(path, record.model_dump(mode="json"))


def read_record(path: Path, kind: type[Record]) -> Record | None:
    """Read a record that `write_record` wrote; None if the file does not exist yet."""
    return kind.model_validate(read_json(path)) if path.exists() else None
