"""The tab that asks for an action and says what each liveness detector makes of the recording."""

import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from dfmnist.app import markup
from dfmnist.app.uploads import problem, uploaded
from dfmnist.app.wiring import at_once, buttons, webcam, work
from dfmnist.app.work import Progress, Result, run
from dfmnist.core.actions import INFO, TEN, Action
from dfmnist.liveness.assess import check_clip
from dfmnist.liveness.base import Verdict
from dfmnist.liveness.load import CLIP_FPS
from dfmnist.media.video import frame_times


class LivenessTab:
    """What the tab does; `build` makes what it shows."""

    def __init__(self, detectors: Sequence[str]) -> None:
        self.detectors = tuple(detectors)

    def build(self) -> None:
        """Make the components, within the page."""
        choices = [(INFO[action].title, action.value) for action in TEN]
        with gr.Row():
            with gr.Column(scale=2, min_width=280):
                action = gr.Dropdown(choices, value=TEN[0].value, label="Action that is asked for")
                request = gr.HTML(instruction(TEN[0].value))
                another = gr.Button("Ask for another action")
                clip = gr.Video(
                    label="Film it, or upload a recording of one person",
                    sources=["webcam", "upload"],
                    webcam_options=webcam(),
                )
                pair = buttons("Check")
            with gr.Column(scale=3, min_width=280):
                verdict = gr.HTML(markup.note("Film the action, or upload a recording of it."))
        at_once(action.change, instruction, [action], [request])
        at_once(another.click, other_action, [action], [action])
        work(pair, self.check, [clip, action], [verdict])

    def check(self, clip: str | None, action: str) -> Iterator[str]:
        """Yield what is going on, and last a table of the detectors' verdicts."""
        yield markup.note("Reading …")
        try:
            path = uploaded(clip, "recording")
            for step in run(partial(self._work, path, action)):
                if isinstance(step, Progress):
                    yield markup.progress(step)
                elif isinstance(step, Result):
                    said, verdicts = step.value
                    yield _verdicts(verdicts) + (markup.note(said) if said else "")
        except Exception as error:
            yield markup.note(problem(error), "bad")

    def _work(
        self, path: Path, action: str, update: Callable[[Any], None]
    ) -> tuple[str, tuple[Verdict, ...]]:
        del update  # one clip of a few seconds
        verdicts = check_clip(path, action, self.detectors, even=True)
        times = frame_times(path)
        if not times.variable_rate or not any(verdict.assessed for verdict in verdicts):
            return "", verdicts
        said = f"Recorded with {float(times.fps):.1f} frames a second at uneven times"
        return f"{said}; judged at {CLIP_FPS}.", verdicts


def instruction(action: str) -> str:
    """What the person is asked to do."""
    motion = INFO[Action(action)].motion.replace("the person's", "your")
    text = f"Look into the camera, be still for a moment, then: {motion}. Two to five seconds."
    return markup.note(text)


def other_action(action: str) -> str:
    """Another one of the ten actions, by chance."""
    return random.choice([each.value for each in TEN if each.value != action])


def _verdicts(verdicts: Sequence[Verdict]) -> str:
    live = all(verdict.live for verdict in verdicts)
    assessed = all(verdict.assessed for verdict in verdicts)
    head = (
        markup.note("Live: every detector accepts the recording.", "good")
        if live
        else markup.note("Not live: a detector rejects the recording.", "bad")
        if assessed
        else markup.note("Not assessed: a detector could not judge the recording.", "doubt")
    )
    rows = [
        (v.detector, v.word, f"{v.score:.3f}" if v.assessed else "", v.reason) for v in verdicts
    ]
    return head + markup.table(("Detector", "Verdict", "Score", "Reason"), rows)
