"""Opening of video files: the right stream of a local file, its packets, and the frames' times.

Every reader of this room begins here. A file is trusted in nothing but its packets: a stated frame
rate is taken only where the frames' times agree with it. Three bounds keep a hostile file from
filling the time or the memory: `MAX_PIXELS`, `MAX_FRAMES` and `MAX_GAP_S`.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from dfmnist.core.errors import InputError
from dfmnist.media.truncation import is_truncated

MAX_PIXELS = 1 << 26
"""Largest number of pixels in a video frame (8192 by 8192)."""
MAX_FRAMES = 1 << 20
"""Largest number of frames in a video: eleven hours at 25 frames a second. Their times take about
100 MB."""
MAX_GAP_S = 600
"""Longest time in seconds from one frame of a video to the next."""
MAX_BOXES = 10_000
"""Number of MP4 boxes on one level that are looked at for lists of cuts."""
MAX_EDITS = 1000
"""Largest number of cuts that an MP4 lists; a million of them would take minutes to open."""
MAX_PIXEL_ASPECT = 4
"""Largest ratio of a pixel's sides."""
SQUARE_ENOUGH = 0.01
"""Pixels whose sides differ by less than this share are taken as square: some programs round."""
NOMINAL_FPS = Fraction(25)
"""Frame rate of a video that neither states a rate nor has two frames at different times."""

# Formats that are one file and hold their pictures themselves. A list of other files (ffconcat,
# HLS, DASH, SDP, ...) is none of them, whatever its name; neither is a device or a script.
_FORMATS = (
    *("mov", "matroska", "avi", "flv", "asf", "mpeg", "mpegts", "mpegvideo", "m4v", "h264", "hevc"),
    *("av1", "obu", "ivf", "ogg", "mxf", "gxf", "nut", "rm", "dv", "wtv", "nsv", "mjpeg", "gif"),
    *("apng", "yuv4mpegpipe", "h263", "vc1", "vvc"),
)
_PICTURES = ("image2", *sorted(f for f in av.formats_available if f.endswith("_pipe")))
_LOCAL = {"protocol_whitelist": "file", "format_whitelist": ",".join((*_FORMATS, *_PICTURES))}
_BESIDE = (
    Disposition.attached_pic
    | Disposition.timed_thumbnails
    | Disposition.still_image
    | Disposition.dependent
    | Disposition.metadata
)
"""Kinds of streams that lie beside the film: artwork, thumbnails, depth maps."""
DECODE = {"max_pixels": str(MAX_PIXELS)}
"""Options of every decoder: the bound on the size of a frame. Damage is marked in the frames; to
end at every error (`err_detect=explode`) would refuse recordings that begin at an open GOP."""


@dataclass(frozen=True)
class Opened:
    """A video file that is open for reading."""

    path: Path
    container: InputContainer
    stream: VideoStream
    """The stream of the film, decoded by one thread."""

    @cached_property
    def pixel_aspect(self) -> Fraction:
        """Width of a pixel over its height; 1 where the file states none. Raises `InputError`."""
        aspect = self.stream.sample_aspect_ratio
        if not aspect or abs(aspect - 1) < SQUARE_ENOUGH:
            return Fraction(1)
        if not 1 / MAX_PIXEL_ASPECT <= aspect <= MAX_PIXEL_ASPECT:
            raise InputError.of(
                self.path,
                f"has pixels of {aspect.numerator}:{aspect.denominator}",
                f"pixels between 1:{MAX_PIXEL_ASPECT} and {MAX_PIXEL_ASPECT}:1",
            )
        return aspect

    @property
    def announced(self) -> int:
        """Number of frames that the header states; 0 if it states none."""
        if self.stream.frames or "matroska" not in self.container.format.name:
            return self.stream.frames  # elsewhere the duration is guessed from the file's length
        stated = re.fullmatch(r"(\d+):(\d+):([\d.]+)", self.stream.metadata.get("DURATION", ""))
        duration_s = (self.container.duration or 0) / av.time_base
        if stated:
            hours, minutes, seconds = (float(part) for part in stated.groups())
            duration_s = hours * 3600 + minutes * 60 + seconds
        return round(duration_s * float(self.stream.average_rate or 0))

    def packets(self) -> "Iterator[Packet[VideoStream]]":
        """Yield the packets that can be decoded, in decoding order, then an empty one.

        A recording that begins between two key frames is read from its first key frame on. Frames
        that come after that one in the file and are shown before it need what is missing, too.
        """
        first: Packet[VideoStream] | None = None
        for packet in self.container.demux(self.stream):
            if packet.size:
                if first is None and not packet.is_keyframe:
                    continue
                first = first or packet
                if packet.pts is not None and first.pts is not None and packet.pts < first.pts:
                    continue
            elif repeats(packet):
                continue
            yield packet

    def truncated(self, found: int, announced: int) -> InputError:
        """The error that `found` of `announced` frames could be read."""
        said = f" of {announced}" if announced > found else ""
        return InputError.of(
            self.path, f"is truncated: {found}{said} frames read", "a complete video"
        )


def repeats(packet: "Packet[VideoStream]") -> bool:
    """True for an empty packet with a time, as in Theora: the frame before it stays.

    A decoder would take it for the end, whose empty packet has no time.
    """
    return not packet.size and packet.dts is not None


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open a local video file at the stream of the film; other files are never opened by it.

    The film is the stream that players show: not the artwork, not the thumbnails. Any failure of
    the codec library within the `with` block raises `InputError`.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError.of(path, "no such file", "a video")
    with path.open("rb") as file:
        edits = _edits(file, 0, path.stat().st_size)
    if edits > MAX_EDITS:
        raise InputError.of(path, f"is cut from {edits} pieces", f"at most {MAX_EDITS}")
    try:
        # with `file:` a name such as 10:30.mp4 is a name, and not a protocol
        with av.open(f"file:{path}", options=_LOCAL, metadata_errors="replace") as container:
            yield Opened(path, container, _film(path, container))
    except av.ArgumentError:  # the formats are an argument
        what = "is of a kind that is not read, such as a list of other files"
        raise InputError.of(path, what, "a video in one file") from None
    except av.FFmpegError as error:
        kind = f"cannot be read as video ({error.strerror or type(error).__name__})"
        if is_truncated(path):
            kind = "is truncated before its index, so 0 frames can be read"
        raise InputError.of(path, kind, "a complete video") from None


def _edits(
    file: BinaryIO, start: int, end: int, inside: Sequence[bytes] = (b"moov", b"trak", b"edts")
) -> int:
    """The length of the longest list of cuts (`elst`) in the MP4 boxes from `start` to `end`."""
    longest, at = 0, start
    for _ in range(MAX_BOXES):
        if at + 16 > end:
            break
        file.seek(at)
        head = file.read(24)
        length, name, header = int.from_bytes(head[:4], "big"), head[4:8], 8
        if length == 1:
            length, header = int.from_bytes(head[8:16], "big"), 16
        length = length or end - at
        if length < header:
            break
        if not inside and name == b"elst":
            longest = max(longest, int.from_bytes(head[header + 4 : header + 8], "big"))
        elif inside and name == inside[0]:
            stop = min(end, at + length)
            longest = max(longest, _edits(file, at + header, stop, inside[1:]))
        at += length
    return longest


def _film(path: Path, container: InputContainer) -> VideoStream:
    streams = container.streams.video
    if container.format.name.endswith(("_pipe", "image2")):
        raise InputError.of(path, "is a still picture", "a video")
    moving = [s for s in streams if s.codec_context and not s.disposition & _BESIDE]
    if not moving:
        what = "only artwork" if streams else "no video stream"
        raise InputError.of(path, f"holds {what}", "a video")
    pixels = [s.frames * s.codec_context.width * s.codec_context.height for s in moving]
    # a preview is much smaller or shorter, and may come first and be the default
    large = [s for s, count in zip(moving, pixels, strict=True) if count >= max(pixels) / 8]
    best = container.streams.best("video")  # by bit rate, where no number of frames is stated
    stream = max(large, key=lambda s: (bool(s.disposition & Disposition.default), s is best))
    context = stream.codec_context
    if not context.width or not context.height:
        raise InputError.of(path, "holds no video frames", "a video")
    if context.width * context.height > MAX_PIXELS:
        raise InputError.of(
            path,
            f"has frames of {context.width}x{context.height}",
            f"at most {MAX_PIXELS} pixels a frame",
        )
    context.thread_count = 1
    return stream


@dataclass(frozen=True)
class FrameTimes:
    """The times at which a video's frames are shown."""

    ticks: tuple[int, ...]
    """Presentation time of each frame, ascending, in units of `time_base`."""
    time_base: Fraction
    """Seconds in a tick."""
    fps: Fraction
    """Frames a second; the average if `variable_rate`."""
    variable_rate: bool
    """True if the frames are not evenly spaced in time."""
    identify_frames: bool
    """True if presentation times identify decoded frames (H.264 with distinct times). They do not
    where packets hold several frames or none, or where the container has no times of its own."""

    @property
    def duration_s(self) -> float:
        """Seconds from the first frame to the end of the last."""
        return float(len(self.ticks) / self.fps)

    def index_at(self, moments_s: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Indices (k,) of the frames shown at `moments_s` (k,), seconds after the first frame.

        A moment beyond the end takes the last frame.
        """
        moments = np.asarray(moments_s, np.float64)
        if self.variable_rate:
            # a millisecond clock may have rounded a frame's time up, to just after the moment
            slack = 0.5 if self.time_base <= Fraction(1, 500) else 1e-6
            shown = np.array(self.ticks, np.int64) - self.ticks[0]
            wanted = moments / float(self.time_base) + slack
            indices = np.searchsorted(shown, wanted, side="right") - 1
        else:
            indices = np.floor(moments * float(self.fps) + 1e-6).astype(np.int64)
        return np.clip(indices, 0, len(self.ticks) - 1)

    def between(self, start_s: float, end_s: float | None) -> range:
        """Indices of the frames shown from `start_s` on that begin before `end_s`.

        Both are seconds after the first frame; `end_s` None is the end. There is at least one.
        """
        first, count = int(self.index_at(start_s)), len(self.ticks)
        if end_s is None:
            return range(first, count)
        stop = int(self.index_at(end_s))
        begins_s = float((self.ticks[stop] - self.ticks[0]) * self.time_base)
        return range(first, max(stop + (begins_s < end_s - 1e-3), first + 1))

    def part(self, indices: range) -> "FrameTimes":
        """Times of consecutive frames of the video alone."""
        ticks, fps = self.ticks[indices.start : indices.stop], self.fps
        if self.variable_rate:
            end = self.ticks[0] + round(len(self.ticks) / self.fps / self.time_base)
            if indices.stop < len(self.ticks):
                end = self.ticks[indices.stop]
            fps = len(ticks) / ((end - ticks[0]) * self.time_base)
        return replace(self, ticks=ticks, fps=fps)


def times_of(video: Opened) -> FrameTimes:
    """Read the times of the frames of `video` from its packets; nothing is decoded.

    Raises `InputError` for a truncated file, one without frames, and one beyond the bounds.
    """
    path, stream = video.path, video.stream
    assert stream.time_base is not None
    stored, identified, last_duration = _stored_times(video)
    ticks = tuple(sorted(stored))
    gaps = [b - a for a, b in pairwise(ticks)]
    if gaps and max(gaps) * stream.time_base > MAX_GAP_S:
        raise InputError.of(
            path,
            f"shows one frame for {float(max(gaps) * stream.time_base):.0f} s",
            f"a frame every {MAX_GAP_S} s at least",
        )
    variable = False
    if gaps and min(gaps) > 0:
        rounding = 1 if min(gaps) > 1 else 0  # ticks as long as a frame are not rounded to
        variable = max(gaps) - min(gaps) > rounding
    fps = _variable(ticks, last_duration, stream) if variable else _constant(ticks, stream)
    return FrameTimes(ticks, stream.time_base, fps, variable, identified)


def _stored_times(video: Opened) -> tuple[list[int], bool, int]:
    """Times of the complete packets in stream order, whether they identify frames, last duration.

    Where presentation times are missing, the decoding times stand for them.
    """
    stream, discarded = video.stream, 0
    shown: list[int | None] = []
    decoded: list[int | None] = []
    duration = 0
    for packet in video.packets():
        if packet.size == 0 or packet.is_corrupt or _is_hidden(packet):
            continue
        if packet.is_discard:
            discarded += 1
            continue
        if len(shown) == MAX_FRAMES:
            raise InputError.of(
                video.path, f"holds more than {MAX_FRAMES} frames", "a shorter video"
            )
        shown.append(packet.pts)
        decoded.append(packet.dts)
        duration = packet.duration or 0
    if not shown:
        raise InputError.of(video.path, "holds no frames", "a video of one frame or more")
    if is_truncated(video.path):
        raise video.truncated(len(shown), video.announced - discarded)
    times = [a if a is not None else b or 0 for a, b in zip(shown, decoded, strict=True)]
    ascending = all(a < b for a, b in pairwise(times))
    # AVI gives its frames ascending times in decoding order, which are not those of showing
    false = None in shown or (stream.codec_context.has_b_frames and ascending)
    if None in shown and None not in decoded:
        times = [b for b in decoded if b is not None]
    h264 = stream.codec_context.name == "h264"
    return times, h264 and not false and len(set(times)) == len(times), duration


def _is_hidden(packet: "Packet[VideoStream]") -> bool:
    """True for a VP8 frame that others are predicted from and that is not shown itself."""
    return packet.stream.codec_context.name == "vp8" and not memoryview(packet)[0] & 0x10


def _constant(ticks: tuple[int, ...], stream: VideoStream) -> Fraction:
    """The stated frame rate if the frames' times agree with it, else the rate of the times."""
    assert stream.time_base is not None
    stated = [rate for rate in (stream.guessed_rate, stream.average_rate) if rate]
    span = ticks[-1] - ticks[0]
    if not span:
        return stated[0] if stated else NOMINAL_FPS
    measured = Fraction(len(ticks) - 1, span) / stream.time_base
    tolerance = max(Fraction(1, 1000), Fraction(1, span))  # the last tick is rounded
    agreeing = (rate for rate in stated if abs(measured / rate - 1) <= tolerance)
    return next(agreeing, measured.limit_denominator(1001))


def _variable(ticks: tuple[int, ...], last_duration: int, stream: VideoStream) -> Fraction:
    """The average frame rate from the first frame's beginning to the last one's end."""
    assert stream.time_base is not None
    span = ticks[-1] - ticks[0]
    span += last_duration if last_duration > 0 else round(span / (len(ticks) - 1))
    return len(ticks) / (span * stream.time_base)
