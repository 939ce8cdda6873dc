"""Tables (CSV) that say whose clips are whose."""

import csv
import io
from collections.abc import Collection
from pathlib import Path

from dfmnist.core.errors import InputError

LARGEST_BYTES = 256 << 20
"""Largest size of a table in bytes."""


def read_table(
    path: Path, needed: Collection[str], known: Collection[str] | None = None
) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV file that are not empty, with their line numbers, by column.

    `known` None allows any further column. Raises `InputError` naming the file and line for an
    unknown, missing or second column, a row of another length, and text that is not UTF-8.
    """
    expected = f"a CSV with the columns {', '.join(needed)}"
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise InputError.of(path, "is larger than 256 MB", expected)
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError.of(path, f"cannot be read ({error})", expected) from None
    rows = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    found = []
    try:
        names = [cell.strip() for cell in next(rows, [])]
        _check(path, names, needed, known, expected)
        for cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(names):
                where = f"{path}:{rows.line_num}"
                raise InputError.of(where, f"has {len(cells)} cells", f"{len(names)}")
            row = dict(zip(names, map(str.strip, cells), strict=True))
            found.append((rows.line_num, row))
    except csv.Error as error:
        raise InputError.of(f"{path}:{rows.line_num}", str(error), "a row of CSV") from None
    return found


def _check(
    path: Path,
    names: list[str],
    needed: Collection[str],
    known: Collection[str] | None,
    expected: str,
) -> None:
    if missing := [name for name in needed if name not in names]:
        raise InputError.of(path, f"has no column '{missing[0]}'", expected)
    for name in names:
        if names.count(name) > 1:
            raise InputError.of(path, f"has two columns '{name[:40]}'", "each column once")
        if known is not None and name not in known:
            raise InputError.of(path, f"unknown column '{name[:40]}'", ", ".join(known))
