"""Functions and programs of users: found, called and run by one module for all rooms."""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dfmnist.core.errors import InputError
from dfmnist.core.plugins import (
    Plugin,
    PluginError,
    call,
    code_of,
    end_programs,
    filled,
    find_function,
    parse_plugin,
    plain_value,
    run_program,
)

PYTHON = (sys.executable, "-I", "-S", "-c")


def run(code: str, *words: str, limit_s: float = 60.0, answer: bool = True) -> bytes:
    return run_program([*PYTHON, code, *words], limit_s, answer=answer)


@pytest.mark.parametrize(
    ("text", "kind", "bare", "name"),
    [
        ("pack.mine:Judge.ask", "function", "pack.mine:Judge.ask", ""),
        ("python:mine:judge", "function", "mine:judge", ""),
        ("command:mine:judge", "program", "mine:judge", "mine:judge"),
        (" ./bin/judge --fast {clip}", "program", "./bin/judge --fast {clip}", "judge"),
        ("python3.12 'my judge.py' a:b", "program", "python3.12 'my judge.py' a:b", "my judge"),
        ("python -m judge.cli x", "program", "python -m judge.cli x", "judge.cli"),
    ],
)
def test_names_of_functions_and_programs(text: str, kind: str, bare: str, name: str) -> None:
    plugin = parse_plugin(text, "--detector")
    assert (plugin.kind, plugin.text) == (kind, bare)
    if kind == "program":
        assert plugin.program_name == name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "--animator: is empty; expected module:function or a command line"),
        ("command: ", "is empty"),
        ("python:mine", "names no function; expected module:function"),
        ("python:a:b c", "names no function"),
        ("./a 'b", "cannot be read (No closing quotation); expected a command line"),
    ],
)
def test_a_text_that_names_nothing(text: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_plugin(text, "--animator")
    assert said in str(raised.value)


def test_code_is_its_words_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = tmp_path / "pack" / "__init__.py"
    module.parent.mkdir()
    module.write_text("a = 1")
    (tmp_path / "w.bin").write_text("1")
    plugins = [
        Plugin("function", "pack:f"),
        Plugin("program", "python3 w.bin --x=3"),
        Plugin("program", "./w.bin"),
        Plugin("program", "judge --weights=w.bin"),
    ]
    before = [code_of(plugin) for plugin in plugins]
    assert before[1][0] == "python3"
    assert before[1][2] == "--x=3"
    assert code_of(Plugin("program", "/usr/bin/python3 w.bin --x=3")) == before[1]
    (tmp_path / "w.bin").write_text("2")
    module.write_text("a = 2")
    for plugin, old in zip(plugins, before, strict=True):
        assert code_of(plugin) != old, plugin


MODULE = """
import sys
class Group:
    @staticmethod
    def inside(x): return x + 1
def prints(): print("no result"); return 7
def raises(): raise RuntimeError("two\\nlines")
def ends(): sys.exit(2)
def stops(): raise KeyboardInterrupt
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module in the working directory."""
    (tmp_path / "users_own.py").write_text(MODULE)
    (tmp_path / "users_broken.py").write_text("import sys; sys.exit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.delitem(sys.modules, "users_own", raising=False)
    return "users_own"


def test_a_function_of_the_working_directory(
    module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert find_function(f"{module}:Group.inside", "")(1) == 2
    assert call(find_function(f"{module}:prints", "")) == 7
    assert capsys.readouterr().out == ""
    for name, message in (("raises", "the function raised RuntimeError: two lines"),
                          ("ends", "the function ended the program")):  # fmt: skip
        with pytest.raises(PluginError) as raised:
            call(find_function(f"{module}:{name}", ""))
        assert str(raised.value) == message
    with pytest.raises(KeyboardInterrupt):
        call(find_function(f"{module}:stops", ""))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("users_own:gone", "--x: module users_own has no function gone; expected module:function"),
        ("users_own:sys.path", "--x: module users_own has no function sys.path"),
        ("no_such:f", "--x: module no_such cannot be imported (ModuleNotFoundError: No module"),
        ("users_broken:f", "--x: module users_broken cannot be imported (SystemExit: 3)"),
    ],
)
def test_no_such_function(module: str, name: str, message: str) -> None:
    with pytest.raises(InputError) as raised:
        find_function(name, "--x")
    assert str(raised.value).startswith(message)


def test_values_of_numpy_become_plain() -> None:
    value = {"a": [np.float32(0.5), (np.bool_(True),)], 1: np.array(3)}
    assert plain_value(value) == {"a": [0.5, [True]], "1": 3}
    assert plain_value(value)["a"][1][0] is True


def test_words_are_filled_once() -> None:
    values = {"clip": "/a {action}.mp4", "action": "nod"}
    assert filled(["x", "--a={action}", "{clip}"], values) == ["x", "--a=nod", "/a {action}.mp4"]
    assert filled(["x"], values, last="clip") == ["x", "/a {action}.mp4"]
    assert filled(["x", "{clip}"], values, last="clip") == ["x", "/a {action}.mp4"]


def test_a_program_gives_what_it_prints() -> None:
    code = "import sys; print(sys.stdin.read() + sys.argv[1]); print('well', file=sys.stderr)"
    assert run(code, "a b") == b"a b\n"
    assert run("print('x' * 3_000_000)", answer=False) == b""


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise SystemExit(3)", "the program ended with exit code 3"),
        ("import sys; sys.exit('no\\n\\n file \\n')", "ended with exit code 1 (file)"),
        ("import os; os.kill(os.getpid(), 9)", "the program ended with signal 9"),
        ("import os; os._exit(255)", "the program ended with exit code 255"),
        ("print('x' * 3_000_000)", "the program printed more than 1048576 bytes"),
        ("while True: print('x' * 99)", "the program printed more than 1048576 bytes"),
    ],
)
def test_a_program_that_fails_is_one_line(code: str, message: str) -> None:
    with pytest.raises(PluginError) as raised:
        run(code)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_program_that_cannot_be_run(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="there is no program 'no-such-program-here'"):
        run_program(["no-such-program-here"], 9)
    broken = tmp_path / "broken"
    broken.write_text("\x7fELF and no more")
    broken.chmod(0o755)
    with pytest.raises(PluginError, match=r"exit code 126 \(it cannot be run: Exec format error"):
        run_program([str(broken)], 9)


def test_errors_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "s3cret-value")
    code = "import os, sys; sys.exit('refused: ' + os.environ['MY_API_KEY'])"
    with pytest.raises(PluginError) as raised:
        run(code)
    assert str(raised.value) == "the program ended with exit code 1 (refused: $MY_API_KEY)"

    def refuses() -> None:
        raise ValueError("not s3cret-value")

    with pytest.raises(PluginError) as raised:
        call(refuses)
    assert str(raised.value) == "the function raised ValueError: not $MY_API_KEY"


CHILD = """
import subprocess, sys, time
child = "import os, time; open('child', 'w').write(str(os.getpid())); time.sleep(60)"
subprocess.Popen([sys.executable, "-I", "-S", "-c", child])
while True:
    try:
        if open("child").read():
            break
    except OSError:
        time.sleep(0.01)
{then}
"""
FOR_EVER = CHILD.replace("{then}", "time.sleep(60)")


def until(true: Callable[[], bool], limit_s: float = 30) -> bool:
    """Whether something becomes true within a time."""
    end = time.monotonic() + limit_s
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def is_alive() -> bool:
    """Whether the program's child runs, whose number it wrote into the working directory."""
    try:
        number = Path("child").read_text()
        state = Path(f"/proc/{number or 'none'}/stat").read_text()
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_a_program_started_ends_with_it(folder: Path) -> None:
    assert run(CHILD.replace("{then}", "print(1)")) == b"1\n"
    assert until(lambda: not is_alive(), 5)


def test_a_program_that_never_ends_is_ended_with_its_children(folder: Path) -> None:
    with pytest.raises(PluginError, match=r"the program did not end within 1\.5 s"):
        run(FOR_EVER, limit_s=1.5)
    assert until(lambda: not is_alive(), 5)


def test_programs_of_other_threads_are_ended(folder: Path) -> None:
    errors: list[PluginError] = []

    def ask() -> None:
        try:
            run(FOR_EVER)
        except PluginError as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert until(is_alive)
    end_programs()
    thread.join(10)
    assert [str(error) for error in errors] == ["the program ended with signal 9"]
    assert until(lambda: not is_alive(), 5)


def test_no_program_outlives_a_process_that_is_killed(folder: Path) -> None:
    """Its children end too, though the process can do nothing any more."""
    words = [*PYTHON, FOR_EVER]
    code = f"from dfmnist.core.plugins import run_program; run_program({words!r}, 60)"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        assert until(is_alive)
        process.kill()
    assert until(lambda: not is_alive())


def test_a_program_is_found_on_the_path() -> None:
    assert shutil.which("true")
    assert run_program(["true"], 60) == b""
