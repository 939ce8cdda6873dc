"""Optional packages: absent ones are named in one line, and nothing else needs them."""

import ast
import math
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from lightning.pytorch import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from tests.running import called, refused
from tests.sources import FILES, nodes

from dfmnist.core.errors import InputError
from dfmnist.core.extras import have, need
from dfmnist.core.jobs import engine, run_jobs
from dfmnist.detectors.networks.builders import build
from dfmnist.fomm.training.trainer import make_trainer
from dfmnist.pipeline.film import FilmConfig, film_people

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULE_OF = {
    "c2pa-python": "c2pa",
    "dlib-bin": "dlib",
    "face-recognition-models": "face_recognition_models",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "scikit-learn": "sklearn",
    "warp-lang": "warp",
}
"""Distributions whose module has another name."""
EARLY = {
    *(("actors", file, "warp") for file in ("device.py", "raycast.py", "shading.py")),
    ("networks", "timm_network.py", "timm"),
    *(
        ("app", file, "gradio")
        for file in ("animate.py", "browse.py", "detect.py", "liveness.py", "page.py", "server.py")
    ),
    ("app", "wiring.py", "gradio"),
    *(("app", "server.py", package) for package in ("fastapi", "uvicorn")),
}
"""Files that import a package of an extra when they are loaded, with their folders."""


def modules(requirements: list[str]) -> set[str]:
    names = (re.split(r"[<>=!~;\[ ]", line)[0] for line in requirements)
    return {MODULE_OF.get(name, name) for name in names}


def imports() -> Iterator[tuple[Path, str, bool]]:
    """Each import of another package in `src`: the file, the module, whether on loading."""
    for path in FILES:
        module, *_ = found = nodes(path)
        assert isinstance(module, ast.Module)
        for node in found:
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in {name.split(".")[0] for name in names}:
                if name != "dfmnist" and name not in sys.stdlib_module_names:
                    yield path, name, node in module.body


def test_a_package_that_is_there_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    need("numpy", extra="actors", for_what="this")
    assert have("numpy")
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert not have("numpy")
    with pytest.raises(InputError) as raised:
        need("numpy", extra="actors", for_what="filming")
    assert str(raised.value) == "filming needs the extra 'actors': pip install 'dfmnist[actors]'"


@pytest.mark.xdist_group("sources")
def test_the_dependencies_are_what_the_package_imports() -> None:
    """No package is listed that is not used but pip, which `fetch faces` runs as a program."""
    used = {name for _, name, _ in imports()}
    core = modules(PROJECT["dependencies"])
    extras = set().union(
        *(
            modules(PROJECT["optional-dependencies"][e])
            for e in ("actors", "app", "c2pa", "identity", "mesonet", "ray", "timm")
        )
    )
    assert core - used == {"pip"}
    assert used - core == extras - {"face_recognition_models"}  # its files are read


@pytest.mark.xdist_group("sources")
def test_without_extras_every_file_but_a_few_can_be_loaded() -> None:
    core = modules(PROJECT["dependencies"])
    early = {(p.parent.name, p.name, name) for p, name, on_loading in imports() if on_loading}
    assert {(*file, name) for *file, name in early if name not in core} == EARLY


def test_all_holds_the_extras_that_commands_ask_for() -> None:
    """Ray is for several machines; timm needs a torchvision that fits the build of torch.

    `identity` is 100 MB that an evaluation can do without.
    """
    asked = {
        extra
        for path in FILES
        for extra in re.findall(r"need\(.*extra=\"(\w+)\"|dfmnist\[(\w+)\]", path.read_text())
    }
    names = {a or b for a, b in asked}
    assert names == {"actors", "app", "c2pa", "identity", "mesonet", "ray", "tensorboard", "timm"}
    (line,) = PROJECT["optional-dependencies"]["all"]
    needed = names - {"identity", "ray", "timm"}
    assert needed == {"actors", "app", "c2pa", "mesonet", "tensorboard"}
    assert needed <= set(re.split(r"[\[\],]", line))


@pytest.mark.parametrize("module", ["anny", "warp"])
def test_without_the_actors_nothing_is_begun(
    module: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    line = "filming synthetic actors needs the extra 'actors': pip install 'dfmnist[actors]'"
    with pytest.raises(InputError) as raised:
        film_people(FilmConfig(), tmp_path / "footage")
    assert str(raised.value) == line
    assert not (tmp_path / "footage").exists()
    assert refused(capsys, "fetch", "actors").strip() == f"dfmnist: {line}"
    code, out, _ = called(capsys, "fetch")
    assert not code
    assert "actors: not in the cache" in out


def test_without_h5py_a_keras_file_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    file = tmp_path / "Meso4_DF.h5"
    file.write_bytes(b"")
    with pytest.raises(InputError, match=r"Meso4_DF\.h5: .* needs the extra 'mesonet': pip inst"):
        build("meso4", file)


def test_without_ray_the_engine_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with engine("ray"), pytest.raises(InputError, match="--engine ray needs the extra 'ray'"):
        list(run_jobs(math.sqrt, [9.0], describe="roots"))


def test_without_tensorboard_a_training_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"max_epochs": 1, "accelerator": "cpu"}
    assert isinstance(make_trainer(tmp_path, Callback(), **options).logger, TensorBoardLogger)
    assert "TensorBoard" not in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert make_trainer(tmp_path, Callback(), **options).logger is None
    said = " ".join(capsys.readouterr().err.split())
    assert said.startswith("no TensorBoard here, so the losses are in curve.csv alone")
    assert said.endswith("pip install 'dfmnist[tensorboard]'")
