"""Text that several rooms write: names that are safe in paths, and tables."""

import re
from collections.abc import Iterable, Sequence


def slug(text: str) -> str:
    """`text` with all but letters, digits, dot and underscore made `_`."""
    return re.sub(r"[^A-Za-z0-9._]+", "_", text).strip("_") or "x"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; ends with a newline."""
    lines = [f"| {' | '.join(header)} |", f"|{'|'.join('---' for _ in header)}|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"
