"""Who may import whom: the table of docs/ARCHITECTURE.md, held."""

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[1] / "src" / "dfmnist"
LEVELS = (
    {"cli"},
    {"app"},
    {"stages"},
    {"recipes", "reports"},
    {"experiments", "animator_eval"},
    {"pipeline"},
    {"detectors", "liveness"},
    {"attacks", "dataset", "fomm", "actors"},
    {"faces"},
    {"media"},
    {"stats"},
    {"core"},
)
LEVEL_OF = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module or ""]
            if node.module == "dfmnist":
                names = [f"dfmnist.{alias.name}" for alias in node.names]
        found |= {n.split(".")[1] for n in names if n.startswith("dfmnist.")}
    return found & LEVEL_OF.keys()


FILES = sorted(p for p in SRC.rglob("*.py") if p.parent != SRC or p.stem in LEVEL_OF)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(SRC).as_posix())
def test_a_room_imports_only_rooms_below_it(path: Path) -> None:
    room = path.relative_to(SRC).parts[0].removesuffix(".py")
    for other in imported_rooms(path) - {room}:
        assert LEVEL_OF[other] > LEVEL_OF[room], f"{room} may not import {other}"


def test_one_room_alone_imports_the_codec_library() -> None:
    users = {
        p.relative_to(SRC).parts[0]
        for p in SRC.rglob("*.py")
        if any(
            (isinstance(n, ast.Import) and any(a.name.split(".")[0] == "av" for a in n.names))
            or (isinstance(n, ast.ImportFrom) and (n.module or "").split(".")[0] == "av")
            for n in ast.walk(ast.parse(p.read_text()))
        )
    }
    assert users == {"media"}
