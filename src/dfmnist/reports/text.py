"""The page's sentences and number formats: plain language for a person who knows none of it."""

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dfmnist.core.actions import Action
from dfmnist.dataset.audit import AuditReport
from dfmnist.dataset.manifest import Clip, Rejected
from dfmnist.dataset.summary import Summary
from dfmnist.experiments.paper import MODEL_TITLES
from dfmnist.experiments.results import SpoofRate
from dfmnist.experiments.tables import Cell
from dfmnist.experiments.written import Numbers
from dfmnist.reports.clips import ClipRow
from dfmnist.stats.intervals import Estimate, wilson

TITLE = "Can a machine tell an animated face from a filmed one?"

SYNTHETIC = (
    "Everyone on this page is a synthetic actor: computer graphics, not a person. So every clip "
    "may be shown, and the truth about each is known. It also means that nothing here measures "
    "how well a detector works in the real world, on real people."
)

GLOSSARY: tuple[tuple[str, str], ...] = (
    (
        "Real clip",
        "A person as the camera saw them. On synthetic actors, the camera is a renderer.",
    ),
    (
        "Fake clip",
        "One still frame of a person, moved by a program so that it repeats what somebody else "
        "(the driver) does in another clip.",
    ),
    (
        "Liveness detector",
        "The guard in a banking or identity app: it decides whether a live person is in front of "
        "the camera. The action-specific one also asks whether the person did what was asked.",
    ),
    ("Spoof rate", "The share of fakes that every guard let through. High is bad for the guard."),
    (
        "raw, c23, c40",
        "How hard a clip is compressed with H.264: hardly, as a video site does, and heavily.",
    ),
    (
        "Frame accuracy",
        "The share of single frames that a detector calls by their right name. With as many real "
        "as fake frames, guessing gives 50%.",
    ),
    (
        "AUC",
        "The chance that a fake gets a higher score than a real clip: 0.5 is guessing, 1 is "
        "perfect. Unlike accuracy it does not depend on where the line is drawn.",
    ),
    (
        "95% interval",
        "How much the figure might have differed with other people in the test. It is found by "
        "drawing the test's people again and again (1,000 times). Few people make it wide, and "
        "itself rough.",
    ),
    (
        "Train, validation, test",
        "Clips to learn from, clips to choose the best moment of learning, and clips used once, "
        "to measure. Nobody appears in two of them.",
    ),
)


def pct(fraction: float) -> str:
    """`87.3%`."""
    return f"{fraction * 100:.1f}%"


def span(estimate: Estimate) -> str:
    """`80.1 to 92.5%`; one person alone gives no interval over people."""
    if estimate.groups == 1:
        return "none, from one person"
    return f"{estimate.low * 100:.1f} to {estimate.high * 100:.1f}%"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 clip`, `1,200 clips`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def a_list(items: Sequence[str]) -> str:
    """`a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


@dataclass(frozen=True)
class Fact:
    """One of the four tiles at the top."""

    number: str
    what: str
    more: str
    words: bool = False


@dataclass(frozen=True)
class Verdict:
    """The finding in a sentence or two."""

    text: str
    not_learnt: bool = False


@dataclass(frozen=True)
class Step:
    """A box of the path."""

    name: str
    say: str
    count: str
    waist: bool = False

    @property
    def lines(self) -> list[str]:
        """Wrapped for the wide drawing."""
        return textwrap.wrap(self.say, 17)

    @property
    def pairs(self) -> list[str]:
        """Wrapped for the tall drawing."""
        return textwrap.wrap(self.say, 46)


def best_raw(cells: Iterable[Cell]) -> Cell | None:
    """The detector with the highest frame accuracy on raw among those that ran."""
    ran = [c for c in cells if c.quality == "raw" and c.frame_accuracy is not None]
    return max(ran, key=lambda c: c.frame_accuracy.value if c.frame_accuracy else 0.0, default=None)


def verdict(
    cells: dict[tuple[str, str], Cell],
    *,
    smoke: bool = False,
    talks: bool = False,
    where_reals_act: str = "",
) -> Verdict:
    """What the detectors learnt; "not learnt" unless ResNet-50's lower bound beats guessing.

    `talks`: all real clips talk, so that the action may be what is learnt; `where_reals_act` says
    how such a detector does where they perform the fakes' actions.
    """
    resnet, best = cells.get(("raw", "resnet50")), best_raw(cells.values())
    if best is None or best.frame_accuracy is None:
        return Verdict(
            "No detector was trained and scored on raw clips yet, so there is no finding."
        )
    stamp = (
        "This is a run at smoke size, to test the machinery: its figures are no result. "
        if smoke
        else ""
    )
    if resnet is not None and resnet.frame_accuracy is not None and not resnet.learnt:
        found = resnet.frame_accuracy
        return Verdict(
            f"{stamp}On raw clips ResNet-50 names {pct(found.value)} of frames correctly, but "
            f"the 95% interval ({span(found)}) does not exclude guessing (50%), so this is no "
            "evidence that it can tell fake from real.",
            not_learnt=True,
        )
    found = best.frame_accuracy
    text = (
        f"{stamp}On raw clips, {MODEL_TITLES[best.model]} names {pct(found.value)} of single "
        f"frames correctly (95% interval {span(found)}; guessing gives 50%)."
    )
    if best.paper is not None:
        text += (
            f" The paper reports {best.paper.percent} for this network, with 20,000 clips of other "
            "people and another animator: compare the pattern, not the number."
        )
    worst = cells.get(("c40", best.model))
    if worst is not None and worst.frame_accuracy is not None:
        heavy = worst.frame_accuracy
        apart = heavy.high < found.low or heavy.low > found.high
        text += f" Heavy compression makes it {pct(heavy.value)} ({span(heavy)})"
        text += "." if apart else ", a difference that the overlapping intervals do not settle."
    if talks:
        text += (
            " Real clips only talk, as in the paper: part of this, or all, may be the action and "
            "not the forgery."
        )
        text += f" {where_reals_act}" if where_reals_act else ""
    return Verdict(text)


def shortcut_words(numbers: Numbers) -> str:
    """The shortcut's cell that counts: trained where real clips talk, tested where they act."""
    found = Cell(numbers.network, "raw", None, numbers.evaluation).frame_accuracy
    assert found is not None  # the cell was run
    return (
        "Trained so and tested where real people perform the same actions, "
        f"{MODEL_TITLES[numbers.network]} is right on {pct(found.value)} of frames "
        f"({span(found)})."
    )


def total(rates: Sequence[SpoofRate]) -> Estimate | None:
    """All actions together."""
    return wilson(sum(r.accepted for r in rates), sum(r.attempts for r in rates))


def facts(
    cells: dict[tuple[str, str], Cell],
    summary: Summary,
    rates: Sequence[SpoofRate],
    audit: AuditReport | None,
) -> list[Fact]:
    """The four tiles: detector, clips, spoof rate, audit."""
    best, spoof = best_raw(cells.values()), total(rates)
    tiles = []
    if best is not None and best.frame_accuracy is not None:
        found = best.frame_accuracy
        tiles.append(
            Fact(
                pct(found.value),
                f"of raw test frames named correctly by {MODEL_TITLES[best.model]}, the best here",
                f"95% interval {span(found)}; test of {plural(found.groups, 'person', 'people')}",
            )
        )
    else:
        tiles.append(Fact("not run", "detectors", "train and score one to fill this", words=True))
    tiles.append(
        Fact(
            f"{summary.clips:,}",
            f"clips: {summary.real:,} real and {summary.fake:,} fake",
            f"of {plural(summary.identities, 'person', 'people')}, in "
            f"{plural(len(summary.by_quality), 'quality', 'qualities')} each, "
            f"{plural(max(1, round(summary.hours * 60)), 'minute')} in all",
        )
    )
    if spoof is not None:
        kept = sum(r.accepted for r in rates)
        tiles.append(
            Fact(
                pct(spoof.value),
                "of the fakes got past every guard",
                f"{kept:,} of {spoof.n:,} tries; in the paper from 23% (yaw) to 61% (smile)",
            )
        )
    if audit is None:
        tiles.append(Fact("not run", "audit", "see “Is the comparison fair?”", words=True))
    else:
        tiles.append(
            Fact(
                "passed" if audit.passed else "failed",
                "audit: do the files betray the class?",
                f"AUC {audit.protocol.auc.value:.2f} from file facts alone; 0.5 is guessing, "
                f"{audit.limit:g} fails",
                words=True,
            )
        )
    return tiles


def steps(
    summary: Summary, rates: Sequence[SpoofRate], num_runs: int, num_maps: int, size: str
) -> list[Step]:
    """The seven boxes of the path, with this dataset's counts."""
    tried, kept = sum(r.attempts for r in rates), sum(r.accepted for r in rates)
    people = plural(summary.identities, "person", "people")
    return [
        Step("Select", "Keep a frontal, sharp frame with open eyes; crop to the face.", people),
        Step(
            "Animate",
            "Move that one frame as a driver moves in another clip.",
            plural(tried, "try", "tries"),
        ),
        Step("Screen", "Ask liveness detectors: is this a live person?", f"{kept:,} kept"),
        Step(
            "Compress",
            "Write real and fake with one encoder and one setting.",
            plural(len(summary.by_quality), "quality", "qualities"),
        ),
        Step(
            "Dataset",
            f"Real and fake, {size}, split by person, audited.",
            plural(summary.clips, "clip"),
            waist=True,
        ),
        Step(
            "Train",
            "Teach detectors on one quality; measure on new people.",
            plural(num_runs, "run"),
        ),
        Step("Explain", "Draw where the detector found its evidence.", plural(num_maps, "map")),
    ]


def common_reason(rejected: Sequence[Rejected]) -> str:
    """The most frequent reason, numbers apart, with its first wording."""
    firsts: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for record in rejected:
        reason = record.reason.split("; ")[0]
        key = re.sub(r"[-−+]?\d+(\.\d+)?", "#", reason)
        firsts.setdefault(key, reason)
        counts[key] += 1
    if not counts:
        return ""
    key, count = counts.most_common(1)[0]
    such = ", such as" if "#" in key else ""
    return f"{count} of {len(rejected)}{such}: {firsts[key]}"


PATH = (
    "One still frame of a person and a clip of somebody else performing an action go in; a clip "
    "of the first person performing that action comes out. What gets past the guards becomes the "
    "dataset."
)
CLIPS = (
    "One fake for each action: the first by name, not the best. From left to right the photo that "
    "was animated, the driver whose motion it was given, the fake, and a real clip to compare."
)
SCREENING = (
    "The paper kept only fakes that commercial liveness services took for living people. Here two "
    "local detectors stand in for them: one asks whether the clip shows the action that was asked "
    "for, the other whether it looks like a live person at all. Both guard blinking, yawing, "
    "nodding and opening the mouth; the second alone guards the rest, as in the paper. Their "
    "limits were fixed beforehand, on bona fide clips of synthetic actors who appear nowhere else."
)
FIGURE2 = (
    "The paper prints two of its ten rates, 61% for smiling and 23% for yawing; its detectors, "
    "people and animator were others."
)
DETECTORS = (
    "Each detector sees single frames and says how likely each is fake. It learns from some "
    "people and is measured on others it has never seen."
)
CURVES = (
    "Validation accuracy by epoch; the dotted line is guessing. The epoch with the best "
    "validation accuracy is kept, and only that one meets the test clips."
)
MAPS = (
    "Red marks where the detector found most evidence for “fake” in a frame, blue the least. A "
    "map shows the place, not the strength."
)
MAPS_OF_GUESSES = (
    " This detector is not told from guessing, so its maps show where it looked, not where there "
    "is anything to see."
)
NO_MAPS = "it needs a finished run on raw clips (dfmnist train --quality raw)."


def lead(*, synthetic: bool) -> str:
    """What this is, for a person who has not read the paper."""
    whom = "synthetic people" if synthetic else "people"
    return (
        "To prove that you are alive, an app may ask you to blink, nod or turn your head. Software "
        f"can make a single photo do all that. Here, photos of {whom} are animated through ten "
        "actions, the fakes are shown to two liveness detectors, and other detectors learn to "
        "tell the fakes that got through from real clips."
    )


def people_shown(clip: Clip) -> str:
    """Who is on the page when they are people."""
    return (
        f"The people shown agreed as follows: {clip.consent.rstrip('.')}. Licence: "
        f"{clip.licence.rstrip('.')}. The figures hold for these people and this animator; they "
        "are no measure of real-world performance."
    )


def opening_row(row: ClipRow) -> ClipRow:
    """The row that opens the page, with a caption."""
    tiles = tuple(t for t in row.tiles if t.role != "real")
    motion = row.title.lower()
    said = f"A photo and somebody else’s motion ({motion}) make a clip of what never happened."
    return replace(row, tiles=tiles, caption=said)


def only_talk(summary: Summary) -> bool:
    """Whether the real clips perform nothing."""
    return _talking(summary) == summary.real


def _talking(summary: Summary) -> int:
    return summary.by_action.get(Action.TALK.value, {}).get("real", 0)


def dataset_text(summary: Summary) -> str:
    """The dataset in a few sentences."""
    talking, performing = _talking(summary), summary.real - _talking(summary)
    size = f"In all {plural(summary.files, 'file')}, {summary.bytes / 1e6:.0f} MB."
    if not performing:
        return (
            f"All {plural(summary.real, 'real clip')} talk, as in the paper, so the action itself "
            f"may betray the class. {size}"
        )
    others = f" and {talking:,} talk" if talking else ""
    return (
        f"Of the {plural(summary.real, 'real clip')}, {performing:,} perform the same ten actions "
        f"as the fakes{others}: what is done does not say whether it was faked. {size}"
    )


def table3_note(test_people: int) -> str:
    """How to read the table."""
    return (
        "The paper splits by clip; here nobody in the test was seen in training, which is harder. "
        f"With {plural(test_people, 'person', 'people')} in the test the intervals are rough "
        "themselves."
    )


def figure6_note(detector: str) -> str:
    """Caption of Figure 6."""
    return (
        f"{detector}: share of single frames named correctly, by what is performed. For an action "
        "it is the share of its fakes that are caught; the last line is the share of real frames "
        "left in peace. A detector that calls everything fake would be perfect on all lines but "
        "the last. A hollow mark is the paper’s, in the colour of its quality; where a mark has no "
        "line, only one person was tested."
    )


def maps_note() -> str:
    """Caption of Figure 7."""
    return (
        "The middle frame of the first test fake of each action, and the same frame under the "
        "activation map of each detector, with the P(fake) it gives. The paper shows ResNet-50 "
        "trained on raw, and finds the mouth for open mouth, head and neck for look up, and the "
        "profile for head movements."
    )


def regions_text(detector: str) -> str:
    """What the table of face regions says."""
    return (
        f"What the maps say in numbers, for {detector}: the share of the evidence for “fake” in "
        "each region of the face, over the frames of every fake test clip. The bar shows the 95% "
        "interval over people, the dotted line the region’s share of the picture: a detector that "
        "looked everywhere alike would sit on it. In bold, regions with more than their area."
    )


def footer(version: str, *, synthetic: bool) -> str:
    """Last line of the page."""
    said = "The people are synthetic actors; no one is shown. " if synthetic else ""
    return f"{said}Fakes carry their origin in the file’s metadata. Written by dfmnist {version}."
