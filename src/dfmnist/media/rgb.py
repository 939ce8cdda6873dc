"""Conversion of decoded frames to RGB as players show them.

Players mirror and turn a picture by the container's display matrix, widen pixels that are not
square, and map high dynamic range (HLG and PQ) and wide colours to a standard screen.
"""

import functools
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
from av.buffer import Buffer
from av.error import FFmpegError
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)

from dfmnist.core.arrays import Frames, RgbImage
from dfmnist.core.errors import InputError

# Without full chroma, swscale darkens every frame by one to two levels (measured).
_FULL_CHROMA = Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
_REPEATABLE = Interpolation.ACCURATE_RND | Interpolation.BITEXACT
EXACT = _REPEATABLE | _FULL_CHROMA
TO_RGB = Interpolation.BILINEAR | EXACT
_TO_SIZE = Interpolation.LANCZOS | EXACT
# With full chroma, swscale 9.5 mixes up the channels where it maps colours (seen in all formats).
_TO_STANDARD = Interpolation.BILINEAR | _REPEATABLE
_SPACES = {  # H.273 matrix coefficients to swscale's tables; see `_matrix` for all others
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
_UNSPECIFIED = 2
_HD_LINES = 720
"""Height from which players read a video without a stated matrix as BT.709."""
_PQ, _HLG = 16, 18
_BT2020 = 9
_FULL = 2
_RGB = 0
_SAME_SHAPE = 0.02
"""Largest change of the ratio of the sides, as a share, with which pictures are of one shape."""


@dataclass(frozen=True)
class Turn:
    """How a stored picture is turned to be shown: transposed first, then mirrored."""

    transposed: bool
    across: bool
    """True if left and right change places."""
    down: bool
    """True if top and bottom change places."""

    @classmethod
    def of(cls, frame: VideoFrame) -> "Turn":
        """The nearest turn by quarters to the display matrix of `frame`."""
        side = cast(Mapping[SideDataType, Buffer], frame.side_data)
        data = side.get(SideDataType.DISPLAYMATRIX)
        if data is None:
            return cls(False, False, False)
        # a point (x, y) is shown at (a x + c y, b x + d y)
        a, b, _, c, d = np.frombuffer(bytes(data), "<i4")[:5].astype(np.int64).tolist()
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(False, a < 0, d < 0)
        return cls(True, c < 0, b < 0)

    def apply(self, plane: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The plane (h, w) as shown."""
        plane = plane.T if self.transposed else plane
        return plane[:: -1 if self.down else 1, :: -1 if self.across else 1]

    def size(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        """The width and height after the turn; equally, before it."""
        return size_wh[::-1] if self.transposed else size_wh


def shown_size(frame: VideoFrame, pixel_aspect: Fraction = Fraction(1)) -> tuple[int, int]:
    """Width and height of `frame` as shown, its pixels made square by widening, never narrowing."""
    width, height = frame.width, frame.height
    if pixel_aspect > 1:
        width = round(width * pixel_aspect)
    else:
        height = round(height / pixel_aspect)
    return Turn.of(frame).size((width, height))


class RgbConverter:
    """The conversion of one video's frames to RGB of one size.

    It keeps its scaler from frame to frame, whose tables take as long as a frame.
    """

    def __init__(
        self,
        path: Path | None = None,
        pixel_aspect: Fraction = Fraction(1),
        size_wh: tuple[int, int] | None = None,
    ) -> None:
        """`path` is named in errors. `size_wh` is the size to convert to; None: the first shown."""
        self._path, self._aspect, self._size = path or "frame", pixel_aspect, size_wh
        self._shape: tuple[int, int] | None = None
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame, out: RgbImage | None = None) -> RgbImage:
        """Convert `frame` to RGB (h, w, 3) uint8, into `out` if given.

        Raises `InputError` for a frame of another shape than the first one, and for colours that
        cannot be converted. The colours come as planes, which swscale converts three times faster
        than packed pixels, with the same values.
        """
        turn = Turn.of(frame)
        shown = self._checked(shown_size(frame, self._aspect))
        width, height = turn.size(self._size or shown)
        try:
            stored = _on_standard_screen(frame)
            full = stored.color_range == _FULL or stored.format.name.startswith("yuvj")
            same = (width, height) == (frame.width, frame.height)
            converted = self._scaler.reformat(
                stored,
                width=width,
                height=height,
                format="gbrp",
                src_colorspace=_matrix(stored),
                src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
                interpolation=TO_RGB if same else _TO_SIZE,
                threads=1,
            )
        except FFmpegError as error:
            what = f"has colours that cannot be converted ({error.strerror})"
            raise InputError.of(self._path, what, "a video of standard colours") from None
        green, blue, red = (
            np.frombuffer(plane, np.uint8).reshape(height, plane.line_size)[:, :width]  # type: ignore[call-overload]
            for plane in converted.planes
        )
        return np.stack([turn.apply(plane) for plane in (red, green, blue)], axis=-1, out=out)

    def see(self, frame: VideoFrame) -> None:
        """Take note of the shape of a `frame` that may not be converted.

        Raises `InputError` as a conversion does.
        """
        self._checked(shown_size(frame, self._aspect))

    def _checked(self, shown: tuple[int, int]) -> tuple[int, int]:
        """The size of the first frame, to which a call's later and smaller pictures are scaled."""
        if self._shape is None:
            self._shape = shown
        ratio = shown[0] * self._shape[1] / (shown[1] * self._shape[0])
        if abs(ratio - 1) > _SAME_SHAPE:
            before, now = ("x".join(map(str, size)) for size in (self._shape, shown))
            raise InputError.of(
                self._path, f"changes from {before} to {now}", "a video of one shape"
            )
        return self._shape


def _matrix(frame: VideoFrame) -> Colorspace:
    """The matrix of the frame's colours: as stated, or BT.709 for HD, or else BT.601."""
    hd = frame.colorspace == _UNSPECIFIED and frame.height >= _HD_LINES
    return _SPACES.get(frame.colorspace, Colorspace.ITU709 if hd else Colorspace.ITU601)


_tone_mapping = threading.Lock()


def _on_standard_screen(frame: VideoFrame) -> VideoFrame:
    """The frame with high dynamic range and BT.2020 colours mapped to BT.709; else unchanged."""
    if frame.color_trc not in (_PQ, _HLG) and frame.color_primaries != _BT2020:
        return frame
    kind = (frame.width, frame.height, frame.format.name, frame.color_trc)
    with _tone_mapping:
        mapped = _tone_mapper(*kind).reformat(
            frame,
            format="gbrp",
            src_colorspace=_SPACES.get(frame.colorspace, Colorspace.BT2020),
            src_color_range=ColorRange.JPEG if frame.color_range == _FULL else ColorRange.MPEG,
            interpolation=_TO_STANDARD,
            dst_color_trc=ColorTrc.BT709,
            dst_color_primaries=ColorPrimaries.BT709,
            threads=1,
        )
    mapped.colorspace, mapped.color_range = _RGB, _FULL  # else those of the source are kept
    return mapped


@functools.lru_cache(maxsize=4)
def _tone_mapper(*_kind: int | str) -> VideoReformatter:
    """The scaler for pictures of this kind; its table takes seconds, so it is made once."""
    return VideoReformatter()


def resize_frames(frames_rgb_u8: Frames, size_wh: tuple[int, int]) -> Frames:
    """Resize frames (n, h, w, 3) with the filter that `frames_at` uses."""
    count, height, width, _ = frames_rgb_u8.shape
    if (width, height) == size_wh:
        return frames_rgb_u8
    out = np.empty((count, size_wh[1], size_wh[0], 3), np.uint8)
    convert = RgbConverter(size_wh=size_wh)
    for image, target in zip(frames_rgb_u8, out, strict=True):
        convert(VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24"), target)
    return out
