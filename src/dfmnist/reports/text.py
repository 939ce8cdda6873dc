"""The page's sentences and number formats, for a reader who does not know the field."""

import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dfmnist.core.actions import Action
from dfmnist.core.text import percent, plural
from dfmnist.dataset.audit import AuditReport
from dfmnist.dataset.manifest import Clip, Rejected
from dfmnist.dataset.summary import Summary
from dfmnist.experiments.paper import model_title
from dfmnist.experiments.results import ResultCell, Score
from dfmnist.experiments.spoof_rates import SpoofRate
from dfmnist.reports.clips import ClipRow
from dfmnist.stats.intervals import Estimate

Cells = Mapping[tuple[str, str], ResultCell]
"""Table 3's cells by quality and network."""

TITLE = "Can a machine tell an animated face from a filmed one?"

SYNTHETIC = (
    "Everyone on this page is a synthetic actor: computer graphics, not a person. So every clip "
    "may be shown, and the truth about each is known. It also means that nothing here measures "
    "how well a detector works in the real world, on real people."
)

GLOSSARY: tuple[tuple[str, str], ...] = (
    (
        "Real clip",
        "A person as the camera recorded them. For synthetic actors the camera is a renderer.",
    ),
    (
        "Fake clip",
        "One still frame of a person, animated by a program with the motion of somebody else (the "
        "driver) in another clip.",
    ),
    (
        "Liveness detector",
        "The check in a banking or identity app that decides whether a live person is in front of "
        "the camera. The action-specific detector also decides whether the person did what was "
        "asked.",
    ),
    (
        "Spoof rate",
        "The share of fakes that every liveness detector accepted. High is bad for the detectors.",
    ),
    (
        "raw, c23, c40",
        "Three levels of H.264 compression: almost none, as on a video site, and heavy.",
    ),
    (
        "Frame accuracy",
        "The share of single frames that a detector classifies correctly. With as many real as "
        "fake frames, guessing gives 50%.",
    ),
    (
        "AUC",
        "The chance that a fake gets a higher score than a real clip: 0.5 is guessing, 1 is "
        "perfect. Unlike accuracy it does not depend on a threshold.",
    ),
    (
        "95% interval",
        "How much the number might have differed with other people in the test. It is computed by "
        "drawing the test's people at random 1,000 times. With few people it is wide and "
        "imprecise.",
    ),
    (
        "Train, validation, test",
        "Clips to learn from, clips to choose the best moment of learning, and clips used once, "
        "to measure. Nobody appears in two of them.",
    ),
)


def span(estimate: Estimate) -> str:
    """The bounds in percent: `80.1 to 92.5%`; a test of one person has no interval."""
    if estimate.groups == 1:
        return "none, from one person"
    return f"{estimate.low * 100:.1f} to {estimate.high * 100:.1f}%"


@dataclass(frozen=True)
class Fact:
    """One of the four tiles at the top."""

    number: str
    what: str
    more: str
    words: bool = False


@dataclass(frozen=True)
class MainFinding:
    """The page's main finding in a few sentences."""

    text: str
    not_learnt: bool = False


@dataclass(frozen=True)
class Step:
    """A box of the drawing of the path."""

    name: str
    say: str
    count: str
    waist: bool = False

    @property
    def lines(self) -> list[str]:
        """Lines of `say` for the wide drawing."""
        return textwrap.wrap(self.say, 17)

    @property
    def pairs(self) -> list[str]:
        """Lines of `say` for the tall drawing."""
        return textwrap.wrap(self.say, 46)


def best_raw(cells: Cells) -> tuple[str, Estimate] | None:
    """Name and frame accuracy of the best detector on raw clips; None where none was scored."""
    found = [
        (model, cell.estimate)
        for (quality, model), cell in cells.items()
        if quality == "raw" and cell.estimate is not None
    ]
    return max(found, key=lambda pair: pair[1].value, default=None)


def main_finding(
    cells: Cells, *, smoke: bool = False, talks: bool = False, acting: Score | None = None
) -> MainFinding:
    """The finding on the detectors: "not learnt" unless the best one's lower bound is above chance.

    `talks`: all real clips talk, so that a detector may have learnt the action. `acting` is the
    score of a detector trained on such clips, on real clips that perform the fakes' actions.
    """
    best = best_raw(cells)
    if best is None:
        return MainFinding(
            "No detector was trained and scored on raw clips yet, so there is no finding."
        )
    stamp = (
        "This is a run at smoke size, to test the machinery: its numbers are no result. "
        if smoke
        else ""
    )
    model, found = best
    cell = cells["raw", model]
    if not learnt(cell):
        return MainFinding(
            f"{stamp}On raw clips {model_title(model)}, the best here, classifies "
            f"{percent(found.value)} of frames correctly, but the 95% interval ({span(found)}) "
            f"does not exclude guessing ({chance(cell)}), so this is no evidence "
            "that it can tell fake from real.",
            not_learnt=True,
        )
    said = (
        f"{stamp}On raw clips, {model_title(model)} classifies {percent(found.value)} of single "
        f"frames correctly (95% interval {span(found)}; guessing gives {chance(cell)})."
    )
    if (published := cell.paper) is not None:
        said += (
            f" The paper reports {published.text} for this network, with 20,000 clips of other "
            "people and another animator: compare the pattern, not the number."
        )
    heavy = cells["c40", model].estimate if ("c40", model) in cells else None
    if heavy is not None:
        apart = heavy.high < found.low or heavy.low > found.high
        said += f" With heavy compression it is {percent(heavy.value)} ({span(heavy)})"
        said += "." if apart else ", and the intervals overlap, so the difference is not settled."
    said += clip_words(cell.score)
    if talks:
        said += (
            " Real clips only talk, as in the paper: part of this, or all, may be the action and "
            "not the forgery."
        )
        said += f" {shortcut_words(acting)}" if acting is not None else ""
    return MainFinding(said)


def clip_words(score: Score | None) -> str:
    """Sentence on whole clips: the area under the ROC curve; empty where it is not known."""
    area = score.clip.get("auc") if score is not None else None
    if area is None:
        return ""
    return (
        f" Over whole raw clips it ranks fakes above real ones with an AUC of {area.value:.2f} "
        f"({area.low:.2f} to {area.high:.2f}; guessing gives 0.50)."
    )


def learnt(cell: ResultCell) -> bool:
    """Whether the cell's detector is above chance: the lower bound of its accuracy, over people."""
    return cell.score is not None and cell.score.learnt is True


def chance(cell: ResultCell) -> str:
    """Accuracy of a guess on the cell's test frames, in words."""
    known = cell.score.chance if cell.score is not None else None
    return f"{0.5 if known is None else known:.0%}"


def shortcut_words(acting: Score) -> str:
    """Sentence on a detector trained where real clips talk and tested where they act."""
    found = acting.frame["accuracy"]
    return (
        "Trained so and tested where real people perform the same actions, "
        f"{model_title(acting.network)} is right on {percent(found.value)} of frames "
        f"({span(found)})."
    )


def totals(rates: Sequence[SpoofRate]) -> tuple[int, int]:
    """Accepted fakes and all attempts, over all actions."""
    return sum(r.accepted for r in rates), sum(r.attempts for r in rates)


def facts(
    cells: Cells, summary: Summary, rates: Sequence[SpoofRate], audit: AuditReport | None
) -> list[Fact]:
    """The four tiles: detector, clips, spoof rate, audit."""
    best = best_raw(cells)
    tiles = []
    if best is not None:
        model, found = best
        tiles.append(
            Fact(
                percent(found.value),
                f"of raw test frames classified correctly by {model_title(model)}, the best here",
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
    kept, tried = totals(rates)
    if tried:
        tiles.append(
            Fact(
                percent(kept / tried),
                "of the fakes were accepted by every liveness detector",
                f"{kept:,} of {tried:,} attempts; in the paper from 23% (yaw) to 61% (smile)",
            )
        )
    if audit is None:
        tiles.append(Fact("not run", "audit", "see “Is the comparison fair?”", words=True))
    else:
        tiles.append(_audit_fact(audit))
    return tiles


def _audit_fact(audit: AuditReport) -> Fact:
    """The tile of the audit: the protocol's AUC, or the checks that failed besides it."""
    verdict = "passed" if audit.passed else "failed"
    others = [check for check in audit.failed if check != "protocol"]
    if others:
        said = f"failed: {', '.join(audit.failed)}; see “Is the comparison fair?”"
        return Fact(verdict, "audit: files, people, copies, protocol", said, words=True)
    if audit.protocol is None:
        said = "all clips have one label, so nothing can tell them apart"
        return Fact(verdict, "audit: files, people and copies", said, words=True)
    return Fact(
        verdict,
        "audit: do the files reveal the class?",
        f"AUC {audit.protocol.auc.value:.2f} from file properties alone; 0.5 is guessing, "
        f"{audit.limit:g} fails",
        words=True,
    )


def steps(
    summary: Summary, rates: Sequence[SpoofRate], num_runs: int, num_maps: int, size: str
) -> list[Step]:
    """The seven boxes of the path, with this dataset's counts."""
    kept, tried = totals(rates)
    people = plural(summary.identities, "person", "people")
    return [
        Step("Select", "Keep a frontal, sharp frame with open eyes; crop to the face.", people),
        Step(
            "Animate",
            "Move that frame as a driver moves in another clip.",
            plural(tried, "attempt"),
        ),
        Step("Screen", "Ask liveness detectors: is this a live person?", f"{kept:,} accepted"),
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
            "Train detectors on one quality; test them on new people.",
            plural(num_runs, "run"),
        ),
        Step("Explain", "Show where the detector found its evidence.", plural(num_maps, "map")),
    ]


def common_reason(rejected: Sequence[Rejected]) -> str:
    """The most common reason in its first wording; reasons that differ in numbers alone are one."""
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
    "The input is one still frame of a person and a clip of somebody else who performs an action; "
    "the output is a clip of the first person performing that action. The fakes that the liveness "
    "detectors accept become the dataset."
)
CLIPS = (
    "One fake of each action: the first by name, not the best. From left to right: the photo that "
    "was animated, the driver whose motion it was given, the fake, and a real clip to compare."
)
SCREENING = (
    "The paper kept only the fakes that commercial liveness services accepted as living people. "
    "Here two local liveness detectors take their place: one decides whether the clip shows the "
    "action that was asked for, the other whether it looks like a live person at all. {rule} Their "
    "thresholds were fixed beforehand, on bona fide clips of synthetic actors who appear nowhere "
    "else."
)
RULES = {
    "all": "Both decide on all ten actions.",
    "paper": "Both decide on blinking, yawing, nodding and opening the mouth; the second alone "
    "decides on the other actions, as in the paper.",
}
"""Which detectors decide, by the rule of `dfmnist build --screen`."""


def screening(rule: str) -> str:
    """The paragraph on the screening of a dataset that was built with a rule of `RULES`."""
    return SCREENING.format(rule=RULES[rule])


INTRO = {
    "table3": "Each detector sees single frames and says how likely each is fake. It learns from "
    "some people and is tested on others that it has never seen. The paper splits by clip, which "
    "is easier.",
    "figure2": "Animated clips that every liveness detector of the action accepted as a live "
    "person.",
    "figure6": "For an action, the share of its fakes that are detected; the last line is the "
    "share of real frames that are accepted as real. A detector that calls everything fake would "
    "be perfect on all lines but the last.",
    "figure7": "Red marks where the detector found most evidence for “fake” in a frame, blue the "
    "least. A map shows the place, not the strength. Below, the same in numbers: the share of the "
    "evidence in each region of the face, and in all that the animation changed. The dotted line "
    "is the region’s share of the picture, which a detector without any preference would give; "
    "regions with more are in bold.",
    "figure9": "Every clip exists in three qualities, written by the same encoder with the same "
    "settings for real and fake: raw (visually lossless), c23 (what a video site might keep) and "
    "c40 (heavily compressed). The number is H.264’s constant rate factor; higher is worse.",
}
"""Sentences before a table or figure for a reader who has not read the paper."""
MAPS_OF_GUESSES = (
    " This detector is not above chance, so its maps show where it looked, not where there is "
    "anything to see."
)
CURVES = (
    "Validation accuracy by epoch; the dotted line is guessing. The epoch with the best validation "
    "accuracy is kept, and only that one is tested."
)


def lead(*, synthetic: bool) -> str:
    """Opening paragraph, for a reader who has not read the paper."""
    whom = "synthetic people" if synthetic else "people"
    return (
        "To prove that you are alive, an app may ask you to blink, nod or turn your head. Software "
        f"can make a single photo do all that. Here, photos of {whom} are animated through ten "
        "actions, the fakes are shown to two liveness detectors, and other detectors learn to "
        "tell the fakes that were accepted from real clips."
    )


def people_shown(clip: Clip) -> str:
    """Consent and licence, for a page that shows people."""
    consent, licence = (text.rstrip(".") or "not stated" for text in (clip.consent, clip.licence))
    return (
        f"The people shown agreed as follows: {consent}. Licence: {licence}. The numbers hold for "
        "these people and this animator; they do not measure real-world performance."
    )


def opening_row(row: ClipRow) -> ClipRow:
    """The row that opens the page, with a caption."""
    tiles = tuple(t for t in row.tiles if t.role != "real")
    motion = row.title.lower()
    said = f"A photo and the motion of somebody else ({motion}) make a clip of what never happened."
    return replace(row, tiles=tiles, caption=said)


def only_talk(summary: Summary) -> bool:
    """Whether all real clips talk and perform no action."""
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
            f"may reveal the class. {size}"
        )
    others = f" and {talking:,} talk" if talking else ""
    return (
        f"Of the {plural(summary.real, 'real clip')}, {performing:,} perform the same ten actions "
        f"as the fakes{others}, so the action does not reveal the class. {size}"
    )


def footer(version: str, *, synthetic: bool) -> str:
    """Last line of the page."""
    said = "The people are synthetic actors; no real person is shown. " if synthetic else ""
    return f"{said}Fakes state their origin in the file’s metadata. Written by dfmnist {version}."
