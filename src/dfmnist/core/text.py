"""Text that several rooms write: names safe in paths, numbers, tables, escapes."""

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from fractions import Fraction

UNDEFINED = "–"
"""Text in place of a value that is not defined."""


def read_fraction(text: str) -> Fraction:
    """The number or fraction in `text`, such as 25, 29.97 or 30000/1001, of nine digits a part.

    Raises `ValueError`. `Fraction("1e999999999")` alone would compute for hours.
    """
    if not re.fullmatch(r"[+-]?\d{1,9}(\.\d{1,9}|/\d{1,9})?", text.strip(), re.ASCII):
        raise ValueError(f"'{text[:40]}' is no number or fraction")
    return Fraction(text)


def slug(text: str) -> str:
    """`text` with all but letters, digits, dot and underscore made `_`; never empty."""
    return re.sub(r"[^A-Za-z0-9._]+", "_", text).strip("_") or "x"


_PLAIN = re.compile(r"[a-z0-9_][a-z0-9_-]{0,39}")
_ENDS_LIKE_A_HASH = re.compile(r"-[0-9a-f]{10}$")


def key_of(name: str) -> str:
    """A part of a file name for `name`, of at most 40 characters; different names differ in it.

    A short name of lower-case letters, digits, `_` and `-` is its own key. The key of any other
    name is its readable part and ten digits of its SHA-256, so that `ann/1`, `ann_1` and `Ann_1`
    differ, on file systems that ignore case too. A key holds no dot.
    """
    if _PLAIN.fullmatch(name) and not _ENDS_LIKE_A_HASH.search(name):
        return name
    digits = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    readable = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")[:29]
    return f"{readable or 'x'}-{digits}"


_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of what is no text: control, format and lone surrogate characters, and
separators of lines."""
_JOINERS = "\u200c\u200d"
"""Format characters that words of Persian and composed emoji need; they stay as they are."""


def visible(text: str) -> str:
    """`text` on one line, with what is no visible text as escapes such as `\\u001b` and `\\u202e`.

    So no name of a file or a person can begin a second line, clear a terminal, or turn the
    direction of writing. Letters of every script, accents and emoji stay as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(c) if _is_invisible(c) else c for c in text)


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE and character not in _JOINERS


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]  # so that a JSON document means the same


def on_one_line(text: str) -> str:
    """`text` for a page or a table: a line break becomes a space, the rest is as in `visible`."""
    return visible(" ".join(text.splitlines()) if "\n" in text or "\r" in text else text)


def number(value: float, form: str = ".3f") -> str:
    """`value` in the format `form`, or a dash if it is NaN or infinite."""
    return format(value, form) if math.isfinite(value) else UNDEFINED


def percent(share: float, digits: int = 1) -> str:
    """A share as percent: 0.931 is `93.1%`; a dash if it is NaN."""
    return number(share, f".{digits}%")


def plural(count: int, one: str, many: str = "") -> str:
    """`1 clip`, `1,200 clips`; `many` defaults to `one` with an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def duration_text(seconds: float) -> str:
    """A duration in words: `40 s`, `3 min 10 s`, `2 h 5 min`."""
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    if hours:
        return f"{hours} h {m} min"
    return f"{m} min {s} s" if m else f"{s} s"


def text_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as aligned lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        right = [cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *right]))
    return lines


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, align_right: bool = False
) -> str:
    """A Markdown table that ends with a newline; `|` and line breaks in cells are escaped.

    `align_right`: all columns but the first are aligned to the right.
    """
    rule = ["--:" if align_right and i else "---" for i in range(len(header))]
    lines = [_markdown_row(header), f"|{'|'.join(rule)}|", *map(_markdown_row, rows)]
    return "\n".join(lines) + "\n"


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(markdown_escape, cells))} |"


def markdown_escape(text: str) -> str:
    """`text` as the cell of a Markdown table: on one line, with `|` escaped."""
    return on_one_line(text).replace("|", r"\|")


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"$\sim$", "^": r"\textasciicircum{}",
    "→": r"$\rightarrow$", "±": r"$\pm$", "×": r"$\times$", "–": "--", "−": "$-$",
    "[": "{[}", "]": "{]}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def latex_escape(text: str) -> str:
    """`text` as LaTeX shows it literally, also where it begins a table row or holds `--`."""
    escaped = "".join(_LATEX.get(c, c) for c in on_one_line(text).replace("--", "-\0-"))
    return escaped.replace("\0", "{}")  # two hyphens of an option would set a dash
