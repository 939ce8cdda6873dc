"""A liveness service on this machine that answers as it is told, well or badly."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["Handler"], None]


@dataclass
class Received:
    """What one request brought."""

    path: str
    headers: dict[str, str]
    body: bytes
    at_s: float = field(default_factory=time.monotonic)


class Service(ThreadingHTTPServer):
    """Answers each request by the next of `behaviours`; the last one answers all further ones."""

    daemon_threads = True
    behaviours: list[Behaviour]
    received: list[Received]
    ended: threading.Event

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/check"


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(Received(self.path, dict(self.headers), body))
        behaviours = self.server.behaviours
        (behaviours.pop(0) if len(behaviours) > 1 else behaviours[0])(self)

    def send(
        self, content: bytes, status: int = 200, length: int | None = None, **headers: str
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


def says(value: Any) -> Behaviour:
    """A whole answer with `value` as JSON."""
    return lambda handler: handler.send(json.dumps(value).encode())


def status(code: int, **headers: str) -> Behaviour:
    return lambda handler: handler.send(b"{}", code, **headers)


def raw(content: bytes, length: int | None = None) -> Behaviour:
    """The bytes `content`, announced as `length` of them."""
    return lambda handler: handler.send(content, length=length)


def silent(handler: Handler) -> None:
    """No answer until the test is over."""
    handler.server.ended.wait(30)


def dripping(handler: Handler) -> None:
    """A byte now and then: each read is quick, the whole answer never ends."""
    handler.send(b"{", length=10_000)
    with contextlib.suppress(OSError):
        while not handler.server.ended.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()


def hangs_up(handler: Handler) -> None:
    handler.connection.close()


@contextlib.contextmanager
def service(*behaviours: Behaviour) -> Iterator[Service]:
    """A service for the time of the context."""
    server = Service(("127.0.0.1", 0), Handler)
    server.behaviours, server.received, server.ended = list(behaviours), [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
