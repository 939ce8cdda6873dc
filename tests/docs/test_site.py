"""The documentation as a site: it builds without a warning, and loads nothing from another host."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from tests.docs.site import foreign
from tests.reports import chrome

ROOT = Path(__file__).resolve().parents[2]
FOUND = """
[...document.querySelectorAll("*")].flatMap(element =>
  [...element.shadowRoot?.querySelectorAll("a, input") ?? []].map(inner => inner.href ?? "input"))
"""
"""What the search shows, which stands in a tree of its own: its results, and where one types."""


def shown(tab: chrome.Tab, part: str) -> bool:
    """Wait until the search shows something whose address holds `part`; False if it does not."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if any(part in address for address in tab.js(FOUND)):
            return True
        time.sleep(0.1)
    return False


def nav_of(entries: object) -> list[str]:
    """Every page that a site's navigation names."""
    if isinstance(entries, str):
        return [entries]
    parts = entries.values() if isinstance(entries, dict) else entries
    return [page for part in parts for page in nav_of(part)]  # type: ignore[union-attr]


def test_every_page_is_in_the_navigation() -> None:
    """A page that is not there is found by the search alone."""
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    pages = {page for page in pages if page.parts[0] != "example-report"}
    named = nav_of(config["nav"])
    assert len(set(named)) == len(named)
    assert set(map(Path, named)) == pages
    assert config["theme"]["font"] is False


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        ('<script src="https://cdn.example/a.js">', "from another host"),
        ('<link rel="stylesheet" href="//cdn.example/a.css">', "from another host"),
        ('<img srcset="b.png 1x, https://cdn.example/b.png 2x">', "from another host"),
        ("<style>@import 'https://cdn.example/c.css';</style>", "from another host"),
        ('<p style="background: url(https://cdn.example/d.png)">', "from another host"),
        ('<a href="gone.html">', "not in the site"),
    ],
)
def test_what_comes_from_elsewhere_is_named(tmp_path: Path, page: str, problem: str) -> None:
    (tmp_path / "b.png").touch()
    (tmp_path / "page.html").write_text(page)
    (found,) = foreign(tmp_path)
    assert found.startswith("page.html: ")
    assert found.endswith(problem)


def test_links_and_own_files_are_no_problem(tmp_path: Path) -> None:
    (tmp_path / "own.js").touch()
    (tmp_path / "page.html").write_text(
        '<script src="/own.js"></script><img src="data:image/png;base64,AA">'
        '<a href="https://example.org">elsewhere</a><a href="#here">here</a>'
    )
    assert list(foreign(tmp_path)) == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as `make docs` builds it."""
    pytest.importorskip("zensical", reason="the extra docs is not installed (make docs)")
    copy = tmp_path_factory.mktemp("repository")
    for name in ("docs", "src"):
        (copy / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "mkdocs.yml", copy)
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    made = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    shutil.copytree(ROOT / "docs" / "example-report", copy / "site" / "example-report",
                    dirs_exist_ok=True)  # fmt: skip
    return copy / "site"


@pytest.mark.soak
def test_the_site_loads_nothing_from_another_host(site: Path) -> None:
    assert list(foreign(site)) == []
    reference = (site / "api.html").read_text("utf-8")
    for name in ("load", "build", "animate", "demo", "train", "score", "evaluate", "detect"):
        assert f".{name}" in reference


@pytest.mark.soak
@pytest.mark.parametrize("width", [1200, 500])
def test_the_site_in_a_browser(site: Path, tmp_path: Path, width: int) -> None:
    """Opened as files: no error, no request to a host, no page wider than the window, a search."""
    executable = chrome.find()
    if executable is None:
        pytest.skip("no Chromium or Chrome is installed")
    with chrome.browser(executable, tmp_path) as tab:
        for page in sorted(site.rglob("*.html")):
            if "example-report" in page.parts or page.name == "404.html":
                continue
            tab.open(page.as_uri(), width, 900)
            where = page.relative_to(site)
            assert tab.errors() == [], where
            asked = [event["request"]["url"] for event in tab.told("Network.requestWillBeSent")]
            assert all(url.startswith(("file:", "data:", "about:")) for url in asked), asked
            assert tab.js("document.documentElement.scrollWidth") <= width, where
        tab.open((site / "index.html").as_uri(), width, 900)
        tab.js("document.querySelector('.md-search__button').click()")
        assert shown(tab, "input")
        tab.call("Input.insertText", text="liveness")
        assert shown(tab, "LIVENESS.html")
