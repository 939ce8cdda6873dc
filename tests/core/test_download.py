"""Downloads from a server on this machine: whole, resumed, rejected, and without a network."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib import request

import pytest
from tests.serving import Server, serving

from dfmnist.core import download as module
from dfmnist.core.download import download
from dfmnist.core.errors import InputError

CONTENT = bytes(range(256)) * 8192  # 2 MiB
HOW = "a network"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving({"w.pth": CONTENT}) as found:
        yield found


def accept(path: Path) -> None:
    assert path.suffix == ".pth"
    assert path.read_bytes() == CONTENT


def refuse(path: Path) -> None:
    raise InputError.of(path, "is another file", "ours")


def files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_file_arrives_whole(server: Server, tmp_path: Path) -> None:
    out = tmp_path / "new" / "w.pth"
    download(server.url("w.pth"), out, accept, HOW)
    assert out.read_bytes() == CONTENT
    assert files(out.parent) == ["w.pth"]
    download(server.url("w.pth"), out, refuse, HOW)  # there already: another process was first
    assert server.ranges == [None]
    assert files(out.parent) == ["w.pth"]


def test_two_that_want_it_at_once_receive_it_once(server: Server, tmp_path: Path) -> None:
    def fetch() -> None:
        download(server.url("w.pth"), tmp_path / "w.pth", accept, HOW)

    both = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert server.ranges == [None]
    assert files(tmp_path) == ["w.pth"]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait before a broken download goes on."""
    monkeypatch.setattr(module, "WAIT_S", 0.0)


def test_a_broken_download_goes_on_by_itself(server: Server, tmp_path: Path, at_once: None) -> None:
    server.breaks_after = 700_000
    download(server.url("w.pth"), tmp_path / "w.pth", accept, HOW)
    assert server.ranges == [None, "bytes=700000-", "bytes=1400000-"]
    assert files(tmp_path) == ["w.pth"]


def test_a_later_call_goes_on_from_what_is_there(
    server: Server, tmp_path: Path, at_once: None
) -> None:
    server.breaks_after, server.knows_ranges = 700_000, False  # no try brings anything new
    with pytest.raises(InputError, match="ended after 700000 of 2097152 bytes"):
        download(server.url("w.pth"), tmp_path / "w.pth", accept, HOW)
    assert server.ranges == [None, *["bytes=700000-"] * module.TRIES]
    assert files(tmp_path) == [".lock-w.pth", ".part-w.pth"]
    server.breaks_after, server.knows_ranges = None, True
    download(server.url("w.pth"), tmp_path / "w.pth", accept, HOW)
    assert server.ranges[-1] == "bytes=700000-"
    assert files(tmp_path) == ["w.pth"]


def test_a_server_that_sends_another_part_is_not_believed(
    server: Server, tmp_path: Path, at_once: None
) -> None:
    (tmp_path / ".part-w.pth").write_bytes(CONTENT[:1000])
    server.lies_by = 7
    download(server.url("w.pth"), tmp_path / "w.pth", accept, HOW)
    assert server.ranges == ["bytes=1000-", None]


def test_a_proxy_that_refuses_is_named_without_its_password(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://ann:secret@127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr(request, "_opener", None)  # it remembers the proxies of its first use
    monkeypatch.setattr(module, "urlopen", request.urlopen)  # no request leaves this machine
    with pytest.raises(InputError) as raised:
        download("http://weights.invalid/w.pth", tmp_path / "w.pth", accept, HOW)
    assert str(raised.value) == (
        "http://weights.invalid/w.pth: could not be downloaded (HTTP 404 Not Found, through the "
        f"proxy 127.0.0.1:{server.server_port}); expected a network"
    )


def test_a_file_that_was_received_but_not_renamed(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".part-w.pth").write_bytes(CONTENT)
    download(server.url("w.pth"), tmp_path / "w.pth", accept, HOW)
    assert server.ranges == [f"bytes={len(CONTENT)}-"]
    assert files(tmp_path) == ["w.pth"]


def test_what_the_check_rejects_is_not_kept(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        download(server.url("w.pth"), tmp_path / "w.pth", refuse, HOW)
    assert str(raised.value) == f"{server.url('w.pth')}: is another file; expected ours"
    assert files(tmp_path) == [".lock-w.pth"]


def test_without_a_network_it_is_one_line(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/w.pth"
    silent = socket.create_server(("127.0.0.1", 0))  # takes the connection and never answers
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    for address, said in (
        (closed, "Connection refused"),
        (f"http://127.0.0.1:{silent.getsockname()[1]}/w.pth", "timed out"),
        (server.url("missing"), "HTTP 404 Not Found"),
    ):
        with pytest.raises(InputError, match=rf"could not be downloaded \(.*{said}\)") as raised:
            download(address, tmp_path / "w.pth", accept, HOW)
        assert str(raised.value).endswith("; expected a network")
        assert "\n" not in str(raised.value)
        assert files(tmp_path) == [".lock-w.pth"]
    silent.close()
