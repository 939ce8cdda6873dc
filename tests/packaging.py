"""Build the wheel and the sdist, check them, and use them as someone does who installs them.

    python tests/packaging.py check                        # build, and check what is in both
    python tests/packaging.py install                      # and use the wheel in a bare environment
    python tests/packaging.py install --python python3.13  # of another Python
    python tests/packaging.py docker                       # the Dockerfile's steps, without Docker

`build` and `hatchling` have to be installed (extra `dev`). `install` and `docker` download the
dependencies, some gigabytes where PyTorch comes with CUDA.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MAX_WHEEL_MB = 40
START_S = 300
"""Longest time until the page answers."""
SMOKE = ["demo", "--recipe", "smoke", "--workers", "1", "--out"]
"""A build, detectors and a report at the smallest size."""


def run(*words: object, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Standard output of a command; raises CalledProcessError after showing what it printed."""
    asked = [str(word) for word in words]
    print("+", shlex.join(asked), flush=True)
    done = subprocess.run(asked, capture_output=True, text=True, cwd=cwd, env=env)
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-4000:], sep="\n")
        done.check_returncode()
    return done.stdout


def kept() -> list[str]:
    """Every file of the repository, by its path."""
    return run("git", "-C", ROOT, "ls-files", "-z").split("\0")[:-1]


def build(out: Path) -> tuple[Path, Path]:
    """Build into the folder `out`: the wheel, made from the sdist, and the sdist."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


def problems_of_wheel(wheel: Path, files: Sequence[str]) -> list[str]:
    """What is wrong with a wheel of the repository's `files`."""
    with zipfile.ZipFile(wheel) as opened:
        inside = {i.filename: i.file_size for i in opened.infolist() if not i.is_dir()}
        (metadata,) = (name for name in inside if name.endswith(".dist-info/METADATA"))
        about = Parser().parsestr(opened.read(metadata).decode())
    code = {name.removeprefix("src/") for name in files if name.startswith("src/")}
    there = {name for name in inside if ".dist-info/" not in name}
    found = [f"{name}: missing" for name in sorted(code - there)]
    found += [f"{name}: does not belong into it" for name in sorted(there - code)]
    found += [f"{name}: empty" for name in there if inside[name] == 0 and "/weights/" in name]
    licences = {Path(name).name for name in inside if "/licenses/" in name}
    found += [
        f"{n}: no such notice" for n in PROJECT["license-files"] if Path(n).name not in licences
    ]
    if wheel.stat().st_size > MAX_WHEEL_MB * 1e6:
        found.append(f"{wheel.name}: {wheel.stat().st_size / 1e6:.0f} MB")
    for key, value in (
        ("Name", PROJECT["name"]), ("Version", PROJECT["version"]),
        ("License-Expression", PROJECT["license"]), ("Requires-Python", PROJECT["requires-python"]),
    ):  # fmt: skip
        if about[key] != value:
            found.append(f"{key}: {about[key]}; expected {value}")
    extras = set(about.get_all("Provides-Extra") or [])
    return found + [
        f"{extra}: no such extra" for extra in PROJECT["optional-dependencies"].keys() - extras
    ]


def problems_of_sdist(sdist: Path, files: Sequence[str]) -> list[str]:
    """What is wrong with an sdist of the repository's `files`."""
    with tarfile.open(sdist) as opened:
        inside = {name.partition("/")[2] for name in opened.getnames()}
        links = [member.name for member in opened if member.islnk() or member.issym()]
    needed = {name for name in files if name.startswith(("src/", "tests/"))}
    needed |= {"pyproject.toml", "README.md", "LICENSE", "constraints.txt", "CITATION.cff"}
    folders = {str(parent) for name in files for parent in Path(name).parents}
    allowed = {*files, *folders, "PKG-INFO", ""}
    found = [f"{name}: missing" for name in sorted(needed - inside)]
    found += [f"{name}: does not belong into it" for name in sorted(inside - allowed)]
    return found + [f"{name}: a link" for name in links]


def check(out: Path) -> Path:
    """Build, and end the program with a list if something is wrong; returns the wheel."""
    files = [name for name in kept() if (ROOT / name).exists()]
    wheel, sdist = build(out)
    found = problems_of_wheel(wheel, files) + problems_of_sdist(sdist, files)
    if found:
        sys.exit("\n".join(found))
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB")
    print(f"{sdist.name}: {sdist.stat().st_size / 1e6:.1f} MB")
    return wheel


def install(wheel: Path, place: Path, python: str) -> None:
    """Install the wheel into a bare environment in `place`, and use it far from the repository."""
    run(python, "-m", "venv", place / "venv")
    of_it = place / "venv" / "bin"
    own = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    own["PATH"] = f"{of_it}:{own['PATH']}"
    asked = f"{wheel}[actors]"
    run(of_it / "python", "-m", "pip", "install", "--quiet", "--no-cache-dir",
        "--constraint", ROOT / "constraints.txt", asked, env=own)  # fmt: skip
    use(of_it / "dfmnist", place, own)
    typed = run(
        of_it / "python", "-c", "import dfmnist; print(dfmnist.__path__[0])", cwd=place, env=own
    )
    assert (Path(typed.strip()) / "py.typed").exists(), "py.typed is not installed"
    assert str(ROOT) not in typed, typed


def use(program: Path, place: Path, environment: Mapping[str, str]) -> None:
    """Help, version, the list of models, and the smallest demo."""
    assert PROJECT["version"] in run(program, "--version", cwd=place, env=environment)
    for command in ("demo", "build", "train", "detect", "animate", "experiment", "report"):
        assert command in run(program, "--help", cwd=place, env=environment)
        run(program, command, "--help", cwd=place, env=environment)
    assert "resnet50" in run(program, "fetch", cwd=place, env=environment)
    run(program, "fetch", "faces", cwd=place, env=environment)
    run(program, *SMOKE, place / "smoke", cwd=place, env=environment)
    assert (place / "smoke" / "report" / "index.html").exists()
    told = run(program, "dataset", "verify", place / "smoke" / "dataset", "--json", env=environment)
    assert json.loads(told)["problems"] == [], told


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """The instructions of a Dockerfile: their name and what follows it, in order."""
    joined = re.sub(r"\\\n\s*", " ", "\n".join(
        line for line in text.splitlines() if not line.startswith("#")
    ))  # fmt: skip
    for line in joined.splitlines():
        if line.strip():
            name, _, rest = line.partition(" ")
            yield name, rest.strip()


def docker(place: Path, python: str) -> None:
    """Carry out the Dockerfile's steps in a bare environment, start its CMD, ask for its health.

    `/app` stands for the folder `place`/app. `RUN` is run by a shell, as the user that the
    Dockerfile names where this process may change its user; this user must be able to read `place`
    and to run `python`, which has to lie outside /root. The port is a free one.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    app = place / "app"
    app.mkdir()
    environment = {k: os.environ[k] for k in ("PATH", "LANG") if k in os.environ}
    environment |= {k: v for k, v in os.environ.items() if k.lower().startswith(("pip_", "ssl"))}
    user: list[str] = []
    command: list[str] = []
    health: list[str] = []
    steps = list(instructions((ROOT / "Dockerfile").read_text()))
    exposed = dict(steps)["EXPOSE"]
    for name, rest in steps:
        here = re.sub(r"(?<![\w/])/app\b", str(app), rest)
        if name == "FROM":
            version = re.fullmatch(r"python:(\d+\.\d+)-slim", rest)
            assert version, f"FROM {rest}: expected a slim image of Python"
            run(python, "-m", "venv", place / "venv")
            environment["PATH"] = f"{place / 'venv' / 'bin'}:{environment['PATH']}"
        elif name in ("ENV", "ARG"):
            for pair in shlex.split(here):
                key, _, value = pair.partition("=")
                environment[key] = value
        elif name == "COPY":
            *sources, target = shlex.split(rest)
            for source in sources:
                _copy(ROOT / source, app / target / ("" if target.endswith("/") else "."))
        elif name == "USER":
            uid, _, gid = rest.partition(":")
            if os.geteuid() == 0:
                user = ["setpriv", "--reuid", uid, "--regid", gid, "--clear-groups"]
                run(*user, "python", "-c", "", cwd=app, env=environment)
        elif name == "RUN":
            run(*user, "sh", "-ec", here, cwd=app, env=environment)
        elif name == "CMD":
            command = json.loads(rest.replace(exposed, port))
        elif name == "HEALTHCHECK":
            health = json.loads(rest.partition(" CMD ")[2].replace(exposed, port))
        else:
            assert name in ("WORKDIR", "EXPOSE"), f"{name}: no such instruction here"
    print("+", shlex.join(command), flush=True)
    serving = subprocess.Popen([*user, *command], cwd=app, env=environment)
    try:
        for _ in range(START_S):
            time.sleep(1)
            if (
                subprocess.run([*user, *health], env=environment, capture_output=True).returncode
                == 0
            ):
                return
            assert serving.poll() is None, f"{command[0]} ended with {serving.returncode}"
        raise AssertionError(f"no answer to the health check within {START_S} s")
    finally:
        serving.terminate()
        serving.wait(60)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
    else:
        shutil.copy(source, target)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("check", "install", "docker"))
    parser.add_argument("--python", default=sys.executable, help="Python of the environment.")
    parser.add_argument("--keep", type=Path, help="Folder to work in, which is kept.")
    given = parser.parse_args()
    place = given.keep or Path(tempfile.mkdtemp())
    place.mkdir(parents=True, exist_ok=True)
    try:
        if given.what == "docker":
            place.chmod(0o755)  # for the Dockerfile's user
            docker(place, given.python)
        else:
            wheel = check(place / "dist")
            if given.what == "install":
                install(wheel, place, given.python)
    finally:
        if given.keep is None:
            shutil.rmtree(place)
    print("all is well")


if __name__ == "__main__":
    main()
