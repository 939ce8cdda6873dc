"""A file server on this machine, in place of the hosts that publish weights."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer


class Server(HTTPServer):
    """Serves `files` by name, and notes the ranges that were asked for."""

    files: Mapping[str, bytes]
    ranges: list[str | None]
    breaks_after: int | None = None
    """Bytes after which the connection is closed."""
    knows_ranges: bool = True
    lies_by: int = 0
    """Bytes by which a partial answer begins elsewhere than was asked for."""

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.server.ranges.append(asked)
        content = self.server.files.get(self.path.removeprefix("/"))
        if content is None:
            self.send_error(404)
            return
        start = 0
        if asked and self.server.knows_ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        if start:
            start += self.server.lies_by
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        most = self.server.breaks_after
        self.wfile.write(content[start : None if most is None else start + most])

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def serving(files: Mapping[str, bytes]) -> Iterator[Server]:
    """A server of `files` for the time of the context."""
    server = Server(("127.0.0.1", 0), Handler)
    server.files, server.ranges = files, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
