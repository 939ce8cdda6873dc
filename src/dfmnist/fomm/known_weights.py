"""The published motion models by name (`core.published_weights` holds the list)."""

from pathlib import Path

from dfmnist.core.errors import InputError
from dfmnist.core.published_weights import PUBLISHED, in_cache


def resolve_weights(weights: Path) -> Path:
    """The file that `--weights` means: a file of that name, else a motion model of `PUBLISHED`.

    Raises `InputError` for a known name without a file in the cache.
    """
    name = str(weights)
    if name not in PUBLISHED or weights.is_file():
        return weights  # reading it says so if there is no such file
    if not PUBLISHED[name].is_motion_model:
        models = " or ".join(name for name, known in PUBLISHED.items() if known.is_motion_model)
        raise InputError.of(weights, "is no motion model", models)
    return in_cache(name)
