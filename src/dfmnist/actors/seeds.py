"""Disjoint ranges of identity seeds, one for each purpose, so that no person serves two.

A motion model trained on a person of the dataset, or thresholds fitted on one, would make later
results too good. A seed outside of its purpose's range is therefore refused.
"""

from collections.abc import Iterable

from dfmnist.core.errors import InputError

SEED_RANGES: dict[str, range] = {
    "animator": range(100_000),
    "drivers": range(100_000, 200_000),
    "thresholds": range(200_000, 300_000),
    "dataset": range(300_000, 400_000),
    "evaluation": range(400_000, 500_000),
    "detector": range(500_000, 600_000),
}
"""Range of identity seeds for each purpose; weights and manifests record the seeds used."""


def check_range(purpose: str, seeds: Iterable[int]) -> None:
    """Raise `InputError` unless all `seeds` lie in the range of `purpose`."""
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
