"""Reading and writing of clips: probe, decode in sequence, encode.

Every clip that the project writes goes through `write_video` with one setting, so that neither
codec nor container tells a real clip from a fake one. Frames are RGB, uint8, (h, w, 3).
"""

import contextlib
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from dfmnist.core.arrays import Frames, RgbImage
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path
from dfmnist.media.truncation import is_truncated

__all__ = [
    "GOP",
    "FrameTimes",
    "VideoInfo",
    "count_frames",
    "frame_index_at",
    "frame_times",
    "frames_at",
    "is_video",
    "iter_frames",
    "opened",
    "probe",
    "read_comment",
    "read_frames",
    "resize_frames",
    "write_video",
]

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"})

GOP = 25
"""Number of frames from one key frame to the next: one second at 25 frames a second."""

X264 = {
    "preset": "medium",
    "profile": "high",
    "g": str(GOP),
    "bf": "2",
    # Frame types must not follow the content (a detector and the audit would see them), so no
    # scene cuts and no adaptive B-frames: I B B P B B P ..., whatever is filmed. The rest makes
    # the bytes the same on every processor.
    "x264-params": (
        f"keyint={GOP}:scenecut=0:open-gop=0:b-adapt=0:b-pyramid=none:"
        "threads=1:lookahead-threads=1:sliced-threads=0:cpu-independent=1"
    ),
}

CONTAINER = {"movflags": "+faststart", "fflags": "+bitexact"}  # bitexact: no version tag

# Without full chroma, swscale darkens every frame by one to two levels (measured).
_FULL_CHROMA = Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
_EXACT = Interpolation.ACCURATE_RND | Interpolation.BITEXACT | _FULL_CHROMA
_TO_YUV = Interpolation.BICUBIC | _EXACT
_TO_RGB = Interpolation.BILINEAR | _EXACT
_TO_SIZE = Interpolation.LANCZOS | _EXACT
_SPACES = {  # H.273 matrix coefficients to swscale's tables; anything else is read as BT.601
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
_SMPTE170M = 6
_LIMITED, _FULL = 1, 2


@dataclass(frozen=True)
class VideoInfo:
    """Facts that a video's container states, checked against its packets."""

    path: Path
    width: int
    """Width in pixels as shown, after the container's rotation."""
    height: int
    fps: Fraction
    """Frames a second; the average if `variable_rate`."""
    num_frames: int
    """Number of frames that are shown, counted in the packets."""
    duration_s: float
    codec: str
    pixel_format: str
    variable_rate: bool
    """True if the frames are not evenly spaced in time."""


@dataclass(frozen=True)
class FrameTimes:
    """Presentation times of a video's frames."""

    ticks: tuple[int, ...]
    """Presentation time of each frame, ascending, in the stream's time base."""
    identify_frames: bool
    """True if presentation times identify decoded frames (H.264 with distinct times). They do not
    where packets hold several frames or none."""


def is_video(path: Path) -> bool:
    """True if the suffix of `path` is that of a video."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video: yields the container and its first video stream, decoded by one thread.

    Any failure of the codec library within the `with` block raises `InputError`.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError.of(path, "no such file", "a video")
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            if not container.streams.video:
                raise InputError.of(path, "holds no video stream", "a video")
            if container.format.name.endswith(("_pipe", "image2")):
                raise InputError.of(path, "is a still picture", "a video")
            stream = container.streams.video[0]
            if not stream.codec_context.width or not stream.average_rate:
                raise InputError.of(path, "holds no video frames", "a video")
            stream.codec_context.thread_count = 1
            yield container, stream
    except av.FFmpegError as error:
        kind = f"cannot be read as video ({error.strerror or type(error).__name__})"
        if is_truncated(path):
            kind = "is truncated before its index, so 0 frames can be read"
        raise InputError.of(path, kind, "a complete video") from None


def probe(path: Path) -> VideoInfo:
    """Read facts about a video from its header and packets; nothing is decoded.

    Raises `InputError` for a missing or truncated file, and one without a video stream or frames.
    """
    path = Path(path)
    with opened(path) as (container, stream):
        times = _times(path, container, stream)
        gaps = [b - a for a, b in pairwise(times)]
        variable = bool(gaps) and max(gaps) - min(gaps) > 1  # one tick is rounding
        average = stream.average_rate
        assert average is not None
        fps = average if variable else _near_standard(average, stream.guessed_rate)
        width, height = stream.codec_context.width, stream.codec_context.height
        if _quarter_turns(container, stream) % 2:
            width, height = height, width
        return VideoInfo(
            path=path,
            width=width,
            height=height,
            fps=fps,
            num_frames=len(times),
            duration_s=float(len(times) / fps),
            codec=stream.codec_context.name,
            pixel_format=stream.codec_context.pix_fmt or "",
            variable_rate=variable,
        )


def frame_index_at(path: Path, time_s: float) -> int:
    """Index of the frame shown `time_s` seconds after the first one; nothing is decoded.

    It is right for a variable rate too. Raises `InputError` as `probe` does, and beyond the end.
    """
    duration_s = probe(path).duration_s
    with opened(path) as (container, stream):
        times = _times(path, container, stream)
        assert stream.time_base is not None
        ticks = round(Fraction(time_s) / stream.time_base, 6)
        last_s = float((times[-1] - times[0]) * stream.time_base)
    if time_s < 0 or time_s >= max(duration_s, last_s + duration_s / len(times)):
        raise InputError.of(
            path, f"no frame at {time_s:g} s", f"0 or more and less than {duration_s:.2f} s"
        )
    return max(0, bisect_right(times, times[0] + ticks) - 1)


def _times(path: Path, container: InputContainer, stream: VideoStream) -> list[int]:
    """Presentation times of the frames, ascending, in the stream's time base.

    Raises `InputError` for a truncated file and one without frames.
    """
    times, discarded = _packet_times(container, stream)
    if not times:
        raise InputError.of(path, "holds no frames", "a video of one frame or more")
    if is_truncated(path):
        raise _truncated(path, len(times), _announced(container, stream) - discarded)
    return sorted(times)


def _packet_times(container: InputContainer, stream: VideoStream) -> tuple[list[int], int]:
    """Presentation times of the complete packets in stream order; number of those not shown."""
    times, discarded = [], 0
    for packet in container.demux(stream):
        if packet.size == 0 or packet.is_corrupt:
            continue
        if packet.is_discard:
            discarded += 1
            continue
        times.append(packet.pts if packet.pts is not None else packet.dts or 0)
    return times, discarded


def _announced(container: InputContainer, stream: VideoStream) -> int:
    """Number of frames that the header states; 0 if it states none."""
    if stream.frames or "matroska" not in container.format.name:
        return stream.frames  # elsewhere the duration is guessed from the file's length
    hours, minutes, seconds = (stream.metadata.get("DURATION") or "0:0:0").split(":")
    duration_s = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    duration_s = duration_s or (container.duration or 0) / av.time_base
    return round(duration_s * float(stream.average_rate or 0))


def _near_standard(average: Fraction, guessed: Fraction | None) -> Fraction:
    """Stated frame rate if the average is within a thousandth of it (last frames vary)."""
    if guessed and abs(average / guessed - 1) < Fraction(1, 1000):
        return guessed
    return average


def _truncated(path: Path, found: int, announced: int) -> InputError:
    said = f" of {announced}" if announced > found else ""
    return InputError.of(path, f"is truncated: {found}{said} frames read", "a complete video")


def _quarter_turns(container: InputContainer, stream: VideoStream) -> int:
    """Number of counter-clockwise quarter turns to show the first frame upright."""
    container.seek(0, stream=stream)
    for frame in container.decode(stream):
        return round(frame.rotation / 90) % 4
    return 0


def _decode(path: Path, moments: Collection[int] | None = None) -> Iterator[VideoFrame]:
    """Yield decoded frames in the order shown. Raises `InputError` for a damaged file.

    `moments` are the presentation times that matter. A frame with another time is skipped unless
    other frames are predicted from it, so that fewer frames come than there are.
    """
    path = Path(path)
    count = 0
    with opened(path) as (container, stream):
        stream.codec_context.options = {"err_detect": "explode"}
        announced = _announced(container, stream)
        try:
            for packet in container.demux(stream):
                cut = packet.is_corrupt
                if moments is not None:
                    passed = packet.pts is not None and packet.pts not in moments
                    stream.codec_context.skip_frame = "NONREF" if passed else "DEFAULT"
                # a broken packet: what the decoder still holds, then the end
                for frame in stream.decode(None) if cut else packet.decode():
                    if frame.is_corrupt:
                        raise InputError.of(
                            path, f"frame {count} is damaged", "a video without damage"
                        )
                    yield frame
                    count += 1
                if cut:
                    raise _truncated(path, count, announced)
        except av.FFmpegError:
            if is_truncated(path):
                raise _truncated(path, count, announced) from None
            raise InputError.of(
                path, f"is damaged after {count} frames", "a video without damage"
            ) from None
        if is_truncated(path):
            raise _truncated(path, count, announced)
    if not count:
        raise InputError.of(path, "holds no frames", "a video of one frame or more")


def _to_rgb(
    frame: VideoFrame,
    scaler: VideoReformatter,
    size_wh: tuple[int, int] | None = None,
    out: RgbImage | None = None,
) -> RgbImage:
    """Convert a frame to RGB (h, w, 3), upright, at `size_wh` if given, into `out` if given.

    `scaler` is kept from frame to frame: its tables take as long as a frame. The colours come as
    planes, which swscale converts three times faster than packed pixels, with the same values.
    """
    turns = round(frame.rotation / 90) % 4
    shown = (frame.width, frame.height)[:: -1 if turns % 2 else 1]
    width, height = (size_wh or shown)[:: -1 if turns % 2 else 1]
    full = frame.color_range == _FULL or frame.format.name.startswith("yuvj")
    converted = scaler.reformat(
        frame,
        width=width,
        height=height,
        format="gbrp",
        src_colorspace=_SPACES.get(frame.colorspace, Colorspace.ITU601),
        src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
        interpolation=_TO_RGB if (width, height) == (frame.width, frame.height) else _TO_SIZE,
        threads=1,
    )
    green, blue, red = (
        np.frombuffer(plane, np.uint8).reshape(height, plane.line_size)[:, :width]  # type: ignore[call-overload]
        for plane in converted.planes
    )
    planes = [np.rot90(plane, turns) if turns else plane for plane in (red, green, blue)]
    return np.stack(planes, axis=-1, out=out)


def resize_frames(frames_rgb_u8: Frames, size_wh: tuple[int, int]) -> Frames:
    """Resize frames (n, h, w, 3) with the filter that `frames_at` uses."""
    count, height, width, _ = frames_rgb_u8.shape
    if (width, height) == size_wh:
        return frames_rgb_u8
    out = np.empty((count, size_wh[1], size_wh[0], 3), np.uint8)
    scaler = VideoReformatter()
    for image, target in zip(frames_rgb_u8, out, strict=True):
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        _to_rgb(frame, scaler, size_wh, target)
    return out


def iter_frames(path: Path) -> Iterator[RgbImage]:
    """Yield every frame of `path` in order: RGB (h, w, 3) uint8, upright.

    Raises `InputError` at damage, or at the end of a truncated file; the message says how many
    frames were read.
    """
    scaler = VideoReformatter()
    for frame in _decode(path):
        yield _to_rgb(frame, scaler)


def read_frames(path: Path, start: int = 0, stop: int | None = None) -> Frames:
    """Read frames `start` to `stop` (exclusive; None is the end): RGB (n, h, w, 3) uint8.

    Raises `InputError` as `iter_frames` does, and if the range holds no frame.
    """
    kept = []
    scaler = VideoReformatter()
    for index, frame in enumerate(_decode(path)):
        if stop is not None and index >= stop:
            break
        if index >= start:
            kept.append(_to_rgb(frame, scaler))
    if not kept:
        raise InputError.of(path, f"no frames from {start} to {stop}", "a longer video")
    return np.stack(kept)


def frame_times(path: Path) -> FrameTimes:
    """Read the times at which frames are shown; nothing is decoded. Raises `InputError`."""
    with opened(path) as (container, stream):
        ticks = tuple(_times(Path(path), container, stream))
        h264 = stream.codec_context.name == "h264"
    return FrameTimes(ticks, h264 and len(set(ticks)) == len(ticks))


def frames_at(
    path: Path,
    indices: Sequence[int] | NDArray[np.integer],
    size_wh: tuple[int, int] | None = None,
    *,
    times: FrameTimes | None = None,
) -> Frames:
    """Read the frames at `indices` (ascending): RGB (k, h, w, 3) uint8.

    The file is decoded once, in sequence, which is ten times faster than seeking on short clips.
    Only the wanted frames are converted, and resized to `size_wh` if given, at little cost.
    `times` is the result of `frame_times`, if known. Frames that are not wanted and that no other
    frame is predicted from are not decoded, so damage to them is not noticed. Raises `InputError`.
    """
    wanted = [int(i) for i in indices]
    assert wanted == sorted(wanted), "indices must ascend"
    times = times or frame_times(path)
    if times.identify_frames and wanted and wanted[-1] < len(times.ticks):
        kept = _pick(path, [times.ticks[i] for i in wanted], size_wh, by_time=True)
        if len(kept) == len(wanted):
            return kept
    kept = _pick(path, wanted, size_wh, by_time=False)
    if len(kept) < len(wanted):
        raise InputError.of(path, f"no frame {wanted[len(kept)]}", "a longer video")
    return kept


def _pick(
    path: Path, wanted: list[int], size_wh: tuple[int, int] | None, *, by_time: bool
) -> Frames:
    """Frames at the ascending indices, or presentation times, `wanted`; fewer if the file ends."""
    scaler = VideoReformatter()
    kept: list[RgbImage] = []
    for index, frame in enumerate(_decode(path, frozenset(wanted) if by_time else None)):
        position = frame.pts if by_time else index
        while len(kept) < len(wanted) and wanted[len(kept)] == position:
            kept.append(_to_rgb(frame, scaler, size_wh))
        if len(kept) == len(wanted):
            break
    return np.stack(kept) if kept else np.empty((0, 0, 0, 3), np.uint8)


def write_video(
    path: Path,
    frames: Iterable[RgbImage],
    fps: Fraction,
    *,
    crf: int,
    comment: str = "",
) -> int:
    """Encode `frames`, each RGB (h, w, 3) uint8 of one even size, as H.264 MP4; returns how many.

    This is the project's only encoder setting: High profile, yuv420p, preset medium, a key frame
    every 25 frames, fixed frame types, one thread, no date and no encoder version in the
    container. The same frames give the same bytes. `comment` is the container's comment field.
    Raises `InputError` if there is no frame, or a frame of another or an odd size.
    """
    path = Path(path)
    count = 0
    with (
        atomic_path(path) as temporary,
        av.open(str(temporary), "w", format="mp4", options=CONTAINER) as container,
    ):
        if comment:
            container.metadata["comment"] = comment
        stream: VideoStream | None = None
        for image in frames:
            if stream is None:
                stream = _add_stream(path, container, image, fps, crf)
            if image.shape != (stream.height, stream.width, 3):
                raise InputError.of(
                    path,
                    f"frame {count} has shape {image.shape}",
                    f"frames of {stream.width}x{stream.height}",
                )
            container.mux(stream.encode(_from_rgb(image, count, fps)))
            count += 1
        if stream is None:
            raise InputError.of(path, "no frames to write", "one frame or more")
        container.mux(stream.encode(None))
    return count


def _add_stream(
    path: Path,
    container: av.container.OutputContainer,
    image: RgbImage,
    fps: Fraction,
    crf: int,
) -> VideoStream:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise InputError.of(path, f"frame of {image.dtype} {image.shape}", "uint8 (h, w, 3)")
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        raise InputError.of(path, f"frames of {width}x{height}", "an even width and height")
    stream = container.add_stream("libx264", rate=fps, options={**X264, "crf": str(crf)})
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.codec_context.time_base = 1 / Fraction(fps)
    stream.codec_context.thread_count = 1
    stream.codec_context.colorspace = _SMPTE170M  # what a reader assumes that ignores the tag
    stream.codec_context.color_primaries = _SMPTE170M
    stream.codec_context.color_trc = _SMPTE170M
    stream.codec_context.color_range = _LIMITED
    return stream


def _from_rgb(image: RgbImage, index: int, fps: Fraction) -> VideoFrame:
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU601,
        dst_color_range=ColorRange.MPEG,
        interpolation=_TO_YUV,
    )
    frame.pts = index
    frame.time_base = 1 / Fraction(fps)
    return frame


def read_comment(path: Path) -> str:
    """Read the container's comment field; empty if there is none. Raises `InputError`."""
    with opened(path) as (container, _):
        return container.metadata.get("comment", "")


def count_frames(path: Path) -> int:
    """Count the frames of `path` by decoding every one, which proves that the file is complete.

    Raises `InputError` as `iter_frames` does.
    """
    return sum(1 for _ in _decode(path))
