"""Text that several rooms write: names that are safe in paths."""

import re


def slug(text: str) -> str:
    """`text` with all but letters, digits, dot and underscore made `_`."""
    return re.sub(r"[^A-Za-z0-9._]+", "_", text).strip("_") or "x"
