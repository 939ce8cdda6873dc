"""Read PyTorch files of others without running code, and recognise what is no such file."""

import zipfile
from pathlib import Path
from typing import Any

from dfmnist.core.errors import InputError


def read_pickle(path: Path, expected: str) -> dict[str, Any]:
    """The dictionary in a PyTorch file, read without running any code that it may hold.

    Raises `InputError` for anything else, a web page or a part of a file among them.
    """
    import torch

    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds here, none of them its own
        problem = in_disguise(path) or f"cannot be read safely ({type(error).__name__})"
        raise InputError.of(path, problem, expected) from None
    if not isinstance(value, dict):
        raise InputError.of(path, f"holds a {type(value).__name__}", expected)
    return value


def in_disguise(path: Path) -> str:
    """Words for a file that cannot be read, such as "is empty"; "" if nothing is recognised."""
    with path.open("rb") as file:
        head = file.read(512)
    start = head.lstrip().lower()
    if not head:
        return "is empty"
    if start.startswith((b"<!doctype html", b"<html")):
        return "is a web page: the host's page was saved in place of the file"
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the file that it stands for"
    if head.startswith(b"PK") and not zipfile.is_zipfile(path):
        return "is truncated: the end of the archive is missing"
    return ""
