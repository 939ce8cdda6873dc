"""The page: links stay in its folder, nothing comes from the network, it says what is so."""

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.reports.conftest import write_table3_alone

from dfmnist.core.errors import InputError
from dfmnist.experiments import finished
from dfmnist.media.video import probe
from dfmnist.reports.page import ReportContext, recorded_synthetic, write_report

VOID = {"meta", "link", "img", "source", "br", "input", "path", "rect"}


class Page(HTMLParser):
    """Everything a test asks of the page's markup."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[int] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another tag"

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def article(html: str, name: str) -> str:
    """The words of one table or figure."""
    part = html[html.index(f'<article class="paper-sheet" id="{name}"') :]
    return Page(part[: part.index("</article>") + 10]).words


@pytest.fixture(scope="session")
def page(made: Any) -> Page:
    return Page(made.html)


@pytest.fixture(scope="session", params=["made", "whole"], ids=["runs", "experiments"])
def any_made(request: pytest.FixtureRequest) -> Any:
    """Each report, without and with experiments."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def any_page(any_made: Any) -> Page:
    return Page(any_made.html)


def links(page: Page) -> set[str]:
    names = {"src", "href", "poster", "srcset", "data-raw", "data-c23", "data-c40"}
    return {v for _, attrs in page.tags for k, v in attrs.items() if k in names and v}


def test_every_link_resolves_inside_the_folder(any_made: Any, any_page: Page) -> None:
    root = any_made.page.parent.resolve()
    ids = {attrs["id"] for _, attrs in any_page.tags if attrs.get("id")}
    files = {link for link in links(any_page) if not link.startswith(("#", "data:"))}
    assert len(files) > 20
    for link in files:
        target = (root / link).resolve()
        assert target.is_relative_to(root), link
        assert target.stat().st_size > 0, link
    for link in links(any_page):
        if link.startswith("#"):
            assert link[1:] in ids, link


def test_nothing_comes_from_the_network(any_made: Any, any_page: Page) -> None:
    assert not [link for link in links(any_page) if re.match(r"(https?:)?//", link)]
    assert "@import" not in any_made.html
    assert not re.search(r"url\(", any_made.html)
    assert "fetch(" not in any_made.html
    for chart in any_made.page.parent.rglob("*.svg"):
        outside = re.findall(r'(?:href|src)="(?!#)[^"]*"', chart.read_text(encoding="utf-8"))
        assert not outside, chart


def test_every_asset_is_used(any_made: Any, any_page: Page) -> None:
    used = links(any_page)
    for path in (any_made.page.parent / "assets").rglob("*"):
        if path.is_file():
            assert path.relative_to(any_made.page.parent).as_posix() in used, path


def test_headings_descend_by_one(any_page: Page) -> None:
    assert any_page.headings[0] == 1
    assert any_page.headings.count(1) == 1
    for before, after in zip(any_page.headings, any_page.headings[1:], strict=False):
        assert after <= before + 1


def test_ids_are_unique_and_tags_closed(any_page: Page) -> None:
    ids = [attrs["id"] for _, attrs in any_page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert any_page.open == []


def test_pictures_and_players_have_words(any_page: Page) -> None:
    for attrs in any_page.all("img"):
        assert attrs.get("alt"), attrs
    for attrs in any_page.all("svg"):
        assert attrs.get("aria-label"), attrs
    videos = any_page.all("video")
    assert len(videos) >= 6
    for attrs in videos:
        assert attrs.get("aria-label")
        assert {"muted", "loop", "controls", "playsinline"} <= set(attrs)
        assert "poster" in attrs or "src" not in attrs  # the quiz gets both from a script


def test_clips_play_in_browsers(made: Any) -> None:
    clips = sorted((made.page.parent / "assets" / "clips").glob("*.mp4"))
    assert {probe(clip).codec for clip in clips} == {"h264"}
    assert {probe(clip).pixel_format for clip in clips} == {"yuv420p"}


def test_page_says_that_nobody_is_real_and_nothing_is_measured(page: Page) -> None:
    assert "Everyone on this page is a synthetic actor" in page.words
    assert "nothing here measures how well a detector works in the real world" in page.words


def test_departures_are_listed_and_escaped(made: Any, page: Page) -> None:
    for sentence in made.departures:
        assert sentence in page.words
    assert "<not people>" not in made.html


def test_cells_that_were_not_run_say_so(made: Any, page: Page) -> None:
    table = article(made.html, "table3")
    # 15 cells; ResNet-50 on raw and c40 and MesoInception-4 on raw ran
    assert table.count("not run 1") == 12  # with the number of their note
    assert "dfmnist train DATASET --network NETWORK" in table
    assert "96.58%" in table
    assert "3 of 15 cells run" in page.words


def test_an_action_that_nothing_passes_reads_zero_of_n(page: Page) -> None:
    assert "Embarrassment 0 of 9" in page.words


def test_headline_names_the_best_detector(made: Any) -> None:
    assert made.headline[-1].startswith("On raw clips, ResNet-50 classifies 9")
    assert any(line.startswith("spoof rate: 6 of 19") for line in made.headline)


def test_not_learnt_is_said_plainly(
    made: Any, make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finished, "write_all", write_table3_alone)
    make_run(tmp_path / "runs", made.dataset, "resnet50", "raw", skill=0.0)
    context = ReportContext(synthetic=True)
    path, headline = write_report(made.dataset, tmp_path / "out", context, runs=tmp_path / "runs")
    assert headline[-1].startswith("not learnt: On raw clips ResNet-50, the best here, classifies")
    assert "Not learnt." in Page(path.read_text(encoding="utf-8")).words


def test_without_runs_nothing_is_claimed(made: Any, tmp_path: Path) -> None:
    context = ReportContext(synthetic=False)
    path, headline = write_report(made.dataset, tmp_path / "out", context)
    words = Page(path.read_text(encoding="utf-8")).words
    assert "no finding" in headline[-1]
    assert "The paper’s tables and figures" not in words
    assert "Everyone on this page is a synthetic actor" not in words
    assert "agreed as follows: drawn by a test" in words


def test_runs_on_another_dataset_are_left_out(
    made: Any, make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finished, "write_all", write_table3_alone)
    folder = make_run(tmp_path / "runs", made.dataset, "resnet50", "raw", skill=3.0)
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"manifest_hash": "0" * 64}))
    out = tmp_path / "out"
    stale = out / "assets" / "figures" / "old.svg"
    shutil.copytree(made.page.parent, out)
    stale.write_text("from an earlier report")
    _, headline = write_report(made.dataset, out, runs=tmp_path / "runs")
    assert not stale.exists()
    assert "no finding" in headline[-1]


def test_same_input_same_page(made: Any, tmp_path: Path) -> None:
    path, _ = write_report(made.dataset, tmp_path / "again", made.context, runs=made.runs)
    first = {p.relative_to(made.page.parent): p.read_bytes() for p in _files(made.page.parent)}
    second = {p.relative_to(path.parent): p.read_bytes() for p in _files(path.parent)}
    assert first == second


def _files(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()]


def test_a_folder_with_something_else_is_refused(made: Any, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        write_report(made.dataset, tmp_path, runs=made.runs)
    assert [p.name for p in tmp_path.iterdir()] == ["letters.txt"]


def test_a_broken_audit_is_one_line(made: Any, tmp_path: Path) -> None:
    copy = tmp_path / "dataset"
    shutil.copytree(made.dataset, copy)
    (copy / "audit.json").write_text('{"passed": true}')
    with pytest.raises(InputError, match=r"audit\.json: is no audit report"):
        write_report(copy, tmp_path / "out", runs=made.runs)


@pytest.mark.parametrize(
    ("text", "synthetic"),
    [('{"config": {"synthetic": true}}', True), ('{"config": [1]}', False), ("{}", False)],
)
def test_who_the_people_are_is_read_from_the_build(
    tmp_path: Path, text: str, synthetic: bool
) -> None:
    assert not recorded_synthetic(tmp_path)
    (tmp_path / "build.json").write_text(text)
    assert recorded_synthetic(tmp_path) is synthetic


def test_settings_of_a_build_that_are_no_object_are_refused(tmp_path: Path) -> None:
    (tmp_path / "build.json").write_text("[1]")
    with pytest.raises(InputError, match=r"build\.json: holds a list; expected a JSON object"):
        recorded_synthetic(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "no curve\n", "epoch,train_loss,val_accuracy\n1,a,b\n"], ids=["", "text", "words"]
)
def test_a_curve_that_cannot_be_drawn_is_named(made: Any, tmp_path: Path, text: str) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(made.runs, runs)
    for run in runs.iterdir():
        (run / "metrics.csv").write_text(text)
    with pytest.raises(InputError, match=r"metrics\.csv: cannot be read .*; expected the epochs"):
        write_report(made.dataset, tmp_path / "out", runs=runs)
