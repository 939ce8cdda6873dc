"""Records as rows of a table whose columns have one type each, as a published dataset has them.

`datasets` reads the types of a split's columns out of its own `metadata.jsonl`, and refuses splits
that differ. A column that is empty in one split and holds numbers in another would do so: it is
written as text in all of them. Reading a row gives the record back.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dfmnist.core.batch import without_folders
from dfmnist.dataset.clip import Clip

Row = dict[str, Any]
_LARGEST = 2**63
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([ T].*)?")
"""Text that pyarrow takes for a time; it is written in quotation marks."""
_NUMBERS = ("num_frames", "width", "height", "source_frame")
_OPEN = (*_NUMBERS, "action", "fps", "sha256")
"""Fields of a record that may be unknown, which an empty text says here."""
_NAMES_OF_FILES = re.compile(r"^video$|_?file_names?$")
"""Names of columns that `datasets` takes for those of files."""


def row_of(clip: Clip, **changes: Any) -> Row:
    """The record as a row: its fields with `changes`, then its further columns by their names.

    Paths of this machine in free text lose their folders. A further column whose name `datasets`
    would take for that of a file ends with `_`; one that holds lists or objects becomes JSON text.
    """
    row = clip.model_dump(mode="json", exclude={"extra"}) | changes
    for answer in row["screening"]:
        answer["reason"] = without_folders(answer["reason"])
    for name, value in clip.extra.items():
        column = f"{name}_" if _NAMES_OF_FILES.search(name) else name
        row[column] = _flat(value)
    return row


def _flat(value: Any) -> Any:
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False)
    return without_folders(value) if isinstance(value, str) else value


def typed(splits: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """The rows of each split with the same columns everywhere, each of one type.

    A column whose type does not follow from every split (because a split has no value there, or
    another type) becomes text: empty for no value, else the value, or its JSON if it is no text.
    Columns that say nothing in any row are left out, unless a clip that was built is among them.
    Rows that show the types come first.
    """
    columns = dict.fromkeys(name for rows in splits.values() for row in rows for name in row)
    every = [row for rows in splits.values() for row in rows]
    keep_all = any(row["origin"] == "built" for row in every)
    as_text, as_float = set(), set()
    for name in list(columns):
        values = [row.get(name) for row in every]
        if not any(v not in (None, "", []) for v in values) and not (
            keep_all and name in Clip.model_fields and name != "dataset"
        ):
            del columns[name]
            continue
        kinds = {_kind_of_all(row.get(name) for row in rows) for rows in splits.values() if rows}
        if kinds == {"number"} and any(isinstance(v, float) for v in values):
            as_float.add(name)
        elif len(kinds) > 1 or kinds & {"mixed", "none", "date"}:
            as_text.add(name)
    done = {}
    for split, rows in splits.items():
        new = [
            {name: _as(row.get(name), name in as_text, name in as_float) for name in columns}
            for row in rows
        ]
        done[split] = _showing_first(new)
    return done


def _as(value: Any, text: bool, number: bool) -> Any:
    if text:
        if value in (None, [], ""):
            return ""
        return value if isinstance(value, str) and not _DATE.fullmatch(value) else _json(value)
    return float(value) if number and value is not None else value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _kind_of_all(values: Any) -> str:
    """The kind of a column's values: `none` for no value at all, `mixed` for several kinds."""
    kinds = {_kind(value) for value in values} - {"none"}
    return kinds.pop() if len(kinds) == 1 else "mixed" if kinds else "none"


def _kind(value: Any) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, str):
        return "date" if _DATE.fullmatch(value) else "text"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number" if abs(value) < _LARGEST else "mixed"
    if not isinstance(value, list) or any(_kind(item) == "date" for item in value):
        return "mixed"
    return "list"


def _showing_first(rows: list[Row]) -> list[Row]:
    """The rows, with one that has a value in front for each column that is empty in some row."""
    front: dict[int, None] = {}
    for name in rows[0] if rows else ():
        if rows[0][name] in (None, []):
            front[next((i for i, row in enumerate(rows) if row[name] not in (None, [])), 0)] = None
    return [rows[i] for i in front] + [row for i, row in enumerate(rows) if i not in front]


def from_row(row: Row) -> Row:
    """The values of the record that `row_of` and `typed` made a row of."""
    values = {n: v for n, v in row.items() if n in Clip.model_fields or v not in (None, "")}
    for name, value in values.items():
        if not isinstance(value, str):
            continue
        if name in _OPEN and not value:
            values[name] = None
        elif name in ("screening", "identities"):
            values[name] = json.loads(value) if value else []
        elif name in _NUMBERS and value.isascii() and value.isdigit():
            values[name] = int(value)
        elif _DATE.fullmatch(value[1:-1]) and value[0] == value[-1] == '"':
            values[name] = value[1:-1]
    return values
