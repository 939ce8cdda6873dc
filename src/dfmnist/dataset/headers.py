"""Frame rate, length and size of a clip: as its record states them, else as its file does."""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from dfmnist.dataset.manifest import Clip, Manifest
from dfmnist.media.video import VideoInfo, probe


@dataclass(frozen=True)
class ClipHeader:
    """Frame rate, number of frames and size in pixels of a clip."""

    fps: Fraction
    """Frames a second."""
    num_frames: int
    width: int
    height: int

    @property
    def duration_s(self) -> float:
        """Length of the clip in seconds."""
        return float(self.num_frames / self.fps)

    @property
    def side_px(self) -> int:
        """The longer side in pixels."""
        return max(self.width, self.height)


def header_of(manifest: Manifest, clip: Clip) -> ClipHeader:
    """The header of a clip; the file is opened only for what its record does not state.

    A file is opened once in a process. Raises `InputError` for a file that cannot be read.
    """
    fps = None if clip.fps is None else Fraction(clip.fps)
    num_frames, width, height = clip.num_frames, clip.width, clip.height
    if fps is None or num_frames is None or width is None or height is None:
        read = _probe(manifest.path(clip))
        fps = read.fps if fps is None else fps
        num_frames = read.num_frames if num_frames is None else num_frames
        width = read.width if width is None else width
        height = read.height if height is None else height
    return ClipHeader(fps, num_frames, width, height)


@lru_cache(maxsize=1 << 17)
def _probe(path: Path) -> VideoInfo:
    return probe(path)
