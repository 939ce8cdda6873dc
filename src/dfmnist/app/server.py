"""The server of the page: FastAPI with the page, a report, and the clips of a dataset."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before Gradio is imported
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import gradio as gr
import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from dfmnist.app.animate import AnimateTab
from dfmnist.app.browse import BrowseTab
from dfmnist.app.config import KEPT_S, LOOPBACK, ServeConfig
from dfmnist.app.detect import DetectTab
from dfmnist.app.folder import PageFolder, page_folder
from dfmnist.app.liveness import LivenessTab
from dfmnist.app.page import CHECK_EVERY_S, make_page
from dfmnist.core.errors import InputError
from dfmnist.detectors.chosen import choose_detector
from dfmnist.liveness.chosen import choose_detectors

CSS = Path(__file__).with_name("page.css")
BACKLOG = 128
"""Number of connections that may wait to be accepted."""


def make_app(config: ServeConfig, folder: PageFolder) -> FastAPI:
    """The page, the report and the dataset's clips as one application.

    Raises `InputError` for a detector, dataset or report that cannot be used.
    """
    choose_detectors(config.liveness)
    browse = None if config.dataset is None else BrowseTab(config.dataset)
    report = None if config.report is None else _report(config.report)
    page = make_page(
        DetectTab(choose_detector(config.run), folder),
        LivenessTab(config.liveness),
        AnimateTab(folder),
        browse,
        has_report=report is not None,
    )
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    if config.is_local:
        # a site in the user's browser could else reach the page under a name of its own
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, "[::1]", config.host])
    if report is not None:
        app.mount("/report", StaticFiles(directory=report, html=True))
    if browse is not None:
        app.get("/dataset/clips/{number}")(_clips(browse))
    theme = gr.themes.Default(
        font=("system-ui", "sans-serif"), font_mono=("ui-monospace", "monospace")
    )
    mounted: FastAPI = gr.mount_gradio_app(
        app, page, path="/", theme=theme, css_paths=CSS, footer_links=[], show_error=False,
        max_file_size=f"{config.max_upload_mb}mb", allowed_paths=[str(folder.path)],
        enable_monitoring=False, ssr_mode=False, pwa=False, mcp_server=False,
    )  # fmt: skip
    return mounted


def _report(folder: Path) -> Path:
    """The folder of a report. Raises `InputError` where there is none."""
    if not (folder / "index.html").is_file():
        raise InputError.of(folder, "holds no index.html", "a folder that `dfmnist report` wrote")
    return folder


def _clips(browse: BrowseTab) -> Callable[[int], FileResponse]:
    def clip(number: int) -> FileResponse:
        path = browse.file(number)
        if path is None:
            raise HTTPException(404)
        return FileResponse(path)

    return clip


def open_port(host: str, port: int) -> socket.socket:
    """A socket that listens on `host` and `port`. Raises `InputError` where none can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise InputError(
            f"--host {host}: {error.strerror}; expected an address of this machine"
        ) from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        what = f"port {port} of {host} cannot be listened on ({error.strerror})"
        raise InputError(f"{what}; expected a free one: --port") from None
    return listener


@contextmanager
def _swept(folder: PageFolder) -> Iterator[None]:
    """Results are deleted after a while, as uploads are, for as long as the block runs."""
    ended = threading.Event()

    def sweep() -> None:
        while not ended.wait(CHECK_EVERY_S):
            folder.delete_older(KEPT_S)

    threading.Thread(target=sweep, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def serve(config: ServeConfig, ready: Callable[[str], object]) -> None:
    """Serve the page until Ctrl-C; `ready` is called with its address when it can be opened.

    Raises `InputError`.
    """
    listener = open_port(config.host, config.port)
    with listener, page_folder() as folder, _swept(folder):
        os.environ["GRADIO_TEMP_DIR"] = str(folder.path)
        app = make_app(config, folder)
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        server = uvicorn.Server(
            uvicorn.Config(
                app, log_level="warning", access_log=False, timeout_graceful_shutdown=3,
                server_header=False,
            )
        )  # fmt: skip
        # at the end the connections of open pages are cut, which uvicorn logs as errors
        logging.getLogger("uvicorn.error").addFilter(lambda _: not server.should_exit)
        ready(f"http://{shown}:{port}/")
        with suppress(KeyboardInterrupt):  # raised again by uvicorn after it has shut down
            server.run(sockets=[listener])
