"""A page on a tiny detector and a small dataset, as an application and without a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("gradio", reason="needs the extra 'app'")

from fastapi.testclient import TestClient

from dfmnist.app.config import ServeConfig
from dfmnist.app.folder import PageFolder, page_folder
from dfmnist.app.server import make_app
from dfmnist.dataset.clip import Clip, Rejected, Screening
from dfmnist.dataset.manifest import write_manifest, write_rejected

LIMIT_MB = 1
NASTY = "<img src=x onerror=alert(1)>"


def clip(name: str, action: str, quality: str, label: str = "fake") -> Clip:
    return Clip.model_validate(
        {
            "file_name": f"clips/{name}.mp4",
            "label": label,
            "action": action,
            "quality": quality,
            "split": "test",
            "identities": [NASTY],
        }
    )


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirteen clips, of which the first has a file, and one rejected attempt."""
    root = tmp_path_factory.mktemp("page-dataset")
    (root / "clips").mkdir()
    clips = [clip(f"blink{i:02d}", "blink", "raw") for i in range(12)]
    clips.append(clip("smile", "smile", "c23", "real"))
    (root / clips[0].file_name).write_bytes(bytes(range(200)))
    write_manifest(root, clips)
    attempt = Rejected.model_validate(
        {
            "attempt_id": "a",
            "label": "fake",
            "action": "nod",
            "split": "train",
            "source": NASTY,
            "source_frame": 0,
            "driver": "bob",
            "take": 0,
            "generator": "",
            "seed": 0,
            "screening": (Screening(detector="action", live=False, score=0.2, reason="no nod"),),
            "reason": "no nod",
        }
    )
    write_rejected(root, [attempt])
    return root


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page-report")
    (folder / "index.html").write_text("the report")
    return folder


@pytest.fixture(scope="session")
def folder() -> Iterator[PageFolder]:
    with page_folder() as made:
        yield made


@pytest.fixture(scope="session")
def client(dataset: Path, report: Path, folder: PageFolder) -> Iterator[TestClient]:
    config = ServeConfig(max_upload_mb=LIMIT_MB, dataset=dataset, report=report)
    with TestClient(make_app(config, folder), base_url="http://127.0.0.1") as client:
        yield client
