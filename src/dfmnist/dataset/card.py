"""Dataset card: a `README.md` with the front matter that Hugging Face reads."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dfmnist.core.actions import INFO, Action
from dfmnist.core.files import write_text
from dfmnist.core.text import UNDEFINED, markdown_escape, markdown_table
from dfmnist.dataset.audit import AuditReport
from dfmnist.dataset.export.terms import Terms, licence_lines, terms_of
from dfmnist.dataset.manifest import Manifest, Rejected
from dfmnist.dataset.summary import Summary, summarise

CARD = "README.md"
SYNTHETIC = (
    "Everyone in these clips is a synthetic actor: a parametric three-dimensional model, rendered. "
    "No real person's face is in the dataset. In the `real` class the actor performs; in the "
    "`fake` class a still of the actor is animated by another's motion."
)


@dataclass(frozen=True)
class CardText:
    """Texts for the card that only the builder of the dataset knows."""

    pretty_name: str
    synthetic_actors: bool
    how_made: str = ""
    """Paragraph about sources, drivers, animator and screening."""
    departures: tuple[str, ...] = ()
    """Departures of the dataset from the paper, one sentence each."""


def write_card(
    manifest: Manifest, rejected: tuple[Rejected, ...], report: AuditReport, text: CardText
) -> Path:
    """Write `README.md` into the dataset folder; the same dataset gives the same text."""
    path = manifest.root / CARD
    write_text(path, card(manifest, rejected, report, text))
    return path


def card(
    manifest: Manifest, rejected: tuple[Rejected, ...], report: AuditReport, text: CardText
) -> str:
    """Compose the card as Markdown."""
    summary = summarise(manifest, rejected)
    terms = terms_of(manifest.clips)
    whole = {"train": ("metadata.jsonl", "clips/**")}
    parts = [
        front_matter(text.pretty_name, terms, summary.clips, whole, link=False),
        f"# {text.pretty_name}",
        _opening(summary, _animators(manifest)),
        SYNTHETIC if text.synthetic_actors else "",
        text.how_made,
        "## Counts\n\n" + counts_text(summary),
        "## Screening\n\n" + screening_text(summary),
        "## Audit\n\n" + audit_text(report),
        "## Loading\n\n" + _loading(),
        "## Licence and consent\n\n"
        + _bullets("Licence", terms.licences)
        + _bullets("Consent", terms.consents),
        _use(),
        "## Departures from the paper\n\n" + "".join(f"- {d}\n" for d in text.departures)
        if text.departures
        else "",
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def front_matter(
    name: str, terms: Terms, clips: int, data_files: Mapping[str, Sequence[str]], *, link: bool
) -> str:
    """The block of YAML that a card begins with.

    `data_files` are the patterns of each split's files. `link`: a licence that Hugging Face has no
    slug for is in `LICENSE.md`.
    """
    sizes = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
    size = next((label for limit, label in sizes if clips < limit), "100K<n<1M")
    files = [
        line
        for split, patterns in data_files.items()
        for line in (f"  - split: {split}", "    path:", *(f"    - {p}" for p in patterns))
    ]
    lines = [
        "---",
        f"pretty_name: {json.dumps(name)}",
        *licence_lines(terms, link=link),
        "task_categories:",
        "- video-classification",
        "annotations_creators:",
        "- machine-generated",
        "tags:",
        "- deepfake",
        "- face-animation",
        "- liveness",
        "size_categories:",
        f"- {size}",
        "configs:",
        "- config_name: default",
        "  data_files:",
        *files,
        "---",
    ]
    return "\n".join(lines)


def _animators(manifest: Manifest) -> str:
    """What made the fakes, in words: the motion model, or the generators by name."""
    fakes = [clip for clip in manifest.clips if clip.label == "fake"]
    names = {clip.generator or clip.method for clip in fakes if clip.method != "fomm"} - {""}
    if not names:
        return "with a first order motion model"
    names |= {clip.generator for clip in fakes if clip.method == "fomm"}
    return "by " + ", ".join(sorted(names))


def _opening(summary: Summary, animators: str) -> str:
    return (
        f"{summary.clips} clips ({summary.real} real, {summary.fake} fake) of "
        f"{summary.identities} people, {summary.hours * 60:.1f} minutes, in "
        f"{len(summary.by_quality)} qualities ({summary.files} files, "
        f"{summary.bytes / 1e6:.1f} MB). Fakes are facial animations made {animators}, as in "
        "*DeepFake MNIST+: A DeepFake Facial Animation Dataset*."
    )


def counts_text(summary: Summary) -> str:
    """Tables of the clips by action and split, and of the files by quality."""
    actions = {INFO[Action(name)].title: row for name, row in summary.by_action.items()}
    return "\n\n".join(
        [
            *([_table("Action", ("real", "fake"), actions)] if actions else []),
            _table("Split", ("real", "fake", "identities"), summary.by_split),
            _table("Quality (files)", ("real", "fake"), summary.by_quality),
        ]
    )


def _table(head: str, columns: tuple[str, ...], rows: Mapping[str, Mapping[str, int]]) -> str:
    cells = [(name, *(str(row.get(c, 0)) for c in columns)) for name, row in rows.items()]
    return markdown_table((head, *columns), cells, align_right=True).rstrip()


def screening_text(summary: Summary) -> str:
    """Table of the clips that passed the liveness screening, of all attempts at each action."""
    rows = []
    for action in Action:
        counts = [c.get(action) for c in (summary.real_attempts, summary.fake_attempts)]
        if any(counts):
            cells = (f"{c.count} of {c.n}" if c else UNDEFINED for c in counts)
            rows.append((INFO[action].title, *cells))
    return (
        "Clips that passed the liveness screening, of all attempts (`rejected.jsonl` holds the "
        "rest with their reasons).\n\n"
        + markdown_table(("Action", "real", "fake"), rows, align_right=True)
    )


def audit_text(report: AuditReport) -> str:
    """Result of the audit: the protocol's AUC, and the signal's as a baseline."""
    verdict = "passed" if "protocol" not in report.failed else "FAILED"
    if report.protocol is None:
        return "Protocol and signal were not measured, since all clips have one label."
    p = report.protocol.auc
    rows = [
        (quality, f"{auc.value:.3f}", f"{auc.low:.3f} to {auc.high:.3f}")
        for quality, auc in ((q, found.auc) for q, found in report.signal.items())
    ]
    return (
        f"Protocol (rate, length, size, GOP, codec settings, container): AUC {p.value:.3f} "
        f"[{p.low:.3f}, {p.high:.3f}], {verdict} (limit {report.limit}). "
        f"{'Every feature is constant.' if not report.varying else ''}\n\n"
        "Signal (packet sizes, quantiser, noise, sharpness, brightness, motion), the baseline that "
        "a detector must beat:\n\n"
        + markdown_table(("Quality", "AUC", "95% interval"), rows, align_right=True)
    )


def _loading() -> str:
    return """```python
from datasets import load_dataset

clips = load_dataset("videofolder", data_dir="THIS_FOLDER", split="train")
test = clips.filter(lambda split, quality: split == "test" and quality == "raw",
                    input_columns=["split", "quality"])
```

`datasets` calls the whole of it `train`; the real split is the column `split`, disjoint by
identity. `dfmnist dataset export` writes a copy with one folder for each split. `label` is `real`
or `fake`; `file_name` becomes `video`, which `torchcodec` decodes. `dfmnist dataset verify` checks
every file against its SHA-256."""


def _bullets(head: str, values: Sequence[str]) -> str:
    return "".join(f"- {head}: {markdown_escape(value)}\n" for value in values)


def _use() -> str:
    return (
        "## Use\n\nFor building and judging detectors of face animation and presentation attacks. "
        "Every generated clip says so in its container's comment field. Not for imitating anyone, "
        "nor for attacking a service without its operator's authority."
    )
