"""A headless Chromium driven over a pipe: no port, no network, nothing beyond the standard library.

The DevTools protocol, https://chromedevtools.github.io/devtools-protocol/, on file descriptors 3
and 4 (`--remote-debugging-pipe`): JSON messages, each ended by a zero byte.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)
WAIT_S = 60.0
START = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find() -> str | None:
    """Path of an installed browser; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Tab:
    """One page; `events` holds everything that the browser told of it."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._out, self._in = to_browser, from_browser
        self._buffer = b""
        self._count = 0
        self._session = ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one command. Raises RuntimeError for an error in it."""
        self._count += 1
        number = self._count
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _read(self) -> dict[str, Any]:
        end = time.monotonic() + WAIT_S
        while b"\0" not in self._buffer:
            if not select.select([self._in], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError(f"the browser said nothing for {WAIT_S:g} s")
            part = os.read(self._in, 1 << 20)
            if not part:
                raise RuntimeError("the browser ended")
            self._buffer += part
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def js(self, expression: str) -> Any:
        """The value of `expression`; a promise is waited for."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def open(self, url: str, width: int, height: int, *, theme: str = "light") -> None:
        """Load `url` in a window of this size, for a reader with this colour scheme."""
        phone = width < 500
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=phone,
        )  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": theme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.events.clear()
        self.call("Page.navigate", url=url)
        end = time.monotonic() + WAIT_S
        while self.js("document.readyState") != "complete":
            assert time.monotonic() < end, "the page did not load"
        self.js("new Promise(done => requestAnimationFrame(() => setTimeout(done, 100)))")

    def press(self, key: str, *, shift: bool = False) -> None:
        """One key, as a reader would press it."""
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowRight": 39}
        text = {"Enter": "\r", " ": " "}.get(key, "")
        about = {"key": key, "windowsVirtualKeyCode": codes[key], "modifiers": 8 * shift}
        kind = "keyDown" if text else "rawKeyDown"
        self.call("Input.dispatchKeyEvent", type=kind, text=text, **about)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def shoot(self, path: Path) -> None:
        """A PNG of the whole page."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def told(self, method: str) -> list[dict[str, Any]]:
        """Parameters of the events of this name since the page was opened."""
        self.js("0")  # what is still in the pipe comes before its answer
        return [event["params"] for event in self.events if event.get("method") == method]

    def errors(self) -> list[str]:
        """What the console would show in red: exceptions, errors, things that did not load."""
        thrown = [e["exceptionDetails"]["text"] for e in self.told("Runtime.exceptionThrown")]
        logged = [
            f"{e['entry']['text']} {e['entry'].get('url', '')}"
            for e in self.told("Log.entryAdded")
            if e["entry"]["level"] in ("error", "warning")
        ]
        said = [str(e["args"]) for e in self.told("Runtime.consoleAPICalled")
                if e["type"] in ("error", "warning", "assert")]  # fmt: skip
        return [*thrown, *logged, *said]


@contextmanager
def browser(executable: str, profile: Path) -> Iterator[Tab]:
    """A browser of its own with one tab; closed at the end."""
    read_ours, theirs_out = os.pipe()
    theirs_in, write_ours = os.pipe()
    # above 4, so that neither lies where the other has to go
    given = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs_in, theirs_out)]
    started = subprocess.Popen(
        [sys.executable, "-c", START, *map(str, given), executable, *FLAGS,
         f"--user-data-dir={profile}", "about:blank"],
        pass_fds=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for end in (theirs_in, theirs_out, *given):
        os.close(end)
    try:
        yield Tab(write_ours, read_ours)
    finally:
        os.close(write_ours)
        os.close(read_ours)
        started.terminate()
        try:
            started.wait(10)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()
