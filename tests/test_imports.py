"""Who may import whom: the table of docs/ARCHITECTURE.md, held."""

import ast
from pathlib import Path

import pytest

from tests.sources import FILES, SRC, nodes

pytestmark = pytest.mark.xdist_group("sources")
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
    for node in nodes(path):
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


def test_a_room_imports_only_rooms_below_it() -> None:
    known = [path for path in FILES if path.parent != SRC or path.stem in LEVEL_OF]
    assert len(known) > 250
    wrong = []
    for path in known:
        room = path.relative_to(SRC).parts[0].removesuffix(".py")
        wrong += [
            f"{path.relative_to(SRC)} may not import {other}"
            for other in imported_rooms(path) - {room}
            if LEVEL_OF[other] <= LEVEL_OF[room]
        ]
    assert wrong == []


def test_one_room_alone_imports_the_codec_library() -> None:
    users = {
        p.relative_to(SRC).parts[0]
        for p in FILES
        if any(
            (isinstance(n, ast.Import) and any(a.name.split(".")[0] == "av" for a in n.names))
            or (isinstance(n, ast.ImportFrom) and (n.module or "").split(".")[0] == "av")
            for n in nodes(p)
        )
    }
    assert users == {"media"}
