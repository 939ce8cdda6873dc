"""Error rates of liveness detectors, as counts and shares.

Terms of ISO/IEC 30107-3: APCER, the share of attack presentations taken for bona fide; BPCER,
the share of bona fide presentations taken for attacks. The spoof rate of an action (paper,
section 3.2) is the share of all attempts that passed every detector asked: an APCER by action.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dfmnist.core.actions import TEN, Action


@dataclass(frozen=True)
class Rate:
    """`count` of `total`."""

    count: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= self.count <= self.total:
            raise ValueError(f"{self.count} of {self.total}: expected 0 <= count <= total")

    @property
    def share(self) -> float:
        """0 to 1; NaN when there was nothing to count."""
        return self.count / self.total if self.total else float("nan")

    def __str__(self) -> str:
        if not self.total:
            return "no attempts"
        counts = f"{self.count} of {self.total}"
        return counts if not self.count else f"{counts} ({100 * self.share:.1f}%)"


def apcer(live: Iterable[bool]) -> Rate:
    """Of attack presentations, those judged live."""
    verdicts = list(live)
    return Rate(sum(verdicts), len(verdicts))


def bpcer(live: Iterable[bool]) -> Rate:
    """Of bona fide presentations, those not judged live."""
    verdicts = list(live)
    return Rate(len(verdicts) - sum(verdicts), len(verdicts))


def spoof_rates(attempts: Iterable[tuple[Action, bool]]) -> dict[Action, Rate]:
    """For each of the ten actions: attempts that passed all detectors asked, of all attempts.

    `attempts`: (action, passed) of every clip that was generated, kept or rejected.
    """
    passed: dict[Action, list[bool]] = {action: [] for action in TEN}
    for action, ok in attempts:
        passed.setdefault(Action(action), []).append(ok)
    return {action: apcer(verdicts) for action, verdicts in passed.items()}


def spoof_rate_table(rates: Mapping[Action, Rate]) -> str:
    """The rates as a Markdown table with counts; an action that nothing passed reads "0 of n"."""
    rows = [(action.value, str(rate)) for action, rate in rates.items()]
    whole = Rate(sum(r.count for r in rates.values()), sum(r.total for r in rates.values()))
    return markdown_table(("action", "passed"), [*rows, ("all", str(whole))])


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; ends with a newline."""
    lines = [f"| {' | '.join(header)} |", f"|{'|'.join('---' for _ in header)}|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"
