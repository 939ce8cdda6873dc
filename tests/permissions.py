"""File permissions that count for root too, so that a folder can be made unwritable in a test."""

import contextlib
import ctypes
from collections.abc import Iterator
from pathlib import Path

_VERSION_3 = 0x20080522
"""The layout of `capget` and `capset` for 64 capabilities (Linux, capability.h)."""
_OVERRIDES = 0b110
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: to write and to read whatever the permissions say."""


@contextlib.contextmanager
def obeyed() -> Iterator[None]:
    """Within the block, permissions count for this thread and those that it starts.

    Root gives up two capabilities for the time; another user has none to give up.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    words = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice
    if libc.capget(header, words) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    held = words[0]
    words[0] = held & ~_OVERRIDES
    libc.capset(header, words)
    try:
        yield
    finally:
        words[0] = held
        libc.capset(header, words)


@contextlib.contextmanager
def set_to(folder: Path, mode: int) -> Iterator[None]:
    """Within the block `folder` has the permissions `mode`, which count for root too."""
    before = folder.stat().st_mode
    folder.chmod(mode)
    try:
        with obeyed():
            yield
    finally:
        folder.chmod(before)
