"""Bounds come from bona fide clips of the right people alone; what error rates count."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from dfmnist.actors.film import FilmJob, truth_paths
from dfmnist.core.actions import TEN, Action
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, write_json
from dfmnist.faces.pose import Signals
from dfmnist.liveness import measured_clips, universal
from dfmnist.liveness.action import RULES, is_wrong
from dfmnist.liveness.benchmark import BY_HAND, error_rates, page, rates_record, write_page
from dfmnist.liveness.calibrate import (
    MIRRORED,
    OTHER_SIDE,
    PLACED,
    WIDEST_FACE,
    WIDEST_POSE,
    fit_thresholds,
)
from dfmnist.liveness.measured_clips import (
    ATTACKS,
    BONA_FIDE,
    STILL,
    MeasuredClip,
    measure_performance,
    plan_clips,
)
from dfmnist.liveness.measures import TITLES
from dfmnist.liveness.thresholds import check_bounds, shipped_thresholds
from dfmnist.stats.intervals import Rate


def _example(rng: np.random.Generator, identity: int, shown: Action, kind: str) -> MeasuredClip:
    """Measures of about 1 at rest, of about 10 where the action (or what it contains) moves."""
    moved = {name: float(rng.uniform(0.5, 1.5)) for name in TITLES}
    for action in TEN:
        if not is_wrong(shown, action):
            own = {name for name in (RULES[action].own,) if name} - set(RULES[action].reach)
            moved |= {name: float(rng.uniform(8, 12)) for name in (*RULES[action].reach, *own)}
    low = 0.01 if kind == BONA_FIDE else 0.001
    values = {name: float(rng.uniform(1, 2)) for name in universal.MEASURES}
    values["planar_misfit"] = low * values["planar_misfit"]
    return MeasuredClip(identity, shown, kind, moved, values, "", bool(identity % 2))


def _clips(first: int, people: int, *kinds: str) -> list[MeasuredClip]:
    rng = np.random.default_rng(first)
    return [
        _example(rng, first + i, shown, kind)
        for i in range(people)
        for shown in Action
        for kind in kinds
    ]


def test_every_clip_that_was_fitted_on_is_inside_its_action() -> None:
    clips = _clips(200_000, 6, BONA_FIDE)
    fitted = fit_thresholds(clips, date(2030, 1, 2))
    for clip in clips:
        if clip.shown is not Action.TALK:
            assert check_bounds(fitted.actions[clip.shown.value], clip.movement, TITLES)[1] == ""
    assert fitted.provenance["identity_seeds"] == list(range(200_000, 200_006))
    assert fitted.provenance["date"] == "2030-01-02"
    assert fitted.provenance["clips"] == 66


def test_bounds_are_widened_part_of_the_way_to_wrong_actions_and_no_further() -> None:
    clips = _clips(200_000, 6, BONA_FIDE)
    fitted = fit_thresholds(clips)
    weakest = min(c.movement["eye_closure"] for c in clips if c.shown is Action.BLINK)
    bound = fitted.actions["blink"][0]
    factor, *rest = fitted.provenance["widening"]["blink"]
    assert bound.limit == pytest.approx(weakest / factor, rel=1e-3)
    assert 1.2 < factor <= WIDEST_FACE**PLACED + 1e-4
    assert len(rest) == len(RULES[Action.BLINK].still)
    assert all(1 <= further <= WIDEST_POSE**PLACED + 1e-4 for further in rest)
    assert max(fitted.provenance["widening"]["yaw"]) > WIDEST_FACE**PLACED  # the head's angles


def test_a_movement_that_no_actor_makes_keeps_a_bound_that_people_can_meet() -> None:
    clips = _clips(200_000, 6, BONA_FIDE)
    still = RULES[Action.BLINK].still[0]
    for clip in clips:
        if clip.shown is Action.BLINK:
            clip.movement[still] = 0.0
    bounds = fit_thresholds(clips).actions["blink"]
    (bound,) = (bound for bound in bounds if bound.measure == still)
    factor = fit_thresholds(clips).provenance["widening"]["blink"][bounds.index(bound)]
    assert bound.limit == pytest.approx(1e-4 * factor, rel=1e-3)


def test_clips_that_show_the_action_beside_another_do_not_narrow_its_bounds() -> None:
    clips = _clips(200_000, 6, BONA_FIDE)
    blinks = {c.identity: c for c in clips if c.shown is Action.BLINK}

    def widened(beside: frozenset[Action]) -> float:
        """The widening of the mouth's bound in a blink, where those who smile blink as well."""
        near = [
            replace(c, movement=blinks[c.identity].movement | {"mouth_opening": 1.6}, beside=beside)
            if c.shown is Action.SMILE
            else c
            for c in clips
        ]
        names = [name for name, _, _ in RULES[Action.BLINK].fitted]
        widening = fit_thresholds(near).provenance["widening"]["blink"]
        return float(widening[names.index("mouth_opening")])

    assert widened(frozenset()) < 1.2
    assert widened(frozenset({Action.BLINK})) > 1.5


def test_what_an_actor_does_beside_the_action_counts_neither_way() -> None:
    fitted = fit_thresholds(_clips(200_000, 12, BONA_FIDE))
    clips = _clips(400_000, 5, BONA_FIDE)
    blinks = {c.identity: c.movement for c in clips if c.shown is Action.BLINK}
    natural = [
        replace(c, movement=blinks[c.identity], beside=frozenset({Action.BLINK}))
        if (c.shown, c.identity) == (Action.TALK, 400_002)
        else c
        for c in clips
    ]
    found = error_rates(natural, fitted)
    assert found.accepted_wrong(Action.BLINK) == Rate(0, 5 * 10 - 1)
    assert found.beside[Action.BLINK] == Rate(1, 1)
    assert found.accepted[Action.BLINK, Action.TALK].n == 4
    assert found.beside[Action.NOD].n == 0


def test_bounds_of_the_lips_are_widened_against_those_who_talk() -> None:
    clips = _clips(200_000, 6, BONA_FIDE)
    nods = {c.identity: c for c in clips if c.shown is Action.NOD}

    def fitted(shown: Action) -> float:
        """The widening of the lips' speed in a nod, where `shown` nods too and talks a bit."""
        near = [
            replace(c, movement=nods[c.identity].movement | {"mouth_speed": 1.6})
            if c.shown is shown
            else c
            for c in clips
        ]
        names = [name for name, _, _ in RULES[Action.NOD].fitted]
        widening = fit_thresholds(near).provenance["widening"]["nod"]
        return float(widening[names.index("mouth_speed")])

    assert fitted(Action.YAW) > 1.5
    assert fitted(Action.TALK) < 1.2


def test_bounds_that_wrong_actions_nearly_reach_stay_where_they_are() -> None:
    clips = _clips(200_000, 6, BONA_FIDE)
    weakest = min(  # of either side
        max(c.movement["roll_left_deg"], c.movement["roll_right_deg"])
        for c in clips
        if c.shown in OTHER_SIDE
    )
    slopes = {c.identity: c for c in clips if c.shown is Action.LEFT_SLOPE}
    near = [  # talkers who tilt the head nearly as far as the weakest slope, and move as little
        replace(c, movement=slopes[c.identity].movement | {"roll_left_deg": 0.98 * weakest})
        if c.shown is Action.TALK
        else c
        for c in clips
    ]
    found = fit_thresholds(near)
    assert found.provenance["widening"]["left_slope"][0] == 1.0
    bounds = found.actions["left_slope"]
    assert all(check_bounds(bounds, c.movement, TITLES)[1] for c in near if c.shown is Action.TALK)
    assert fit_thresholds(clips).provenance["widening"]["left_slope"][0] > 1.2


def test_mirror_images_have_the_same_bounds() -> None:
    clips = _clips(200_000, 6, BONA_FIDE)
    small = [  # those who tilt the head to the right do so by a quarter
        replace(c, movement=c.movement | {"roll_right_deg": c.movement["roll_right_deg"] / 4})
        if c.shown is Action.RIGHT_SLOPE
        else c
        for c in clips
    ]
    found = fit_thresholds(small).actions
    right, left = (found[action.value] for action in OTHER_SIDE)
    assert [b.limit for b in right] == [b.limit for b in left]
    assert [MIRRORED.get(b.measure, b.measure) for b in right] == [b.measure for b in left]


def test_universal_bounds_miss_few_of_the_clips_they_were_fitted_on() -> None:
    clips = _clips(200_000, 12, BONA_FIDE)
    fitted = fit_thresholds(clips)
    defined = {b.measure: b.limit for b in fitted.universal if b.measure in universal.DEFINED}
    assert defined == universal.DEFINED
    rejected = sum(
        bool(check_bounds(fitted.universal, c.universal, universal.TITLES)[1]) for c in clips
    )
    assert rejected <= 0.08 * len(clips)


def test_other_people_attacks_and_too_few_are_refused() -> None:
    with pytest.raises(InputError, match="thresholds"):
        fit_thresholds(_clips(400_000, 6, BONA_FIDE))
    with pytest.raises(InputError, match="attack"):
        fit_thresholds(_clips(200_000, 6, BONA_FIDE, STILL))
    with pytest.raises(InputError, match="2 actors"):
        fit_thresholds(_clips(200_000, 2, BONA_FIDE))


def test_error_rates_count_requested_wrong_and_attacks(tmp_path: Path) -> None:
    fitted = fit_thresholds(_clips(200_000, 12, BONA_FIDE))
    held_out = _clips(400_000, 5, BONA_FIDE, *ATTACKS)
    lost = MeasuredClip(400_004, Action.NOD, BONA_FIDE, {}, {}, "no face found")
    held_out = [
        lost if (e.identity, e.shown, e.kind) == (400_004, Action.NOD, BONA_FIDE) else e
        for e in held_out
    ]
    found = error_rates(held_out, fitted)
    assert found.accepted_right(Action.NOD) == Rate(4, 5)  # a lost face is a rejection
    assert found.accepted_right(Action.YAW) == Rate(5, 5)
    assert found.accepted_wrong(Action.BLINK).n == 5 * 10
    assert found.accepted_wrong(Action.OPEN_MOUTH).n == 5 * 9  # surprise contains it
    for kind in ATTACKS:
        assert found.universal_errors(kind) == Rate(0, 55)
        assert found.both[kind] == Rate(0, 50)
    assert found.by_manner[Action.NOD, False] == Rate(2, 3)
    assert found.by_manner[Action.NOD, True] == Rate(2, 2)
    assert rates_record(found)["both_detectors"][STILL] == {"errors": {"count": 0, "n": 50}}  # type: ignore[index]
    assert found.without_face == 1
    path = tmp_path / "SCREENING.md"
    write_page(found, fitted, path)
    path.write_text(path.read_text() + "What a person wrote.\n")
    write_page(found, fitted, path)
    text = path.read_text()
    assert text.count("What a person wrote.") == 1
    assert "| nod | paper | 2 of 3 (66.7%) | 2 of 2 (100.0%) |" in text
    assert "surprise contains open_mouth" in text
    assert "0 of 55 [0.0, 6.5]" in text  # Wilson: 1.96² / (55 + 1.96²)


def test_the_page_in_the_docs_has_the_generated_words_and_the_shipped_bounds() -> None:
    rates = error_rates(_clips(400_000, 2, BONA_FIDE, *ATTACKS), shipped_thresholds())
    docs = Path(__file__).resolve().parents[2] / "docs" / "SCREENING.md"
    found = docs.read_text(encoding="utf-8").split(BY_HAND)[0].splitlines()
    made = page(rates, shipped_thresholds()).splitlines()
    bounds = made.index("## The bounds")
    assert found[found.index("## The bounds") : -1] == made[bounds:]

    def words(lines: list[str]) -> list[str]:
        return [line for line in lines if not any(c.isdigit() for c in line)]

    assert words(found[:-1]) == words(made)


def test_clips_are_planned_by_purpose_and_read_back(tmp_path: Path) -> None:
    jobs = plan_clips(tmp_path, "evaluation", 2, with_attacks=True)
    assert len(jobs) == 22
    assert {job.identity for job in jobs} == {400_000, 400_001}
    assert len({job.film.path for job in jobs}) == 22
    assert [job.lively for job in jobs] == [False] * 11 + [True] * 11
    assert [job.with_attacks for job in jobs].count(True) == 5
    assert all(job.lively for job in plan_clips(tmp_path, "thresholds", 1, with_attacks=False))
    with pytest.raises(InputError, match="0 actors"):
        plan_clips(tmp_path, "thresholds", 0, with_attacks=False)


def test_a_record_holds_signals_and_is_not_made_again(
    tmp_path: Path, make_signals: Callable[..., Signals], monkeypatch: pytest.MonkeyPatch
) -> None:
    (job, *_) = plan_clips(tmp_path, "evaluation", 1, with_attacks=False)
    found = make_signals(yaw_deg=np.linspace(-20, 20, 50))
    found.gaze_down[3] = np.nan
    filmed: list[Path] = []

    def film(job: FilmJob) -> Path:
        filmed.append(job.path)
        for path in (job.path, *truth_paths(job.path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return job.path

    blank = np.zeros((50, 8, 8, 3), np.uint8)
    monkeypatch.setattr(measured_clips, "film", film)
    monkeypatch.setattr(measured_clips, "mtcnn", lambda: None)
    monkeypatch.setattr(measured_clips, "read_frames", lambda path: blank)
    monkeypatch.setattr(measured_clips, "crop_clip", lambda *_: (blank, None))
    monkeypatch.setattr(measured_clips, "track", lambda frames: ())
    monkeypatch.setattr(measured_clips, "signals", lambda meshes: found)
    monkeypatch.setattr(universal, "measure", lambda *_: {"planar_misfit": 0.5})
    (clip,) = measure_performance(job)
    assert clip.movement["yaw_range_deg"] == pytest.approx(40, abs=2)
    assert clip.universal == {"planar_misfit": 0.5}
    assert measure_performance(job) == [clip]
    assert len(filmed) == 1
    assert not list(job.film.path.parent.iterdir())  # the film is deleted
    record = next((tmp_path / "measures").iterdir())
    write_json(record, read_json(record) | {"version": 1})
    measure_performance(job)
    assert len(filmed) == 2
