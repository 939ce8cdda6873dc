"""Check a file of published weights that the user brings, and keep it in the cache."""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path, sha256_file
from dfmnist.fomm.checkpoint import load_networks, read_pickle
from dfmnist.fomm.config import FommConfig
from dfmnist.fomm.known_weights import PUBLISHED, Published


def place(name: str, file: Path) -> tuple[Path, str]:
    """Check `file` as the published weights `name` and copy it into the cache, whole or not.

    Returns where it lies and what its checksum said. Raises `InputError`: another checksum,
    tensors that are missing or misshapen, not readable.
    """
    known = PUBLISHED[name]
    if not file.is_file():
        raise InputError.of(file, "no such file", f"{known.file_name} from {known.page}")
    if file.suffix == ".safetensors":
        raise InputError.of(file, "is not the published file", known.file_name)
    said = _checksum(known, file)
    if known.is_motion_model:
        config = load_networks(file).config
        if config != FommConfig():
            raise InputError.of(file, f"is another motion model ({config})", f"the {name} network")
    else:
        _check_marks(file, read_pickle(file, known.file_name), known)
    if not (known.path.is_file() and known.path.samefile(file)):
        with atomic_path(known.path) as temporary:
            shutil.copyfile(file, temporary)
    return known.path, said


def _checksum(known: Published, file: Path) -> str:
    found = sha256_file(file)
    if known.sha256:
        if not found.startswith(known.sha256):
            expected = f"one that begins with {known.sha256}"
            raise InputError.of(file, f"has SHA-256 {found}", expected)
        return f"SHA-256 {found}, as published ({known.sha256}…)"
    said = f"no published checksum is known; SHA-256 {found}"
    if known.md5:
        with file.open("rb") as content:
            same = hashlib.file_digest(content, "md5").hexdigest() == known.md5
        said += f"; its MD5 {'is' if same else 'differs from'} that of {known.md5_by} copy"
    return said


def _check_marks(file: Path, state: Mapping[str, object], known: Published) -> None:
    for key, shape in known.marks:
        value = state.get(key)
        if not isinstance(value, Tensor):
            raise InputError.of(file, f"lacks {key}", known.file_name)
        if tuple(value.shape) != shape:
            problem = f"{key} is {list(value.shape)}, expected {list(shape)}"
            raise InputError.of(file, problem, known.file_name)
