"""The page: its tabs, put together."""

import gradio as gr
from markupsafe import Markup

from dfmnist import __version__
from dfmnist.app.animate import AnimateTab
from dfmnist.app.browse import BrowseTab
from dfmnist.app.config import KEPT_S
from dfmnist.app.detect import DetectTab
from dfmnist.app.liveness import LivenessTab

CHECK_EVERY_S = 600
"""Seconds between two looks for uploads that are to be deleted."""
WAITING = 20
"""Largest number of requests that wait for their turn."""


def make_page(
    detect: DetectTab,
    liveness: LivenessTab,
    animate: AnimateTab,
    browse: BrowseTab | None,
    *,
    has_report: bool,
) -> gr.Blocks:
    """The page with its tabs. Nothing is sent to anybody but the browser that asks."""
    page = gr.Blocks(title="dfmnist", analytics_enabled=False, delete_cache=(CHECK_EVERY_S, KEPT_S))
    with page:
        gr.HTML(_header(has_report))
        with gr.Tab("Detect"):
            detect.build()
        with gr.Tab("Liveness check"):
            liveness.build()
        with gr.Tab("Animate"):
            animate.build()
        with gr.Tab("Dataset"):
            if browse is None:
                gr.HTML(
                    '<p class="dfm">No dataset: start the page with '
                    "<code>dfmnist serve --dataset FOLDER</code>.</p>"
                )
            else:
                browse.build()
    page.queue(max_size=WAITING, default_concurrency_limit=1, api_open=False)
    return page


def _header(has_report: bool) -> str:
    link = Markup(' <a href="report/">Open the report.</a>') if has_report else ""
    return str(
        Markup(
            '<h1 class="dfm">dfmnist {}</h1><p class="dfm">Everything runs on this machine. '
            "Uploads and results are deleted after {} minutes.{}</p>"
        ).format(__version__, KEPT_S // 60, link)
    )
