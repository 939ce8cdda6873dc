"""What the page says of the result."""

from dataclasses import replace
from typing import Any

import pytest
from tests.reports.experiments import ran, score

from dfmnist.dataset.audit import BrokenFile, read_audit
from dfmnist.reports import text
from dfmnist.reports.sections import audit_cards, audit_lines
from dfmnist.stats.intervals import Estimate


def cells(model: str, value: float) -> text.Cells:
    return {("raw", model): ran("raw", model, value, value - 0.05, value + 0.05, model)}


def test_where_real_clips_only_talk_the_action_is_named_as_a_cause() -> None:
    acting = score([0.515], 0.465, 0.565, "mesoinception4")
    found = cells("mesoinception4", 0.73)
    told = text.main_finding(found, talks=True, acting=acting).text
    assert "classifies 73.0% of single frames correctly" in told
    assert "may be the action and not the forgery" in told
    assert "MesoInception-4 is right on 51.5% of frames (46.5 to 56.5%)" in told
    assert "action" not in text.main_finding(found, acting=acting).text


def test_the_finding_is_the_best_detectors() -> None:
    """The demo's ResNet-50 guesses beside a detector that works: that is no "not learnt"."""
    found = text.main_finding(cells("resnet50", 0.5) | cells("efficientnet_lite0", 0.77))
    assert not found.not_learnt
    assert found.text.startswith("On raw clips, EfficientNet-Lite0 classifies 77.0%")
    assert "Over whole raw clips it ranks fakes above real ones with an AUC of" in found.text


@pytest.mark.parametrize(("value", "learnt"), [(0.66, True), (0.64, False)])
def test_resnet_learnt_where_its_lower_bound_is_above_chance(value: float, learnt: bool) -> None:
    assert text.main_finding(cells("resnet50", value)).not_learnt is not learnt


@pytest.mark.parametrize(
    ("low", "people", "beats"), [(0.99, 3, True), (0.01, 3, False), (0.99, 1, False)]
)
def test_a_detector_beats_the_signal_with_its_lower_bound(
    made: Any, low: float, people: int, beats: bool
) -> None:
    report = read_audit(made.dataset)
    assert report is not None
    signal = audit_cards(report, ("resnet50", Estimate(0.995, low, 1.0, 6, people)))[-1]
    assert ("ResNet-50 on raw clips beats this: AUC 0.99" in signal.verdict) is beats
    assert signal.bad is not beats


def test_the_page_says_what_the_audit_found(made: Any) -> None:
    report = read_audit(made.dataset)
    assert report is not None
    lines = audit_lines(report)
    assert [line.check for line in lines] == ["Broken files", "People", "Near-duplicates"]
    assert not any(line.bad for line in lines)
    assert all(line.said in made.html for line in lines)
    broken = replace(
        report, passed=False, failed=("files",), broken=(BrokenFile("a.mp4", "is cut"),),
        protocol=None, signal={},
    )  # fmt: skip
    assert audit_cards(broken, None) == []
    first = audit_lines(broken)[0]
    assert first.bad
    assert first.said.endswith("cannot be read, such as a.mp4 (is cut)")
    tile = text._audit_fact(broken)
    assert (tile.number, tile.more) == ("failed", "failed: files; see “Is the comparison fair?”")
    old = replace(report, people=None, copies=None, broken=None)
    assert audit_lines(old) == []
