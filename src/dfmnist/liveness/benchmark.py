"""How often the detectors are right, on actors who served no other purpose: `docs/SCREENING.md`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dfmnist.actors.seeds import check_range
from dfmnist.core.actions import DETECTED_BY_BOTH, TEN, Action
from dfmnist.core.files import write_text
from dfmnist.core.text import markdown_table
from dfmnist.liveness import universal
from dfmnist.liveness.action import CONTAINS
from dfmnist.liveness.calibrate import is_wrong
from dfmnist.liveness.examples import (
    BONA_FIDE,
    STILL,
    WARP,
    Example,
    collect,
    plan,
)
from dfmnist.liveness.movement import WORDS
from dfmnist.liveness.thresholds import Thresholds, judge, shipped
from dfmnist.stats.intervals import Rate
from dfmnist.stats.pad import apcer, bpcer


@dataclass(frozen=True)
class Figures:
    """What was measured on held-out actors."""

    identities: tuple[int, ...]
    accepted: dict[tuple[Action, Action], Rate]
    """(asked, shown): clips that the action detector accepted."""
    errors: dict[tuple[str, Action], Rate]
    """(kind, shown): clips on which the universal detector was wrong: BPCER for `BONA_FIDE`, APCER
    for each kind of attack."""
    broken: dict[tuple[str, str], int]
    """(kind, measure): clips outside the universal detector's bounds on it."""
    unseen: int
    """Clips in which no face could be followed; they count as rejected."""

    def asked(self, action: Action) -> Rate:
        """Accepted, of the clips that did show what was asked."""
        return self.accepted[action, action]

    def wrong(self, action: Action) -> Rate:
        """Accepted, of the clips that showed anything else (and not what it contains)."""
        return Rate.total(
            r for (a, s), r in self.accepted.items() if a is action and is_wrong(s, action)
        )

    def universal(self, kind: str) -> Rate:
        """Errors of the universal detector on all clips of a kind."""
        return Rate.total(r for (k, _), r in self.errors.items() if k == kind)


def measure(
    folder: Path,
    actors: int = 20,
    *,
    thresholds: Thresholds | None = None,
) -> Figures:
    """Film and judge `actors` held-out people into `folder`; what is there already is kept."""
    examples = collect(plan(folder, "evaluation", actors, with_attacks=True))
    check_range("evaluation", {e.identity for e in examples})
    return figures(examples, thresholds or shipped())


def figures(examples: Sequence[Example], thresholds: Thresholds) -> Figures:
    """Judge examples that were measured already."""
    accepted, errors = {}, {}
    genuine = [e for e in examples if e.kind == BONA_FIDE]
    for asked in TEN:
        bounds = thresholds.actions[asked.value]
        for shown in Action:
            clips = [e for e in genuine if e.shown is shown]
            accepted[asked, shown] = Rate.of(
                not e.problem and not judge(bounds, e.moved, WORDS)[1] for e in clips
            )
    for kind, error_rate in ((BONA_FIDE, bpcer), (STILL, apcer), (WARP, apcer)):
        for shown in Action:
            clips = [e for e in examples if e.kind == kind and e.shown is shown]
            errors[kind, shown] = error_rate(_is_live(e, thresholds) for e in clips)
    broken = {
        (kind, name): sum(_breaks(e, thresholds, name) for e in examples if e.kind == kind)
        for kind in (BONA_FIDE, STILL, WARP)
        for name in universal.MEASURES
    }
    identities = tuple(sorted({e.identity for e in examples}))
    return Figures(identities, accepted, errors, broken, sum(bool(e.problem) for e in genuine))


def _is_live(example: Example, thresholds: Thresholds) -> bool:
    if example.problem:
        return False
    return not judge(thresholds.universal, example.passive, universal.WORDS)[1]


def _breaks(example: Example, thresholds: Thresholds, name: str) -> bool:
    return not example.problem and any(
        bound.margin(example.passive[name]) < 1
        for bound in thresholds.universal
        if bound.measure == name
    )


BY_HAND = "<!-- from here on written by hand; kept when this page is written again -->\n"


def write_report(figures: Figures, thresholds: Thresholds, path: Path) -> None:
    """Write `docs/SCREENING.md`: what is judged, on whom it was fitted, and what was measured.

    What a person wrote at its end, after the marker, stays.
    """
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    _, marker, tail = old.partition(BY_HAND)
    write_text(path, report(figures, thresholds) + "\n" + BY_HAND + (tail if marker else ""))


def report(figures: Figures, thresholds: Thresholds) -> str:
    """The figures as a Markdown page."""
    parts = [_INTRO.format(**_counts(figures, thresholds)), _summary_table(figures)]
    parts += ["\n## Every action asked, every action shown\n", _CROSS, _cross_table(figures)]
    parts += ["\n## The universal detector\n", _UNIVERSAL, _universal_table(figures)]
    parts += ["\nClips outside each bound (a clip can break several):\n\n", _broken_table(figures)]
    parts += ["\n## The bounds\n\n", _bounds_table(thresholds)]
    return "".join(parts)


_INTRO = """# Screening: how often the two detectors are right

Written by `liveness/benchmark.py` down to the marker; do not edit that part by hand.

- **Fitted** on {fit_clips} bona fide clips of {fit_people} synthetic actors (seeds {fit_seeds},
  range `thresholds`) on {date}. No attack and no animated clip was looked at for it.
- **Measured** on {people} other actors (seeds {seeds}, range `evaluation`): the ten actions and
  talking, one clip each, 50 frames at 25 frames/s, filmed wide, cropped by MTCNN to 256x256,
  camera noise of sigma 2 added; face not followed in {unseen} of {clips} clips (counted as
  rejected). Attacks are made from the first frame of each clip.
- Pairs that contain each other, where accepting is no error: {contains}.
- These are synthetic actors who perform on cue; what the detectors say of real
  people stands at the end of this page, and no bound was fitted to it.

## The asked action, and wrong ones

`screened` marks the four actions for which the pipeline asks this detector (paper, section 3.2).

"""
_CROSS = "\nShare of clips accepted, in percent; rows: asked for; columns: shown.\n\n"
_UNIVERSAL = """
BPCER is the share of bona fide clips rejected, APCER the share of attacks taken for live. A
repeated still is one frame shown 50 times; a planar warp is one frame moved, turned and tilted
like a photo in a hand. Both have fresh camera noise in each frame.

"""


def _counts(figures: Figures, thresholds: Thresholds) -> dict[str, object]:
    fitted = thresholds.provenance
    seeds = fitted["identity_seeds"]
    contains = ", ".join(
        f"{shown.value} contains {asked.value}"
        for shown, inside in CONTAINS.items()
        for asked in sorted(inside)
    )
    return {
        "fit_clips": fitted["clips"],
        "fit_people": len(seeds),
        "fit_seeds": f"{min(seeds)} to {max(seeds)}",
        "date": fitted["date"],
        "people": len(figures.identities),
        "seeds": f"{min(figures.identities)} to {max(figures.identities)}",
        "unseen": figures.unseen,
        "clips": figures.universal(BONA_FIDE).n,
        "contains": contains,
    }


def _summary_table(figures: Figures) -> str:
    rows = []
    for action in TEN:
        asked, wrong, talk = (
            figures.asked(action),
            figures.wrong(action),
            figures.accepted[action, Action.TALK],
        )
        screened = "screened" if action in DETECTED_BY_BOTH else ""
        rows.append((action.value, screened, str(asked), str(wrong), str(talk)))
    header = ("action", "", "asked, accepted", "any wrong action, accepted", "talking, accepted")
    return markdown_table(header, rows)


def _cross_table(figures: Figures) -> str:
    rows = []
    for asked in TEN:
        cells = []
        for shown in Action:
            share = figures.accepted[asked, shown].share
            mark = "" if is_wrong(shown, asked) or shown is asked else " (contained)"
            cells.append(f"{100 * share:.0f}{mark}")
        rows.append((f"**{asked.value}**", *cells))
    return markdown_table(("asked", *(a.value for a in Action)), rows)


def _universal_table(figures: Figures) -> str:
    kinds = (BONA_FIDE, STILL, WARP)
    rows = [
        (shown.value, *(str(figures.errors[kind, shown]) for kind in kinds)) for shown in Action
    ]
    rows.append(("**all**", *(str(figures.universal(kind)) for kind in kinds)))
    header = ("clip", "BPCER", "APCER, repeated still", "APCER, planar warp")
    return markdown_table(header, rows)


def _broken_table(figures: Figures) -> str:
    measures = dict.fromkeys(measure for _, measure in figures.broken)
    rows = [
        (universal.WORDS[m], *(str(figures.broken[kind, m]) for kind in (BONA_FIDE, STILL, WARP)))
        for m in measures
    ]
    return markdown_table(("measure", BONA_FIDE, STILL, WARP), rows)


def _bounds_table(thresholds: Thresholds) -> str:
    rows = [
        (name, universal.WORDS.get(b.measure) or WORDS[b.measure], f"at {b.kind} {b.limit:.4g}")
        for name, bounds in (*thresholds.actions.items(), ("universal", thresholds.universal))
        for b in bounds
    ]
    return markdown_table(("detector", "measure", "bound"), rows)
