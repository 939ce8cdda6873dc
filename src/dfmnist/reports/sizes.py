"""Width and height of a picture, written into the page so that nothing moves while it loads."""

import re
from pathlib import Path

from PIL import Image

_BOX = re.compile(r'<svg [^>]*viewBox="0 0 ([\d.]+) ([\d.]+)"')
HEAD = 4096
"""Number of characters read of an SVG; the size stands in its first tag."""


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a JPEG or PNG in pixels, or of an SVG in its own unit.

    Raises ValueError for an SVG without a view box.
    """
    if path.suffix != ".svg":
        with Image.open(path) as image:
            return image.size
    with path.open(encoding="utf-8") as file:
        found = _BOX.search(file.read(HEAD))
    if found is None:
        raise ValueError(f"{path}: no view box")
    return round(float(found[1])), round(float(found[2]))
