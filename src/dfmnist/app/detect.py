"""The tab that says whether a photo or video is fake, with timeline and maps while it works."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from dfmnist.app import markup
from dfmnist.app.folder import PageFolder
from dfmnist.app.uploads import problem, uploaded
from dfmnist.app.wiring import buttons, webcam, work
from dfmnist.app.work import Progress, Result, run
from dfmnist.core.arrays import RgbImage
from dfmnist.core.files import write_text
from dfmnist.detectors.backends import choose_backend
from dfmnist.detectors.cam import cam, overlay
from dfmnist.detectors.chosen import ChosenDetector
from dfmnist.detectors.predict import Looking, SoFar, detect_file
from dfmnist.detectors.verdict import Answer, FileVerdict, facts_lines
from dfmnist.detectors.watch import FaceStretch
from dfmnist.media.sample import each_rgb
from dfmnist.media.video import resize_frames

MAPS = 24
"""Largest number of maps that are shown."""

Update = Callable[[SoFar], None]
Shown = tuple[Any, Any, Any]
"""Values of the verdict, the maps and the file of the answer."""


class DetectTab:
    """What the tab does; `build` makes what it shows."""

    def __init__(self, detector: ChosenDetector, folder: PageFolder) -> None:
        self.detector, self.folder = detector, folder
        self._model = choose_backend(
            detector.run.network, frame_px=detector.run.frame_px, features=True
        )

    def build(self) -> None:
        """Make the components, within the page."""
        with gr.Row():
            with gr.Column(scale=2, min_width=280):
                file = gr.File(
                    label="Photo or video", file_types=["image", "video"], type="filepath"
                )
                with gr.Accordion("Film yourself", open=False):
                    filmed = gr.Video(
                        label="Webcam",
                        sources=["webcam"],
                        webcam_options=webcam(),
                    )
                maps = gr.Checkbox(
                    True, label="Show maps", info="Where the detector looks (CAM, paper 5.5)."
                )
                pair = buttons("Detect")
                with gr.Accordion("What judges, and what it cannot tell"):
                    gr.HTML(self._about())
            with gr.Column(scale=3, min_width=280):
                verdict = gr.HTML(markup.note("Choose a photo or a video with a face."))
                gallery = gr.Gallery(
                    label="Faces and maps",
                    columns=2,
                    height=320,
                    object_fit="contain",
                    visible=False,
                )
                answer = gr.File(label="The answer as JSON", visible=False)
        shown = [verdict, gallery, answer]
        work(pair, self.detect, [file, filmed, maps], shown)

    def _about(self) -> str:
        facts = facts_lines(self.detector.facts)
        return "".join(markup.note(line.strip()) for line in facts)

    def detect(self, file: str | None, filmed: str | None, maps: bool) -> Iterator[Shown]:
        """Yield the verdict so far, and the whole one last; see `Shown`."""
        threshold = self.detector.run.calibration.threshold
        pictures: list[tuple[RgbImage, str]] = []
        body, bar = "", ""
        yield markup.note("Reading …"), gr.Gallery([], visible=False), gr.File(visible=False)
        try:
            path = uploaded(file or filmed, "photo or video")
            for step in run(partial(self._work, path)):
                if isinstance(step, Result):
                    found: FileVerdict = step.value
                    body = markup.verdict(found, threshold)
                    yield body, _gallery(pictures), gr.File(self._answer(found), visible=True)
                    return
                if isinstance(step, Progress):
                    bar = markup.progress(step)
                else:
                    body = markup.faces(step.faces, threshold)
                    if maps and len(pictures) < MAPS:
                        pictures += [self._map(one) for one in step.stretches]
                        yield bar + body, _gallery(pictures), gr.skip()
                        continue
                yield bar + body, gr.skip(), gr.skip()
        except Exception as error:
            yield markup.note(problem(error), "bad"), gr.skip(), gr.skip()

    def _work(self, path: Path, update: Update) -> FileVerdict:
        return detect_file(
            path, self.detector, Looking(), backend=self._model, name=path.name, watch=update
        )

    def _map(self, stretch: FaceStretch) -> tuple[RgbImage, str]:
        """The first frame of a stretch, plain and with its map (256, 512, 3), and its caption."""
        crop, side = stretch.crops_rgb_u8[:1], self._model.size_px
        plain = crop[..., :3]
        seen = each_rgb(crop, partial(resize_frames, size_wh=(side, side)))
        mapped = resize_frames(
            overlay(seen[..., :3], cam(self.detector.run.network, seen)), size_wh=plain.shape[1:3]
        )
        picture: RgbImage = np.concatenate([plain, mapped], axis=2)[0]
        return picture, f"face {stretch.person + 1}, frame {stretch.frames[0]}"

    def _answer(self, found: FileVerdict) -> str:
        """The file of the whole answer, as `dfmnist detect --json` prints it."""
        answer = Answer(detector=self.detector.facts, files=(found,))
        out = self.folder.new("verdict.json")
        write_text(out, answer.model_dump_json(indent=2))
        return str(out)


def _gallery(pictures: list[tuple[RgbImage, str]]) -> Any:
    return gr.Gallery(pictures[:MAPS], visible=bool(pictures))
