"""The command line as a whole: its tree, what all commands share, and old spellings."""

import inspect
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import typer.main
from tests.running import called, refused

from dfmnist import __version__, cli, recipes
from dfmnist.cli import experiment, legacy, report
from dfmnist.cli.options import print_json
from dfmnist.core.console import console
from dfmnist.detectors.config import TrainConfig
from dfmnist.stages import DemoName

TREE = {
    "demo", "fetch", "actors", "build", "animate", "dataset import", "dataset audit",
    "dataset verify", "dataset export", "train", "score run", "score import", "compare", "detect",
    "experiment", "report", "animator train", "animator evaluate", "animator convert",
    "detector average", "detector film", "detector know", "detector pack", "liveness check",
    "liveness evaluate", "liveness fit", "liveness benchmark", "serve",
}  # fmt: skip


def commands() -> Iterator[tuple[str, Any]]:
    """Every command by its words."""
    root: Any = typer.main.get_command(cli.app)
    for name, command in root.commands.items():
        if hasattr(command, "commands"):
            for below, leaf in command.commands.items():
                yield f"{name} {below}", leaf
        else:
            yield name, command


def test_the_tree() -> None:
    assert {name for name, _ in commands()} == TREE


def test_every_command_and_parameter_is_a_sentence() -> None:
    for name, command in commands():
        for parameter in command.params:
            if parameter.name == "help":
                continue
            text = parameter.help or ""
            assert text.split(".")[0], f"{name} {parameter.name}: no help"
            assert text[0].isupper() or text[0] == "`", f"{name} {parameter.name}: {text}"
            assert text.endswith("."), f"{name} {parameter.name}: {text}"
            assert not text.startswith("Of "), f"{name} {parameter.name}: {text}"
        assert command.help.split("\n\n")[0].endswith((".", ".\f")), name


def test_train_has_at_most_twelve_options() -> None:
    (train,) = (command for name, command in commands() if name == "train")
    options = [p for p in train.params if p.param_type_name == "option" and p.name != "help"]
    assert len(options) <= 12


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_everywhere(capsys: pytest.CaptureFixture[str], flag: str) -> None:
    for words in ((), ("train",), ("dataset",), ("dataset", "audit")):
        code, out, err = called(capsys, *words, flag)
        assert (code, err) == (0, "")
        assert "Usage: dfmnist" in out


def test_panels_show_users_commands_first(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = called(capsys, "--help")
    places = [out.index(panel) for panel in (cli.START, cli.MAKE, cli.DETECT, cli.STUDY)]
    assert places == sorted(places)
    assert places[-1] < out.index(cli.MAKERS) < out.index("animator")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert called(capsys, "--version") == (0, f"dfmnist {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["traim"], "dfmnist: No such command 'traim'"),
        (["train"], "dfmnist: Missing argument 'DATASET'; see `dfmnist train --help`"),
        (["train", "d", "--sett", "a=b"], "dfmnist: No such option: --sett"),
        (["dataset", "audit"], "see `dfmnist dataset audit --help`"),
        (["demo", "--workers", "0"], "'--workers'"),
        (["train", "d", "--set", "a=b"], "--set a=b: no such field; expected one of network"),
        (["train", "d", "--set", "epochs=x"], "--set epochs=x; expected a whole number"),
        (["build", "--sources", "s", "--drivers", "d", "--licence", "l", "--consent", "c", "--out",
          "o", "--fps", "1/0"], "--fps 1/0; expected a number or a fraction"),
    ],
)  # fmt: skip
def test_a_command_line_that_cannot_be_read_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert message in refused(capsys, *arguments)


def test_set_help_lists_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = called(capsys, "train", "--set", "help")
    assert code == 0
    for field in TrainConfig.__dataclass_fields__:
        assert f"\n{field}=" in f"\n{out}"
    assert "betas=0.9,0.999" in out


def test_quiet_and_verbose(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(console, "quiet", False)
    log = logging.getLogger("dfmnist")
    monkeypatch.setattr(log, "handlers", [])
    level = log.level
    try:
        called(capsys, "-q", "train", tmp_path)
        assert console.quiet
        code, _, err = called(capsys, "-v", "train", tmp_path)
    finally:
        log.setLevel(level)
    assert code == 2
    assert f"dfmnist {__version__}, Python" in err
    assert "Traceback" in err
    assert "no such file" in err.splitlines()[-2]


def test_completion_names_commands_and_choices() -> None:
    def completed(words: str, number: int) -> str:
        ask = {"_DFMNIST_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(number)}
        command = [sys.executable, "-c", "from dfmnist.cli import main; main()"]
        return subprocess.run(
            command, env={**os.environ, **ask}, capture_output=True, text=True, check=True
        ).stdout

    assert completed("dfmnist tr", 1).split() == ["train"]
    assert completed("dfmnist train --quality c", 3).split() == ["c23", "c40"]


def test_json_has_no_number_that_json_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": float("nan"), "b": [1.5, float("inf")], "c": "ä"})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.5, None], "c": "ä"}


def test_every_recipe_named_exists() -> None:
    for name in (*get_args(DemoName), *get_args(report.RecipeName)):
        assert getattr(recipes, name)().name == name
    for name in get_args(experiment.RecipeName):
        assert getattr(recipes, f"experiments_{name}")().name == name


def test_no_default_is_written_twice() -> None:
    """A default that a config has is not a literal of the command line."""
    for module in (cli.build, cli.animate, cli.detect):
        for line in inspect.getsource(module).splitlines():
            if "field(" in line and "] = " in line:
                value = line.split("] = ")[1]
                assert value.startswith(
                    ("TrainConfig.", "Devices.", "BuildConfig.", "FilmConfig.", "AnimateConfig.",
                     "str(BuildConfig.")
                ), line  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("audit d --save", "dataset audit d --save"),
        ("verify d", "dataset verify d"),
        ("convert-weights a b --half", "animator convert a b --half"),
        ("train-animator --out o --accelerator cpu --initial w --precision 32",
         "animator train --out o --device cpu --initial w --precision f32"),
        ("animator train --out o --weights=w", "animator train --out o --initial=w"),
        ("evaluate-animator --out o", "animator evaluate --out o"),
        ("fit-screening --clips c --out o", "liveness fit --clips c --out o"),
        ("evaluate-screening --clips c --out o", "liveness benchmark --clips c --out o"),
        ("experiment all --recipe demo --data D", "experiment D all --recipe demo"),
        ("experiment table3 figure6 --data=D --out o", "experiment D table3 figure6 --out o"),
        ("report --data D --runs r --out o", "report D --runs r --out o"),
        ("-q train d --accelerator gpu", "-q train d --device gpu"),
        ("train d --precision=32 --freeze", "train d --precision=f32 --set freeze=true"),
        ("train d --no-zero-init-residual", "train d --set zero_init_residual=false"),
        ("train d --learning-rate 1e-3 --betas 0.9 0.99 --size-px=64 --epochs 2",
         "train d --epochs 2 --set learning_rate=1e-3 --set betas=0.9,0.99 --set size_px=64"),
        ("train d --actions nod --actions yaw", "train d --set actions=nod,yaw"),
    ],
)  # fmt: skip
def test_old_spellings_are_today_s(old: str, new: str) -> None:
    assert legacy.translate(old.split()) == new.split()
    assert legacy.translate(new.split()) == new.split()


def test_an_old_spelling_says_the_new_one_on_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    code, _, err = called(capsys, "audit", tmp_path)
    first, second = err.splitlines()
    assert code == 2
    assert first.endswith(f"now: dfmnist dataset audit {tmp_path}")
    assert "no such file" in second


LOOKS = """
import sys
from dfmnist.cli import main
for words in sys.argv[1].split(","):
    sys.argv = ["dfmnist", *words.split()]
    try:
        main()
    except SystemExit as end:
        assert not end.code, words
    loaded = {"torch", "av", "polars", "numpy"} & set(sys.modules)
    assert not loaded, (words, loaded)
"""


def test_looking_needs_no_torch() -> None:
    looks = "--version,--help,train --help,report --help,dataset --help"
    done = subprocess.run([sys.executable, "-c", LOOKS, looks], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("Usage:") == 4
