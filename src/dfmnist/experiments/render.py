"""Views of a result: Markdown, LaTeX with booktabs, and tidy rows for a Parquet file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from dfmnist.core.files import atomic_path, write_text
from dfmnist.core.text import UNDEFINED, latex_escape, markdown_escape, markdown_table
from dfmnist.experiments.results import ResultCell, ResultTable, SeedScore, write_result
from dfmnist.stats.binary_metrics import NAMES


def cell_text(cell: ResultCell) -> str:
    """What a cell says: `93.1% [90.2, 95.4]`, `+2.1 (−0.3 to +4.5)`, `3 of 7`, a word, `not run`.

    Several seeds give `93.1 ± 0.4% [90.2, 95.4]`; a face region's share `31% (2.1×)`.
    """
    if cell.state == "not run":
        return "not run"
    if cell.state == "paper" or cell.value is None:
        return cell.text or UNDEFINED
    if cell.unit == "count":
        return f"{cell.value:,.0f}" + ("" if cell.n is None else f" of {cell.n:,}")
    if cell.unit == "points":
        found = cell.estimate
        bounds = f" ({points(found.low)} to {points(found.high)})" if found else ""
        return points(cell.value) + bounds
    if cell.region is not None:
        times = cell.region.times_area
        return f"{cell.value:.0%}" + ("" if times is None else f" ({times:.1f}×)")
    return _share(cell)


def points(share: float) -> str:
    """A difference of shares in percentage points: `+2.1`, with a true minus sign."""
    return f"{share * 100:+.1f}".replace("-", "−")


def _share(cell: ResultCell) -> str:
    value = (cell.value or 0.0) * 100
    text = f"{value:.1f}%" if cell.spread is None else f"{value:.1f} ± {cell.spread * 100:.1f}%"
    if (found := cell.estimate) is not None:
        text += f" [{found.low * 100:.1f}, {found.high * 100:.1f}]"
    return text


def write_table(folder: Path, table: ResultTable, more: Sequence[str] = ()) -> ResultTable:
    """Write all views of `table` into `folder`, then `result.json`, which names them.

    Returns the table with those names. Its pictures lie in the folder already, and so do `more`
    files that it names.
    """
    names = tuple(f"{table.name}.{kind}" for kind in ("md", "tex", "parquet"))
    table = ResultTable.model_validate(dict(table) | {"files": (*names, *more)})
    write_text(folder / names[0], markdown(table))
    write_text(folder / names[1], latex(table))
    with atomic_path(folder / names[2]) as temporary:
        tidy(table).write_parquet(temporary)
    write_result(folder, table)
    return table


def markdown(table: ResultTable, beside: str = "") -> str:
    """The table as GitHub's Markdown: ours, under it the paper's, footnotes, picture, sentences.

    `beside` is the path from the page to the picture's folder, with a slash at its end.
    """
    lines, notes, cells = [f"# {table.title}", ""], table.footnotes, table.by_place
    if table.columns:
        rows = [
            [row.title, *(_md_cell(cells.get((row.key, c.key)), notes) for c in table.columns)]
            for row in table.rows
        ]
        lines.append(markdown_table(["", *(c.title for c in table.columns)], rows).rstrip())
    lines += ["", *(f"{n}. {markdown_escape(note)}" for n, note in enumerate(notes, 1))]
    if table.picture is not None:
        lines += ["", f"![{markdown_escape(table.picture.alt)}]({beside}{table.picture.file})"]
    lines += ["", *(f"{sentence}\n" for sentence in table.sentences)]
    return "\n".join(lines).rstrip() + "\n"


def _md_cell(cell: ResultCell | None, notes: Sequence[str]) -> str:
    if cell is None:
        return UNDEFINED
    marks = ",".join(str(notes.index(n) + 1) for n in cell.notes)
    text = cell_text(cell) + (f" <sup>{marks}</sup>" if marks else "")
    return text + (f"<br>*paper: {cell.paper.text}*" if cell.paper else "")


def latex(table: ResultTable) -> str:
    """The table with booktabs: a line of ours and a line of the paper's for each row."""
    body, kind = _tabular(table) if table.columns else [], "table" if table.columns else "figure"
    if table.picture is not None and not table.columns:
        body = [rf"\includegraphics[width=\linewidth]{{{table.picture.file}}}"]
    notes = [
        rf"\textsuperscript{{{n}}}~{latex_escape(t)}." for n, t in enumerate(table.footnotes, 1)
    ]
    small = [
        r"\par\smallskip\raggedright\footnotesize",
        *notes,
        *map(latex_escape, table.sentences),
    ]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs,graphicx}",
            rf"\begin{{{kind}*}}",
            r"\centering",
            rf"\caption{{{latex_escape(table.heading)}.}}",
            rf"\label{{{kind[:3]}:{table.name}}}",
            *body,
            *small,
            rf"\end{{{kind}*}}",
            "",
        ]
    )


def _tabular(table: ResultTable) -> list[str]:
    notes, cells = table.footnotes, table.by_place
    lines = [
        # smaller where it is too wide, never larger
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        " & ".join(["", *(latex_escape(c.title) for c in table.columns)]) + r" \\",
        r"\midrule",
    ]
    for row in table.rows:
        found = [cells.get((row.key, column.key)) for column in table.columns]
        ours = [_tex_cell(cell, notes) if cell else "--" for cell in found]
        lines.append(" & ".join([latex_escape(row.title), *ours]) + r" \\")
        if any(cell and cell.paper for cell in found):
            papers = [cell.paper if cell else None for cell in found]
            theirs = [rf"\textit{{{latex_escape(p.text)}}}" if p else "" for p in papers]
            lines.append(" & ".join([r"\quad\textit{paper}", *theirs]) + r" \\")
    return [*lines, r"\bottomrule", r"\end{tabular}}"]


def _tex_cell(cell: ResultCell, notes: Sequence[str]) -> str:
    marks = ",".join(str(notes.index(n) + 1) for n in cell.notes)
    return latex_escape(cell_text(cell)) + (rf"\textsuperscript{{{marks}}}" if marks else "")


SCHEMA: dict[str, Any] = {
    "experiment": pl.String, "row": pl.String, "column": pl.String, "status": pl.String,
    "seed": pl.Int64, "unit": pl.String, "measure": pl.String, "value": pl.Float64,
    "low": pl.Float64, "high": pl.Float64, "n": pl.Int64, "people": pl.Int64, "text": pl.String,
    "chance": pl.Float64, "paper": pl.Float64, "paper_text": pl.String,
    "paper_read_off": pl.Boolean, "paper_place": pl.String, "network": pl.String,
    "trained_on": pl.String, "trained_quality": pl.String, "started_from": pl.String,
    "tested_on": pl.String, "tested_quality": pl.String, "frames_per_clip": pl.Int64,
    "size_px": pl.Int64, "steps": pl.Int64, "initialisation": pl.String, "run": pl.String,
    "area": pl.Float64, "times_area": pl.Float64, "left_out": pl.Int64, "clips": pl.Int64,
    "remarks": pl.String, "reason": pl.String, "manifest": pl.String,
}  # fmt: skip
"""Columns of the tidy rows. A detector's cell has a row for each seed, unit (`frame`, `clip`) and
measure, and the paper's value stands beside the frame accuracy, which is what the paper gives. Any
other cell is one row, whose measure is the cell's unit; one that was not run has a reason."""


def tidy(table: ResultTable) -> pl.DataFrame:
    """The table as rows with the columns of `SCHEMA`: one row per cell.

    A table without cells has one row per shown clip.
    """
    about = {"experiment": table.name, "manifest": table.manifest_hash or None}
    if not table.cells and table.tiles:
        return pl.DataFrame([{**about, **dict(tile)} for tile in table.tiles])
    if not table.cells:
        reason = " ".join(table.sentences)
        return pl.DataFrame([{**about, "status": "not run", "reason": reason}], schema=SCHEMA)
    rows = [{**about, **row} for cell in table.cells for row in _cell_rows(cell, table.stamp)]
    return pl.DataFrame(rows, schema=SCHEMA)


def _cell_rows(cell: ResultCell, stamp: str) -> list[dict[str, Any]]:
    base: dict[str, Any] = {"row": cell.row, "column": cell.column, "status": cell.state}
    paper: dict[str, Any] = {}
    if cell.paper is not None:
        paper = {
            "paper": cell.paper.value, "paper_text": cell.paper.text,
            "paper_read_off": cell.paper.read_off, "paper_place": cell.paper.place,
        }  # fmt: skip
    notes = "; ".join(cell.notes)
    if not cell.ran:
        return [{**base, **paper, "reason": notes.removeprefix("not run: ")}]
    if cell.state == "run":
        base["status"] = stamp or "run"
    base["remarks"] = notes
    if cell.score is not None:
        return [row for seed in cell.score.seeds for row in _seed_rows(base, paper, cell, seed)]
    region = {} if cell.region is None else dict(cell.region)
    values = {"value": cell.value, "low": cell.low, "high": cell.high, "text": cell.text or None}
    counts = {"n": cell.n, "people": cell.groups}
    return [{**base, **paper, **values, **counts, **region, "measure": cell.unit}]


def _seed_rows(
    base: dict[str, Any], paper: dict[str, Any], cell: ResultCell, seed: SeedScore
) -> list[dict[str, Any]]:
    assert cell.score is not None
    about = base | cell.score.model_dump(exclude={"seeds", "learnt"})
    about |= seed.model_dump(include={"seed", "steps", "initialisation", "run"})
    return [
        {**about, **(paper if (unit, name) == ("frame", "accuracy") else {}), "unit": unit,
         "measure": name, "value": found.value, "low": found.low, "high": found.high,
         "n": found.n, "people": found.groups}
        for unit, metrics in (("frame", seed.frame), ("clip", seed.clip))
        for name in NAMES
        if (found := metrics.get(name)) is not None
    ]  # fmt: skip
