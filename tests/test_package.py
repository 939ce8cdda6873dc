"""What is published beside the code: tested versions, the citation, notices and package data."""

import re
import tomllib
from pathlib import Path

import yaml

import dfmnist

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def names(lines: list[str]) -> set[str]:
    found = {re.split(r"[<>=!~;\[ ]", line)[0].lower() for line in lines}
    return found - {"dfmnist"}


def test_every_direct_dependency_has_a_tested_version() -> None:
    """But pip, which is whatever installs, and what only `bench` compares with."""
    extras = PROJECT["optional-dependencies"]
    direct = names(PROJECT["dependencies"]).union(*(names(extras[e]) for e in extras))
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+(post[0-9]+)?", pin) for pin in pins), pins
    assert names(pins) == direct - {"pip"} - names(extras["bench"])


def test_users_are_not_held_back() -> None:
    """An upper bound, or an exact version, belongs in constraints.txt."""
    extras = PROJECT["optional-dependencies"]
    for line in [*PROJECT["dependencies"], *(line for e in extras for line in extras[e])]:
        assert not re.search(r"<|==|~=", line), line


def test_the_setup_and_ci_use_the_tested_versions() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for line in re.findall(r".*pip install.*", makefile):
        assert "--constraint constraints.txt" in line, line
    assert "pip install" not in (ROOT / ".ci" / "run").read_text()


def test_the_citation_names_this_version_and_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == dfmnist.__version__ == PROJECT["version"]
    assert citation["message"]
    assert [a["name"] for a in citation["authors"]] == [a["name"] for a in PROJECT["authors"]]
    (paper,) = citation["references"]
    assert paper["title"] == "DeepFake MNIST+: A DeepFake Facial Animation Dataset"
    assert [a["family-names"] for a in paper["authors"]] == ["Huang", "Wang", "Du", "Du", "Xu"]


def test_every_notice_is_published() -> None:
    """A LICENSE file in the package is listed in the metadata, as the root's is."""
    there = {p.relative_to(ROOT).as_posix() for p in (ROOT / "src").rglob("*LICENSE*")}
    assert there | {"LICENSE"} == set(PROJECT["license-files"])
