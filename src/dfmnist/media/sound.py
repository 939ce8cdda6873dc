"""Sound of a video, brought into another one: from a given moment on, in step with its frames.

It is encoded again, as AAC, which every player of MP4 knows, and which can be cut at any sample.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer

from dfmnist.core.arrays import Floats32
from dfmnist.core.errors import InputError
from dfmnist.media.opening import opened

RATES = (44_100, 48_000)
"""Sample rates that are kept; sound of any other rate gets the last of them."""
BIT_RATE = 192_000
JITTER_S = 0.02
"""Largest gap or overlap between two pieces of sound that is taken as rounding of their times."""
LEAD_S = 1.0
"""Time before the wanted moment at which decoding begins, in seconds."""
CHUNK = 1 << 14
"""Largest number of samples of silence in one piece."""


@dataclass(frozen=True)
class Sound:
    """A stretch of the sound of a video."""

    path: Path
    start_s: Fraction
    """Beginning on the file's own clock, on which its first frame need not be at 0."""
    duration_s: Fraction


def has_sound(path: Path) -> bool:
    """True if the video `path` has a sound track. Raises `InputError` as `opened` does."""
    with opened(path) as video:
        return bool(video.container.streams.audio)


class SoundWriter:
    """Writer of a sound track, a little ahead of the frames that it belongs to."""

    def __init__(self, sound: Sound, container: OutputContainer) -> None:
        """Add the track to `container`, of which nothing may be written yet."""
        self._container = container
        self._pieces = _pieces(sound)
        first = next(self._pieces, None)
        self._next = first
        self._stream: AudioStream | None = None
        if first is None:
            return
        stream = container.add_stream("aac", rate=first.rate, options={"flags": "+bitexact"})
        stream.layout, stream.bit_rate = first.layout, BIT_RATE
        stream.codec_context.thread_count = 1
        self._stream = stream

    def write_until(self, moment_s: Fraction) -> None:
        """Write the sound that begins before `moment_s`, seconds after the first frame."""
        while self._next is not None and Fraction(self._next.at, self._next.rate) < moment_s:
            assert self._stream is not None
            self._container.mux(self._stream.encode(self._next.frame()))
            self._next = next(self._pieces, None)

    def finish(self) -> None:
        """Write all that is left."""
        if self._stream is None:
            return
        while self._next is not None:
            self._container.mux(self._stream.encode(self._next.frame()))
            self._next = next(self._pieces, None)
        self._container.mux(self._stream.encode(None))


@dataclass(frozen=True, eq=False)
class _Piece:
    """Samples (channels, n) that begin at the sample `at`."""

    samples: Floats32
    at: int
    rate: int

    @property
    def layout(self) -> str:
        return "mono" if len(self.samples) == 1 else "stereo"

    def frame(self) -> AudioFrame:
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(self.samples), format="fltp", layout=self.layout
        )
        frame.sample_rate, frame.pts = self.rate, self.at
        frame.time_base = Fraction(1, self.rate)
        return frame


def _pieces(sound: Sound) -> Iterator[_Piece]:
    """The sound in order and without gaps: silence where the file has none, up to its end."""
    at = 0
    for piece in _decoded(sound):
        total = round(sound.duration_s * piece.rate)
        begin, samples = piece.at, piece.samples
        if abs(begin - at) <= JITTER_S * piece.rate and at:
            begin = at
        while begin > at and at < total:
            silent = min(begin - at, CHUNK, total - at)
            yield _Piece(np.zeros((len(samples), silent), np.float32), at, piece.rate)
            at += silent
        samples = samples[:, max(at - begin, 0) :][:, : max(total - at, 0)]
        if samples.shape[1]:
            yield _Piece(samples, at, piece.rate)
            at += samples.shape[1]
        if at >= total:
            return


def _decoded(sound: Sound) -> Iterator[_Piece]:
    """The decoded sound, whose samples are counted from its beginning and may lie before it."""
    with opened(sound.path) as video:
        streams = video.container.streams
        if not streams.audio:
            raise InputError.of(sound.path, "has no sound", "a video with sound")
        stream = streams.best("audio")
        if not isinstance(stream, AudioStream):
            stream = streams.audio[0]
        context = stream.codec_context
        rate = context.sample_rate if context.sample_rate in RATES else RATES[-1]
        layout = "mono" if context.layout.nb_channels == 1 else "stereo"
        resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
        try:
            if sound.start_s > LEAD_S and stream.time_base:
                with contextlib.suppress(av.FFmpegError):  # then from the beginning
                    video.container.seek(
                        int((sound.start_s - Fraction(LEAD_S)) / stream.time_base), stream=stream
                    )
            at: int | None = None
            for packet in video.container.demux(stream):
                for frame in packet.decode():
                    for made in resampler.resample(frame):
                        samples = np.asarray(made.to_ndarray(), np.float32)
                        if made.pts is not None and made.time_base:
                            at = round((made.pts * made.time_base - sound.start_s) * rate)
                        yield _Piece(samples, at or 0, rate)
                        at = (at or 0) + samples.shape[1]
        except av.FFmpegError as error:
            what = f"has sound that cannot be read ({error.strerror or type(error).__name__})"
            raise InputError.of(sound.path, what, "a video whose sound is whole") from None
