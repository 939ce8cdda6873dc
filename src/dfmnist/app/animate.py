"""The tab that animates a photo with a driver's motion; every result is labelled as generated."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from dfmnist.app import markup
from dfmnist.app.folder import PageFolder
from dfmnist.app.uploads import problem, uploaded
from dfmnist.app.wiring import buttons, webcam, work
from dfmnist.app.work import Progress, Result, run
from dfmnist.core.errors import InputError
from dfmnist.pipeline.config import AnimateConfig
from dfmnist.pipeline.files import Animated, animate_file

NAME = "animation-ai-generated.mp4"
"""Name of a result, which says what it is wherever it is saved."""


class AnimateTab:
    """What the tab does; `build` makes what it shows."""

    def __init__(self, folder: PageFolder) -> None:
        self.folder = folder

    def build(self) -> None:
        """Make the components, within the page."""
        with gr.Row():
            with gr.Column(scale=2, min_width=280):
                source = gr.File(
                    label="Photo or video of the person", file_types=["image", "video"],
                    type="filepath",
                )  # fmt: skip
                driver = gr.Video(
                    label="Video whose motion is shown",
                    sources=["upload", "webcam"],
                    webcam_options=webcam(),
                )
                paste = gr.Checkbox(
                    False, label="Paste back", info="Into the full picture, at its own size."
                )
                sound = gr.Checkbox(False, label="Sound", info="Keep the driver's sound.")
                consent = gr.Checkbox(
                    False,
                    label="The person shown agreed to this, or is not real",
                    info="The result is labelled as AI-generated, inside the file and in its name.",
                )
                pair = buttons("Animate")
            with gr.Column(scale=3, min_width=280):
                status = gr.HTML(markup.note("Choose a person and a driver."))
                result = gr.Video(label="Animation (AI-generated)", interactive=False)
        work(pair, self.animate, [source, driver, paste, sound, consent], [status, result])

    def animate(
        self, source: str | None, driver: str | None, paste: bool, sound: bool, consent: bool
    ) -> Iterator[tuple[str, Any]]:
        """Yield what is going on, and last the video."""
        yield markup.note("Reading …"), None
        try:
            if not consent:
                raise InputError("no consent; expected the box to be ticked by whoever has it")
            config = AnimateConfig(paste_back=paste, sound=sound, cache=False)
            paths = uploaded(source, "photo or video of the person"), uploaded(driver, "driver")
            for step in run(partial(self._work, *paths, config)):
                if isinstance(step, Progress):
                    yield markup.progress(step), gr.skip()
                elif isinstance(step, Result):
                    made: Animated = step.value
                    text = f"{made.num_frames} frames at {float(made.fps):.4g} a second."
                    yield markup.note(text, "good"), str(made.path)
        except Exception as error:
            yield markup.note(problem(error), "bad"), gr.skip()

    def _work(
        self, source: Path, driver: Path, config: AnimateConfig, update: Callable[[Any], None]
    ) -> Animated:
        del update  # the progress bars tell enough
        return animate_file(source, driver, self.folder.new(NAME), config)
