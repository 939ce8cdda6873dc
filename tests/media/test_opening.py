"""Videos as people have them: the streams, times, shapes and colours of other programs' files."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from dfmnist.core.errors import InputError
from dfmnist.media import opening, video
from dfmnist.media.inspect import signal_facts
from dfmnist.media.rgb import RgbConverter
from dfmnist.media.sample import read_stretch

SIZE = 64
MS = Fraction(1, 1000)


def shaded(level: float, size: int = SIZE) -> np.ndarray:
    """A picture whose mean is about `level`, brighter to the right and to the bottom."""
    y, x = np.mgrid[:size, :size] * (SIZE / size)
    grey = level + (x - 32) * 0.5 + (y - 32) * 0.3
    return np.stack([grey, grey * 0.9, grey * 0.6], -1).clip(0, 255).astype(np.uint8)


def levels(count: int) -> np.ndarray:
    return np.linspace(40, 200, count)


def encode(
    path: Path,
    pictures: Sequence[np.ndarray],
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    ticks: Sequence[int] | None = None,
    tick_s: Fraction = Fraction(1, 25),
    options: dict[str, str] | None = None,
    aspect: Fraction | None = None,
) -> Path:
    """Write pictures as another program might, picture i shown at ticks[i] ticks."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {"crf": "8"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = tick_s
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for picture, tick in zip(pictures, ticks or range(len(pictures)), strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = tick, tick_s
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def means(frames: np.ndarray) -> np.ndarray:
    return frames.mean((1, 2, 3)) / np.mean([1, 0.9, 0.6])


# which file


def test_a_name_is_never_a_protocol_or_a_pattern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    film = encode(tmp_path / "film.mp4", [shaded(90)] * 2).read_bytes()
    for name in ("10:30.mp4", "concat:film.mp4", "v%02d.mp4", "http:"):
        Path(name).write_bytes(film)
        assert video.probe(Path(name)).num_frames == 2


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile film.mp4\n" * 3,
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfilm.mp4\n#EXT-X-ENDLIST\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    ],
    ids=["ffconcat", "hls", "sdp"],
)
def test_a_list_reads_no_other_file(tmp_path: Path, text: str) -> None:
    encode(tmp_path / "film.mp4", [shaded(90)] * 2)
    (tmp_path / "list.mp4").write_text(text)
    with pytest.raises(InputError, match=r"list\.mp4: .*expected a"):
        video.read_frames(tmp_path / "list.mp4")


# which stream


def _two_streams(path: Path, first: str, count: int, disposition: int = 0) -> Path:
    """A film of ten bright frames behind a stream of `count` dark ones."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream(codec, rate=25) for codec in (first, "libx264")]
        for stream, size in zip(streams, (32, SIZE), strict=True):
            stream.width = stream.height = size
            stream.pix_fmt = "yuvj420p" if stream.name == "mjpeg" else "yuv420p"
        if disposition:
            streams[0].disposition = av.stream.Disposition(disposition)
        for i in range(10):
            for stream, level, last in zip(streams, (20, 180), (count, 10), strict=True):
                if i < last:
                    frame = av.VideoFrame.from_ndarray(shaded(level, stream.width), format="rgb24")
                    frame.pts, frame.time_base = i, Fraction(1, 25)
                    container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("first", "count"), [("mjpeg", 1), ("libx264", 2)])
def test_the_film_is_read_and_not_the_picture_before_it(
    tmp_path: Path, first: str, count: int
) -> None:
    frames = video.read_frames(_two_streams(tmp_path / "a.mov", first, count))
    assert frames.shape == (10, SIZE, SIZE, 3)
    assert means(frames).min() > 150


def test_a_song_with_artwork_is_no_film(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=16000)
        cover = container.add_stream("mjpeg", rate=25)
        cover.width = cover.height = SIZE
        cover.pix_fmt, cover.disposition = "yuvj420p", av.stream.Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 16000), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 16000
        container.mux([*sound.encode(frame), *sound.encode(None)])
        picture = av.VideoFrame.from_ndarray(shaded(90), format="rgb24")
        container.mux([*cover.encode(picture), *cover.encode(None)])
    with pytest.raises(InputError, match=r"song\.mp4: holds only artwork"):
        video.probe(path)


# when


def _live(path: Path, ticks: Sequence[int]) -> Path:
    """A WebM as browsers record it: a millisecond clock, and no duration of a frame or the file."""
    options = {"deadline": "realtime", "cpu-used": "8"}
    pictures = [shaded(level) for level in levels(len(ticks))]
    encode(path, pictures, codec="libvpx", ticks=ticks, tick_s=MS, options=options)
    data = path.read_bytes()
    at = data.index(b"\x23\xe3\x83")  # DefaultDuration becomes Void
    size = data[at + 3] & 0x7F
    path.write_bytes(
        data[:at] + b"\xec" + bytes([0x80 | (size + 2)]) + bytes(size + 2) + data[at + 4 + size :]
    )
    return path


def test_a_rate_that_is_not_stated_is_that_of_the_times(tmp_path: Path) -> None:
    ticks = [0, *np.cumsum([(33, 34, 33, 67, 33)[i % 5] for i in range(29)]).tolist()]
    info = video.probe(_live(tmp_path / "a.webm", ticks))
    assert (info.num_frames, info.variable_rate) == (30, True)
    assert float(info.fps) == pytest.approx(25, rel=0.03)
    even = video.probe(_live(tmp_path / "b.webm", [round(i * 1000 / 30) for i in range(30)]))
    assert not even.variable_rate
    assert float(even.fps) == pytest.approx(30, rel=0.002)


def test_one_frame_without_a_rate_is_read(tmp_path: Path) -> None:
    assert video.probe(_live(tmp_path / "a.webm", [0])).num_frames == 1


VARIABLE = [*range(0, 300, 30), *range(300, 1300, 100)]
"""Ten frames at 33 a second, then ten at 10 a second, in milliseconds."""


def test_a_moment_shows_the_frame_of_that_moment(tmp_path: Path) -> None:
    pictures = [shaded(level) for level in levels(20)]
    path = encode(tmp_path / "a.mkv", pictures, ticks=VARIABLE, tick_s=MS)
    got = read_stretch(path, 0, None, fps=Fraction(10), num_frames=12)
    shown = [np.argmin(np.abs(levels(20) - level)) for level in means(got)]
    assert shown == [0, 3, 6, *range(10, 19)]
    assert [video.frame_index_at(path, t) for t in (0, 0.03, 0.059, 0.3, 0.35, 1.21)] == [
        *(0, 1, 1, 10, 10, 19)
    ]
    assert video.probe(path).duration_s == pytest.approx(1.24)  # the last one's own duration


def test_frames_are_written_at_the_times_of_another_video(tmp_path: Path) -> None:
    pictures = [shaded(level) for level in levels(20)]
    times = video.frame_times(encode(tmp_path / "a.mkv", pictures, ticks=VARIABLE, tick_s=MS))
    video.write_video(tmp_path / "b.mp4", pictures, times.fps, crf=23, times=times)
    written = video.frame_times(tmp_path / "b.mp4")
    seconds = [float((t - written.ticks[0]) * written.time_base) for t in written.ticks]
    assert seconds == pytest.approx([t / 1000 for t in VARIABLE])
    video.write_video(tmp_path / "c.mp4", pictures, Fraction(25), crf=23)
    constant = video.frame_times(tmp_path / "c.mp4")
    video.write_video(tmp_path / "d.mp4", pictures, Fraction(25), crf=23, times=constant)
    assert (tmp_path / "c.mp4").read_bytes() == (tmp_path / "d.mp4").read_bytes()


def test_frames_in_avi_are_counted_since_their_times_are_false(tmp_path: Path) -> None:
    options = {"bf": "3", "b_strategy": "0", "crf": "8"}
    path = encode(tmp_path / "a.avi", [shaded(v) for v in levels(24)], options=options)
    everything = video.read_frames(path)
    assert np.abs(means(everything) - levels(24)).max() < 3
    wanted = [3, 9, 15, 20]  # whose false times ascend in the order shown
    assert np.array_equal(video.frames_at(path, wanted), everything[wanted])


@pytest.mark.parametrize("name", ["a.h264", "a.m4v"])
def test_a_stream_without_a_container_is_read(tmp_path: Path, name: str) -> None:
    """As small cameras write it: no times, and no way back to the beginning."""
    options = {"bf": "2", "crf": "8"} if name == "a.h264" else {"qscale": "2"}
    path = tmp_path / name
    codec = "libx264" if name == "a.h264" else "mpeg4"
    encode(path, [shaded(v) for v in levels(24)], codec=codec, options=options)
    info = video.probe(path)
    assert (info.num_frames, info.fps, info.width, info.variable_rate) == (24, 25, SIZE, False)
    everything = video.read_frames(path)
    assert np.abs(means(everything) - levels(24)).max() < 4
    assert np.array_equal(video.frames_at(path, [3, 9, 20]), everything[[3, 9, 20]])


def test_an_empty_packet_lets_the_frame_before_it_stay(tmp_path: Path) -> None:
    """As Theora writes it; other frames come after it."""
    path = tmp_path / "a.nut"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        for tick, level in zip((0, 1, 3, 4), levels(4), strict=True):
            frame = av.VideoFrame.from_ndarray(shaded(level), format="rgb24")
            frame.pts = tick
            container.mux(stream.encode(frame))
            if tick == 1:
                empty = av.Packet(b"")
                empty.stream, empty.time_base, empty.pts, empty.dts = stream, Fraction(1, 25), 2, 2
                container.mux(empty)
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        assert [bool(packet.size) for packet in container.demux()] == [True, True, False, True,
                                                                       True, False]  # fmt: skip
    everything = video.read_frames(path)
    assert np.abs(means(everything) - levels(4)).max() < 3
    times = video.frame_times(path)
    assert times.variable_rate
    assert times.index_at([0.04, 0.08, 0.12]).tolist() == [1, 1, 2]
    assert np.array_equal(video.frames_at(path, [1, 3]), everything[[1, 3]])
    assert signal_facts(path)["key_to_inter"] > 0


def test_a_frame_that_a_capture_dropped_is_a_gap(tmp_path: Path) -> None:
    """AVI counts frames, so that its tick is as long as one."""
    path = encode(tmp_path / "a.avi", [shaded(v) for v in levels(5)], codec="mjpeg",
                  pixel_format="yuvj420p", ticks=(0, 1, 2, 4, 5), options={})  # fmt: skip
    times = video.frame_times(path)
    assert (times.ticks, times.variable_rate) == ((0, 1, 2, 4, 5), True)
    assert times.index_at([2 / 25, 3 / 25, 4 / 25]).tolist() == [2, 2, 3]


def test_hidden_frames_are_not_counted(tmp_path: Path) -> None:
    plain = encode(
        tmp_path / "a.webm", [shaded(v) for v in levels(12)], codec="libvpx", options={"b": "300k"}
    )
    path = tmp_path / "b.webm"
    with av.open(str(plain)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux():
            if packet.size and packet.pts in (120, 240):  # VP8's bit 4 says that a frame is shown
                data = bytes(packet)
                hidden = av.Packet(bytes([data[0] & ~0x10]) + data[1:])
                hidden.stream, hidden.time_base = stream, packet.time_base
                hidden.pts = hidden.dts = packet.pts - 20
                out.mux(hidden)
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    with av.open(str(path)) as container:
        assert sum(packet.size > 0 for packet in container.demux()) == 14
    assert video.probe(path).num_frames == video.count_frames(path) == 12


def test_a_recording_that_begins_between_key_frames_is_read_from_the_next(tmp_path: Path) -> None:
    settings = "keyint=12:min-keyint=12:scenecut=0:open-gop=1:b-adapt=0:bframes=3"
    options = {"crf": "8", "bf": "3", "x264-params": settings}
    whole = encode(tmp_path / "a.ts", [shaded(v) for v in levels(40)], options=options)
    everything = video.read_frames(whole)
    data, starts = whole.read_bytes(), set()
    for share in (0.2, 0.4, 0.6):
        cut = tmp_path / "cut.ts"
        cut.write_bytes(data[int(len(data) * share) // 188 * 188 :])
        frames = video.read_frames(cut)
        starts.add(len(frames))
        assert np.array_equal(frames, everything[-len(frames) :])
        assert video.probe(cut).num_frames == len(frames)
        wanted = [0, 2, len(frames) - 1]
        assert np.array_equal(video.frames_at(cut, wanted), frames[wanted])
    assert len(starts) > 1


# which way up, which shape


def _with_matrix(source: Path, matrix: tuple[int, int, int, int]) -> Path:
    data = bytearray(source.read_bytes())
    at = data.index(b"tkhd") + 44
    for offset, value in zip((0, 4, 12, 16), matrix, strict=True):
        data[at + offset : at + offset + 4] = struct.pack(">i", value * 65536)
    out = source.with_name("turned.mp4")
    out.write_bytes(data)
    return out


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("across", [1, -1])
@pytest.mark.parametrize("down", [1, -1])
def test_the_whole_display_matrix(tmp_path: Path, transposed: bool, across: int, down: int) -> None:
    plain = encode(tmp_path / "a.mp4", [shaded(90)[:, :48]] * 2)
    matrix = (0, down, across, 0) if transposed else (across, 0, 0, down)
    turned = _with_matrix(plain, matrix)
    want = video.read_frames(plain)
    want = (want.transpose(0, 2, 1, 3) if transposed else want)[:, ::down, ::across]
    assert np.array_equal(video.read_frames(turned), want)
    info = video.probe(turned)
    assert (info.width, info.height) == want.shape[2:0:-1]


@pytest.mark.parametrize(
    ("aspect", "shape"),
    [(Fraction(3, 2), (64, 96)), (Fraction(2, 3), (96, 64)), (Fraction(200, 199), (64, 64))],
)
def test_pixels_become_square_by_widening(
    tmp_path: Path, aspect: Fraction, shape: tuple[int, int]
) -> None:
    path = encode(tmp_path / "a.mp4", [shaded(90)] * 2, aspect=aspect)
    assert video.read_frames(path).shape[1:3] == shape
    assert (video.probe(path).height, video.probe(path).width) == shape
    assert video.frames_at(path, [1], (40, 30)).shape == (1, 30, 40, 3)


def test_pixels_of_no_screen_are_refused(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", [shaded(90)] * 2, aspect=Fraction(50))
    with pytest.raises(InputError, match=r"a\.mp4: has pixels of 50:1"):
        video.read_frames(path)


def _two_sizes(path: Path, later_wh: tuple[int, int]) -> Path:
    """Ten frames of 64x64, then ten of another size, in one VP8 stream."""
    options = {"deadline": "realtime", "cpu-used": "8"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = SIZE, SIZE, "yuv420p"
        later = av.CodecContext.create("libvpx", "w")
        later.width, later.height = later_wh
        later.pix_fmt, later.options = "yuv420p", options
        later.time_base, later.framerate = Fraction(1, 25), Fraction(25)
        for context, start in ((stream, 0), (later, 10)):
            packets = []
            for i in range(start, start + 10):
                picture = np.asarray(
                    Image.fromarray(shaded(100)).resize((context.width, context.height))
                )
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = i, Fraction(1, 25)
                packets += context.encode(frame)
            for packet in [*packets, *context.encode(None)]:
                packet.stream = stream
                container.mux(packet)
    return path


@pytest.mark.parametrize("later", [(32, 32), (128, 128)])
def test_a_call_that_changes_its_size_is_read_at_one_size(
    tmp_path: Path, later: tuple[int, int]
) -> None:
    path = _two_sizes(tmp_path / "a.webm", later)
    frames = video.read_frames(path)
    assert frames.shape == (20, SIZE, SIZE, 3)
    assert np.abs(frames[15].astype(int) - frames[5]).mean() < 6
    assert np.array_equal(video.frames_at(path, [15]), frames[15:16])


def test_a_call_that_changes_its_shape_is_refused(tmp_path: Path) -> None:
    path = _two_sizes(tmp_path / "a.webm", (32, 64))
    for read in (video.read_frames, lambda path: video.frames_at(path, [15])):
        with pytest.raises(InputError, match="changes from 64x64 to 32x64"):
            read(path)


# which colours


@pytest.mark.parametrize(("height", "matrix"), [(480, "ITU601"), (720, "ITU709")])
def test_colours_without_a_stated_matrix_are_those_of_the_size(
    tmp_path: Path, height: int, matrix: str
) -> None:
    red = np.zeros((height, 64, 3), np.uint8) + np.array([200, 60, 40], np.uint8)
    frame = av.VideoFrame.from_ndarray(red, format="rgb24").reformat(
        format="yuv444p", dst_colorspace=Colorspace[matrix], dst_color_range=ColorRange.MPEG
    )
    frame.colorspace = 2
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, height, "yuv444p"
        container.mux([*stream.encode(frame), *stream.encode(None)])
    assert np.abs(video.read_frames(tmp_path / "a.mkv") - red.astype(int)).max() <= 3


def test_high_dynamic_range_is_mapped_to_a_standard_screen(tmp_path: Path) -> None:
    grey, colour = (191, 191, 191), (150, 120, 100)  # grey: HLG's 75 %, the white of a page
    stored = np.repeat(np.array([grey, colour], np.uint8), 16, 0)[:, None].repeat(32, 1)
    frame = av.VideoFrame.from_ndarray(stored, format="rgb24").reformat(
        format="yuv420p10le", dst_colorspace=Colorspace.BT2020, dst_color_range=ColorRange.MPEG
    )
    frame.color_trc, frame.color_primaries, frame.colorspace, frame.color_range = 18, 9, 9, 1
    shown = RgbConverter()(frame)[[5, 26], 10].astype(int)
    assert np.ptp(shown[0]) <= 2
    assert shown[0].min() > 220
    assert np.ptp(shown[1]) > 1.3 * np.ptp(colour)
    assert shown[1].argsort().tolist() == [2, 1, 0]
    small = RgbConverter(size_wh=(16, 16))(frame)[[3, 13], 5].astype(int)
    assert np.abs(small - shown).max() <= 3


# bounds


def test_bounds_on_frames_pixels_and_gaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "a.mkv", [shaded(90)] * 3, ticks=[0, 1000, 700_000], tick_s=MS)
    with pytest.raises(InputError, match=r"a\.mkv: shows one frame for 699 s"):
        video.probe(path)
    path = encode(tmp_path / "b.mp4", [shaded(90)] * 12)
    monkeypatch.setattr(opening, "MAX_FRAMES", 11)
    with pytest.raises(InputError, match=r"b\.mp4: holds more than 11 frames"):
        video.frames_at(path, [0])
    monkeypatch.setattr(opening, "MAX_PIXELS", SIZE * SIZE - 1)
    with pytest.raises(InputError, match=r"b\.mp4: has frames of 64x64"):
        video.read_frames(path)


def test_a_film_of_very_many_cuts_is_refused_unopened(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", [shaded(90)] * 3)
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 8
    data[at : at + 4] = struct.pack(">I", 10**6)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.mp4: is cut from 1000000 pieces; expected at most"):
        video.probe(path)


def test_a_nonsense_duration_tag_is_ignored(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", [shaded(90)] * 3)
    data = path.read_bytes()
    at = data.index(b"DURATION") + 11
    path.write_bytes(data[:at] + b"never:ever" + data[at + 10 :])
    assert video.count_frames(path) == 3
