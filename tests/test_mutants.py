"""The tool that makes mutants: each is another program, a draw is repeatable, and tests decide."""

import ast
from pathlib import Path

import pytest
from bench import mutants

SOURCE = '''"""Text."""
from typing import TYPE_CHECKING

def check(a: int, b: int = 2) -> bool:
    """Whether."""
    if not a < b and b == 3.5:
        raise ValueError(f"{a - 1} is {a + b}")
    note(a, b)
    return len("é") + 1 > 2
'''


def test_each_fault_is_another_program_and_none_is_in_a_type_or_a_message() -> None:
    raw = SOURCE.encode()
    made = [fault.applied(raw).decode() for fault in mutants.faults_in(Path("x.py"), raw)]
    assert len({ast.dump(ast.parse(text)) for text in (*made, SOURCE)}) == len(made) + 1
    for new in (
        "b: int = 3)", "if (a < b)", "a <= b", "b == 7.0", "b != 3.5", "< b or b", "        ...\n",
        "    ...\n", "note(b, a)", "return None", 'len("é") - 1', 'len("é") + 2', "1 >= 2", "> 3",
        "if not (not a",
    ):  # fmt: skip
        assert any(new in text for text in made), new
    assert all('f"{a - 1} is {a + b}"' in text or "        ...\n" in text for text in made)


def test_a_draw_is_repeatable() -> None:
    drawn = mutants.draw(["stats", "dataset/people.py"], 3, seed=1)
    assert drawn == mutants.draw(["stats", "dataset/people.py"], 3, seed=1)
    assert drawn != mutants.draw(["stats", "dataset/people.py"], 3, seed=2)
    assert [len(faults) for faults in drawn.values()] == [3, 3]
    with pytest.raises(SystemExit, match="no room"):
        mutants.draw(["nothing"], 3, seed=1)


def test_the_fastest_tests_of_a_line_run_first() -> None:
    fault = mutants.Fault(Path("src/a.py"), 3, 0, 0, "")
    lines = {"3": ["t::slow", "t::fast"], "9": ["t::other"]}
    covered = {"lines": {"src/a.py": lines}, "seconds": {"t::slow": 70, "t::fast": 1}}
    assert mutants.tests_of(fault, covered) == ["t::fast"]  # both together take too long
    del lines["3"]
    assert mutants.tests_of(fault, covered) == ["t::other"]


@pytest.mark.soak
@pytest.mark.parametrize(
    ("new", "noticed"), [("return None", True), ("a < 3", True), ("- 0", False)]
)
def test_a_fault_is_noticed_if_a_test_fails_or_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new: str, noticed: bool
) -> None:
    monkeypatch.setattr(mutants, "LIMIT_S", 1 if new == "a < 3" else 100)
    source = b"def more(a):\n    if a < 2:\n        a = a + 1\n    return a + 0\n"
    file = Path("src/counted_by_mutants.py")
    (tmp_path / "src").mkdir()
    (tmp_path / file).write_bytes(source)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = soak\n")
    (tmp_path / "test_more.py").write_text(
        "import time\nfrom counted_by_mutants import more\n"
        "def test_more():\n    assert more(1) == 2\n    time.sleep(99 * (more(2) > 2))\n"
    )
    (fault,) = [f for f in mutants.faults_in(file, source) if new in f.applied(source).decode()]
    assert mutants.is_noticed(fault, tmp_path, ["test_more.py"]) is noticed
    assert (tmp_path / file).read_bytes() == source
