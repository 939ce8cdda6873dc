"""A table in Markdown and in LaTeX, each cell beside the paper's."""

from collections.abc import Sequence
from dataclasses import dataclass

from dfmnist.experiments.cells import Cell
from dfmnist.experiments.paper import MODEL_TITLES, PaperValue
from dfmnist.experiments.plan import Plan

NOT_RUN = "not run"
_TITLES = {
    **MODEL_TITLES,
    "c23": "light (c23)",
    "c40": "heavy (c40)",
    "DeepFake MNIST+": "this dataset",
    "on DeepFake MNIST+": "on this dataset",
}


@dataclass(frozen=True)
class Entry:
    """A cell in words."""

    ours: str
    paper: str = ""
    """Empty: the paper gives none."""
    notes: tuple[str, ...] = ()
    """Footnotes."""


@dataclass(frozen=True)
class Sheet:
    """A table to be written; a figure's numbers too."""

    name: str
    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    entries: dict[tuple[str, str], Entry]
    sentences: tuple[str, ...] = ()
    """Under the table: what differs from the paper, what the numbers are."""
    picture: str = ""
    """File name beside it."""
    alt: str = ""

    @property
    def footnotes(self) -> tuple[str, ...]:
        """Every note of a cell once, in reading order; numbered from 1."""
        order = [(row, column) for row in self.rows for column in self.columns]
        notes = (n for key in order if key in self.entries for n in self.entries[key].notes)
        return tuple(dict.fromkeys(notes))


def title_of(name: str) -> str:
    """A row's or column's name as people read it."""
    return " → ".join(_TITLES.get(part, part) for part in name.split("->"))


def percent(value: float) -> str:
    """`93.1%`."""
    return f"{value * 100:.1f}%"


def entry_of(cell: Cell) -> Entry:
    """`93.1% [90.2, 95.4]`, several seeds `93.1 ± 0.4% [90.2, 95.4]`, or `not run`."""
    paper = printed(cell.spec.paper)
    if (accuracy := cell.accuracy) is None:
        return Entry(NOT_RUN, paper, (f"{NOT_RUN}: {cell.reason}",))
    text = percent(accuracy.value)
    if cell.spread is not None:
        text = f"{accuracy.value * 100:.1f} ± {cell.spread * 100:.1f}%"
    text += f" [{accuracy.low * 100:.1f}, {accuracy.high * 100:.1f}]"
    return Entry(text, paper, cell.remarks)


def printed(published: PaperValue | None) -> str:
    """The paper's value in words."""
    return "" if published is None else published.percent


def sheet_of(plan: Plan, cells: Sequence[Cell], sentences: Sequence[str]) -> Sheet:
    """The table of a plan's cells."""
    return Sheet(
        plan.name,
        plan.title,
        tuple(dict.fromkeys(title_of(c.spec.row) for c in cells)),
        tuple(dict.fromkeys(title_of(c.spec.column) for c in cells)),
        {(title_of(c.spec.row), title_of(c.spec.column)): entry_of(c) for c in cells},
        tuple(sentences),
    )


def markdown(sheet: Sheet) -> str:
    """The table as GitHub's Markdown: ours, under it the paper's, footnotes, sentences."""
    lines = [f"# {sheet.title}", ""]
    if sheet.columns:
        lines.append("| | " + " | ".join(_md(c) for c in sheet.columns) + " |")
        lines.append("|---|" + "---|" * len(sheet.columns))
    notes = sheet.footnotes
    for row in sheet.rows if sheet.columns else ():
        texts = []
        for column in sheet.columns:
            entry = sheet.entries.get((row, column))
            if entry is None:
                texts.append("–")
                continue
            marks = ",".join(str(notes.index(n) + 1) for n in entry.notes)
            text = _md(entry.ours) + (f" <sup>{marks}</sup>" if marks else "")
            texts.append(text + (f"<br>*paper: {_md(entry.paper)}*" if entry.paper else ""))
        lines.append(f"| {_md(row)} | " + " | ".join(texts) + " |")
    lines += ["", *(f"{n}. {_md(note)}" for n, note in enumerate(notes, 1))]
    if sheet.picture:
        lines += ["", f"![{_md(sheet.alt)}]({sheet.picture})"]
    lines += ["", *(f"{sentence}\n" for sentence in sheet.sentences)]
    return "\n".join(lines).rstrip() + "\n"


def latex(sheet: Sheet) -> str:
    """The same with booktabs: a line of ours and a line of the paper's for each row."""
    caption = _tex(sheet.title.split(": ", 1)[-1][:1].upper() + sheet.title.split(": ", 1)[-1][1:])
    body = _tabular(sheet) if sheet.columns else []
    if sheet.picture and not sheet.columns:
        body = [rf"\includegraphics[width=\linewidth]{{{sheet.picture}}}"]
    kind = "table" if sheet.columns else "figure"
    notes = [rf"\textsuperscript{{{n}}}~{_tex(t)}." for n, t in enumerate(sheet.footnotes, 1)]
    small = [r"\par\smallskip\raggedright\footnotesize", *notes, *map(_tex, sheet.sentences)]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs,graphicx}",
            rf"\begin{{{kind}*}}",
            r"\centering",
            rf"\caption{{{caption}.}}",
            rf"\label{{{kind[:3]}:{sheet.name}}}",
            *body,
            *small,
            rf"\end{{{kind}*}}",
            "",
        ]
    )


def _tabular(sheet: Sheet) -> list[str]:
    notes = sheet.footnotes
    lines = [
        # smaller where it is too wide, never larger
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * len(sheet.columns)}}}",
        r"\toprule",
        " & ".join(["", *(_tex(c) for c in sheet.columns)]) + r" \\",
        r"\midrule",
    ]
    for row in sheet.rows:
        found = [sheet.entries.get((row, column)) for column in sheet.columns]
        ours = [_tex_entry(entry, notes) if entry else "--" for entry in found]
        lines.append(" & ".join([_tex(row), *ours]) + r" \\")
        if any(entry and entry.paper for entry in found):
            theirs = [rf"\textit{{{_tex(e.paper)}}}" if e and e.paper else "" for e in found]
            lines.append(" & ".join([r"\quad\textit{paper}", *theirs]) + r" \\")
    return [*lines, r"\bottomrule", r"\end{tabular}}"]


def _tex_entry(entry: Entry, notes: Sequence[str]) -> str:
    marks = ",".join(str(notes.index(n) + 1) for n in entry.notes)
    return _tex(entry.ours) + (rf"\textsuperscript{{{marks}}}" if marks else "")


def _md(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")


_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"$\sim$", "^": r"\textasciicircum{}",
    "→": r"$\rightarrow$", "±": r"$\pm$", "×": r"$\times$", "–": "--", "−": "$-$",
    "[": "{[}", "]": "{]}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def _tex(text: str) -> str:
    text = "".join(_TEX.get(c, c) for c in text.replace("--", "-\0-"))
    return text.replace("\0", "{}")  # two hyphens of an option would set a dash
