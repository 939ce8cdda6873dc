"""Detectors that are not this package's: functions, programs and score files, scored like runs."""

import importlib
import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import numpy as np
import polars as pl
import pytest
import torch
from tests.running import called, refused_at_last

import dfmnist
from dfmnist.core import plugins
from dfmnist.core.errors import InputError
from dfmnist.detectors.compare import compare
from dfmnist.detectors.external import parse_external
from dfmnist.detectors.imported_scores import CsvColumns, import_scores
from dfmnist.detectors.metrics import evaluate
from dfmnist.detectors.score_external import score_external
from dfmnist.detectors.scores import (
    SCHEMA,
    SCHEMA_FILE,
    json_schema,
    read_notes,
    read_scores,
)

SHARP = """
import numpy as np

def sharpness(frames):
    \"\"\"P(fake): blurred frames are the fake ones.\"\"\"
    steps = np.abs(np.diff(frames.astype(float), axis=2)).mean((1, 2, 3))
    return 1 / (1 + np.exp((steps - 25) / 4))
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a module of the user's."""
    (tmp_path / "mine_18.py").write_text(SHARP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "mine_18", raising=False)
    return tmp_path


def module(monkeypatch: pytest.MonkeyPatch, function: Any) -> str:
    """`function` under a name that `--detector` takes."""
    made = ModuleType("made_18")
    made.judge = function  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "made_18", made)
    return "made_18:judge"


def test_a_function_is_scored_like_a_run(own: Path, dataset: Path) -> None:
    detector = parse_external("mine_18:sharpness", frames=4)
    out = own / "scores.parquet"
    table = score_external(detector, dataset, qualities=("raw", "c40"), out=out, quiet=True)
    assert table.schema == pl.Schema(SCHEMA)
    assert len(table) == 2 * 4 * 4
    assert table["frame"].unique().sort().to_list() == [1, 3, 5, 7]
    assert evaluate(table.filter(pl.col("quality") == "raw")).clip["auc"].value == 1
    np.testing.assert_allclose(table["p_fake"], 1 / (1 + np.exp(-table["logit"])), rtol=1e-4)
    assert read_scores(out).equals(table)
    assert read_notes(out)["external"] == "sharpness"
    assert compare(table, table).test.difference == 0
    mine = importlib.import_module("mine_18").sharpness
    straight = dfmnist.score(mine, dataset, qualities=("raw", "c40"))
    assert straight.group_by("clip_id", "quality").len()["len"].unique().to_list() == [9]
    assert evaluate(straight.filter(pl.col("quality") == "raw")).clip["auc"].value == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda frames: 1 / 0, r"the function raised ZeroDivisionError: division by zero \("),
        (lambda frames: np.full(len(frames), np.nan), "the answer holds nan"),
        (lambda frames: np.full(len(frames), 1.2), "the answer holds 1.2"),
        (lambda frames: np.zeros(len(frames) + 1), "the answer has shape 4 for 3 frames"),
        (lambda frames: np.zeros((len(frames), 2)), "the answer has shape 3x2 for 3 frames"),
        (lambda frames: "fake", "the answer is str, no number"),
        (lambda frames: {"p": 0.5}, "the answer is dict, no number"),
        (lambda frames: frames.__setitem__(0, 0), "raised ValueError: assignment destination"),
        (lambda frames: sys.exit(3), "the function ended the program"),
    ],
)
def test_a_function_that_fails_is_one_line_and_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, dataset: Path, tmp_path: Path, answer: Any, said: str
) -> None:
    detector = parse_external(module(monkeypatch, answer), frames=3)
    with pytest.raises(InputError, match=said) as raised:
        score_external(detector, dataset, qualities=("raw",), out=tmp_path / "s.parquet")
    text = str(raised.value)
    assert text.startswith("--detector made_18:judge: ")
    assert text.endswith("expected P(fake) from 0 to 1, one for each frame or one for the clip")
    assert "\n" not in text
    assert list(tmp_path.iterdir()) == []


def test_a_function_may_judge_whole_clips_and_pass_some(
    monkeypatch: pytest.MonkeyPatch, dataset: Path
) -> None:
    answers = iter([0, None, torch.tensor(0.5, requires_grad=True), np.float32(1)])
    detector = parse_external(module(monkeypatch, lambda frames: next(answers)))
    table = score_external(detector, dataset, qualities=("raw",), quiet=True)
    assert table["p_fake"].to_list() == [0, None, 0.5, 1]
    assert table["logit"].drop_nulls().is_finite().all()  # also of 0 and 1
    assert table["frame"].to_list() == [None] * 4
    assert table["reason"].to_list() == [None, "the detector gave no score", None, None]
    assert evaluate(table).num_unscored == 1
    none = parse_external(module(monkeypatch, lambda frames: None))
    with pytest.raises(InputError, match=r"scored none of 4 test clips \(the first: the detector"):
        score_external(none, dataset, qualities=("raw",), quiet=True)


PROGRAM = """
import json, sys
fake = "fake" in sys.argv[-1]
print({printed})
"""


@pytest.mark.parametrize(
    ("printed", "values"),
    [
        ("0.75 if fake else 0.25", [0.75]),
        ("json.dumps({'p_fake': [0.5, 0.75] if fake else [0.25, 0.5]})", [0.5, 0.75]),
        ("'null' if fake else 0.5", [None]),
    ],
)
def test_a_program_is_given_a_clip_and_prints_a_number(
    tmp_path: Path, dataset: Path, printed: str, values: list[float | None]
) -> None:
    script = tmp_path / "mine.py"
    script.write_text(PROGRAM.replace("{printed}", printed))
    detector = parse_external(f"{sys.executable} {script}")
    assert (detector.kind, detector.name) == ("program", "mine")
    table = score_external(detector, dataset, qualities=("raw",), quiet=True)
    first = table.filter(pl.col("clip_id") == "g-fake")
    assert first["p_fake"].to_list() == values
    changed = script.write_text(script.read_text() + "\n")
    assert changed
    assert parse_external(detector.text).hash != detector.hash  # its scores are others


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print('fake')", "the program printed no valid JSON"),
        ("print(2)", "the answer holds 2"),
        ("print(True and 'true')", "the program printed true or false, no number"),
        ("pass", "the program printed nothing"),
        ("raise SystemExit(4)", "the program ended with exit code 4"),
    ],
)
def test_a_program_that_fails_is_one_line(
    tmp_path: Path, dataset: Path, code: str, said: str
) -> None:
    script = tmp_path / "bad.py"
    script.write_text(code)
    detector = parse_external(f"{sys.executable} {script}")
    with pytest.raises(InputError, match=f"{said}.* \\(clips/raw/g-fake.mp4\\)"):
        score_external(detector, dataset, qualities=("raw",), quiet=True)


def test_a_failure_ends_the_programs_that_run_beside_it(tmp_path: Path, dataset: Path) -> None:
    """The first clip is a fake; the second clip's program would go on for a minute."""
    script = tmp_path / "bad.py"
    script.write_text(
        "import sys, time\nif 'fake' in sys.argv[-1]: raise SystemExit('broken')\ntime.sleep(60)"
    )
    start = time.monotonic()
    with pytest.raises(InputError, match=r"ended with exit code 1 \(broken\)"):
        score_external(
            parse_external(f"{sys.executable} -S {script}"), dataset, qualities=("raw",), quiet=True
        )
    while plugins._KEEPERS and time.monotonic() < start + 30:
        time.sleep(0.01)
    assert not plugins._KEEPERS


def test_names_of_detectors(own: Path) -> None:
    assert parse_external("mine_18:sharpness").kind == "function"
    assert parse_external("python:mine_18:sharpness").name == "sharpness"
    assert parse_external("edges=mine_18:sharpness").name == "edges"
    assert parse_external("command:mine_18:sharpness").kind == "program"
    assert parse_external("./judge --fast {clip}").name == "judge"
    for text, said in (
        ("", "is empty"), ("python:mine", "names no function"), ("./a 'b", "No closing quotation"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            parse_external(text)
    with pytest.raises(InputError, match=r"--threshold 1\.0; expected"):
        parse_external("a:b", threshold=1.0)


def write_csv(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_scores_made_elsewhere_are_taken(dataset: Path, tmp_path: Path) -> None:
    file = write_csv(
        tmp_path / "theirs.csv", "file,liveness",
        "/data/x/clips/raw/g-real.mp4,0.9", "clips\\raw\\g-fake.mp4,0.2",
        "clips/raw/h-real.mp4,0.8", "clips/raw/a-real.mp4,0.5",
    )  # fmt: skip
    columns = CsvColumns(clip="file", score="liveness", positive="real")
    out = tmp_path / "s.parquet"
    table, note = import_scores(file, dataset, columns, out=out)
    by_clip = {row["clip_id"]: row for row in table.iter_rows(named=True)}
    assert by_clip["g-real"]["p_fake"] == pytest.approx(0.1)
    assert by_clip["g-fake"]["p_fake"] == pytest.approx(0.8)
    assert "the imported file has no score of it" in by_clip["h-fake"]["reason"]
    assert set(by_clip) == {"g-real", "g-fake", "h-real", "h-fake"}
    assert note == "1 row of other splits left out"
    assert read_notes(out)["external"] == "theirs"
    assert evaluate(read_scores(out)).clip["auc"].value == 1


def test_qualities_frames_and_logits(dataset: Path, tmp_path: Path) -> None:
    rows = [
        f"{person}-{kind},{quality},{frame},{2 if kind == 'fake' else -2}"
        for person in "gh"
        for kind in ("real", "fake")
        for quality in ("raw", "c40")
        for frame in (0, 4)
    ]
    file = write_csv(tmp_path / "l.csv", "clip_id,quality,frame,p_fake", *rows)
    columns = CsvColumns(quality="quality", frame="frame", scale="logit")
    table, _ = import_scores(file, dataset, columns)
    assert len(table) == 16
    assert table["frame"].unique().sort().to_list() == [0, 4]
    np.testing.assert_allclose(table["logit"].abs(), 2, rtol=1e-5)


@pytest.mark.parametrize(
    ("rows", "columns", "said"),
    [
        (["g-real,0.5"], {}, r"bad\.csv:2: 'g-real' is 3 clips \(c23, c40, raw\); expected a col"),
        (["nobody,0.5"], {}, "csv:2: 'nobody' is no clip of the dataset"),
        (["clips/raw/g-real.mp4,1.5"], {}, "csv:2: the score is '1.5'; expected a number from 0 "
         r"to 1 \(--scale logit takes others\)"),
        (["clips/raw/g-real.mp4,nan"], {}, "csv:2: the score is 'nan'; expected a number from 0"),
        (["clips/raw/g-real.mp4,inf"], {"scale": "logit"}, "'inf'; expected a finite number"),
        (["clips/raw/g-real.mp4,"], {}, "csv:2: the score is ''; expected"),
        (["clips/raw/a-real.mp4,0.5"], {}, "scores no test clip of"),
        ([], {}, "holds no row"),
        (["clips/raw/g-real.mp4,0.5,1"], {}, "csv:2: has 3 cells; expected 2"),
        (["clips/raw/g-real.mp4,0.5"], {"score": "p"},
         "has no column 'p'; expected a CSV with the columns clip_id, p"),
        (["clips/raw/g-real.mp4,0.5"], {"frame": "p_fake"}, "csv:2: the frame is '0.5'"),
    ],
)  # fmt: skip
def test_a_score_file_that_does_not_fit_is_one_line(
    dataset: Path, tmp_path: Path, rows: list[str], columns: dict[str, Any], said: str
) -> None:
    file = write_csv(tmp_path / "bad.csv", "clip_id,p_fake", *rows)
    with pytest.raises(InputError, match=said):
        import_scores(file, dataset, CsvColumns(**columns), out=tmp_path / "s.parquet")
    assert not (tmp_path / "s.parquet").exists()


def test_the_table_follows_its_published_schema(own: Path, dataset: Path) -> None:
    schema = json.loads(SCHEMA_FILE.read_text())
    assert schema == json_schema()
    assert set(SCHEMA) < set(schema["properties"])
    table = score_external(
        parse_external("mine_18:sharpness", frames=2), dataset, qualities=("raw",), quiet=True
    )
    for row in table.iter_rows(named=True):
        jsonschema.validate(row, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**row, "label": "true"}, schema)


def test_from_the_command_line(
    own: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--detector", "mine_18:sharpness", dataset, "--quality", "raw")
    code, out, err = called(capsys, "score", *given, "--frames", 2)
    assert code == 0, err
    assert "4 clips of 2 people, 8 frames, 0 clips not scored" in out
    (made,) = (own / "runs" / "train").glob("sharpness-*/scores-test.parquet")
    line = refused_at_last(capsys, "score", "run", "x", *given)
    assert "with RUN x; expected DATASET alone" in line
    assert "score without DATASET" in refused_at_last(capsys, "score", dataset)
    line = refused_at_last(capsys, "score", "--detector", "nowhere_18:f", dataset)
    assert "module nowhere_18 cannot be imported" in line
    csv = write_csv(own / "t.csv", "clip_id,p_fake", *(
        f"clips/raw/{p}-{k}.mp4,{0.9 if k == 'fake' else 0.1}"
        for p in "gh" for k in ("real", "fake")))  # fmt: skip
    code, out, err = called(capsys, "score", "import", csv, dataset, "--json")
    assert code == 0, err
    assert json.loads(out)["clip"]["auc"]["value"] == 1
    both = (made, own / "runs" / "train" / "t-imported" / "scores-test.parquet")
    code, out, err = called(capsys, "compare", *both)
    assert code == 0, err
    assert "4 clips of 2 people" in out
