"""Reading and writing of clips: probe, decode in sequence, encode.

Every clip that the project writes goes through `write_video` with one setting, so that neither
codec nor container tells a real clip from a fake one. Frames are RGB, uint8, (h, w, 3).
"""

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from dfmnist.core.arrays import Frames, RgbImage
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path
from dfmnist.media.opening import DECODE, FrameTimes, Opened, opened, times_of
from dfmnist.media.rgb import EXACT, RgbConverter, resize_frames, shown_size
from dfmnist.media.sound import Sound, SoundWriter
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
    "iter_frames_at",
    "looks_at",
    "opened",
    "probe",
    "read_comment",
    "read_frames",
    "resize_frames",
    "write_video",
]

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"})

SEEK_AFTER_S = 10
"""Time in seconds between two wanted frames from which on decoding begins anew at a key frame; a
key frame comes every 10 seconds or sooner in most files."""
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


def ffmpeg_options(crf: int | str) -> str:
    """Options with which the program `ffmpeg` encodes RGB frames as `write_video` does.

    `crf` is the constant rate factor, or a word that stands for it.

    The decoded frames are the same, pixel for pixel (docs/MEDIA.md); the files' bytes are not,
    since each program's libx264 writes its own version into the stream.
    """
    options = " ".join(f"-{name.replace('profile', 'profile:v')} {v}" for name, v in X264.items())
    return (
        "-vf scale=flags=bicubic+accurate_rnd+full_chroma_inp+bitexact:"
        "out_color_matrix=bt601:out_range=tv "
        f"-pix_fmt yuv420p -c:v libx264 -crf {crf} {options} -threads 1 -color_primaries smpte170m "
        "-color_trc smpte170m -colorspace smpte170m -color_range tv"
    )


CONTAINER = {"movflags": "+faststart", "fflags": "+bitexact"}  # bitexact: no version tag

_TO_YUV = Interpolation.BICUBIC | EXACT
_SMPTE170M = 6
_LIMITED = 1


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


def is_video(path: Path) -> bool:
    """True if the suffix of `path` is that of a video."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def probe(path: Path) -> VideoInfo:
    """Read facts about a video from its header, its packets and its first frame.

    Raises `InputError` for a missing or truncated file, and one without a video stream or frames.
    """
    path = Path(path)
    with opened(path) as video:
        times = times_of(video)
    with opened(path) as video:  # opened again, since not every format can be wound back
        width, height = _first_size(video)
        context = video.stream.codec_context
        return VideoInfo(
            path=path,
            width=width,
            height=height,
            fps=times.fps,
            num_frames=len(times.ticks),
            duration_s=times.duration_s,
            codec=context.name,
            pixel_format=context.pix_fmt or "",
            variable_rate=times.variable_rate,
        )


def _first_size(video: Opened) -> tuple[int, int]:
    """Width and height of the first frame as shown."""
    for frame in _decoded(video):
        return shown_size(frame, video.pixel_aspect)
    raise InputError.of(video.path, "holds no frames", "a video of one frame or more")


def frame_index_at(path: Path, time_s: float) -> int:
    """Index of the frame shown `time_s` seconds after the first one; nothing is decoded.

    It is right for a variable rate too. Raises `InputError` as `probe` does, and beyond the end.
    """
    times = frame_times(path)
    if not 0 <= time_s < times.duration_s:
        raise InputError.of(
            path, f"no frame at {time_s:g} s", f"0 or more and less than {times.duration_s:.2f} s"
        )
    return int(times.index_at(time_s))


def _decoded(video: Opened, moments: Collection[int] | None = None) -> Iterator[VideoFrame]:
    """Yield the frames of `video` in the order shown. Raises `InputError` for a damaged file.

    `moments` are the presentation times that matter. A frame with another time is skipped unless
    other frames are predicted from it, so that fewer frames come than there are.
    """
    path, stream, count = video.path, video.stream, 0
    stream.codec_context.options = DECODE
    announced = video.announced
    try:
        for packet in video.packets():
            cut = packet.is_corrupt
            if moments is not None:
                passed = packet.pts is not None and packet.pts not in moments
                stream.codec_context.skip_frame = "NONREF" if passed else "DEFAULT"
            # a broken packet: what the decoder still holds, then the end
            for frame in stream.decode(None) if cut else packet.decode():
                if frame.is_corrupt:
                    raise InputError.of(path, f"frame {count} is damaged", "a video without damage")
                yield frame
                count += 1
            if cut:
                raise video.truncated(count, announced)
    except av.FFmpegError:
        if is_truncated(path):
            raise video.truncated(count, announced) from None
        raise InputError.of(
            path, f"is damaged after {count} frames", "a video without damage"
        ) from None
    if is_truncated(path):
        raise video.truncated(count, announced)
    if not count:
        raise InputError.of(path, "holds no frames", "a video of one frame or more")


def iter_frames(path: Path) -> Iterator[RgbImage]:
    """Yield every frame of `path` in order, as players show it: RGB (h, w, 3) uint8.

    All have the size of the first frame; smaller and larger ones of the same shape are scaled to
    it. Raises `InputError` at damage, or at the end of a truncated file; the message says how many
    frames were read.
    """
    with opened(path) as video:
        convert = RgbConverter(video.path, video.pixel_aspect)
        for frame in _decoded(video):
            yield convert(frame)


def read_frames(path: Path, start: int = 0, stop: int | None = None) -> Frames:
    """Read frames `start` to `stop` (exclusive; None is the end): RGB (n, h, w, 3) uint8.

    Raises `InputError` as `iter_frames` does, and if the range holds no frame.
    """
    kept = []
    for index, frame in enumerate(iter_frames(path)):
        if stop is not None and index >= stop:
            break
        if index >= start:
            kept.append(frame)
    if not kept:
        raise InputError.of(path, f"no frames from {start} to {stop}", "a longer video")
    return np.stack(kept)


def frame_times(path: Path) -> FrameTimes:
    """Read the times at which frames are shown; nothing is decoded. Raises `InputError`."""
    with opened(path) as video:
        return times_of(video)


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


def iter_frames_at(
    path: Path, indices: Sequence[int] | NDArray[np.integer], *, times: FrameTimes
) -> Iterator[RgbImage]:
    """Yield the frames at `indices` (ascending) one at a time: RGB (h, w, 3) uint8.

    An index that is repeated gives its frame again. `times` is the result of `frame_times`.
    Fewer come if the file ends. Raises `InputError`.
    """
    wanted = [int(i) for i in indices]
    if times.identify_frames:
        wanted = [times.ticks[i] for i in wanted]
    return _picked(path, wanted, None, by_time=times.identify_frames)


def looks_at(
    path: Path, indices: Sequence[int] | NDArray[np.integer], *, times: FrameTimes
) -> Iterator[tuple[int, RgbImage]]:
    """Yield the frames at `indices` (ascending) one at a time: the index and RGB (h, w, 3) uint8.

    `times` is the result of `frame_times`. Where two frames lie more than `SEEK_AFTER_S` apart,
    what is between them is passed over without decoding, if the file's times allow it. Fewer come
    if the file ends. Raises `InputError`.
    """
    wanted = [int(i) for i in indices]
    if not times.identify_frames:
        yield from zip(wanted, _picked(path, wanted, None, by_time=False), strict=False)
        return
    index_of = {times.ticks[i]: i for i in wanted}
    far = SEEK_AFTER_S / float(times.time_base)
    groups: list[list[int]] = []
    for tick in index_of:
        if groups and tick - groups[-1][-1] <= far:
            groups[-1].append(tick)
        else:
            groups.append([tick])
    with opened(path) as video:
        convert = RgbConverter(video.path, video.pixel_aspect)
        for number, ticks in enumerate(groups):
            if number:
                video.container.seek(ticks[0], stream=video.stream)
            for frame in _decoded(video, frozenset(ticks)):
                convert.see(frame)
                if frame.pts in index_of and frame.pts in ticks:
                    yield index_of[frame.pts], convert(frame)
                if frame.pts is not None and frame.pts >= ticks[-1]:
                    break


def _pick(
    path: Path, wanted: list[int], size_wh: tuple[int, int] | None, *, by_time: bool
) -> Frames:
    """Frames at the ascending indices, or presentation times, `wanted`; fewer if the file ends."""
    kept = list(_picked(path, wanted, size_wh, by_time=by_time))
    return np.stack(kept) if kept else np.empty((0, 0, 0, 3), np.uint8)


def _picked(
    path: Path, wanted: list[int], size_wh: tuple[int, int] | None, *, by_time: bool
) -> Iterator[RgbImage]:
    at = 0
    with opened(path) as video:
        convert = RgbConverter(video.path, video.pixel_aspect, size_wh)
        for index, frame in enumerate(_decoded(video, frozenset(wanted) if by_time else None)):
            convert.see(frame)
            position = frame.pts if by_time else index
            while at < len(wanted) and wanted[at] == position:
                yield convert(frame)
                at += 1
            if at == len(wanted):
                break


def write_video(
    path: Path,
    frames: Iterable[RgbImage],
    fps: Fraction,
    *,
    crf: int,
    comment: str = "",
    times: FrameTimes | None = None,
    sound: Sound | None = None,
) -> int:
    """Encode `frames`, each RGB (h, w, 3) uint8 of one even size, as H.264 MP4; returns how many.

    This is the project's only encoder setting: High profile, yuv420p, preset medium, a key frame
    every 25 frames, fixed frame types, one thread, no date and no encoder version in the
    container. The same frames give the same bytes. `comment` is the container's comment field.
    With `times` of a variable rate, each frame is shown when the frame of that video is, counted
    from its first; else all are shown at `fps`. `sound` is a track to add, as AAC. Raises
    `InputError` if there is no frame, or a frame of another or an odd size.
    """
    path = Path(path)
    count = 0
    ticks: Iterator[int] = itertools.count()
    tick_s = 1 / Fraction(fps)
    scaler = VideoReformatter()  # one for each frame would cost as much as the conversion
    if times and times.variable_rate:
        ticks, tick_s = iter(t - times.ticks[0] for t in times.ticks), times.time_base
    with (
        atomic_path(path) as temporary,
        av.open(str(temporary), "w", format="mp4", options=CONTAINER) as container,
    ):
        if comment:
            container.metadata["comment"] = comment
        stream: VideoStream | None = None
        track: SoundWriter | None = None
        for image in frames:
            if stream is None:
                stream = _add_stream(path, container, image, fps, crf)
                stream.codec_context.time_base = tick_s
                track = SoundWriter(sound, container) if sound else None
            if image.shape != (stream.height, stream.width, 3):
                raise InputError.of(
                    path,
                    f"frame {count} has shape {image.shape}",
                    f"frames of {stream.width}x{stream.height}",
                )
            frame = _from_rgb(image, scaler)
            frame.pts, frame.time_base = next(ticks), tick_s
            container.mux(stream.encode(frame))
            if track:
                track.write_until(frame.pts * tick_s)
            count += 1
        if stream is None:
            raise InputError.of(path, "no frames to write", "one frame or more")
        container.mux(stream.encode(None))
        if track:
            track.finish()
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
    stream.codec_context.thread_count = 1
    stream.codec_context.colorspace = _SMPTE170M  # what a reader assumes that ignores the tag
    stream.codec_context.color_primaries = _SMPTE170M
    stream.codec_context.color_trc = _SMPTE170M
    stream.codec_context.color_range = _LIMITED
    return stream


def _from_rgb(image: RgbImage, scaler: VideoReformatter) -> VideoFrame:
    return scaler.reformat(
        VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24"),
        format="yuv420p",
        dst_colorspace=Colorspace.ITU601,
        dst_color_range=ColorRange.MPEG,
        interpolation=_TO_YUV,
    )


def read_comment(path: Path) -> str:
    """Read the container's comment field; empty if there is none. Raises `InputError`."""
    with opened(path) as video:
        return video.container.metadata.get("comment", "")


def count_frames(path: Path) -> int:
    """Count the frames of `path` by decoding every one, which proves that the file is complete.

    Raises `InputError` as `iter_frames` does.
    """
    with opened(path) as video:
        return sum(1 for _ in _decoded(video))
