"""The report of a dataset and its results, a folder that a browser opens: `write_report`.

The folder holds `index.html` and `assets/`; the page needs no network and no server. The report
only reads: its numbers come from `result.json` files, and nothing is filled in that was not run.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jinja2
from markupsafe import Markup

from dfmnist import __version__
from dfmnist.core.files import holds_folder, read_json_object, write_text
from dfmnist.core.text import on_one_line, percent, plural
from dfmnist.dataset.audit import AuditReport, read_audit
from dfmnist.dataset.headers import header_of
from dfmnist.dataset.manifest import (
    Clip,
    Manifest,
    Rejected,
    manifest_hash,
    read_manifest,
    read_rejected,
)
from dfmnist.dataset.qualities import in_order
from dfmnist.dataset.summary import Summary, summarise
from dfmnist.detectors.run import RunRecord
from dfmnist.experiments.charts import Curve, training_curves
from dfmnist.experiments.finished import is_whole, write_run_results
from dfmnist.experiments.paper import CITATION
from dfmnist.experiments.results import (
    LIVENESS_FOLDER,
    ORDER,
    Score,
)
from dfmnist.experiments.shortcut import ACTING, TALKING
from dfmnist.experiments.spoof_rates import SpoofRate, spoof_rates
from dfmnist.reports import sections, text
from dfmnist.reports.clips import SHOWN_QUALITY, ClipRow, opening_of, pick, rows
from dfmnist.reports.results_view import (
    ResultsSection,
    StoredResult,
    check_same_dataset,
    liveness_results,
    liveness_section,
    results_section,
    stored_results,
)
from dfmnist.reports.runs import finished_runs, training_curve
from dfmnist.reports.sizes import size_of
from dfmnist.reports.strength import filter_strength
from dfmnist.stats.intervals import Estimate

KIND = "report"
CONTENTS = (
    ("findings", "Findings"),
    ("path", "How it is made"),
    ("clips", "Clips"),
    ("dataset", "Dataset"),
    ("screening", "Screening"),
    ("liveness", "Liveness"),
    ("paper", "The paper"),
    ("training", "Training"),
    ("fairness", "Fairness"),
    ("departures", "Departures"),
    ("provenance", "Provenance"),
    ("words", "Words"),
)


@dataclass(frozen=True)
class ReportContext:
    """Statements of the page that neither the dataset nor the results record."""

    title: str = text.TITLE
    recipe: str = ""
    synthetic: bool | None = None
    """Whether the people are synthetic actors; None: as the dataset's build.json says."""
    departures: Sequence[str] = ()
    """Sentences on what differs from the paper."""
    animator: str = ""
    """Identity of the motion model's weights; empty: as the manifest names it."""
    seeds: dict[str, str] = field(default_factory=dict)
    """Purpose → seed or range of seeds."""


@dataclass(frozen=True)
class Evidence:
    """Everything that the page shows."""

    manifest: Manifest
    rejected: tuple[Rejected, ...]
    summary: Summary
    rates: list[SpoofRate]
    runs: list[RunRecord]
    curves: list[Curve]
    """Training curve of each run on the whole training split."""
    audit: AuditReport | None
    fingerprint: str
    results: tuple[StoredResult, ...]
    """Tables and figures, in the paper's order."""
    liveness: tuple[StoredResult, ...] = ()
    """Results of `dfmnist liveness evaluate` on this dataset."""

    @property
    def table3(self) -> text.Cells:
        """Table 3's cells by quality and network; empty where it was not run."""
        return self._cells("table3")

    @property
    def best_auc(self) -> tuple[str, Estimate] | None:
        """Name of the best detector on raw clips, and its AUC on whole clips."""
        best = text.best_raw(self.table3)
        score = self.table3["raw", best[0]].score if best is not None else None
        if best is None or score is None or "auc" not in score.clip:
            return None
        return best[0], score.clip["auc"]

    @property
    def acting(self) -> Score | None:
        """The shortcut's score that counts: trained where real clips talk, tested where they
        act."""
        cell = self._cells("shortcut").get((TALKING, ACTING))
        return cell.score if cell is not None else None

    def _cells(self, name: str) -> text.Cells:
        return next((r.table.by_place for r in self.results if r.table.name == name), {})


@holds_folder("out", KIND)
def write_report(
    dataset: Path,
    out: Path,
    context: ReportContext | None = None,
    *,
    experiments: Path | None = None,
    runs: Path | None = None,
) -> tuple[Path, tuple[str, ...]]:
    """Write the report of the dataset folder `dataset` into `out`.

    `experiments` is a folder written by `dfmnist experiment`: its tables and figures are shown.
    `runs` is a folder of training runs with their scores, for detectors trained by hand: Table 3
    and Figure 6 are made from them where `experiments` has none. The runs of `experiments` are
    listed where `runs` is None.

    Returns the page and its headline, a line each. Raises `InputError` for an unreadable dataset,
    run, audit or result, for results of another dataset, and for an `out` that holds something
    else.
    """
    context = context or ReportContext()
    with ExitStack() as stack:
        made = Path(stack.enter_context(TemporaryDirectory())) if runs is not None else None
        found = gather(dataset, experiments, runs, made)
        if context.synthetic is None:
            context = replace(context, synthetic=recorded_synthetic(found.manifest.root))
        page = _page(found, context, out)
    html = _environment(out).get_template("template.html").render(p=page)
    write_text(out / "index.html", html)
    _drop_unused(out, html)
    return out / "index.html", headline(found, context)


def gather(
    dataset: Path, experiments: Path | None, runs: Path | None, made: Path | None
) -> Evidence:
    """Read the dataset, its results and its runs; results of `runs` are written into `made`."""
    manifest = read_manifest(dataset)
    rejected = read_rejected(manifest.root)
    fingerprint = manifest_hash(manifest.root)
    audit = read_audit(manifest.root)
    folder = runs or (experiments / "runs" if experiments is not None else None)
    listed = finished_runs(folder, fingerprint) if folder is not None else []
    curves = [training_curve(run) for run in listed if is_whole(run)]
    stored: dict[str, StoredResult] = {}
    if runs is not None and made is not None:
        write_run_results(runs, manifest, made)
        stored |= {result.table.name: result for result in stored_results(made)}
    if experiments is not None:
        stored |= {result.table.name: result for result in stored_results(experiments)}
    results = tuple(stored[name] for name in ORDER if name in stored)
    liveness = _liveness_results(manifest.root, experiments)
    check_same_dataset((*results, *liveness), manifest)
    return Evidence(
        manifest,
        rejected,
        summarise(manifest, rejected),
        spoof_rates(manifest.clips, rejected),
        listed,
        curves,
        audit,
        fingerprint,
        results,
        liveness,
    )


def _liveness_results(dataset: Path, experiments: Path | None) -> tuple[StoredResult, ...]:
    """The results of `dfmnist liveness evaluate` beside the experiments, else in the dataset."""
    for root in (experiments, dataset):
        if root is not None and (found := liveness_results(root / LIVENESS_FOLDER)):
            return found
    return ()


def _environment(out: Path) -> jinja2.Environment:
    """The templates and the functions that they call."""

    def box(src: str) -> Markup:
        return Markup('width="{}" height="{}"').format(*size_of(out / src))

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(_resource),
        finalize=_on_the_page,
    )
    environment.globals |= {
        "box": box,
        "css": Markup(_resource("page.css")),
        "js": Markup(_resource("page.js")),
    }
    return environment


def _on_the_page(value: Any) -> Any:
    """A value as the page shows it: text without what would change its direction."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else on_one_line(value)


def _drop_unused(out: Path, html: str) -> None:
    """Remove files in `assets` that an earlier report left and this page does not show."""
    for path in (out / "assets").rglob("*"):
        if path.is_file() and f'"{path.relative_to(out).as_posix()}"' not in html:
            path.unlink()


def recorded_synthetic(root: Path) -> bool:
    """Whether the dataset was built of synthetic actors; False where that is not recorded."""
    path = root / "build.json"
    config = read_json_object(path).get("config") if path.is_file() else None
    return isinstance(config, dict) and config.get("synthetic") is True


def recorded_rule(root: Path) -> str:
    """The rule by which a dataset was screened; builds of before there were two had the paper's."""
    path = root / "build.json"
    config = read_json_object(path).get("config") if path.is_file() else None
    rule = config.get("screen") if isinstance(config, dict) else None
    return rule if rule in text.RULES else "paper"


def headline(found: Evidence, context: ReportContext) -> tuple[str, ...]:
    """The findings for a terminal, a line each."""
    summary = found.summary
    lines = [
        f"dataset: {summary.real} real and {summary.fake} fake clips of "
        f"{plural(summary.identities, 'person', 'people')}"
    ]
    kept, tried = text.totals(found.rates)
    if tried:
        lines.append(f"spoof rate: {kept} of {tried} ({percent(kept / tried)})")
    if found.audit is not None:
        state = "passed" if found.audit.passed else f"failed ({', '.join(found.audit.failed)})"
        protocol = found.audit.protocol
        auc = "not measured" if protocol is None else f"AUC {protocol.auc.value:.2f}"
        lines.append(f"audit: {state}, protocol {auc}")
    finding = _finding(found, context)
    return (*lines, ("not learnt: " if finding.not_learnt else "") + finding.text)


def _finding(found: Evidence, context: ReportContext) -> text.MainFinding:
    smoke = context.recipe == "smoke" or any(r.table.stamp for r in found.results)
    talks = text.only_talk(found.summary)
    return text.main_finding(found.table3, smoke=smoke, talks=talks, acting=found.acting)


def _resource(name: str) -> str:
    return files("dfmnist.reports").joinpath(name).read_text(encoding="utf-8")


def _page(found: Evidence, context: ReportContext, out: Path) -> dict[str, Any]:
    """The template's values, section by section."""
    paper = results_section(found.results, out, found.table3)
    liveness = liveness_section(found.liveness, out)
    samples = pick(found.manifest)
    shown = in_order(q for s in samples for q in s.fake)
    sample_rows = rows(found.manifest, samples, out, synthetic=bool(context.synthetic))
    page = {
        **_opening(found, context, sample_rows, paper),
        "clips_intro": text.CLIPS,
        "rows": sample_rows,
        "switch": [(q, sections.SHORT_TITLES.get(q, q)) for q in shown],
        "shown_quality": SHOWN_QUALITY if SHOWN_QUALITY in shown else next(iter(shown), ""),
        "dataset_text": text.dataset_text(found.summary),
        "splits_caption": sections.splits_caption(found.manifest.clips),
        "splits": sections.split_rows(found.summary, found.manifest.clips),
        "screening_text": text.screening(recorded_rule(found.manifest.root)),
        "strength": filter_strength(found.liveness, found.manifest.root),
        "spoof": sections.spoof_rows(found.rates, found.rejected),
        "liveness": liveness,
        "paper": paper,
        "training": _training(found.curves, out),
        "training_note": text.CURVES,
        **_rest(found, context, paper.common if paper else ()),
    }
    without = {name for name in ("liveness", "paper", "training") if page[name] is None}
    return {**page, "contents": [(id, name) for id, name in CONTENTS if id not in without]}


def _opening(
    found: Evidence,
    context: ReportContext,
    sample_rows: Sequence[ClipRow],
    paper: ResultsSection | None,
) -> dict[str, Any]:
    first = found.manifest.clips[0]
    header = header_of(found.manifest, first)
    size = f"{header.width} × {header.height} pixels, {header.duration_s:g} s"
    num_maps = sum(view.num_maps for view in paper.results) if paper else 0
    steps = text.steps(found.summary, found.rates, len(found.runs), num_maps, size)
    hero = opening_of(sample_rows)
    return {
        "title": context.title,
        "recipe": context.recipe,
        "lead": text.lead(synthetic=bool(context.synthetic)),
        "people": text.SYNTHETIC if context.synthetic else text.people_shown(first),
        "hero": text.opening_row(hero) if hero else None,
        "facts": text.facts(found.table3, found.summary, found.rates, found.audit),
        "finding": _finding(found, context),
        "path_intro": text.PATH,
        "path_alt": "The path of a clip: "
        + ", then ".join(f"{s.name.lower()} ({s.count})" for s in steps),
        "steps": steps,
    }


def _training(curves: Sequence[Curve], out: Path) -> sections.ChartImage | None:
    """Validation accuracy by epoch."""
    trained = [curve for curve in curves if curve.accuracy]
    if not trained:
        return None
    return sections.chart_image(training_curves(out / "assets" / "figures", trained), out)


def _rest(found: Evidence, context: ReportContext, said: Sequence[str]) -> dict[str, Any]:
    """The last sections; departures that are `said` above the tables are not said again."""
    return {
        "audit": sections.audit_cards(found.audit, found.best_auc) if found.audit else [],
        "audit_lines": sections.audit_lines(found.audit) if found.audit else [],
        "departures": [d for d in context.departures if d not in said],
        "citation": CITATION,
        "provenance": _provenance(found, context),
        "run_table": sections.run_rows(found.runs),
        "glossary": text.GLOSSARY,
        "footer": text.footer(__version__, synthetic=bool(context.synthetic)),
    }


def _provenance(found: Evidence, context: ReportContext) -> list[tuple[str, str]]:
    clips = found.manifest.clips
    first = header_of(found.manifest, clips[0])
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
