"""Pieces of HTML and SVG for the page; every text is escaped."""

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from dfmnist.app.work import Progress
from dfmnist.detectors.verdict import FaceVerdict, FileVerdict, Word

WORDS: dict[Word, str] = {
    "fake": "Fake",
    "real": "No sign of a fake",
    "outside": "Outside what this detector knows",
    "none": "No verdict",
}
"""The verdicts in the page's words."""
WIDTH, HEIGHT = 640, 150
"""Size of a timeline."""
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 10, 28
"""Margins of a timeline around its plot."""


def note(text: str, kind: str = "note") -> str:
    """A line of text; `kind` is note, good, bad or doubt."""
    return str(Markup('<p class="dfm {}" role="status">{}</p>').format(kind, text))


def progress(step: Progress) -> str:
    """How far the work is, as a bar."""
    if step.share is None or step.total is None:
        return note(f"{step.stage} …")
    count = f"{step.done:.0f} of {step.total:.0f}"
    return str(
        Markup(
            '<p class="dfm" role="status">{} · {}</p>'
            '<progress class="dfm" max="1" value="{:.3f}" aria-label="{}"></progress>'
        ).format(step.stage, count, step.share, step.stage)
    )


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table."""
    head = Markup("").join(Markup("<th>{}</th>").format(h) for h in headings)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row)
        )
        for row in rows
    )
    return str(
        Markup(
            '<div class="dfm scroll"><table><thead><tr>{}</tr></thead>'
            "<tbody>{}</tbody></table></div>"
        ).format(head, body)
    )


def verdict(found: FileVerdict, threshold: float) -> str:
    """The verdict on a file, and for each face its verdict, interval and timeline."""
    return str(_headline(found)) + faces(found.faces, threshold)


def faces(found: Iterable[FaceVerdict], threshold: float) -> str:
    """The verdict on each face with its interval and timeline."""
    parts = []
    for face in found:
        bounds = (
            "" if face.low is None or face.high is None else f" [{face.low:.3f}, {face.high:.3f}]"
        )
        like = (
            ""
            if face.unlikeness is None
            else f", features at {face.unlikeness:.2f} of the limit of what it knows"
        )
        parts.append(
            Markup('<h4 class="dfm">Face {}: {}</h4><p class="dfm">P(fake) {:.3f}{}{}</p>').format(
                face.face, WORDS[face.verdict], face.p_fake, bounds, like
            )
        )
        if len(face.timeline) > 1:
            parts.append(timeline(face, threshold))
    return str(Markup("").join(parts))


def _headline(found: FileVerdict) -> Markup:
    kind = {"fake": "bad", "real": "good"}.get(found.verdict, "doubt")
    looked = f"{found.looked_at} of {found.num_frames} frames looked at"
    what = "photo" if found.kind == "photo" else f"{found.duration_s:.1f} s, {looked}"
    passed = f", {found.passed_over} more faces seen too rarely" if found.passed_over else ""
    return Markup('<p class="dfm verdict {}" role="status"><b>{}</b> ({}{})</p>').format(
        kind, WORDS[found.verdict], what, passed
    )


def timeline(face: FaceVerdict, threshold: float) -> Markup:
    """P(fake) of each frame of a face over time, as a picture with a text for screen readers."""
    moments = face.timeline
    first, last = moments[0].time_s, moments[-1].time_s
    span = max(last - first, 1e-9)
    inner_w, inner_h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(time_s: float, p: float) -> tuple[float, float]:
        return LEFT + (time_s - first) / span * inner_w, TOP + (1 - p) * inner_h

    line = " ".join(
        "{:.1f},{:.1f}".format(*place(moment.time_s, moment.p_fake)) for moment in moments
    )
    dots = Markup("").join(
        Markup('<circle cx="{:.1f}" cy="{:.1f}" r="4" class="decided"/>').format(
            *place(moment.time_s, moment.p_fake)
        )
        for moment in face.decided
    )
    limit = place(first, threshold)[1]
    ticks = Markup("").join(
        Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
            LEFT - 6, place(first, p)[1] + 4, f"{p:g}"
        )
        for p in (0.0, 0.5, 1.0)
    )
    decided = ", ".join(f"{m.time_s:.1f} s ({m.p_fake:.2f})" for m in face.decided)
    spoken = (
        f"P(fake) of face {face.face} from {first:.1f} to {last:.1f} seconds; decided at {decided}"
    )
    return Markup(
        '<svg class="dfm timeline" viewBox="0 0 {w} {h}" role="img" aria-label="{spoken}">'
        '<rect x="{l}" y="{t}" width="{iw}" height="{ih}" class="frame"/>'
        '<line x1="{l}" x2="{r}" y1="{limit:.1f}" y2="{limit:.1f}" class="limit"/>'
        '<polyline points="{line}" class="line"/>{dots}{ticks}'
        '<text x="{l}" y="{base}">{first:.1f} s</text>'
        '<text x="{r}" y="{base}" text-anchor="end">{last:.1f} s</text>'
        '<text x="{mid}" y="{base}" text-anchor="middle">P(fake) over time; dots decided; '
        "dashes: fake from here on</text></svg>"
    ).format(
        w=WIDTH, h=HEIGHT, spoken=spoken, l=LEFT, t=TOP, iw=inner_w, ih=inner_h, r=WIDTH - RIGHT,
        limit=limit, line=line, dots=dots, ticks=ticks, base=HEIGHT - 8, first=first, last=last,
        mid=LEFT + inner_w / 2,
    )  # fmt: skip
