"""`dfmnist serve`: the page in the browser."""

from pathlib import Path
from typing import Annotated

import typer

from dfmnist.core.console import say, show
from dfmnist.core.extras import need


def serve(
    dataset: Annotated[
        Path | None, typer.Option(help="Dataset folder to look through in the page.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Folder that `dfmnist report` wrote; the page links to it."),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|FILE|NAME",
            help="Detector, as `dfmnist detect --run` takes it. Default: the one that ships.",
        ),
    ] = None,
    liveness: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DETECTOR",
            help="Liveness detector, as `dfmnist liveness check --detector` takes it; repeatable. "
            "Default: action and universal.",
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. With the default, no other machine can reach the page; "
            "with another, everybody who reaches it can use it: there is no password."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 7860,
    max_upload_mb: Annotated[
        int, typer.Option(metavar="MB", help="Largest upload in megabytes.")
    ] = 200,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser.")
    ] = False,
) -> None:
    """Serve a page: detect, check liveness, animate, and look through a dataset. Ctrl-C ends it.

    Everything runs on this machine, and nothing is sent from it. Uploads and results are deleted
    after an hour, and when the server ends.
    """
    for module in ("gradio", "fastapi", "uvicorn"):
        need(module, extra="app", for_what="dfmnist serve")
    import webbrowser

    from dfmnist.app.config import ServeConfig
    from dfmnist.app.server import serve as serve_page

    config = ServeConfig(
        host=host, port=port, max_upload_mb=max_upload_mb, dataset=dataset, report=report, run=run,
        liveness=tuple(liveness or ()),
    )  # fmt: skip
    if not config.is_local:
        say(f"listening on {host}: everybody who reaches this address can use the page")

    def ready(address: str) -> None:
        show(f"{address} (Ctrl-C ends it)")
        if open_browser:
            webbrowser.open(address)

    serve_page(config, ready)
