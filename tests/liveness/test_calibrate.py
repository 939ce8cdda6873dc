"""Bounds come from bona fide clips of the right people alone; figures count what they should."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from dfmnist.core.actions import TEN, Action
from dfmnist.core.errors import InputError
from dfmnist.liveness import universal
from dfmnist.liveness.action import RULES
from dfmnist.liveness.benchmark import figures, write_report
from dfmnist.liveness.calibrate import WIDEST, fit, is_wrong
from dfmnist.liveness.examples import BONA_FIDE, STILL, WARP, Example, as_json, from_json, plan
from dfmnist.liveness.movement import WORDS
from dfmnist.liveness.thresholds import judge
from dfmnist.stats.intervals import Rate


def _example(rng: np.random.Generator, identity: int, shown: Action, kind: str) -> Example:
    """Measures of about 1 at rest, of about 10 where the action (or what it contains) moves."""
    moved = {name: float(rng.uniform(0.5, 1.5)) for name in WORDS}
    for action in TEN:
        if not is_wrong(shown, action):
            moved |= {name: float(rng.uniform(8, 12)) for name in RULES[action][0]}
    low = 0.01 if kind == BONA_FIDE else 0.001
    values = {name: float(rng.uniform(1, 2)) for name in universal.MEASURES}
    values["planar_misfit"] = low * values["planar_misfit"]
    return Example(identity, shown, kind, moved, values, "")


def _clips(first: int, people: int, *kinds: str) -> list[Example]:
    rng = np.random.default_rng(first)
    return [
        _example(rng, first + i, shown, kind)
        for i in range(people)
        for shown in Action
        for kind in kinds
    ]


def test_every_clip_that_was_fitted_on_is_inside_its_action() -> None:
    clips = _clips(200_000, 6, BONA_FIDE)
    fitted = fit(clips, date(2030, 1, 2))
    for clip in clips:
        if clip.shown is not Action.TALK:
            assert judge(fitted.actions[clip.shown.value], clip.moved, WORDS)[1] == ""
    assert fitted.provenance["identity_seeds"] == list(range(200_000, 200_006))
    assert fitted.provenance["date"] == "2030-01-02"
    assert fitted.provenance["clips"] == 66


def test_bounds_are_widened_half_way_to_the_wrong_actions_and_no_further() -> None:
    clips = _clips(200_000, 6, BONA_FIDE)
    fitted = fit(clips)
    weakest = min(c.moved["eye_closure"] for c in clips if c.shown is Action.BLINK)
    bound = fitted.actions["blink"][0]
    factor = fitted.provenance["widening"]["blink"]
    assert bound.limit == pytest.approx(weakest / factor, rel=1e-3)
    assert 1.2 < factor <= WIDEST**0.5 + 1e-4
    near = [
        Example(c.identity, c.shown, c.kind, c.moved | {"roll_right_deg": 7.9}, c.passive, "")
        if c.shown is Action.LEFT_SLOPE
        else c
        for c in clips
    ]
    assert fit(near).provenance["widening"]["left_slope"] <= factor + 1e-4


def test_universal_bounds_miss_few_of_the_clips_they_were_fitted_on() -> None:
    clips = _clips(200_000, 12, BONA_FIDE)
    fitted = fit(clips)
    rejected = sum(bool(judge(fitted.universal, c.passive, universal.WORDS)[1]) for c in clips)
    assert rejected <= 0.08 * len(clips)


def test_other_people_attacks_and_too_few_are_refused() -> None:
    with pytest.raises(InputError, match="thresholds"):
        fit(_clips(400_000, 6, BONA_FIDE))
    with pytest.raises(InputError, match="attack"):
        fit(_clips(200_000, 6, BONA_FIDE, STILL))
    with pytest.raises(InputError, match="2 actors"):
        fit(_clips(200_000, 2, BONA_FIDE))


def test_figures_count_asked_wrong_and_attacks(tmp_path: Path) -> None:
    fitted = fit(_clips(200_000, 12, BONA_FIDE))
    held_out = _clips(400_000, 5, BONA_FIDE, STILL, WARP)
    lost = Example(400_004, Action.NOD, BONA_FIDE, {}, {}, "no face found")
    held_out = [
        lost if (e.identity, e.shown, e.kind) == (400_004, Action.NOD, BONA_FIDE) else e
        for e in held_out
    ]
    found = figures(held_out, fitted)
    assert found.asked(Action.NOD) == Rate(4, 5)  # a lost face is a rejection
    assert found.asked(Action.YAW) == Rate(5, 5)
    assert found.wrong(Action.BLINK).n == 5 * 10
    assert found.wrong(Action.OPEN_MOUTH).n == 5 * 9  # surprise contains it
    assert found.universal(STILL) == Rate(0, 55)
    assert found.universal(WARP) == Rate(0, 55)
    assert found.unseen == 1
    path = tmp_path / "SCREENING.md"
    write_report(found, fitted, path)
    path.write_text(path.read_text() + "What a person wrote.\n")
    write_report(found, fitted, path)
    page = path.read_text()
    assert page.count("What a person wrote.") == 1
    assert "| nod | screened | 4 of 5 (80.0%) |" in page
    assert "surprise contains open_mouth" in page
    assert "0 of 55" in page


def test_examples_are_planned_by_purpose_and_read_back(tmp_path: Path) -> None:
    jobs = plan(tmp_path, "evaluation", 2, with_attacks=True)
    assert len(jobs) == 22
    assert {job.identity for job in jobs} == {400_000, 400_001}
    assert len({job.film.path for job in jobs}) == 22
    with pytest.raises(InputError, match="0 actors"):
        plan(tmp_path, "thresholds", 0, with_attacks=False)
    example = _clips(200_000, 1, BONA_FIDE)[3]
    assert from_json(as_json(example)) == example
