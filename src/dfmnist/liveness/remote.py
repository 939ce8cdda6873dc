"""A liveness detector that is an HTTP service: one that you run or are authorised to test.

Answers are cached on disk by the clip's hash, so that a run that was stopped asks for what is
missing only. Calls are limited in rate and in number over all processes and runs. Whatever goes
wrong is a verdict "not assessed" with a reason. Secrets are in requests alone.
"""

import base64
import fcntl
import io
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from dfmnist.core.batch import failure, published
from dfmnist.core.errors import InputError
from dfmnist.core.files import cache_dir, read_json, sha256_text, write_json
from dfmnist.liveness.answer import AnswerError
from dfmnist.liveness.base import Verdict
from dfmnist.liveness.clip_file import ClipFile
from dfmnist.liveness.detector_config import HttpDetector
from dfmnist.liveness.http_call import MAX_WAIT_S, CallError, HttpRequest, call
from dfmnist.liveness.secrets import Secrets
from dfmnist.media.sample import sample_frames

JPEG_QUALITY = 95
"""Quality of the JPEG pictures of `send = "frames"`."""
REFUSED = ("HTTP status 401", "HTTP status 403")
"""Answers after which no further call is made: the service does not know its user."""
_BOUNDARY = "----dfmnist-7d1c2f0a9b"


class RemoteDetector:
    """A liveness detector behind HTTP. It is given files and never raises for a failed call."""

    def __init__(self, config: HttpDetector, folder: Path | None = None) -> None:
        """Answers are kept in `folder`; None is a folder of the user's cache.

        Raises `InputError` if an environment variable that the settings name is not set.
        """
        self.name = config.name
        self._config = config
        self._secrets = Secrets(config.variables, f"detector {config.name}")
        shared = cache_dir() / "liveness" / f"{config.name}-{config.request_key}"
        self._folder = folder or shared
        self._limits = CallLimits(self._folder / "calls.json", config)
        self._refused = ""

    def __repr__(self) -> str:
        return f"RemoteDetector({self.name})"

    def assess(self, clip: ClipFile) -> Verdict:
        """The service's verdict on a clip's file, from the cache if it was asked before."""
        try:
            kept = self._folder / "answers" / f"{clip.sha256}-{clip.action_name or 'none'}.json"
            if kept.is_file():
                return self._verdict(read_json(kept))
            answer = self._ask(clip)
            verdict = self._verdict(answer)
            write_json(kept, answer)
            return verdict
        except (AnswerError, CallError) as error:
            reason = str(error)
        except Exception as error:
            reason = published(failure(error, clip.path), clip.path)
        return Verdict.not_assessed(self.name, str(self._secrets.hide(reason)))

    def _verdict(self, answer: Any) -> Verdict:
        found = self._config.answer.read(answer)
        reason = "" if found.live else f"rejected by {self.name}"
        return Verdict(self.name, found.live, found.score, reason)

    def _ask(self, clip: ClipFile) -> Any:
        """The service's JSON answer without secrets. Raises `CallError`, `AnswerError`."""
        request = build_request(self._config, self._secrets, clip)
        body = self._call(request)
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            raise AnswerError("the answer is not valid JSON") from None
        return self._secrets.hide(answer)

    def _call(self, request: HttpRequest) -> bytes:
        wait_s = self._config.backoff_s
        for left in range(self._config.retries, -1, -1):
            if self._refused:
                raise CallError(f"{self._refused} before, so no further call", again=False)
            self._limits.take()
            try:
                return call(request, self._config.timeout_s)
            except CallError as error:
                if str(error) in REFUSED:
                    self._refused = str(error)
                if not left or not error.again:
                    raise
                time.sleep(min(max(wait_s, error.wait_s), MAX_WAIT_S))
                wait_s *= 2
        raise AssertionError("unreachable")


class CallLimits:
    """The rate and the number of calls of one service, counted in a file for all processes."""

    def __init__(self, path: Path, config: HttpDetector) -> None:
        self._path = path
        self._budget = config.budget
        self._apart_s = 1 / config.calls_per_s

    def take(self) -> None:
        """Wait until the next call is allowed and count it. Raises `CallError` at the budget."""
        with self._locked():
            made, last = self._read()
            if made >= self._budget:
                what = f"the budget of {self._budget} calls is used up"
                raise CallError(f"{what}; `budget` in the settings raises it", again=False)
            wait_s = self._apart_s - (time.time() - last)
            time.sleep(min(max(wait_s, 0.0), self._apart_s))
            write_json(self._path, {"calls": made + 1, "last": time.time()})

    def _read(self) -> tuple[int, float]:
        if not self._path.is_file():
            return 0, 0.0
        found = read_json(self._path)
        try:
            return int(found["calls"]), float(found["last"])
        except (KeyError, TypeError, ValueError):
            raise InputError.of(
                self._path, "counts no calls", "the file as it was written"
            ) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def build_request(config: HttpDetector, secrets: Secrets, clip: ClipFile) -> HttpRequest:
    """The request that sends `clip`. Raises `InputError` for a clip that cannot be read.

    The clip's name and folder are not sent, since they may tell a fake from a real clip.
    """
    action = ""
    if clip.action is not None:
        action = config.action_names.get(clip.action, clip.action.value)
    fields = {
        name: value.replace("{action}", action) if isinstance(value, str) else value
        for name, value in config.fields.items()
    }
    if config.send == "file":
        kind, body = _form(fields, config.clip_field, clip.path)
    else:
        content: Any = (
            base64.b64encode(clip.path.read_bytes()).decode()
            if config.send == "base64"
            else _pictures(clip.path, config.frames)
        )
        kind = "application/json"
        body = json.dumps({**fields, config.clip_field: content}).encode()
    headers = {name: secrets.fill(text) for name, text in config.headers.items()}
    given = {name.lower() for name in headers}
    ours = {"Content-Type": kind, "Accept": "application/json", "User-Agent": "dfmnist"}
    headers |= {name: text for name, text in ours.items() if name.lower() not in given}
    headers["Connection"] = "close"
    query = tuple((name, secrets.fill(text)) for name, text in config.query.items())
    return HttpRequest(config.method, config.url, query, tuple(headers.items()), body)


def _pictures(path: Path, count: int) -> list[str]:
    """Up to `count` frames of the clip as JPEG in base64."""
    _, frames = sample_frames(path, count)
    texts = []
    for frame in frames:
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=JPEG_QUALITY)
        texts.append(base64.b64encode(buffer.getvalue()).decode())
    return texts


def _form(fields: dict[str, Any], clip_field: str, path: Path) -> tuple[str, bytes]:
    """Content type and body of a multipart form (RFC 7578) with `fields` and the clip's file."""
    content = path.read_bytes()
    boundary = f"{_BOUNDARY}{sha256_text(str(len(content)))[:16]}"
    while boundary.encode() in content:
        boundary += "x"
    parts = []
    for name, value in fields.items():
        text = value if isinstance(value, str) else json.dumps(value)
        quoted = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{quoted}"\r\n\r\n'
        parts.append(head.encode() + text.encode() + b"\r\n")
    suffix = path.suffix.lower() if path.suffix.isascii() else ""
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{clip_field}"; '
        f'filename="clip{suffix}"\r\nContent-Type: application/octet-stream\r\n\r\n'
    )
    parts.append(head.encode() + content + f"\r\n--{boundary}--\r\n".encode())
    return f"multipart/form-data; boundary={boundary}", b"".join(parts)
