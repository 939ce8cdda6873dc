"""Files that break off are reported, whatever their container, never passed in silence."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dfmnist.core.errors import InputError
from dfmnist.media import video
from dfmnist.media.truncation import is_truncated

CONTAINERS = {
    "a.mp4": ("libx264", {"movflags": "faststart"}),
    "a.mov": ("libx264", {}),
    "a.mkv": ("libx264", {}),
    "a.webm": ("libvpx-vp9", {}),
    "a.avi": ("mpeg4", {}),
}


def write(path: Path, num_frames: int = 60, at: list[int] | None = None) -> Path:
    codec, options = CONTAINERS[path.name]
    x, y = np.meshgrid(np.arange(96), np.arange(64))
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=25, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for t in at or range(num_frames):
            wave = [128 + 90 * np.sin(x / 17 + t / 5 * k) * np.cos(y / 23 * k) for k in (1, 2, 3)]
            frame = av.VideoFrame.from_ndarray(np.stack(wave, -1).astype(np.uint8), format="rgb24")
            frame.pts, frame.time_base = t, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", CONTAINERS)
def test_cut_files_are_reported_and_whole_ones_are_not(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    assert not is_truncated(path)
    assert video.probe(path).num_frames == len(video.read_frames(path)) == 60
    data = path.read_bytes()
    for share in (0.6, 0.97):
        path.write_bytes(data[: int(len(data) * share)])
        assert is_truncated(path)
        for read in (video.probe, video.read_frames):
            with pytest.raises(InputError, match=rf"{name}: is truncated") as caught:
                read(path)
            said = str(caught.value)
            if name == "a.mov":  # its index is at the end
                assert "before its index, so 0 frames can be read" in said
            elif share == 0.6:
                assert " of 60 frames read" in said


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.avi"])
@pytest.mark.parametrize(
    "tail", [b"\n", b"\0" * 3, b"\0" * 99, b"\n" * 99, b"\0\0\1\0SEFHdata of a camera"]
)
def test_bytes_after_the_end_are_passed_over(tmp_path: Path, name: str, tail: bytes) -> None:
    path = write(tmp_path / name, 4)
    path.write_bytes(path.read_bytes() + tail)
    assert not is_truncated(path)
    assert len(video.read_frames(path)) == video.probe(path).num_frames == 4


def test_a_cut_within_the_head_of_a_fragment_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", 4)
    fragment = b"\0\0\0\x10moof" + bytes(8) + b"\0\0\0\x10mdat" + bytes(8)
    path.write_bytes(path.read_bytes() + fragment + fragment[:5])
    assert is_truncated(path)
    path.write_bytes(path.read_bytes()[:-5] + b"\n")
    assert not is_truncated(path)


def test_what_is_no_video_is_not_called_cut_short(tmp_path: Path) -> None:
    for content in (b"", b"RIFF", b"\x1a\x45\xdf\xa3", b"just words\n" * 9, bytes(64)):
        path = tmp_path / "a.mp4"
        path.write_bytes(content)
        assert not is_truncated(path)


def test_a_recording_without_a_stated_length_is_whole(tmp_path: Path) -> None:
    """What a browser records: the segment's size is "unknown"."""
    path = write(tmp_path / "a.mkv", 5)
    data = bytearray(path.read_bytes())
    at = data.index(b"\x18\x53\x80\x67") + 4
    assert data[at] == 1  # a size of eight bytes
    data[at + 1 : at + 8] = b"\xff" * 7
    path.write_bytes(data)
    assert not is_truncated(path)


def test_frame_at_a_time(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", 10)
    for index in range(10):
        assert video.frame_index_at(path, index / 25) == index
    assert video.frame_index_at(path, 0.079) == 1
    for time_s in (-0.1, 0.4, 9.0):
        with pytest.raises(InputError, match="no frame at"):
            video.frame_index_at(path, time_s)
    uneven = write(tmp_path / "a.mkv", at=[0, 1, 2, 12, 13])
    assert [video.frame_index_at(uneven, t) for t in (0.0, 0.09, 0.4, 0.5, 0.52)] == [0, 2, 2, 3, 4]
