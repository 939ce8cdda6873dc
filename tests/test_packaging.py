"""The wheel, the sdist and the Dockerfile; `python tests/packaging.py` installs and uses them."""

import shlex
import shutil
import zipfile
from pathlib import Path

import pytest

from tests import packaging
from tests.cli.test_docs import check
from tests.packaging import ROOT, instructions

STEPS = list(instructions((ROOT / "Dockerfile").read_text()))


def steps(name: str) -> list[str]:
    """What follows each of the Dockerfile's instructions of this name."""
    return [rest for found, rest in STEPS if found == name]


def test_the_image_is_the_tested_versions_of_this_package() -> None:
    (install,) = (line for line in steps("RUN") if " install " in line)
    assert "--constraint constraints.txt" in install
    copied = {word for line in steps("COPY") for word in shlex.split(line)[:-1]}
    assert copied == {"pyproject.toml", "constraints.txt", "README.md", "LICENSE", "src"}
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert copied == {line[1:] for line in ignored if line.startswith("!")}
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_serves_without_the_rights_of_root() -> None:
    names = [name for name, _ in STEPS]
    (user,) = steps("USER")
    assert user.split(":")[0] not in ("0", "root")
    assert names.index("USER") < names.index("CMD")
    assert len(steps("HEALTHCHECK")) == 1
    (port,) = steps("EXPOSE")
    assert f":{port}/" in steps("HEALTHCHECK")[0]
    assert steps("CMD") == [f'["dfmnist", "serve", "--host", "0.0.0.0", "--port", "{port}"]']


def test_the_commands_of_the_image_can_be_run() -> None:
    from dfmnist.cli import app

    for line in steps("RUN"):
        if line.startswith("dfmnist "):
            check(line)
    if not any(found.callback.__name__ == "serve" for found in app.registered_commands):
        pytest.skip("`dfmnist serve` is not there yet")
    check("dfmnist serve --host 0.0.0.0 --port 7860")


def test_a_dockerfile_is_read_as_docker_reads_it() -> None:
    text = 'FROM a\n\n# no\nRUN b \\\n    && c\n# no\nCMD ["d"]\n'
    assert list(instructions(text)) == [("FROM", "a"), ("RUN", "b  && c"), ("CMD", '["d"]')]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Wheel and sdist."""
    return packaging.build(tmp_path_factory.mktemp("dist"))


@pytest.mark.soak
def test_wheel_and_sdist_hold_what_they_should(built: tuple[Path, Path]) -> None:
    wheel, sdist = built
    files = packaging.kept()
    assert packaging.problems_of_wheel(wheel, files) == []
    assert packaging.problems_of_sdist(sdist, files) == []


@pytest.mark.soak
def test_what_is_missing_or_too_much_is_named(built: tuple[Path, Path], tmp_path: Path) -> None:
    files = packaging.kept()
    other = tmp_path / built[0].name
    shutil.copy(built[0], other)
    with zipfile.ZipFile(other, "a") as opened:
        opened.writestr("dfmnist/shared/clip.mp4", b"")
    assert packaging.problems_of_wheel(other, [*files, "src/dfmnist/lost.typed"]) == [
        "dfmnist/lost.typed: missing", "dfmnist/shared/clip.mp4: does not belong into it"
    ]  # fmt: skip
    assert packaging.problems_of_sdist(built[1], files[:-1]) == [
        f"{files[-1]}: does not belong into it"
    ]
