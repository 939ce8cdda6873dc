"""The tab that looks through a dataset: its clips, and its rejected attempts with the reasons."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from operator import add
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from markupsafe import Markup

from dfmnist.app import markup
from dfmnist.app.wiring import Components, at_once
from dfmnist.dataset.clip import Clip, Rejected
from dfmnist.dataset.manifest import Manifest, read_manifest, read_rejected

PER_PAGE = 12
"""Number of clips on a page of the tab."""
ALL = "all"
KEPT, REJECTED = "kept", "rejected"
T = TypeVar("T")


@dataclass(frozen=True)
class Wanted:
    """The clips that the user wants to see; `all` is no limit."""

    action: str = ALL
    quality: str = ALL
    label: str = ALL
    split: str = ALL
    person: str = ""
    """Text within the name of a person."""

    def takes(self, clip: Clip) -> bool:
        """Whether a clip is wanted."""
        return (
            self.quality in (ALL, clip.quality)
            and self._takes(clip)
            and any(self.person in name for name in clip.identities)
        )

    def takes_attempt(self, attempt: Rejected) -> bool:
        """Whether a rejected attempt is wanted; it has no quality yet."""
        return self._takes(attempt) and (self.person in attempt.source)

    def _takes(self, one: Clip | Rejected) -> bool:
        return (
            self.action in (ALL, one.action.value if one.action else "none")
            and self.label in (ALL, one.label)
            and self.split in (ALL, one.split)
        )


class BrowseTab:
    """What the tab does; `build` makes what it shows."""

    def __init__(self, dataset: Path) -> None:
        self.manifest: Manifest = read_manifest(dataset)
        self.rejected = read_rejected(self.manifest.root)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {clip.file_name: i for i, clip in enumerate(self.manifest.clips)}

    def file(self, number: int) -> Path | None:
        """The file of a clip by its number in the manifest; None where there is none."""
        if not 0 <= number < len(self.manifest.clips):
            return None
        path = self.manifest.path(self.manifest.clips[number])
        return path if path.is_file() else None

    def build(self) -> None:
        """Make the components, within the page."""
        clips = self.manifest.clips
        actions = _choices(c.action.value if c.action else "none" for c in clips)
        with gr.Row():
            verdict = gr.Dropdown([KEPT, REJECTED], value=KEPT, label="Screening")
            action = gr.Dropdown(actions, value=ALL, label="Action")
            quality = gr.Dropdown(_choices(c.quality for c in clips), value=ALL, label="Quality")
            label = gr.Dropdown([ALL, "real", "fake"], value=ALL, label="Label")
            split = gr.Dropdown(_choices(c.split for c in clips), value=ALL, label="Split")
            person = gr.Textbox("", label="Person", placeholder="part of a name")
        chosen: list[gr.Dropdown | gr.Textbox] = [verdict, action, quality, label, split, person]
        with gr.Row():
            back, forward = gr.Button("Back"), gr.Button("Next")
        page = gr.State(0)
        shown = gr.HTML(self.show(KEPT, ALL, ALL, ALL, ALL, "", 0)[0])
        for control in chosen:
            self._then_show(at_once(control.change, lambda: 0, [], [page]), chosen, page, shown)
        for button, step in ((back, -1), (forward, 1)):
            turned = at_once(button.click, partial(add, step), [page], [page])
            self._then_show(turned, chosen, page, shown)

    def _then_show(self, event: Any, chosen: Components, page: gr.State, shown: gr.HTML) -> None:
        at_once(event.then, self.show, [*chosen, page], [shown, page])

    def show(
        self, verdict: str, action: str, quality: str, label: str, split: str, person: str,
        page: int,
    ) -> tuple[str, int]:  # fmt: skip
        """The wanted clips or rejected attempts of one page, and its number within bounds."""
        wanted = Wanted(action, quality, label, split, person.strip())
        if verdict == REJECTED:
            return self._rejected([r for r in self.rejected if wanted.takes_attempt(r)], page)
        clips = [clip for clip in self.manifest.clips if wanted.takes(clip)]
        part, page, where = _page(clips, page)
        if not clips:
            return markup.note("No clip is like that."), page
        grid = Markup("").join(self._card(clip) for clip in part)
        return str(Markup('{}<div class="dfm grid">{}</div>').format(where, grid)), page

    def _card(self, clip: Clip) -> Markup:
        screened = ", ".join(f"{s.detector} {s.score:.2f}" for s in clip.screening)
        facts = [clip.action.value if clip.action else "", clip.quality, clip.split]
        facts += [clip.method] if clip.method else []
        driven = f"driven by {clip.driver}" if clip.driver else ""
        return Markup(
            '<figure class="dfm"><video src="dataset/clips/{}" controls preload="metadata" muted '
            'loop playsinline aria-label="{}"></video><figcaption><b class="{}">{}</b> {}'
            "<br>{} {}<br><small>{}</small></figcaption></figure>"
        ).format(
            self._numbers[clip.file_name], clip.clip_id, clip.label, clip.label,
            " · ".join(fact for fact in facts if fact), clip.source, driven, screened,
        )  # fmt: skip

    def _rejected(self, attempts: Sequence[Rejected], page: int) -> tuple[str, int]:
        part, page, where = _page(attempts, page)
        if not attempts:
            return markup.note("No attempt was rejected that is like that."), page
        rows = [
            (
                a.action.value if a.action else "",
                a.source,
                a.driver,
                a.split or "",
                _failed(a),
                a.reason,
            )
            for a in part
        ]
        head = ("Action", "Person", "Driver", "Split", "Rejected by", "Reason")
        told = markup.note("A rejected attempt's video is not kept; its reason is.")
        return f"{where}{told}{markup.table(head, rows)}", page


def _failed(attempt: Rejected) -> str:
    return ", ".join(s.detector for s in attempt.screening if not s.live)


def _choices(values: Iterable[str]) -> list[str]:
    return [ALL, *sorted(set(values))]


def _page(items: Sequence[T], page: int) -> tuple[Sequence[T], int, Markup]:
    """The items of one page, its number within bounds, and where it lies."""
    last = max(0, (len(items) - 1) // PER_PAGE)
    page = min(max(page, 0), last)
    first = page * PER_PAGE
    part = items[first : first + PER_PAGE]
    where = Markup('<p class="dfm">{} to {} of {}</p>').format(
        min(first + 1, len(items)), first + len(part), len(items)
    )
    return part, page, where
