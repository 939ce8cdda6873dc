"""Tables (CSV) that people write or export: read with bounds, each fault with its line."""

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

    `known` None allows any further column; otherwise names of columns count in lower case. Outer
    spaces are left out. Raises `InputError` naming the file and line for a file above
    `LARGEST_BYTES`, text that is not UTF-8, an unknown, missing or second column, and a row of
    another length.
    """
    more = f", and any of {', '.join(known)}" if known else ""
    expected = f"a CSV with the columns {', '.join(needed)}{more}"
    rows = csv.reader(
        io.StringIO(_text(path, expected), newline=""), skipinitialspace=True, strict=True
    )
    found = []
    try:
        names = [cell.strip() if known is None else cell.strip().lower() for cell in next(rows, [])]
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
        where = f"{path}:{rows.line_num}"
        raise InputError.of(where, f"cannot be read ({error})", "a row of CSV") from None
    return found


def _text(path: Path, expected: str) -> str:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise InputError.of(path, f"is larger than {LARGEST_BYTES >> 20} MB", expected)
        content = path.read_bytes()
    except OSError as error:
        raise InputError.of(path, f"cannot be read ({error})", expected) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        where = f"{path}:{line}"
        raise InputError.of(where, "is not UTF-8 text", "a table saved as CSV in UTF-8") from None


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
