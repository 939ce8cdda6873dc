"""Animate one face from one file to another, outside any dataset."""

from pathlib import Path

from dfmnist.build.animate import animator
from dfmnist.build.select import Frames
from dfmnist.core.errors import InputError
from dfmnist.dataset.provenance import provenance
from dfmnist.faces.crop import crop_clip
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.fomm.animate import Motion
from dfmnist.fomm.checkpoint import weights_id
from dfmnist.media.image import is_image, read_image
from dfmnist.media.video import Quality, probe, read_frames, write_video


def animate_files(
    source: Path,
    driving: Path,
    out: Path,
    *,
    weights: Path | None = None,
    motion: Motion = "relative",
    crop: bool = True,
) -> int:
    """Write `source` moving as `driving` to the MP4 `out`, at the driver's rate.

    With `crop`, both are cut to their face first. Returns the number of frames. Raises
    `InputError` for a file without a face or that cannot be read.
    """
    still = read_image(source)[None] if is_image(source) else read_frames(source, 0, 1)
    fps = probe(driving).fps
    moving = read_frames(driving)
    if crop:
        still, moving = _face(still, source), _face(moving, driving)
    model = animator(weights)
    frames = model.animate(model.encode(still[0]), model.keypoints(moving), motion)
    detail = (
        f"AI-generated: {source.name[:40]} moved as {driving.name[:40]}, by {weights_id(weights)}"
    )
    return write_video(out, frames, fps, crf=Quality.RAW.crf, comment=provenance("fake", detail))


def _face(frames_rgb_u8: Frames, path: Path) -> Frames:
    faces, info = crop_clip(frames_rgb_u8, mtcnn())
    if faces is None:
        raise InputError.of(path, info.reason, "one face in every frame")
    return faces
