"""The package's source files, each parsed once for all tests of one process."""

import ast
from functools import cache
from pathlib import Path

import dfmnist

SRC = Path(dfmnist.__file__).parent
FILES = tuple(sorted(SRC.rglob("*.py")))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of the syntax tree of a file; the first is the module itself."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
