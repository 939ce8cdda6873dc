"""Error rates of the liveness detectors on held-out actors, and their page `docs/SCREENING.md`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dfmnist.actors.seeds import check_range
from dfmnist.core.actions import DETECTED_BY_BOTH, TEN, Action
from dfmnist.core.config import plain
from dfmnist.core.files import write_json, write_text
from dfmnist.core.text import markdown_table
from dfmnist.liveness import universal
from dfmnist.liveness.action import CONTAINS, is_wrong
from dfmnist.liveness.measured_clips import (
    ATTACKS,
    BONA_FIDE,
    MeasuredClip,
    measure_clips,
    plan_clips,
)
from dfmnist.liveness.measures import TITLES
from dfmnist.liveness.thresholds import (
    Thresholds,
    check_bounds,
    shipped_thresholds,
    thresholds_id,
)
from dfmnist.stats.intervals import Rate, wilson
from dfmnist.stats.pad import apcer, bpcer

KINDS = (BONA_FIDE, *ATTACKS)
"""The kinds of clips, in the order of the page's rows."""
MANNERS = {False: "still", True: "lively"}
"""How an actor performs: holds still beside the action, or moves naturally."""


@dataclass(frozen=True)
class ErrorRates:
    """The error rates of both liveness detectors on held-out actors."""

    identities: tuple[int, ...]
    """Seeds of the actors."""
    accepted: dict[tuple[Action, Action], Rate]
    """Rate of clips that the action detector accepts, by requested and shown action; without those
    whose actor does the requested action as well."""
    beside: dict[Action, Rate]
    """The same rate by requested action of those clips: the actor was asked for another action and
    did this one as well."""
    by_manner: dict[tuple[Action, bool], Rate]
    """Rate of clips that the action detector accepts as what they show, by action and by whether
    the actor is lively."""
    errors: dict[tuple[str, Action], Rate]
    """Error rate of the universal detector by kind of clip and shown action: BPCER for
    `BONA_FIDE`, APCER for the attacks."""
    both: dict[str, Rate]
    """Error rate of both detectors together by kind of clip, the shown action being requested;
    without talking."""
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
    accepted, errors, beside = {}, {}, {}
    genuine = [clip for clip in measured if clip.kind == BONA_FIDE]
    for asked in TEN:
        for shown in Action:
            accepted[asked, shown] = Rate.of(
                _performs(clip, thresholds, asked)
                for clip in genuine
                if clip.shown is shown and asked not in clip.beside
            )
        beside[asked] = Rate.of(
            _performs(clip, thresholds, asked) for clip in genuine if asked in clip.beside
        )
    both = {}
    for kind in KINDS:
        error_rate = bpcer if kind == BONA_FIDE else apcer
        mine = [clip for clip in measured if clip.kind == kind]
        for shown in Action:
            clips = [clip for clip in mine if clip.shown is shown]
            errors[kind, shown] = error_rate(_is_live(clip, thresholds) for clip in clips)
        both[kind] = error_rate(
            _is_live(clip, thresholds) and _performs(clip, thresholds, clip.shown)
            for clip in mine
            if clip.shown is not Action.TALK
        )
    by_manner = {
        (action, lively): Rate.of(
            _performs(clip, thresholds, action)
            for clip in genuine
            if clip.shown is action and clip.lively is lively
        )
        for action in TEN
        for lively in MANNERS
    }
    outside = {
        (kind, name): sum(_is_outside(c, thresholds, name) for c in measured if c.kind == kind)
        for kind in KINDS
        for name in universal.MEASURES
    }
    identities = tuple(sorted({clip.identity for clip in measured}))
    without_face = sum(bool(clip.problem) for clip in genuine)
    return ErrorRates(identities, accepted, beside, by_manner, errors, both, outside, without_face)


def rates_record(rates: ErrorRates) -> dict[str, object]:
    """The error rates as JSON types: counts of clips, by action asked for and by kind of clip."""
    return {
        "identities": list(rates.identities),
        "clips_without_a_followed_face": rates.without_face,
        "action_detector": {
            asked.value: {
                "accepted": plain(rates.accepted_right(asked)),
                "accepted_wrong_action": plain(rates.accepted_wrong(asked)),
                "accepted_done_beside": plain(rates.beside[asked]),
            }
            for asked in TEN
        },
        "universal_detector": {
            kind: {"errors": plain(rates.universal_errors(kind))} for kind in KINDS
        },
        "both_detectors": {kind: {"errors": plain(rates.both[kind])} for kind in KINDS},
    }


def write_shipped(rates: ErrorRates, path: Path) -> None:
    """Write the rates as the package ships them, with the hash of the shipped thresholds."""
    write_json(path, {"thresholds": thresholds_id(), **rates_record(rates)})


def _performs(clip: MeasuredClip, thresholds: Thresholds, asked: Action) -> bool:
    """Whether the action detector accepts the clip where `asked` is requested."""
    bounds = thresholds.actions[asked.value]
    return not clip.problem and not check_bounds(bounds, clip.movement, TITLES)[1]


def _is_live(clip: MeasuredClip, thresholds: Thresholds) -> bool:
    if clip.problem:
        return False
    return not check_bounds(thresholds.universal, clip.universal, universal.TITLES)[1]


def _is_outside(clip: MeasuredClip, thresholds: Thresholds, name: str) -> bool:
    return not clip.problem and any(
        bound.margin(bound.value(clip.universal)) < 1
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
    parts += [_ATTACKS, _attacks_table(rates)]
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
  (counted as rejected). Attacks are made from every fourth clip.
- The actors of the fit are *lively*: they perform less widely and move as recorded people do beside
  the action (`actors.performance.perform_lively`). Every second one of those measured is lively;
  the others hold *still* beside the action, as the actors of a dataset do.
- Actions that contain another one, where accepting is no error: {contains}.
- Actors blink by nature, and lively ones nod, look up or smile by chance. Whether a clip also shows
  the requested action is read from the actor's ground truth: lids that shut, an angle or a smile as
  large as the smallest on request (`actors.performance.done_beside`). Such clips count neither as
  right nor as wrong, as in the labels of the real clips; *beside* says how many were accepted.
- These are synthetic actors who perform on request. Results on real people are at the end of this
  page; no bound was fitted to them.

## The requested action, and wrong ones

`paper` marks the four actions for which the paper asks an action detector (section 3.2); a build
asks it for all ten unless it is told `--screen paper`.

"""
_CROSS = """
Share of clips accepted, in percent; rows: requested action; columns: shown action. Clips that show
the requested action as well, beside another one, are left out.

"""
_UNIVERSAL = """
BPCER is the share of bona fide clips rejected.

"""
_ATTACKS = """
APCER is the share of an attack's clips that are accepted. *Both* counts a clip that the universal
detector takes for live and the action detector for the action that its source shows. A repeated
still is one frame shown 50 times; a planar warp is one frame moved, turned and tilted like a photo
in a hand; the still with painted lids blinks; print and replay are simulated. All have new camera
noise in each frame. The first line is the BPCER of the same. Brackets hold the 95% interval
(Wilson's, with clips as trials).

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
        right = [str(rates.by_manner[action, lively]) for lively in MANNERS]
        rest = (
            rates.accepted_wrong(action), rates.accepted[action, Action.TALK], rates.beside[action]
        )  # fmt: skip
        mark = "paper" if action in DETECTED_BY_BOTH else ""
        rows.append((action.value, mark, *right, *map(str, rest)))
    every = [str(Rate.total(rates.by_manner[a, lively] for a in TEN)) for lively in MANNERS]
    wrong = Rate.total(rates.accepted_wrong(action) for action in TEN)
    talking = Rate.total(rates.accepted[action, Action.TALK] for action in TEN)
    beside = Rate.total(rates.beside.values())
    rows.append(("**all**", "", *every, str(wrong), str(talking), str(beside)))
    accepted = [f"requested, {manner}: accepted" for manner in MANNERS.values()]
    header = ("action", "", *accepted, "wrong: accepted", "talking: accepted", "beside: accepted")
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
    rows = [(shown.value, str(rates.errors[BONA_FIDE, shown])) for shown in Action]
    rows.append(("**all**", str(rates.universal_errors(BONA_FIDE))))
    return markdown_table(("clip", "BPCER"), rows)


def _attacks_table(rates: ErrorRates) -> str:
    rows = [
        (kind, _with_interval(rates.universal_errors(kind)), _with_interval(rates.both[kind]))
        for kind in KINDS
    ]
    return markdown_table(("clips", "universal detector", "both"), rows)


def _with_interval(rate: Rate) -> str:
    found = wilson(rate.count, rate.n)
    return str(rate) if found is None else f"{rate} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _outside_table(rates: ErrorRates) -> str:
    measures = dict.fromkeys(measure for _, measure in rates.outside)
    rows = [
        (universal.TITLES[m], *(str(rates.outside[kind, m]) for kind in KINDS)) for m in measures
    ]
    return markdown_table(("measure", *KINDS), rows)


def _bounds_table(thresholds: Thresholds) -> str:
    rows = [
        (name, b.title(TITLES | universal.TITLES), f"at {b.kind} {b.limit:.4g}")
        for name, bounds in (*thresholds.actions.items(), ("universal", thresholds.universal))
        for b in bounds
    ]
    return markdown_table(("detector", "measure", "bound"), rows)
