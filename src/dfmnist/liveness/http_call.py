"""One HTTP call with a deadline: a status and a body, or the reason why there are none."""

import contextlib
import http.client
import socket
import ssl
import threading
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

from dfmnist.core.plugins import MAX_ANSWER_BYTES

MAX_WAIT_S = 60.0
"""Longest wait in seconds before a further call."""


class CallError(Exception):
    """A call without an answer. The message is one line and holds nothing of the request."""

    def __init__(self, reason: str, *, again: bool, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.again = again
        """Whether a further call may succeed."""
        self.wait_s = wait_s
        """Seconds that the service asks to wait before it."""


@dataclass(frozen=True)
class HttpRequest:
    """One request; it holds secrets and is never printed or written."""

    method: str
    url: str
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:
        return f"HttpRequest({self.method}, {len(self.body)} bytes)"


def call(request: HttpRequest, timeout_s: float) -> bytes:
    """The body of the answer, complete and with status 200 to 299, within `timeout_s`.

    Redirections are not followed, since secrets would go with them. Raises `CallError`.
    """
    connection, target = _connection(request, timeout_s)
    late = threading.Event()
    reached: list[socket.socket] = []

    def give_up() -> None:
        late.set()
        for found in reached:
            with contextlib.suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)  # ends a read that gets a byte now and then

    timer = threading.Timer(timeout_s, give_up)
    timer.daemon = True
    timer.start()
    try:
        connection.connect()
        reached.append(connection.sock)
        if late.is_set():
            raise TimeoutError
        connection.request(request.method, target, request.body, dict(request.headers))
        return _read(connection.getresponse())
    except CallError as error:
        if not late.is_set():
            raise
        raise _too_late(timeout_s) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        if late.is_set() or isinstance(error, TimeoutError):
            raise _too_late(timeout_s) from None
        raise CallError(_words(error), again=not isinstance(error, ValueError)) from None
    finally:
        timer.cancel()
        connection.close()


def _too_late(timeout_s: float) -> CallError:
    return CallError(f"no answer within {timeout_s:g} s", again=True)


def _connection(request: HttpRequest, timeout_s: float) -> tuple[http.client.HTTPConnection, str]:
    """The connection, through the environment's proxy if there is one, and the request's target."""
    parts = urlsplit(request.url)
    host = parts.hostname or ""
    target = (parts.path or "/") + (f"?{urlencode(request.query)}" if request.query else "")
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    proxy = "" if proxy_bypass(host) else getproxies().get(parts.scheme, "")
    if not proxy:
        return kind(host, parts.port, timeout=timeout_s), target
    through = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    connection = kind(through.hostname or "", through.port, timeout=timeout_s)
    connection.set_tunnel(host, parts.port or (443 if secure else 80))
    return connection, target


def _read(response: http.client.HTTPResponse) -> bytes:
    if not 200 <= response.status < 300:
        again = response.status in (408, 429) or response.status >= 500
        wait_s = _retry_after(response.getheader("Retry-After", ""))
        raise CallError(f"HTTP status {response.status}", again=again, wait_s=wait_s)
    body = response.read(MAX_ANSWER_BYTES + 1)
    if len(body) > MAX_ANSWER_BYTES:
        raise CallError(f"the answer has more than {MAX_ANSWER_BYTES} bytes", again=False)
    if response.length:
        raise CallError("the answer is truncated", again=True)
    return body


def _retry_after(text: str) -> float:
    """Seconds of a `Retry-After` header, bounded; 0 for a date or anything else."""
    return min(float(text), MAX_WAIT_S) if text.isdecimal() and len(text) < 9 else 0.0


def _words(error: Exception) -> str:
    """A failed connection in words; the texts of errors may hold parts of a request or answer."""
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, socket.gaierror):
        return "the host's name is not known"
    if isinstance(error, ssl.SSLError):
        return f"no secure connection ({error.reason or type(error).__name__})"
    if isinstance(error, http.client.IncompleteRead):
        return "the answer is truncated"
    return f"the connection failed ({type(error).__name__})"
