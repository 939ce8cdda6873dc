"""From a dataset and its runs to one folder that a browser opens: `write_report`.

`index.html` and `assets/`; no network, no server. Nothing on the page is filled that was not run.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from dfmnist import __version__
from dfmnist.core.files import claim_folder, read_json, write_text
from dfmnist.dataset.audit import AuditReport, read_audit
from dfmnist.dataset.manifest import (
    Clip,
    Manifest,
    Rejected,
    manifest_hash,
    read_manifest,
    read_rejected,
)
from dfmnist.dataset.summary import Summary, summarise
from dfmnist.experiments import figures, images, tables
from dfmnist.experiments.paper import CITATION, QUALITIES
from dfmnist.experiments.plan import ACTING, TALKING
from dfmnist.experiments.results import SpoofRate, spoof_rates
from dfmnist.experiments.written import Sheet, read_experiments, table3_cells
from dfmnist.reports import sections, text
from dfmnist.reports.attention import Attention, attention
from dfmnist.reports.clips import SHOWN_QUALITY, ClipRow, ShownClip, pick, rows
from dfmnist.reports.results_view import check_same_dataset, paper
from dfmnist.reports.runs import FinishedRun, finished_runs
from dfmnist.reports.sizes import size_of

KIND = "report"
CONTENTS = (
    ("findings", "Findings"),
    ("path", "How it is made"),
    ("clips", "Clips"),
    ("dataset", "Dataset"),
    ("screening", "Guards"),
    ("paper", "The paper"),
    ("detectors", "Detectors"),
    ("compression", "Compression"),
    ("attention", "Attention"),
    ("fairness", "Fairness"),
    ("departures", "Departures"),
    ("provenance", "Provenance"),
    ("words", "Words"),
)


@dataclass(frozen=True)
class ReportContext:
    """What the page says that neither the dataset nor the runs record."""

    title: str = text.TITLE
    recipe: str = ""
    synthetic: bool | None = None
    """The people are synthetic actors, not people; None: as the dataset's build.json says."""
    departures: Sequence[str] = ()
    """What differs from the paper, a sentence each."""
    animator: str = ""
    """Identity of the motion model's weights; empty: as the manifest names it."""
    seeds: dict[str, str] = field(default_factory=dict)
    """Purpose → seed or range of seeds."""


@dataclass(frozen=True)
class Evidence:
    """Everything that the page is drawn from."""

    manifest: Manifest
    rejected: tuple[Rejected, ...]
    summary: Summary
    rates: list[SpoofRate]
    runs: list[FinishedRun]
    cells: dict[tuple[str, str], tables.Cell]
    audit: AuditReport | None
    fingerprint: str
    sheets: tuple[Sheet, ...] = ()
    """The paper's tables and figures, where `dfmnist experiment` made them."""

    @property
    def sheet_names(self) -> frozenset[str]:
        """What need not be drawn again."""
        return frozenset(sheet.name for sheet in self.sheets)


def write_report(
    data: Path, runs: Path, out: Path, context: ReportContext, experiments: Path | None = None
) -> tuple[Path, list[str]]:
    """Write the report of the dataset folder `data` and the runs below `runs` into `out`.

    `experiments` is what `dfmnist experiment` wrote: its tables and figures are shown, and its
    Table 3 is what the page opens with. Returns the page and its headline, a line each. Raises
    `InputError` for an unreadable dataset, run, audit or experiment, for experiments of another
    dataset, and for an `out` that holds something else.
    """
    found = gather(data, runs, experiments)
    if context.synthetic is None:
        context = replace(context, synthetic=recorded_synthetic(found.manifest.root))
    claim_folder(out, KIND)
    page = _page(found, context, out, data)
    html = _environment(out).get_template("template.html").render(p=page)
    write_text(out / "index.html", html)
    _drop_unused(out, html)
    return out / "index.html", headline(found, context)


def _environment(out: Path) -> jinja2.Environment:
    """The templates, and what they call."""

    def box(src: str) -> Markup:
        return Markup('width="{}" height="{}"').format(*size_of(out / src))

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, loader=jinja2.FunctionLoader(_resource)
    )
    environment.globals |= {
        "box": box,
        "css": Markup(_resource("page.css")),
        "js": Markup(_resource("page.js")),
        "thousands": lambda n: f"{n:,}",
    }
    return environment


def _drop_unused(out: Path, html: str) -> None:
    """Remove what an earlier report left in `assets` and this page does not show."""
    for path in (out / "assets").rglob("*"):
        if path.is_file() and f'"{path.relative_to(out).as_posix()}"' not in html:
            path.unlink()


def gather(data: Path, runs: Path, experiments: Path | None = None) -> Evidence:
    """Read the dataset, the runs that were trained on it and the experiments made on it."""
    manifest = read_manifest(data)
    sheets = read_experiments(experiments) if experiments is not None else ()
    check_same_dataset(sheets, manifest)
    rejected = read_rejected(manifest.root)
    fingerprint = manifest_hash(manifest.root)
    finished = finished_runs(runs, fingerprint)
    scored = [s for run in finished if (s := run.scored()) is not None]
    sheet3 = next((sheet for sheet in sheets if sheet.name == "table3"), None)
    return Evidence(
        manifest,
        rejected,
        summarise(manifest, rejected),
        spoof_rates(manifest.clips, rejected),
        finished,
        table3_cells(sheet3) if sheet3 is not None else tables.table3(scored),
        read_audit(manifest.root),
        fingerprint,
        sheets,
    )


def recorded_synthetic(root: Path) -> bool:
    """Whether the dataset was built of synthetic actors; False where that is not recorded."""
    path = root / "build.json"
    recorded = read_json(path) if path.is_file() else {}
    return recorded.get("config", {}).get("synthetic") is True


def headline(found: Evidence, context: ReportContext) -> list[str]:
    """The findings for a terminal, a line each."""
    spoof = text.total(found.rates)
    summary = found.summary
    lines = [
        f"dataset: {summary.real} real and {summary.fake} fake clips of "
        f"{text.plural(summary.identities, 'person', 'people')}"
    ]
    if spoof is not None:
        kept = sum(r.accepted for r in found.rates)
        lines.append(f"spoof rate: {kept} of {spoof.n} ({text.pct(spoof.value)})")
    if found.audit is not None:
        state = "passed" if found.audit.passed else "failed"
        lines.append(f"audit: {state}, protocol AUC {found.audit.protocol.auc.value:.2f}")
    verdict = _verdict(found, context)
    return [*lines, ("not learnt: " if verdict.not_learnt else "") + verdict.text]


def _verdict(found: Evidence, context: ReportContext) -> text.Verdict:
    smoke = context.recipe == "smoke" or any(sheet.stamp for sheet in found.sheets)
    shortcut = next((s.numbers for s in found.sheets if s.name == "shortcut"), {})
    acting = shortcut.get((TALKING, ACTING))
    return text.verdict(
        found.cells,
        smoke=smoke,
        talks=text.only_talk(found.summary),
        where_reals_act=text.shortcut_words(acting) if acting else "",
    )


def _resource(name: str) -> str:
    return files("dfmnist.reports").joinpath(name).read_text(encoding="utf-8")


def _page(found: Evidence, context: ReportContext, out: Path, data: Path) -> dict[str, Any]:
    """The template's values, section by section."""
    folder = out / "assets" / "figures"
    samples = pick(found.manifest)
    sample_rows = rows(found.manifest, samples, out, synthetic=bool(context.synthetic))
    looked = attention(found.manifest, found.runs, out / "assets" / "maps", out)
    num_maps = looked.num_maps if looked else 0
    page = {
        **_opening(found, context, samples, sample_rows, num_maps),
        **_clips(found, samples, sample_rows, folder, out),
        **_dataset(found, context),
        **_screening(found, folder, out),
        "paper": paper(found.sheets, out),
        **_detectors(found, folder, out, data),
        **_compression(found, samples, folder, out),
        **_attention(looked, found),
        **_rest(found, context),
    }
    return {**page, "contents": _contents(page, found)}


def _contents(page: dict[str, Any], found: Evidence) -> list[tuple[str, str]]:
    """The sections that this page has."""
    without = set()
    if not found.sheets:
        without.add("paper")
    if "table3" in found.sheet_names and page["curves"] is None:
        without.add("detectors")
    if "figure9" in found.sheet_names:
        without.add("compression")
    return [(id, name) for id, name in CONTENTS if id not in without]


def _opening(
    found: Evidence,
    context: ReportContext,
    samples: Sequence[ShownClip],
    sample_rows: Sequence[ClipRow],
    num_maps: int,
) -> dict[str, Any]:
    first = found.manifest.clips[0]
    size = f"{first.width} × {first.height} pixels, {first.duration_s:g} s"
    steps = text.steps(found.summary, found.rates, len(found.runs), num_maps, size)
    hero = sections.hero_of(samples)
    row = next((r for r in sample_rows if hero is not None and r.id == hero.value), None)
    people = text.SYNTHETIC if context.synthetic else text.people_shown(first)
    return {
        "title": context.title,
        "recipe": context.recipe,
        "lead": text.lead(synthetic=bool(context.synthetic)),
        "people": people,
        "hero": text.opening_row(row) if row else None,
        "facts": text.facts(found.cells, found.summary, found.rates, found.audit),
        "verdict": _verdict(found, context),
        "path_intro": text.PATH,
        "path_alt": "The path of a clip: "
        + ", then ".join(f"{s.name.lower()} ({s.count})" for s in steps),
        "steps": steps,
    }


def _clips(
    found: Evidence,
    samples: Sequence[ShownClip],
    sample_rows: Sequence[ClipRow],
    folder: Path,
    out: Path,
) -> dict[str, Any]:
    shown = [q for q in QUALITIES if any(q in s.fake for s in samples)]
    strips = sections.with_fakes(samples, found.manifest)
    if "figure1" in found.sheet_names:
        strips = []
    return {
        "clips_intro": text.CLIPS,
        "rows": sample_rows,
        "switch": [(q, sections.SHORT_TITLES[q]) for q in shown],
        "shown_quality": SHOWN_QUALITY if SHOWN_QUALITY in shown else next(iter(shown), ""),
        "figure1": sections.gallery(images.figure1(folder, strips), out) if strips else None,
    }


def _dataset(found: Evidence, context: ReportContext) -> dict[str, Any]:
    summary = found.summary
    ours = "This dataset (synthetic actors)" if context.synthetic else "This dataset"
    counts = {"real": summary.real, "fake": summary.fake}
    return {
        "dataset_text": text.dataset_text(summary),
        "splits": sections.split_rows(summary, found.manifest.clips),
        "table1": [] if "table1" in found.sheet_names else tables.table1(ours, counts),
    }


def _screening(found: Evidence, folder: Path, out: Path) -> dict[str, Any]:
    tried = any(r.attempts for r in found.rates) and "figure2" not in found.sheet_names
    chart = figures.figure2(folder, found.rates) if tried else None
    return {
        "screening_text": text.SCREENING,
        "figure2": sections.chart_image(chart, out) if chart else None,
        "figure2_note": text.FIGURE2,
        "spoof": sections.spoof_rows(found.rates, found.rejected),
    }


def _detectors(found: Evidence, folder: Path, out: Path, data: Path) -> dict[str, Any]:
    below = "table3" in found.sheet_names
    chart = None if below else sections.figure6(found.runs, folder)
    trained = [r.curve for r in sections.in_order(found.runs) if r.curve.accuracy and r.whole]
    learning = figures.curves(folder, trained) if trained else None
    test_people = len(found.manifest.select(split="test").identities)
    return {
        "detectors_text": text.DETECTORS,
        "t3_columns": [sections.COLUMN_TITLES[q] for q in QUALITIES],
        "t3_rows": [] if below else sections.table3_rows(found.cells),
        "t3_note": text.table3_note(test_people),
        "how_to_run": sections.how_to_run(found.cells, found.runs, data),
        "figure6": sections.chart_image(chart[0], out) if chart else None,
        "figure6_note": text.figure6_note(chart[1]) if chart else "",
        "curves": sections.chart_image(learning, out) if learning else None,
        "curves_note": text.CURVES,
    }


def _compression(
    found: Evidence, samples: Sequence[ShownClip], folder: Path, out: Path
) -> dict[str, Any]:
    if "figure9" in found.sheet_names:
        return {"figure9": None}
    picture = sections.figure9(found.manifest, samples, folder)
    return {"figure9": sections.gallery(picture, out) if picture else None}


def _attention(looked: Attention | None, found: Evidence) -> dict[str, Any]:
    if looked is None:
        return {"maps": None, "maps_text": text.NO_MAPS, "maps_note": "", "regions_text": ""}
    cell = found.cells.get(("raw", looked.model))
    guesses = cell is not None and cell.frame_accuracy is not None and not cell.learnt
    return {
        "maps": looked,
        "maps_text": text.MAPS + (text.MAPS_OF_GUESSES if guesses else ""),
        "maps_note": text.maps_note(),
        "regions_text": text.regions_text(looked.title),
    }


def _rest(found: Evidence, context: ReportContext) -> dict[str, Any]:
    best = text.best_raw(found.cells.values())
    return {
        "audit": sections.audit_cards(found.audit, best) if found.audit else [],
        "departures": list(context.departures),
        "citation": CITATION,
        "provenance": _provenance(found, context),
        "run_table": sections.run_rows(found.runs),
        "glossary": text.GLOSSARY,
        "footer": text.footer(__version__, synthetic=bool(context.synthetic)),
    }


def _provenance(found: Evidence, context: ReportContext) -> list[tuple[str, str]]:
    clips = found.manifest.clips
    first = clips[0]
    lines = [
        ("Recipe", context.recipe or "none named"),
        ("Motion model", context.animator or _each(clips, "generator")),
        ("Licence of the clips", _each(clips, "licence")),
        ("Consent", _each(clips, "consent")),
        ("Clip format", f"{first.width} × {first.height}, {first.fps} frames a second, H.264"),
        ("Dataset fingerprint", found.fingerprint),
        ("Made by", f"dfmnist {__version__}"),
    ]
    lines[1:1] = [(f"Seeds: {name}", value) for name, value in context.seeds.items()]
    return lines


def _each(clips: Sequence[Clip], name: str) -> str:
    return "; ".join(sorted({value for c in clips if (value := getattr(c, name))})) or "none stated"
