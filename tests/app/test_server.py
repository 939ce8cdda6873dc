"""What the server answers, and to whom."""

import os
import re
import socket
import threading
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from dfmnist.app.config import ServeConfig
from dfmnist.app.folder import PageFolder, page_folder
from dfmnist.app.server import make_app, open_port
from dfmnist.core.errors import InputError

PATIENCE_S = 10


def test_the_page_has_its_tabs_and_asks_no_other_machine(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    for tab in ("Detect", "Liveness check", "Animate", "Dataset"):
        assert f'"{tab}"' in page.text
    loaded = re.findall(r'(?:src|href)="(https?:)?//[^"]*"', page.text)
    assert loaded == []
    theme = client.get("/theme.css").text
    assert "//fonts." not in theme
    assert "@import" not in theme


def test_sites_under_another_name_are_refused(client: TestClient) -> None:
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
    assert client.get("/dataset/clips/0", headers={"host": "evil.example"}).status_code == 400
    assert client.get("/", headers={"host": "localhost:7860"}).status_code == 200


def test_clips_are_served_by_number_and_in_parts(client: TestClient) -> None:
    whole = client.get("/dataset/clips/0")
    assert whole.content == bytes(range(200))
    part = client.get("/dataset/clips/0", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
    for missing in (1, 13, -1):  # a clip without a file, and no clips
        assert client.get(f"/dataset/clips/{missing}").status_code == 404
    assert client.get("/dataset/clips/..%2Fmetadata.jsonl").status_code in (404, 422)


def test_the_report_is_served(client: TestClient) -> None:
    assert client.get("/report/").text == "the report"
    assert client.get("/report/../metadata.jsonl").status_code == 404


def test_an_upload_over_the_limit_is_refused(client: TestClient, folder: PageFolder) -> None:
    answer = client.post("/gradio_api/upload", files={"files": ("a.mp4", bytes(1_100_000))})
    assert answer.status_code == 413
    answer = client.post("/gradio_api/upload", files={"files": ("a.mp4", bytes(900_000))})
    assert answer.status_code == 200


def test_files_of_the_machine_are_not_served(client: TestClient, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    for path in (secret, Path("/etc/hostname")):
        answer = client.get(f"/gradio_api/file={path}")
        assert answer.status_code in (403, 404)


def test_a_port_that_is_taken_is_named() -> None:
    with open_port("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} of 127.0.0.1 cannot be listened on"):
            open_port("127.0.0.1", port)


def test_an_address_of_no_machine_is_named() -> None:
    with pytest.raises(InputError, match=r"--host 256\.1\.1\.1"):
        open_port("256.1.1.1", 0)


def test_what_cannot_be_served_is_named_at_the_start(tmp_path: Path) -> None:
    with page_folder() as folder:
        for config, named in (
            (ServeConfig(report=tmp_path), str(tmp_path)),
            (ServeConfig(dataset=tmp_path), "metadata.jsonl"),
            (ServeConfig(run=str(tmp_path)), "no training run"),
            (ServeConfig(liveness=("nobody",)), "nobody"),
        ):
            with pytest.raises(InputError, match=re.escape(named)):
                make_app(config, folder)


@pytest.mark.parametrize(("name", "value"), [("port", 65_536), ("port", -1), ("max_upload_mb", 0)])
def test_settings_out_of_range(name: str, value: int) -> None:
    with pytest.raises(InputError, match=str(value)):
        ServeConfig(**{name: value})  # type: ignore[arg-type]


def test_results_are_deleted_when_they_are_old() -> None:
    with page_folder() as folder:
        old, new = folder.new("a.mp4"), folder.new("b.mp4")
        for each in (old, new):
            each.write_bytes(b"x")
        long_ago = time.time() - 7200
        os.utime(old.parent, (long_ago, long_ago))
        folder.delete_older(3600)
        assert (old.exists(), new.exists()) == (False, True)
    assert not new.exists()  # nothing is left behind


def test_serve_listens_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    from dfmnist.app import server

    addresses: list[str] = []
    monkeypatch.setattr(
        server.uvicorn.Server, "run", lambda self, sockets: sockets[0].getsockname()
    )
    server.serve(ServeConfig(port=0), addresses.append)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", addresses[0])
    port = int(addresses[0].rsplit(":", 1)[1].strip("/"))
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))  # it was given back
    assert threading.active_count() < 50
