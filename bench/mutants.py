"""Mutants: faults of one line at random places, and whether the tests that run the line notice.

    python bench/mutants.py --each 20 --seed 1 pipeline dataset

The suite runs once with coverage, so that it is known which test runs which line, and how long it
takes; that is kept until a source or a test changes. Then each mutant is made in a copy of the
checkout, and its tests run, the fastest first, until one fails. The report names the share of
noticed mutants of each room and shows every other one as a diff. Some mutants change nothing that
anybody could see; whoever reads the report decides.
"""

import argparse
import ast
import difflib
import hashlib
import importlib
import json
import math
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path("src/dfmnist")
COPIED = ("src", "tests", "docs", "bench", "pyproject.toml", "constraints.txt", "Makefile",
          "README.md", "CHANGELOG.md", "CITATION.cff", "LICENSE")  # fmt: skip
MOST_TESTS = 40
"""Largest number of tests that are run for a mutant."""
MOST_S = 60.0
"""Largest sum of the tests' usual processor times for a mutant, in seconds."""
LIMIT_S = 300
"""Longest processor time for the tests of a mutant, in seconds, and a third of the longest time on
the clock; a mutant that hangs counts as noticed."""
LIBRARIES = ("pytest", "numpy", "av", "PIL.Image", "polars", "pydantic", "scipy.signal", "torch",
             "safetensors.torch", "lightning", "typer", "rich.progress",
             "matplotlib.pyplot")  # fmt: skip
"""Modules that are loaded once for all mutants."""
OTHER: dict[type[ast.AST], tuple[str, str]] = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"), ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"),
    ast.And: ("and", "or"), ast.Or: ("or", "and"), ast.Add: ("+", "-"), ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"), ast.Div: ("/", "*"), ast.FloorDiv: ("//", "*"), ast.Mod: ("%", "*"),
}  # fmt: skip
"""An operator's text, and the text that takes its place."""


@dataclass(frozen=True)
class Fault:
    """One change of one file."""

    file: Path
    """Path in the checkout."""
    line: int
    start: int
    end: int
    """First and last byte of what is replaced."""
    new: str

    def applied(self, source: bytes) -> bytes:
        """The file's content with the change."""
        return source[: self.start] + self.new.encode() + source[self.end :]

    def diff(self, source: bytes) -> str:
        """The change as a diff without context."""
        old, new = (text.decode().splitlines() for text in (source, self.applied(source)))
        name = self.file.as_posix()
        return "\n".join(difflib.unified_diff(old, new, name, name, n=0, lineterm=""))


def faults_in(file: Path, source: bytes) -> list[Fault]:
    """Every fault of the kinds below that can be put into the file, in order."""
    tree = ast.parse(source)
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def at(node: Any) -> tuple[int, int]:
        return (starts[node.lineno - 1] + node.col_offset,
                starts[node.end_lineno - 1] + node.end_col_offset)  # fmt: skip

    def text(node: ast.AST) -> str:
        start, end = at(node)
        return source[start:end].decode()

    def between(left: ast.AST, right: ast.AST, operator: ast.AST) -> Iterator[tuple[int, int, str]]:
        old, new = OTHER.get(type(operator), ("", ""))
        start, end = at(left)[1], at(right)[0]
        found = source[start:end].decode()
        if old and old in found:
            yield start, end, found.replace(old, new, 1)

    passed = _passed_over(tree)
    found: list[Fault] = []
    for node in ast.walk(tree):
        if node not in passed:
            found += [
                Fault(file, getattr(node, "lineno", 0), *one)
                for one in _changes(node, at, text, between)
            ]
    return sorted(found, key=lambda fault: (fault.start, fault.end, fault.new))


def _passed_over(tree: ast.AST) -> set[ast.AST]:
    """Nodes that no test needs to notice: types, decorators, messages and assertions."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            parts += [node.returns, *(a.annotation for a in arguments), *node.decorator_list]
        elif isinstance(node, ast.AnnAssign):
            parts.append(node.annotation)
        elif isinstance(node, ast.Raise):
            parts.append(node.exc)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            parts += [node, *node.body]
        elif isinstance(node, ast.JoinedStr | ast.Assert):
            parts.append(node)
        for part in parts:
            found |= set(ast.walk(part)) if part is not None else set()
    return found


def _changes(node: Any, at: Any, text: Any, between: Any) -> Iterator[tuple[int, int, str]]:
    """Start, end and new text of each change at one node."""
    match node:
        case ast.Compare(ops=[operator], left=left, comparators=[right]):
            yield from between(left, right, operator)
        case ast.BoolOp(op=operator, values=[left, right, *_]):
            yield from between(left, right, operator)
        case ast.BinOp(op=operator, left=left, right=right) if not _is_text(left):
            yield from between(left, right, operator)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield *at(node), f"({text(operand)})"
        case ast.Constant(value=bool(value)):
            yield *at(node), str(not value)
        case ast.Constant(value=int(value)):
            yield *at(node), str(value + 1)
        case ast.Constant(value=float(value)):
            yield *at(node), repr(value * 2 or 1.0)
        case ast.If(test=test) | ast.IfExp(test=test):
            if not any(isinstance(part, ast.NamedExpr) for part in ast.walk(test)):
                yield *at(test), f"not ({text(test)})"
        case ast.Return(value=ast.AST() as value) if text(value) != "None":
            yield *at(value), "None"
        case ast.Raise() | ast.Expr(value=ast.Call()):
            yield *at(node), "..."
        case ast.Call(args=[ast.Name() as first, ast.Name() as second, *_]):
            yield at(first)[0], at(second)[1], f"{second.id}, {first.id}"


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def draw(rooms: list[str], each: int, seed: int) -> dict[str, list[Fault]]:
    """So many faults of each room (a folder or a file of the package), the same for one seed."""
    drawn = {}
    for room in rooms:
        where = ROOT / PACKAGE / room
        files = [where] if where.suffix == ".py" else sorted(where.rglob("*.py"))
        if not all(file.is_file() for file in files) or not files:
            raise SystemExit(f"{room}: no room of {PACKAGE}")
        pool = [
            fault
            for file in files
            for fault in faults_in(file.relative_to(ROOT), file.read_bytes())
        ]
        drawn[room] = random.Random(f"{seed} {room}").sample(pool, min(each, len(pool)))
    return drawn


def state() -> str:
    """A hash of all sources and tests: coverage is measured again when it changes."""
    files = sorted(p for top in ("src", "tests") for p in (ROOT / top).rglob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def measure(copy: Path, work: Path, tests: list[str]) -> dict[str, Any]:
    """Which tests run each line, and how long each takes, from one run of `tests` with coverage.

    Tests that fail without any mutant are named, and left out.
    """
    kept = work / "covered.json"
    now = f"{state()} {' '.join(tests)}"
    if kept.is_file() and (found := json.loads(kept.read_text()))["state"] == now:
        return dict(found)
    _run_tests(copy, [*tests, "-p", "mutants"], {"MUTANTS_DATA": str(work)})
    from coverage import CoverageData

    data = CoverageData(str(work / ".coverage"))
    data.read()
    seen = json.loads((work / "tests.json").read_text())
    for test in seen["failed"]:
        print(f"fails without any mutant, and is left out: {test}")
    lines: dict[str, dict[str, list[str]]] = {}
    for file in data.measured_files():
        name = Path(file).relative_to(copy).as_posix()
        lines[name] = {
            str(line): sorted({*contexts} - {"", *seen["failed"]})
            for line, contexts in data.contexts_by_lineno(file).items()
        }
    found = {"state": now, "lines": lines, "seconds": seen["seconds"]}
    kept.write_text(json.dumps(found))
    return found


def tests_of(fault: Fault, covered: dict[str, Any]) -> list[str]:
    """Tests that run the fault's line, the fastest first; of its file if it runs on import."""
    lines = covered["lines"].get(fault.file.as_posix(), {})
    own = set(lines.get(str(fault.line), ())) or {t for tests in lines.values() for t in tests}
    seconds = covered["seconds"]
    chosen, total = [], 0.0
    for test in sorted(own, key=lambda test: (seconds.get(test, 1.0), test)):
        total += seconds.get(test, 1.0)
        if chosen and (total > MOST_S or len(chosen) == MOST_TESTS):
            break
        chosen.append(test)
    return chosen


def is_noticed(fault: Fault, copy: Path, tests: list[str]) -> bool:
    """Whether a test fails, or hangs, with the fault in the copy."""
    target = copy / fault.file
    source, before = target.read_bytes(), target.stat().st_mtime
    target.write_bytes(fault.applied(source))
    later = before + random.Random(repr(fault)).randrange(1, 10**6)
    os.utime(target, (later, later))  # compiled code is known by its file's time and size
    try:
        code = _run_tests(copy, ["-x", *tests], {}, limit_s=LIMIT_S)
    finally:
        target.write_bytes(source)
        os.utime(target, (before, before))
    if code > 1 and _run_tests(copy, ["-x", *tests], {}, limit_s=LIMIT_S):
        raise SystemExit(f"these tests end with code {code} without any mutant: {tests}")
    return code != 0


def _run_tests(copy: Path, words: list[str], more: dict[str, str], limit_s: int = 0) -> int:
    """Exit code of the tests in the copy; not 0 if they take longer than `limit_s`, unless it is 0.

    They run in a fork of this process, which has loaded the libraries but none of the package: to
    load them takes several times as long as most tests.
    """
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        if limit_s:
            resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s))
        _become_pytest(copy, words, more, quiet=limit_s > 0)
    end = time.monotonic() + (3 * limit_s or math.inf)
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 1


def _become_pytest(copy: Path, words: list[str], more: dict[str, str], *, quiet: bool) -> NoReturn:
    """Run the tests in this process, which ends with their exit code."""
    import pytest

    code = 3
    try:
        if quiet:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
        os.chdir(copy)
        paths = [str(copy / "src"), str(copy / "bench"), str(copy)]
        sys.path[:0] = paths
        os.environ.update(more, PYTHONPATH=os.pathsep.join(paths))
        code = int(pytest.main(["-n", "0", "-m", "not soak", *words]))
    finally:
        sys.stdout.flush()
        os._exit(code)


def main() -> None:
    """Read the command line, try the mutants and print the report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("rooms", nargs="+", help="Folders or files below src/dfmnist.")
    parser.add_argument("--each", type=int, default=20, help="Number of mutants of each room.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of the draw.")
    parser.add_argument("--tests", nargs="*", default=["tests"], help="Tests that may notice.")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "mutants")
    given = parser.parse_args()
    drawn = draw(given.rooms, given.each, given.seed)
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in LIBRARIES:
        importlib.import_module(name)
    work = given.work.resolve()
    copy = work / "checkout"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    covered = measure(copy, work, given.tests)
    report = []
    for room, faults in drawn.items():
        missed = []
        for fault in faults:
            tests = tests_of(fault, covered)
            noticed = bool(tests) and is_noticed(fault, copy, tests)
            word = "noticed" if noticed else "MISSED" if tests else "no test"
            print(f"{word:8}{fault.file}:{fault.line} ({len(tests)} tests)", flush=True)
            if not noticed:
                diff = fault.diff((copy / fault.file).read_bytes())
                missed.append(f"{diff}\n# {len(tests)} tests")
        share = f"{room}: {len(faults) - len(missed)} of {len(faults)} mutants noticed"
        report += [share, *missed]
    (work / "report.txt").write_text("\n\n".join(report) + "\n")
    print("\n\n".join(report))


# This file is also the plugin of the run that measures; the run's workers import it as __mp_main__.
if os.environ.get("MUTANTS_DATA") and __name__ == "mutants":
    import coverage
    import pytest

    _WORK = Path(os.environ["MUTANTS_DATA"])
    _SECONDS: dict[str, float] = {}
    _FAILED: set[str] = set()
    _COVERAGE = coverage.Coverage(data_file=str(_WORK / ".coverage"), source=["src/dfmnist"])
    _COVERAGE.erase()
    _COVERAGE.start()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
        """Note under the test's name its time and lines, those of its fixtures among them."""
        begun = os.times()
        _COVERAGE.switch_context(item.nodeid)
        yield
        _COVERAGE.switch_context("")
        _SECONDS[item.nodeid] = sum(os.times()[:4]) - sum(begun[:4])

    def pytest_runtest_logreport(report: pytest.TestReport) -> None:
        """Note whether a test or one of its fixtures fails."""
        if report.failed:
            _FAILED.add(report.nodeid)

    def pytest_sessionfinish() -> None:
        """Write what was measured."""
        _COVERAGE.stop()
        _COVERAGE.save()
        seen = {"seconds": _SECONDS, "failed": sorted(_FAILED)}
        (_WORK / "tests.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    main()
