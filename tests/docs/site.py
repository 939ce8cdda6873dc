"""What the built site loads: `python tests/docs/site.py site` fails if it is from another host.

A link to another host is fine, since a reader chooses to follow it. Scripts, styles, pictures,
fonts and frames have to lie in the site.
"""

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {
    "audio": "src", "embed": "src", "iframe": "src", "img": "src", "input": "src", "link": "href",
    "object": "data", "script": "src", "source": "src", "track": "src", "video": "src",
    "image": "href", "use": "href",
}  # fmt: skip
"""Attribute of each element whose address a browser loads by itself."""
NOT_LOADED = ("alternate", "author", "canonical", "edit", "help", "license", "next", "prev")
"""Relations of `<link>` that a browser does not load."""
STYLE_ADDRESS = re.compile(r"(?:url\(|@import)\s*[\"']?([^\"')\s;]+)")


class _Addresses(HTMLParser):
    """Collects the addresses that a page loads, and those of its own pages that it links to."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._in_style = tag == "style"
        relations = values.get("rel", "").split()
        if tag in LOADED and not set(relations) & set(NOT_LOADED):
            self.loaded += filter(None, [values.get(LOADED[tag]), values.get("poster")])
            self.loaded += [part.split()[0] for part in values.get("srcset", "").split(",") if part]
        self.loaded += STYLE_ADDRESS.findall(values.get("style", ""))
        if tag == "a" and not urlsplit(values.get("href", "")).scheme:
            self.linked.append(values.get("href", ""))

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.loaded += STYLE_ADDRESS.findall(data)


def foreign(site: Path) -> Iterator[str]:
    """What a page or style of the site loads from another host, or what is not there."""
    for path in sorted(site.rglob("*.html")):
        found = _Addresses()
        found.feed(path.read_text("utf-8"))
        for address in found.loaded:
            yield from _problem(site, path, address)
        for address in found.linked:
            if address and not address.startswith("#"):
                yield from _problem(site, path, address)
    for path in sorted(site.rglob("*.css")):
        for address in STYLE_ADDRESS.findall(path.read_text("utf-8")):
            yield from _problem(site, path, address)


def _problem(site: Path, page: Path, address: str) -> Iterator[str]:
    parts = urlsplit(address)
    where = f"{page.relative_to(site)}: {address}"
    if parts.scheme == "data":
        return
    if parts.scheme or parts.netloc:
        yield f"{where}: from another host"
    elif parts.path and not _file(site, page, unquote(parts.path)).exists():
        yield f"{where}: not in the site"


def _file(site: Path, page: Path, path: str) -> Path:
    return site / path[1:] if path.startswith("/") else page.parent / path


if __name__ == "__main__":
    problems = list(foreign(Path(sys.argv[1])))
    if problems:
        sys.exit("\n".join(problems))
    print(f"{sys.argv[1]}: everything that the pages load lies in it")
