"""Disjoint ranges of identity seeds, one per purpose, so that no person serves two of them.

An animator that was trained on a person of the dataset, or thresholds fitted on one, would make
every later figure too good; a seed outside its range is refused where it is used.
"""

from collections.abc import Iterable

from dfmnist.core.errors import InputError

SEED_RANGES: dict[str, range] = {
    "animator": range(100_000),
    "drivers": range(100_000, 200_000),
    "thresholds": range(200_000, 300_000),
    "dataset": range(300_000, 400_000),
    "evaluation": range(400_000, 500_000),
}
"""Identity seeds by purpose. Recorded in the animator's weights and in the manifest."""


def check_range(purpose: str, seeds: Iterable[int]) -> None:
    """Raise `InputError` unless every seed lies in the range of `purpose`."""
    try:
        allowed = SEED_RANGES[purpose]
    except KeyError:
        names = ", ".join(SEED_RANGES)
        raise InputError(f"unknown purpose '{purpose}'; expected one of {names}") from None
    for seed in seeds:
        if seed not in allowed:
            other = next((name for name, r in SEED_RANGES.items() if seed in r), "no purpose")
            raise InputError(
                f"identity seed {seed} belongs to {other}; "
                f"expected {allowed.start} to {allowed.stop - 1} for {purpose}"
            )
