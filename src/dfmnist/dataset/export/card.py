"""Card of a published dataset: `README.md` with the front matter that Hugging Face reads."""

from collections.abc import Sequence

from dfmnist.core.choices import QUALITIES
from dfmnist.core.text import markdown_table, on_one_line
from dfmnist.dataset.audit import AuditReport
from dfmnist.dataset.card import audit_text, counts_text, front_matter, screening_text
from dfmnist.dataset.export.checksums import SUMS
from dfmnist.dataset.export.croissant import CROISSANT, DESCRIPTIONS
from dfmnist.dataset.export.facts import LIMITS, MISUSES, USES, Facts
from dfmnist.dataset.export.shards import FOLDER
from dfmnist.dataset.qualities import quality_text
from dfmnist.media.video import ffmpeg_options

_LOADING = """```python
from datasets import load_dataset

clips = load_dataset("THIS_FOLDER")  # train, validation and test
fakes = clips["test"].filter(lambda label: label == "fake", input_columns=["label"])
```

Nothing is decoded to load. The column `video` decodes a clip as it is read, with `torchcodec`;
`clips.cast_column("video", datasets.Video(decode=False))` gives its path instead. A column that is
empty in one split is text in all of them."""


def published_card(facts: Facts, columns: Sequence[str], report: AuditReport | None) -> str:
    """Compose the card as Markdown. `columns` are those of the rows, `report` the audit, if any."""
    splits = [s for s, row in facts.summary.by_split.items() if row["real"] + row["fake"]]
    patterns = {split: (f"{split}/**",) for split in splits}
    parts = [
        front_matter(facts.name, facts.terms, facts.summary.files, patterns, link=True),
        f"# {on_one_line(facts.name)}",
        facts.description,
        "**This dataset holds fakes.** " + facts.people,
        "## Loading\n\n" + _LOADING + "\n\n" + _more_loading(facts),
        "## Counts\n\n" + counts_text(facts.summary),
        "## Splits\n\n" + facts.splits if facts.splits else "",
        _qualities(facts),
        "## Provenance\n\n" + " ".join(filter(None, (facts.provenance, _made_by(facts)))),
        "## Licence and consent\n\n" + _terms(facts),
        "## Intended use\n\n" + _bullets(USES),
        "## Not for\n\n" + _bullets(MISUSES),
        "## Limits\n\n" + _bullets([*LIMITS, *facts.info.notes]),
        "## Screening\n\n" + screening_text(facts.summary) if _screened(facts) else "",
        "## Audit\n\n" + audit_text(report) if report else "",
        "## Columns\n\n" + _columns(columns),
        "## Citation\n\n```\n" + facts.config.citation + "\n```" if facts.config.citation else "",
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _more_loading(facts: Facts) -> str:
    lines = [
        f"`sha256sum --check {SUMS}` checks every file, and `dfmnist dataset verify` also their "
        f"content. `{CROISSANT}` describes the dataset for programs."
    ]
    if facts.config.webdataset:
        lines.append(
            f"`{FOLDER}/SPLIT-N.tar` hold the same clips as WebDataset shards (`KEY.mp4` and "
            "`KEY.json`), for reading in sequence."
        )
    return " ".join(lines)


def _qualities(facts: Facts) -> str:
    built = {clip.quality for clip in facts.clips if clip.origin == "built"}
    rows = [(name, quality_text(name)) for name in QUALITIES if name in built]
    if not rows:
        return ""
    note = (
        "All qualities of a clip are encoded from the same frames, real and fake by one call. "
        "`ffmpeg` gives the same frames, with N for the constant rate factor:"
    )
    command = f"ffmpeg -i FRAMES {ffmpeg_options('N')} OUT.mp4"
    table = markdown_table(("Quality", "What it is"), rows)
    return f"## Qualities\n\n{table}\n{note}\n\n```\n{command}\n```"


def _made_by(facts: Facts) -> str:
    made = facts.info.made_by
    return f"Records were written by {made}." if made else ""


def _terms(facts: Facts) -> str:
    lines = [*(f"Licence: {t}" for t in facts.terms.licences)]
    lines += [f"Consent: {t}" for t in facts.terms.consents]
    return _bullets(lines)


def _screened(facts: Facts) -> bool:
    return bool(facts.summary.real_attempts or facts.summary.fake_attempts)


def _columns(columns: Sequence[str]) -> str:
    rows = [(f"`{name}`", DESCRIPTIONS.get(name, "A further column.")) for name in columns]
    return markdown_table(("Column", "Meaning"), rows)


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {on_one_line(line)}" for line in lines)
