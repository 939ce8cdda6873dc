"""Records of finished jobs: pydantic models kept as JSON files, so that no job is done twice."""

import dataclasses
import json
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, write_json

Config = TypeVar("Config")
Record = TypeVar("Record", bound=BaseModel)


def write_record(path: Path, record: BaseModel) -> None:
    """Write `record` as JSON, completely or not at all."""
    write_json(path, record.model_dump(mode="json"))


def read_record(path: Path, kind: type[Record]) -> Record | None:
    """Read a record that `write_record` wrote; None if the file does not exist yet.

    Raises `InputError` for a file that holds something else.
    """
    if not path.exists():
        return None
    try:
        return kind.model_validate(read_json(path))
    except ValidationError as error:
        what = f"is no record of a finished job ({first_problem(error)})"
        raise InputError.of(
            path, what, "one that dfmnist wrote; delete it to do the job again"
        ) from None


def read_config(path: Path, kind: type[Config], values: dict[str, Any]) -> Config:
    """The config dataclass `kind` made of `values`, which were read from the JSON file `path`.

    Types are checked strictly: no text for a number. Raises `InputError` for an unknown name, a
    wrong type, or a value that the config refuses.
    """
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(values.keys() - names):
        raise InputError.of(path, f"'{unknown[0]}' is no setting", f"some of {', '.join(names)}")
    config_type: Any = kind
    try:
        checked: Config = _adapter(config_type).validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise InputError.of(path, first_problem(error), "settings that dfmnist wrote") from None
    return checked


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """The checker of a config's type, which takes longer to make than to use."""
    return TypeAdapter(kind)


def first_problem(error: ValidationError) -> str:
    """The first of the problems that pydantic found, as `field: what is wrong with it`."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    said = str(first["msg"]).removeprefix("Value error, ")
    return f"{place}: {said}" if place else said


def problems_by_field(error: ValidationError) -> list[str]:
    """The first problem that pydantic found of each field, as `first_problem` words it."""
    found: dict[str, str] = {}
    for one in error.errors(include_url=False):
        place = ".".join(str(part) for part in one["loc"])
        said = str(one["msg"]).removeprefix("Value error, ")
        found.setdefault(str(one["loc"][:1]), f"{place}: {said}" if place else said)
    return list(found.values())
