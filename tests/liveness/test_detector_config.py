"""What `--detector` takes, and the settings that are refused, each in one line."""

import json
import re
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from dfmnist.core.actions import Action
from dfmnist.core.errors import InputError
from dfmnist.faces.pose import Signals
from dfmnist.liveness.answer import AnswerRules
from dfmnist.liveness.chosen import choose_detectors
from dfmnist.liveness.clip_file import ClipFile
from dfmnist.liveness.detector_config import (
    CommandDetector,
    HttpDetector,
    PythonDetector,
    detector_key,
    parse_detector,
    read_detector,
)
from dfmnist.liveness.thresholds import shipped_thresholds, write_thresholds

TOML = """
kind = "http"
name = "my-service"
authorisation = "I run this service."
url = "https://liveness.example/v1"
send = "frames"
[headers]
Authorization = "Bearer ${TOKEN}"
[answer]
live = "result.0.verdict"
live_values = ["genuine"]
attack_values = ["spoof"]
score = "result.0.spoof_score"
higher_is_live = false
"""


def test_a_file_a_program_and_a_function(tmp_path: Path) -> None:
    path = tmp_path / "service.toml"
    path.write_text(TOML)
    config = parse_detector(str(path))
    assert isinstance(config, HttpDetector)
    assert config.variables == ("TOKEN",)
    again = tmp_path / "service.json"
    again.write_text(json.dumps(config.model_dump(mode="json")))
    assert read_detector(again) == config
    command = parse_detector("command:python3 'my check.py' --clip {clip}")
    assert isinstance(command, CommandDetector)
    assert command.command == ("python3", "my check.py", "--clip", "{clip}")
    assert command.name == "my_check"
    assert parse_detector(f"python:my.checks:{'judge' * 9}").name == "judge" * 8  # 40 letters
    function = parse_detector("python:my.checks:judge")
    assert isinstance(function, PythonDetector)
    assert (function.name, function.function) == ("judge", "my.checks:judge")
    assert parse_detector("action").name == "action"


def test_the_times_that_the_docs_name_are_the_defaults(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "LIVENESS.md").read_text()
    (program,) = re.findall(r"after (\d+) seconds, or `timeout_s`", page)
    (service,) = re.findall(r"timeout_s = (\d+) +# the default", page)
    (tmp_path / "service.toml").write_text(TOML)
    found = [parse_detector(text) for text in ("command:check", str(tmp_path / "service.toml"))]
    assert [getattr(one, "timeout_s", None) for one in found] == [float(program), float(service)]


def test_limits_leave_the_key_alone(tmp_path: Path) -> None:
    path = tmp_path / "service.toml"
    path.write_text(TOML)
    config = read_detector(path)
    assert isinstance(config, HttpDetector)
    limits = config.model_copy(update={"budget": 7, "timeout_s": 1.0, "authorisation": "x" * 20})
    assert detector_key(limits) == detector_key(config)
    rules = config.model_copy(update={"answer": AnswerRules(live="ok")})
    assert detector_key(rules) != detector_key(config)
    assert rules.request_key == config.request_key
    assert (
        config.model_copy(update={"url": "https://other.example"}).request_key != config.request_key
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("actoin", "is no known detector; expected action, universal,"),
        ("command:", "is empty; expected module:function or a command line"),
        ("command:'a", "No closing quotation"),
        ("python:judge", "names no function; expected module:function"),
        ("gone.toml", "gone.toml: no such file"),
        ("gone.json", "gone.json: no such file"),
    ],
)
def test_a_wrong_word_is_one_line(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        parse_detector(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "http"', 'kind = "soap"', "soap"),
        ('name = "my-service"', 'name = "universal"', "name 'universal' is built in"),
        ('name = "my-service"', 'name = "../x"', "name: String should match"),
        ('authorisation = "I run this service."', "", "authorisation: Field required"),
        ("https://liveness.example/v1", "ftp://x/", "expected http:// or https://"),
        ("https://liveness.example/v1", "https://me:pw@x/", "neither a password nor a query"),
        ("https://liveness.example/v1", "https://x/?key=1", "neither a password nor a query"),
        ("https://liveness.example/v1", "http://x.example/", "secrets are sent over https alone"),
        ("Bearer ${TOKEN}", "Bearer abc", "expected its secret from a variable"),
        ('send = "frames"', 'send = "fax"', "send"),
        ('send = "frames"', "budgett = 3", "budgett"),
        ('send = "frames"', "timeout_s = inf", "timeout_s"),
        ('["genuine"]', "[]", "`live_values` is empty"),
        ('attack_values = ["spoof"]', "", "`attack_values` is needed"),
        ('["spoof"]', '["genuine"]', "stands in `live_values` and in"),
        ("[answer]", "[answer]\nthreshold = 0.5", "one of them decides"),
        ("[answer]", "[answer", "is not valid TOML"),
    ],
)  # fmt: skip
def test_unsafe_or_undecided_settings_are_refused(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "service.toml"
    assert old in TOML
    path.write_text(TOML.replace(old, new, 1))
    with pytest.raises(InputError, match=r"service\.toml: ") as caught:
        read_detector(path)
    assert message in str(caught.value)
    assert "abc" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rules", "answer", "live", "score"),
    [
        ({}, {"live": True}, True, 1.0),
        ({}, {"live": False}, False, 0.0),
        ({"live_values": [False]}, {"live": False}, True, 1.0),
        ({"live": "a.1.b", "score": "s"}, {"a": [0, {"b": True}], "s": 3}, True, 3.0),
        ({"live": "code", "live_values": [0], "attack_values": [1, 2]}, {"code": 2}, False, 0.0),
        ({"live": "", "score": "s", "threshold": 0.4}, {"s": 0.4}, True, 0.4),
        ({"live": "", "score": "s", "threshold": 0.4, "higher_is_live": False},
         {"s": 0.5}, False, 0.5),
        ({"score": "s", "higher_is_live": False}, {"live": True, "s": 0.25}, True, 0.75),
    ],
)  # fmt: skip
def test_rules_find_the_decision(
    rules: dict[str, Any], answer: Any, live: bool, score: float
) -> None:
    found = AnswerRules.model_validate(rules).read(answer)
    assert (found.live, found.score) == (live, score)


def test_true_is_not_one() -> None:
    with pytest.raises(ValidationError, match="needed"):
        AnswerRules(live_values=(1,))
    with pytest.raises(ValueError, match="'live' is 1; expected one of true"):
        AnswerRules().read({"live": 1})


def test_thresholds_reach_the_built_in_detectors_and_their_keys(tmp_path: Path) -> None:
    shipped = shipped_thresholds()
    lax = {
        name: tuple(replace(b, limit=0.0 if b.kind == "least" else 1e6) for b in bounds)
        for name, bounds in shipped.actions.items()
    }
    path = tmp_path / "lax.json"
    write_thresholds(replace(shipped, actions=lax), path)
    usual, own = (choose_detectors((), thresholds) for thresholds in (None, path))
    assert [one.name for one in usual] == [one.name for one in own] == ["action", "universal"]
    assert not {one.key for one in usual} & {one.key for one in own}
    clip: Any = SimpleNamespace(
        file=ClipFile(path, Action.NOD), fps=Fraction(25), signals=slight_nod()
    )
    judged = [chosen[0].assess(clip.file, clip) for chosen in (usual, own)]
    assert [verdict.live for verdict in judged] == [False, True]
    with pytest.raises(InputError, match=r"bad\.json"):
        choose_detectors((), tmp_path / "bad.json")


def slight_nod() -> Signals:
    """A face that moves by one degree alone."""
    tracks = {f.name: np.full(20, 0.3) for f in fields(Signals)}
    tracks["pitch_deg"][8:12] -= 1
    return Signals(**tracks)
