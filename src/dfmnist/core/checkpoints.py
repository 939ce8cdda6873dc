"""Read PyTorch files of others without running code, and recognise what is no such file."""

import argparse
import codecs
import tarfile
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dfmnist.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

NESTS = ("state_dict", "model_state_dict", "model", "network", "net", "weights", "params")
"""Keys under which training scripts store the parameters next to an optimiser's state."""
PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.", "backbone.")
"""Beginnings that wrappers add to every name: `DataParallel`, `torch.compile`, Lightning."""
DEEPEST = 8
"""Number of nests that are looked into, one within the other."""
_SCALAR = np.float64(0).__reduce__()[0]
_HARMLESS: list[Any] = [
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    (np.dtype, "numpy.dtype"),
    *(type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"),
    (codecs.encode, "_codecs.encode"),
    argparse.Namespace,
]
"""What a file may hold beside tensors and plain values: NumPy's scalars, and a script's options."""
_ARCHIVES = {b"\x1f\x8b": "gzip", b"7z\xbc\xaf": "7z", b"Rar!": "rar", b"BZh": "bzip2"}


def read_pickle(path: Path, expected: str) -> dict[str, Any]:
    """The dictionary in a PyTorch file, read without running any code that it may hold.

    Raises `InputError` for anything else, a web page or a part of a file among them.
    """
    import torch

    if path.is_dir():
        raise InputError.of(path, in_disguise(path), expected)
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            value = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds here, none of them its own
        problem = in_disguise(path) or f"cannot be read safely ({type(error).__name__})"
        raise InputError.of(path, problem, expected) from None
    if not isinstance(value, dict):
        raise InputError.of(path, f"holds a {type(value).__name__}", expected)
    return value


def unnested(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The innermost dictionary of parameters in a training script's checkpoint."""
    for _ in range(DEEPEST):
        inner = next((value[key] for key in NESTS if isinstance(value.get(key), Mapping)), None)
        if inner is None:
            break
        value = inner
    return value


def bare_name(key: str, own: Collection[str] = ()) -> str:
    """`key` without the beginnings that wrappers add, up to the first name that is in `own`.

    With an `own` in which it is under no beginning, the result is `key` itself.
    """
    name = key
    while name not in own and (prefix := next((p for p in PREFIXES if name.startswith(p)), "")):
        name = name.removeprefix(prefix)
    return name if not own or name in own else key


def require_finite(path: Path, state: Mapping[str, "Tensor"], expected: str) -> None:
    """Raise `InputError` that names the first tensor with a NaN or infinite value."""
    for name, value in state.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise InputError.of(path, f"{name} holds NaN or infinite values", expected)


def in_disguise(path: Path) -> str:
    """Words for a file that cannot be read, such as "is empty"; "" if nothing is recognised."""
    if path.is_dir():
        unpacked = any((folder / "data.pkl").is_file() for folder in (path, *path.glob("*/")))
        return "is a folder" + ", into which a checkpoint was unpacked" * unpacked
    with path.open("rb") as file:
        head = file.read(512)
    start = head.lstrip().lower()
    if not head:
        return "is empty"
    if start.startswith((b"<!doctype html", b"<html")):
        return "is a web page: the host's page was saved in place of the file"
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the file that it stands for"
    if head.startswith(b"PK"):
        return _zip_in_words(path)
    if head[257:262] == b"ustar" or tarfile.is_tarfile(path):
        return "is a tar archive, which must be unpacked first"
    for magic, kind in _ARCHIVES.items():
        if head.startswith(magic):
            return f"is a {kind} archive, which must be unpacked first"
    return ""


def _zip_in_words(path: Path) -> str:
    if not zipfile.is_zipfile(path):
        return "is truncated: the end of the archive is missing"
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError):
        return "is a damaged archive"
    if any(name.endswith("data.pkl") for name in names):
        return ""
    first = f" (holds {names[0][:80]})" if names else ""
    return f"is a zip archive, which must be unpacked first{first}"
