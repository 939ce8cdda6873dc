"""Dataset card: a `README.md` with the front matter that Hugging Face reads."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dfmnist.core.actions import INFO, Action
from dfmnist.core.files import write_text
from dfmnist.core.text import UNDEFINED, markdown_escape, markdown_table
from dfmnist.dataset.audit import AuditReport
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
    licences = sorted({clip.licence for clip in manifest.clips})
    consents = sorted({clip.consent for clip in manifest.clips})
    parts = [
        _front_matter(text.pretty_name, licences, summary.clips),
        f"# {text.pretty_name}",
        _opening(summary),
        SYNTHETIC if text.synthetic_actors else "",
        text.how_made,
        "## Counts\n\n" + _counts(summary),
        "## Screening\n\n" + _screening(summary),
        "## Audit\n\n" + _audit(report),
        "## Loading\n\n" + _loading(),
        "## Licence and consent\n\n"
        + _bullets("Licence", licences)
        + _bullets("Consent", consents),
        _use(),
        "## Departures from the paper\n\n" + "".join(f"- {d}\n" for d in text.departures)
        if text.departures
        else "",
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


_KNOWN_LICENCES = {"apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-nc-4.0", "cc-by-sa-4.0"}


def _front_matter(name: str, licences: list[str], clips: int) -> str:
    known = len(licences) == 1 and licences[0].lower() in _KNOWN_LICENCES
    sizes = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
    size = next((label for limit, label in sizes if clips < limit), "100K<n<1M")
    lines = [
        "---",
        f"pretty_name: {json.dumps(name)}",
        f"license: {licences[0].lower() if known else 'other'}",
    ]
    if not known:
        lines.append(f"license_name: {json.dumps('; '.join(licences))}")
    lines += [
        "task_categories:",
        "- video-classification",
        "tags:",
        "- deepfake",
        "- face-animation",
        "- liveness",
        "size_categories:",
        f"- {size}",
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        "    path:",
        "    - metadata.jsonl",
        "    - clips/**",
        "---",
    ]
    return "\n".join(lines)


def _opening(summary: Summary) -> str:
    return (
        f"{summary.clips} clips ({summary.real} real, {summary.fake} fake) of "
        f"{summary.identities} people, {summary.hours * 60:.1f} minutes, in "
        f"{len(summary.by_quality)} qualities ({summary.files} files, "
        f"{summary.bytes / 1e6:.1f} MB). Fakes are facial animations made with a first order "
        "motion model, as in *DeepFake MNIST+: A DeepFake Facial Animation Dataset*."
    )


def _counts(summary: Summary) -> str:
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


def _screening(summary: Summary) -> str:
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


def _audit(report: AuditReport) -> str:
    verdict = "passed" if report.passed else "FAILED"
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
identity. `label` is `real` or `fake`; `file_name` becomes `video`, which `torchcodec` decodes.
`dfmnist dataset verify` checks every file against its SHA-256."""


def _bullets(head: str, values: list[str]) -> str:
    return "".join(f"- {head}: {markdown_escape(value)}\n" for value in values)


def _use() -> str:
    return (
        "## Use\n\nFor building and judging detectors of face animation and presentation attacks. "
        "Every generated clip says so in its container's comment field. Not for imitating anyone, "
        "nor for attacking a service without its operator's authority."
    )
