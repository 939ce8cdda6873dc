"""The models come out of the pinned wheel, checked."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from dfmnist.core.errors import InputError
from dfmnist.faces import mesh, weights
from dfmnist.faces.weights import MODELS, extract_models, face_model, fetch_faces


def test_models_are_the_expected_ones() -> None:
    paths = fetch_faces()
    assert set(paths) == set(MODELS)
    for name, path in paths.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == MODELS[name][1]
        assert face_model(name) == path


def test_every_model_that_is_fetched_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(mesh, "face_model", lambda name: asked.append(name) or face_model(name))
    mesh.FaceMesh()
    assert sorted(asked) == sorted(MODELS)


def test_a_wheel_with_other_content_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "other.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for member, _ in MODELS.values():
            archive.writestr(member, b"not the model")
    with pytest.raises(InputError, match="SHA-256"):
        extract_models(wheel, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"not a zip file", b""])
def test_a_damaged_wheel_is_one_line(tmp_path: Path, content: bytes) -> None:
    wheel = tmp_path / "broken.whl"
    wheel.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.whl") as caught:
        extract_models(wheel, tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_a_damaged_model_is_replaced(tmp_path: Path) -> None:
    good = fetch_faces()
    wheel = tmp_path / "good.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, (member, _) in MODELS.items():
            archive.write(good[name], member)
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "face_landmark.tflite").write_bytes(b"half a fi")
    extract_models(wheel, folder)
    assert (folder / "face_landmark.tflite").read_bytes() == good["face_landmark"].read_bytes()


def test_a_damaged_model_in_the_cache_is_fetched_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DFMNIST_CACHE", str(tmp_path))
    path = tmp_path / "faces" / "face_landmark.tflite"
    path.parent.mkdir()
    path.write_bytes(b"half a fi")
    monkeypatch.setattr(weights, "fetch_faces", lambda: {"face_landmark": Path("fetched")})
    assert face_model("face_landmark") == Path("fetched")
