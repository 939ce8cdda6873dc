"""Error rates of the liveness detectors on held-out actors, and their page `docs/SCREENING.md`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dfmnist.actors.seeds import check_range
from dfmnist.core.actions import DETECTED_BY_BOTH, TEN, Action
from dfmnist.core.config import plain
from dfmnist.core.files import write_text
from dfmnist.core.text import markdown_table
from dfmnist.liveness import universal
from dfmnist.liveness.action import CONTAINS, is_wrong
from dfmnist.liveness.measured_clips import (
    BONA_FIDE,
    STILL,
    WARP,
    MeasuredClip,
    measure_clips,
    plan_clips,
)
from dfmnist.liveness.movement import TITLES
from dfmnist.liveness.thresholds import Thresholds, check_bounds, shipped_thresholds
from dfmnist.stats.intervals import Rate
from dfmnist.stats.pad import apcer, bpcer

KINDS = (BONA_FIDE, STILL, WARP)
"""The kinds of clips, in the order of the page's columns."""


@dataclass(frozen=True)
class ErrorRates:
    """The error rates of both liveness detectors on held-out actors."""

    identities: tuple[int, ...]
    """Seeds of the actors."""
    accepted: dict[tuple[Action, Action], Rate]
    """Rate of clips that the action detector accepts, by requested and shown action."""
    errors: dict[tuple[str, Action], Rate]
    """Error rate of the universal detector by kind of clip and shown action: BPCER for
    `BONA_FIDE`, APCER for the attacks."""
    outside: dict[tuple[str, str], int]
    """Number of clips outside the universal detector's bound, by kind of clip and measure."""
    without_face: int
    """Number of bona fide clips whose face could not be followed; they count as rejected."""

    def accepted_right(self, action: Action) -> Rate:
        """Rate of accepted clips among those that show the requested `action`."""
        return self.accepted[action, action]

    def accepted_wrong(self, action: Action) -> Rate:
        """Rate of accepted clips among those for which accepting `action` is an error."""
        return Rate.total(
            r for (a, s), r in self.accepted.items() if a is action and is_wrong(s, action)
        )

    def universal_errors(self, kind: str) -> Rate:
        """Error rate of the universal detector on all clips of a kind."""
        return Rate.total(r for (k, _), r in self.errors.items() if k == kind)


def measure_error_rates(
    folder: Path, actors: int = 20, *, thresholds: Thresholds | None = None
) -> ErrorRates:
    """The error rates on `actors` held-out people, filmed into `folder` unless they are there.

    `thresholds` None means those shipped with the package. Raises `InputError`.
    """
    clips = measure_clips(plan_clips(folder, "evaluation", actors, with_attacks=True))
    check_range("evaluation", {clip.identity for clip in clips})
    return error_rates(clips, thresholds or shipped_thresholds())


def error_rates(measured: Sequence[MeasuredClip], thresholds: Thresholds) -> ErrorRates:
    """The error rates on clips that are measured already."""
    accepted, errors = {}, {}
    genuine = [clip for clip in measured if clip.kind == BONA_FIDE]
    for asked in TEN:
        bounds = thresholds.actions[asked.value]
        for shown in Action:
            clips = [clip for clip in genuine if clip.shown is shown]
            accepted[asked, shown] = Rate.of(
                not clip.problem and not check_bounds(bounds, clip.movement, TITLES)[1]
                for clip in clips
            )
    for kind, error_rate in ((BONA_FIDE, bpcer), (STILL, apcer), (WARP, apcer)):
        for shown in Action:
            clips = [clip for clip in measured if clip.kind == kind and clip.shown is shown]
            errors[kind, shown] = error_rate(_is_live(clip, thresholds) for clip in clips)
    outside = {
        (kind, name): sum(_is_outside(c, thresholds, name) for c in measured if c.kind == kind)
        for kind in KINDS
        for name in universal.MEASURES
    }
    identities = tuple(sorted({clip.identity for clip in measured}))
    without_face = sum(bool(clip.problem) for clip in genuine)
    return ErrorRates(identities, accepted, errors, outside, without_face)


def rates_record(rates: ErrorRates) -> dict[str, object]:
    """The error rates as JSON types: counts of clips, by action asked for and by kind of clip."""
    return {
        "identities": list(rates.identities),
        "clips_without_a_followed_face": rates.without_face,
        "action_detector": {
            asked.value: {
                "accepted": plain(rates.accepted_right(asked)),
                "accepted_wrong_action": plain(rates.accepted_wrong(asked)),
            }
            for asked in TEN
        },
        "universal_detector": {
            kind: {"errors": plain(rates.universal_errors(kind))} for kind in KINDS
        },
    }


def _is_live(clip: MeasuredClip, thresholds: Thresholds) -> bool:
    if clip.problem:
        return False
    return not check_bounds(thresholds.universal, clip.universal, universal.TITLES)[1]


def _is_outside(clip: MeasuredClip, thresholds: Thresholds, name: str) -> bool:
    return not clip.problem and any(
        bound.margin(clip.universal[name]) < 1
        for bound in thresholds.universal
        if bound.measure == name
    )


BY_HAND = "<!-- from here on written by hand; kept when this page is written again -->\n"
"""The line that separates the generated part of the page from what a person wrote."""


def write_page(rates: ErrorRates, thresholds: Thresholds, path: Path) -> None:
    """Write the page `docs/SCREENING.md`; what a person wrote after its marker is kept."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    _, marker, tail = old.partition(BY_HAND)
    write_text(path, page(rates, thresholds) + "\n" + BY_HAND + (tail if marker else ""))


def page(rates: ErrorRates, thresholds: Thresholds) -> str:
    """The generated part of the page: how bounds were fitted, and the measured error rates."""
    parts = [_INTRO.format(**_counts(rates, thresholds)), _summary_table(rates)]
    parts += ["\n## Every action requested, every action shown\n", _CROSS, _cross_table(rates)]
    parts += ["\n## The universal detector\n", _UNIVERSAL, _universal_table(rates)]
    parts += ["\nNumber of clips outside each bound (a clip can be outside several):\n\n"]
    parts += [_outside_table(rates), "\n## The bounds\n\n", _bounds_table(thresholds)]
    return "".join(parts)


_INTRO = """# Screening: how often the two liveness detectors are right

`dfmnist liveness benchmark` writes this page down to the marker; do not edit that part by hand.

- **Fitted** on {fit_clips} bona fide clips of {fit_people} synthetic actors (seeds {fit_seeds},
  range `thresholds`) on {date}. No attack and no animated clip was used.
- **Measured** on {people} other actors (seeds {seeds}, range `evaluation`): the ten actions and
  talking, one clip each, 50 frames at 25 frames/s, filmed wide, cropped by MTCNN to 256x256, with
  camera noise of sigma 2. The face could not be followed in {without_face} of {clips} clips
  (counted as rejected). Attacks are made from the first frame of each clip.
- Actions that contain another one, where accepting is no error: {contains}.
- These are synthetic actors who perform on request. Results on real people are at the end of this
  page; no bound was fitted to them.

## The requested action, and wrong ones

`screened` marks the four actions for which the pipeline uses this detector (paper, section 3.2).

"""
_CROSS = "\nShare of clips accepted, in percent; rows: requested action; columns: shown action.\n\n"
_UNIVERSAL = """
BPCER is the share of bona fide clips rejected, APCER the share of attacks accepted as live. A
repeated still is one frame shown 50 times; a planar warp is one frame moved, turned and tilted
like a photo in a hand. Both have new camera noise in each frame.

"""


def _counts(rates: ErrorRates, thresholds: Thresholds) -> dict[str, object]:
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
        "people": len(rates.identities),
        "seeds": f"{min(rates.identities)} to {max(rates.identities)}",
        "without_face": rates.without_face,
        "clips": rates.universal_errors(BONA_FIDE).n,
        "contains": contains,
    }


def _summary_table(rates: ErrorRates) -> str:
    rows = []
    for action in TEN:
        accepted = (
            rates.accepted_right(action),
            rates.accepted_wrong(action),
            rates.accepted[action, Action.TALK],
        )
        screened = "screened" if action in DETECTED_BY_BOTH else ""
        rows.append((action.value, screened, *(str(rate) for rate in accepted)))
    header = ("action", "", "requested: accepted", "wrong: accepted", "talking: accepted")
    return markdown_table(header, rows)


def _cross_table(rates: ErrorRates) -> str:
    rows = []
    for asked in TEN:
        cells = []
        for shown in Action:
            share = rates.accepted[asked, shown].share
            mark = "" if is_wrong(shown, asked) or shown is asked else " (contained)"
            cells.append(f"{100 * share:.0f}{mark}")
        rows.append((f"**{asked.value}**", *cells))
    return markdown_table(("requested", *(a.value for a in Action)), rows)


def _universal_table(rates: ErrorRates) -> str:
    rows = [(shown.value, *(str(rates.errors[kind, shown]) for kind in KINDS)) for shown in Action]
    rows.append(("**all**", *(str(rates.universal_errors(kind)) for kind in KINDS)))
    header = ("clip", "BPCER", "APCER, repeated still", "APCER, planar warp")
    return markdown_table(header, rows)


def _outside_table(rates: ErrorRates) -> str:
    measures = dict.fromkeys(measure for _, measure in rates.outside)
    rows = [
        (universal.TITLES[m], *(str(rates.outside[kind, m]) for kind in KINDS)) for m in measures
    ]
    return markdown_table(("measure", *KINDS), rows)


def _bounds_table(thresholds: Thresholds) -> str:
    rows = [
        (name, universal.TITLES.get(b.measure) or TITLES[b.measure], f"at {b.kind} {b.limit:.4g}")
        for name, bounds in (*thresholds.actions.items(), ("universal", thresholds.universal))
        for b in bounds
    ]
    return markdown_table(("detector", "measure", "bound"), rows)
