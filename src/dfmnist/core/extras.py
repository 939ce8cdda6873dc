"""Optional packages: whether one is installed, and the one line that says how to get it."""

import importlib.util

from dfmnist.core.errors import InputError


def have(module: str) -> bool:
    """Whether the top-level `module` can be imported; it is looked for, not imported."""
    return importlib.util.find_spec(module) is not None


def need(module: str, *, extra: str, for_what: str) -> None:
    """Check that `module` is installed. Raises `InputError`, which names the extra that has it."""
    if not have(module):
        raise InputError(f"{for_what} needs the extra '{extra}': pip install 'dfmnist[{extra}]'")
