"""Licences and consents of what is published; a clip that states none is not published."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dfmnist.core.errors import InputError
from dfmnist.core.text import on_one_line, plural
from dfmnist.dataset.clip import Clip

_SAME = (
    "AFL-3.0", "AGPL-3.0", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause", "BSD-3-Clause",
    "BSD-3-Clause-Clear", "BSL-1.0", "CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0",
    "CC-BY-NC-2.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0", "CC-BY-NC-ND-3.0", "CC-BY-NC-ND-4.0",
    "CC-BY-NC-SA-2.0", "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0", "CC-BY-SA-3.0",
    "CC-BY-SA-4.0", "CC0-1.0", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "CDLA-Sharing-1.0",
    "ECL-2.0", "EPL-1.0", "EPL-2.0", "etalab-2.0", "EUPL-1.1", "GPL-2.0", "GPL-3.0", "ISC",
    "LGPL-2.1", "LGPL-3.0", "LPPL-1.3c", "MIT", "MPL-2.0", "MS-PL", "NCSA", "OFL-1.1", "OSL-3.0",
    "PostgreSQL", "Unlicense", "WTFPL", "Zlib",
)  # fmt: skip
"""SPDX identifiers whose slug on Hugging Face is the same in lower case."""
_OTHERS = {
    "C-UDA-1.0": "c-uda", "ODC-By-1.0": "odc-by", "ODbL-1.0": "odbl", "PDDL-1.0": "pddl",
    "AGPL-3.0-only": "agpl-3.0", "AGPL-3.0-or-later": "agpl-3.0", "GPL-2.0-only": "gpl-2.0",
    "GPL-2.0-or-later": "gpl-2.0", "GPL-3.0-only": "gpl-3.0", "GPL-3.0-or-later": "gpl-3.0",
    "LGPL-2.1-only": "lgpl-2.1", "LGPL-2.1-or-later": "lgpl-2.1", "LGPL-3.0-only": "lgpl-3.0",
    "LGPL-3.0-or-later": "lgpl-3.0",
}  # fmt: skip
SLUGS = {name: name.lower() for name in _SAME} | _OTHERS
"""Slug that Hugging Face has for a licence, by the licence's SPDX identifier.

From https://huggingface.co/docs/hub/repositories-licenses.
"""
_PARTS = re.compile(r";(?![^(]*\))")
"""What parts the licences of several people in a statement: a semicolon outside brackets."""
_BY_LOWER_CASE = {name.lower(): name for name in SLUGS}


@dataclass(frozen=True)
class Terms:
    """What the clips of a dataset state, each text once, in alphabetical order."""

    licences: tuple[str, ...]
    consents: tuple[str, ...]

    @property
    def spdx(self) -> tuple[str, ...]:
        """SPDX identifiers of the licences; empty if one of them is not in `SLUGS`."""
        found = [spdx_of(part) for text in self.licences for part in _PARTS.split(text)]
        known = dict.fromkeys(name for name in found if name)
        return tuple(known) if all(found) else ()


def spdx_of(statement: str) -> str | None:
    """The SPDX identifier that a licence statement begins with; None if it says something else.

    A remark in brackets may follow: `CC0-1.0 (synthetic actors)` is CC0-1.0.
    """
    match = re.fullmatch(r"\s*([A-Za-z0-9.+-]+)\s*(\(.*\))?\s*", statement)
    return _BY_LOWER_CASE.get(match[1].lower()) if match else None


def terms_of(clips: Iterable[Clip]) -> Terms:
    """The licences and consents of `clips`."""
    both = {(clip.licence.strip(), clip.consent.strip()) for clip in clips}
    return Terms(tuple(sorted({a for a, _ in both})), tuple(sorted({b for _, b in both})))


def with_terms(
    clips: Sequence[Clip], licence: str, consent: str, where: object
) -> tuple[Clip, ...]:
    """`clips`, of which those that state no licence or consent get the given ones.

    Raises `InputError` that begins with `where` if a clip is then still without one of them.
    """
    given = {"licence": licence.strip(), "consent": consent.strip()}
    done = []
    for clip in clips:
        new = {name: text for name, text in given.items() if text and not getattr(clip, name)}
        done.append(clip.model_copy(update=new) if new else clip)
    for name in given:
        without = [clip for clip in done if not getattr(clip, name).strip()]
        if without:
            raise InputError.of(
                str(where),
                f"{plural(len(without), 'clip')} state no {name}, such as {without[0].file_name}",
                f"one for every clip that is published (--{name} states it for those without)",
            )
    return tuple(done)


def licence_lines(terms: Terms, *, link: bool) -> list[str]:
    """Lines of a card's front matter that name the licence as Hugging Face reads it.

    `link`: a licence without a slug is in `LICENSE.md` beside the card.
    """
    slugs = list(dict.fromkeys(SLUGS[name] for name in terms.spdx))
    if len(slugs) == 1:
        return [f"license: {slugs[0]}"]
    if slugs:
        return ["license:", *(f"- {slug}" for slug in slugs)]
    name = re.sub(r"[^a-z0-9.]+", "-", terms.licences[0].lower()).strip("-")[:60] or "other"
    several = "" if len(terms.licences) == 1 else "-and-others"
    lines = ["license: other", f"license_name: {json.dumps(name + several)}"]
    return lines + ["license_link: LICENSE.md"] * link


def licence_text(terms: Terms) -> str:
    """The text of `LICENSE.md`: what the clips state, word for word, each on one line."""
    links = [f"- {name}: {spdx_url(name)}" for name in terms.spdx]
    licences = [f"- {on_one_line(text)}" for text in terms.licences]
    consents = [f"- {on_one_line(text)}" for text in terms.consents]
    parts = [
        "# Licence and consent",
        "Each clip's record states both, in the columns `licence` and `consent`.",
        "## Licence\n\n" + "\n".join([*licences, *(["", "Texts:", "", *links] if links else [])]),
        "## Consent of the people shown\n\n" + "\n".join(consents),
    ]
    return "\n\n".join(parts) + "\n"


def spdx_url(name: str) -> str:
    """Address of the licence's text at SPDX."""
    return f"https://spdx.org/licenses/{name}.html"
