"""What happens when a control of the page is used; no handler is offered as an API."""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from dfmnist.app import markup

Components = Sequence[gr.components.Component]
Event = Callable[..., Any]
"""An event of a component, such as its click."""


def at_once(event: Event, function: Event, inputs: Components, outputs: Components) -> Any:
    """Answer `event` at once, beside any work. Returns the event of its end."""
    return event(function, list(inputs), list(outputs), queue=False, api_visibility="private")


def buttons(name: str) -> tuple[gr.Button, gr.Button]:
    """The button that starts work, and the one that cancels it."""
    with gr.Row():
        return gr.Button(name, variant="primary"), gr.Button("Cancel")


def work(
    start_cancel: tuple[gr.Button, gr.Button],
    function: Callable[..., Any],
    inputs: Components,
    outputs: Components,
) -> None:
    """Run the generator `function` when its button is clicked, in turn with all other work.

    The first of `outputs` shows the status. The other button ends the work.
    """
    start, cancel = start_cancel
    event = start.click(
        function,
        list(inputs),
        list(outputs),
        concurrency_id="work",
        show_progress="hidden",
        api_visibility="private",
    )
    cancel.click(
        lambda: markup.note("Cancelled."),
        None,
        outputs[0],
        cancels=[event],
        queue=False,
        api_visibility="private",
    )


def webcam() -> gr.WebcamOptions:
    """A webcam whose recording is not mirrored: left stays left."""
    return gr.WebcamOptions(mirror=False)
