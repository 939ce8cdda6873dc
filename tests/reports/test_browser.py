"""The report in Chromium: nothing in the console, nothing missing, usable by keyboard and phone.

Skipped where no Chromium or Chrome is installed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.reports import chrome

PHONE, DESK = (390, 844), (1280, 900)
WATCH_SHIFTS = """
window.shifted = 0;
window.moved = [];
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) {
    window.shifted += entry.value;
    for (const {node, previousRect: from, currentRect: to} of entry.sources)
      window.moved.push([node && (node.outerHTML || node.data).slice(0, 80), from.y, to.y]);
  }
}).observe({type: "layout-shift", buffered: true});
"""
LOAD_ALL = """
(async () => {
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  for (const image of document.images) image.loading = "eager";
  await Promise.all([...document.images].map(image => image.decode().catch(() => 0)));
  return [...document.images].filter(i => !i.naturalWidth).map(i => i.currentSrc);
})()
"""
FOCUS = """
(() => {
  const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
  return {
    tag: at.tagName, text: at.textContent.trim().slice(0, 40), href: at.getAttribute("href"),
    outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
    seen: box.width > 0 && box.right > 0 && box.bottom > 0,
  };
})()
"""
COLOURS = "getComputedStyle(document.body).backgroundColor"
CHART = "document.querySelector('picture img').currentSrc.split('/').pop()"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chrome.Tab]:
    executable = chrome.find()
    if executable is None:
        pytest.skip("no Chromium or Chrome is installed")
    with chrome.browser(executable, tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture(scope="module", params=["runs", "experiments", "example"])
def page(request: pytest.FixtureRequest) -> Path:
    """A report on runs, one on experiments, and the one that is kept in the docs."""
    if request.param == "example":
        return Path(__file__).parents[2] / "docs" / "example-report" / "index.html"
    path: Path = request.getfixturevalue("made" if request.param == "runs" else "whole").page
    return path


@pytest.fixture(scope="module")
def full(whole: Any) -> str:
    """Address of the report with experiments."""
    return str(whole.page.as_uri())


@pytest.mark.parametrize(
    ("size", "theme"), [(PHONE, "light"), (DESK, "dark")], ids=["phone-light", "desk-dark"]
)
def test_nothing_is_wrong_missing_fetched_or_too_wide(
    tab: chrome.Tab, page: Path, size: tuple[int, int], theme: str
) -> None:
    tab.open(page.as_uri(), *size, theme=theme)
    assert tab.js(LOAD_ALL) == []
    assert tab.js("document.images.length") > 8
    assert tab.errors() == []
    asked = [e["request"]["url"] for e in tab.told("Network.requestWillBeSent")]
    assert len(asked) > 5
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert tab.told("Network.loadingFailed") == []
    assert tab.js("document.documentElement.scrollWidth") <= size[0]


def test_a_mistake_would_be_seen(tab: chrome.Tab, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text(
        "<img src=gone.png alt=''><div style='width:3000px'>wide</div><script>nothing()</script>"
    )
    tab.open((tmp_path / "bad.html").as_uri(), *PHONE)
    assert any("ERR_FILE_NOT_FOUND" in text for text in tab.errors())
    assert any("Uncaught" in text for text in tab.errors())
    assert len(tab.js(LOAD_ALL)) == 1
    assert tab.js("document.documentElement.scrollWidth") > PHONE[0]


def test_nothing_moves_while_it_loads(tab: chrome.Tab, full: str) -> None:
    script = tab.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH_SHIFTS)
    tab.open(full, *DESK)
    tab.js(
        "(async () => { for (let y = 0; y < document.body.scrollHeight; y += 600) {"
        " scrollTo({top: y, behavior: 'instant'});"
        " await new Promise(done => setTimeout(done, 30)); } })()"
    )
    shifted, moved = tab.js("[window.shifted, window.moved]")
    tab.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])
    # a good page has less than 0.1: https://web.dev/articles/cls
    assert shifted < 0.02, moved


def test_the_first_tiles_have_their_places_before_the_others_are_read(
    tab: chrome.Tab, full: str
) -> None:
    tab.open(full, *DESK)
    places = tab.js("""(() => {
      const tiles = [...document.querySelectorAll(".hero .tile")];
      const places = [];
      for (; tiles.length; tiles.pop().remove())
        places.push(tiles.map(tile => JSON.stringify(tile.getBoundingClientRect())));
      return places;
    })()""")
    assert [len(tiles) for tiles in places] == [3, 2, 1]
    assert all(tiles == places[0][: len(tiles)] for tiles in places)


def test_the_keyboard_reaches_everything_and_is_seen(tab: chrome.Tab, full: str) -> None:
    tab.open(full, *DESK)
    tab.press("Tab")
    first = tab.js(FOCUS)
    assert (first["href"], first["seen"]) == ("#main", True)
    stops = []
    for _ in range(400):
        tab.press("Tab")
        at = tab.js(FOCUS)
        if at["tag"] == "BODY":
            break
        stops.append(at)
        # a player's own controls draw their focus within it
        assert at["outline"] >= 2 or at["tag"] in ("VIDEO", "INPUT"), at
    hrefs = [s["href"] for s in stops if s["href"]]
    wanted = tab.js("[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))")
    folded = tab.js(
        "[...document.querySelectorAll('details:not([open]) a')].map(a => a.getAttribute('href'))"
    )
    assert set(wanted) - {"#main"} <= set(hrefs) | set(folded)
    assert [s["text"] for s in stops if s["tag"] == "SUMMARY"]
    assert {"Dark", "Pause", "Another pair"} & {s["text"] for s in stops if s["tag"] == "BUTTON"}


def test_the_skip_link_skips(tab: chrome.Tab, full: str) -> None:
    tab.open(full, *DESK)
    tab.press("Tab")
    tab.press("Enter")
    assert tab.js("document.activeElement.id") == "main"
    tab.press("Tab")
    assert tab.js("document.getElementById('main').contains(document.activeElement)")


def test_navigation_marks_the_section_that_is_read(tab: chrome.Tab, full: str) -> None:
    tab.open(full, *DESK)
    for name in ("dataset", "paper", "fairness"):
        tab.js(
            f"document.getElementById('{name}').scrollIntoView({{behavior: 'instant'}});"
            "new Promise(done => setTimeout(done, 150))"
        )
        marked = tab.js(
            "[...document.querySelectorAll('nav.contents [aria-current]')].map(a => a.hash)"
        )
        assert marked == [f"#{name}"]


def test_wide_tables_scroll_in_their_own_box(tab: chrome.Tab, full: str) -> None:
    tab.open(full, *PHONE)
    boxes = tab.js(
        "[...document.querySelectorAll('#table3 > .scroll, .scroll:has(.maps)')]"
        ".map(b => ({stop: b.tabIndex, wide: b.scrollWidth > b.clientWidth + 1,"
        " how: getComputedStyle(b).overflowX}))"
    )
    assert boxes
    assert boxes[0] == {"stop": 0, "wide": True, "how": "auto"}
    assert all((box["stop"] == 0) == box["wide"] for box in boxes)


def test_theme_follows_the_system_and_can_be_chosen(tab: chrome.Tab, full: str) -> None:
    light, dark = "rgb(250, 249, 246)", "rgb(17, 20, 25)"
    tab.open(full, *DESK, theme="dark")
    tab.js(LOAD_ALL)
    assert tab.js(COLOURS) == dark
    assert tab.js(CHART).endswith("-dark.svg")
    tab.js("document.getElementById('theme').click()")
    tab.js(LOAD_ALL)
    assert tab.js(COLOURS) == light
    assert tab.js(CHART).endswith("-light.svg")
    tab.js("localStorage.clear()")
    tab.open(full + "?theme=dark", *DESK, theme="light")
    tab.js(LOAD_ALL)
    assert tab.js(COLOURS) == dark
    assert tab.js(CHART).endswith("-dark.svg")
    tab.call("Emulation.setEmulatedMedia", media="print")
    assert tab.js(COLOURS) == "rgb(255, 255, 255)"
    assert tab.js("getComputedStyle(document.querySelector('nav.contents')).display") == "none"


def test_clips_play_and_change_quality(tab: chrome.Tab, full: str) -> None:
    tab.open(full, *DESK)
    played = tab.js(
        "(async () => { const video = document.querySelector('article .tile.fake video');"
        " await video.play(); const first = video.videoWidth;"
        " document.getElementById('q-c40').click();"
        " await new Promise(done => video.addEventListener('loadeddata', done, {once: true}));"
        " return [first, video.videoWidth, video.currentSrc.endsWith('-c40.mp4')]; })()"
    )
    assert played == [64, 64, True]
    assert tab.errors() == []
