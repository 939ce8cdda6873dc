import hashlib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from dfmnist.core.choices import Quality
from dfmnist.core.errors import InputError
from dfmnist.media import video
from dfmnist.media.noise import add_camera_noise
from dfmnist.media.opening import opened
from dfmnist.media.rgb import TO_RGB, RgbConverter
from dfmnist.media.sample import evenly, sample_frames

FPS = Fraction(25)
NTSC = Fraction(30000, 1001)


def packets(path: Path) -> list[av.Packet]:
    with av.open(str(path)) as container:
        return [packet for packet in container.demux(video=0) if packet.size]


def moving_frames(n: int, height: int = 64, width: int = 96, seed: int = 0) -> np.ndarray:
    """Smooth colour gradients that move, (n, h, w, 3): they survive compression well."""
    rng = np.random.default_rng(seed)
    y, x, t = np.mgrid[:height, :width, :n].astype(np.float64)
    waves = [
        128 + 90 * np.sin(x / 17 + t / 5 * k + rng.uniform(0, 6)) * np.cos(y / 23 * k)
        for k in (1, 2, 3)
    ]
    return np.stack(waves, -1).transpose(2, 0, 1, 3).round().astype(np.uint8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    assert video.write_video(path, moving_frames(50), FPS, crf=18, comment="who made it") == 50
    return path


def test_round_trip(clip: Path) -> None:
    info = video.probe(clip)
    assert (info.width, info.height, info.num_frames) == (96, 64, 50)
    assert info.fps == FPS
    assert info.duration_s == 2.0
    assert (info.codec, info.pixel_format) == ("h264", "yuv420p")
    assert not info.variable_rate
    assert video.read_comment(clip) == "who made it"
    got, asked = video.read_frames(clip).astype(int), moving_frames(50).astype(int)
    assert got.shape == asked.shape
    assert np.abs(got - asked).mean() < 3
    assert np.abs((got - asked).mean((0, 1, 2))).max() < 0.5  # no channel is darker or swapped


def test_frames_keep_their_order(tmp_path: Path) -> None:
    levels = np.linspace(20, 230, 30).round()
    frames = np.broadcast_to(levels[:, None, None, None], (30, 32, 32, 3)).astype(np.uint8)
    video.write_video(tmp_path / "a.mp4", frames, FPS, crf=18)
    means = video.read_frames(tmp_path / "a.mp4").mean((1, 2, 3))
    assert np.abs(means - levels).max() < 1.5


def test_ntsc_rate_is_exact(tmp_path: Path) -> None:
    video.write_video(tmp_path / "a.mp4", moving_frames(7), NTSC, crf=23)
    assert video.probe(tmp_path / "a.mp4").fps == NTSC


def test_one_frame(tmp_path: Path) -> None:
    video.write_video(tmp_path / "a.mp4", moving_frames(1), FPS, crf=23)
    assert video.probe(tmp_path / "a.mp4").num_frames == 1
    assert video.read_frames(tmp_path / "a.mp4").shape == (1, 64, 96, 3)


def test_same_frames_same_bytes(tmp_path: Path) -> None:
    digests = set()
    for name in ("a.mp4", "b.mp4"):
        video.write_video(tmp_path / name, moving_frames(30), FPS, crf=23, comment="x" * 64)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1
    assert b"Lavf" not in (tmp_path / "a.mp4").read_bytes()


def test_comment_of_same_length_gives_same_size(tmp_path: Path) -> None:
    for name in ("real", "fake"):
        video.write_video(tmp_path / f"{name}.mp4", moving_frames(5), FPS, crf=23, comment=name)
    a, b = ((tmp_path / f"{name}.mp4").read_bytes() for name in ("real", "fake"))
    assert len(a) == len(b)
    assert a.replace(b"real", b"fake", 1) == b


def test_frame_types_do_not_follow_the_content(tmp_path: Path) -> None:
    scenes = np.concatenate([moving_frames(20), 255 - moving_frames(20, seed=1)])
    video.write_video(tmp_path / "cuts.mp4", scenes, FPS, crf=23)
    video.write_video(tmp_path / "still.mp4", np.zeros_like(scenes), FPS, crf=23)
    cuts, still = packets(tmp_path / "cuts.mp4"), packets(tmp_path / "still.mp4")
    assert [(p.is_keyframe, p.pts) for p in cuts] == [(p.is_keyframe, p.pts) for p in still]
    assert [i for i, p in enumerate(cuts) if p.is_keyframe] == [0, video.GOP]


def test_quality_orders_size(tmp_path: Path) -> None:
    sizes = []
    for quality in Quality:
        path = tmp_path / f"{quality}.mp4"
        video.write_video(path, moving_frames(25), FPS, crf=quality.crf)
        sizes.append(sum(p.size for p in packets(path)))
    assert sizes[0] > sizes[1] > sizes[2]


@pytest.mark.parametrize("size", [(63, 96), (64, 95)])
def test_odd_size_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="even width and height"):
        video.write_video(tmp_path / "a.mp4", moving_frames(3, *size), FPS, crf=23)
    assert list(tmp_path.iterdir()) == []


def test_changing_size_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    frames = [moving_frames(1)[0], moving_frames(1, 32, 32)[0]]
    with pytest.raises(InputError, match="frame 1 has shape"):
        video.write_video(tmp_path / "a.mp4", frames, FPS, crf=23)
    assert list(tmp_path.iterdir()) == []


def test_no_frames_to_write(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frames to write"):
        video.write_video(tmp_path / "a.mp4", [], FPS, crf=23)
    assert list(tmp_path.iterdir()) == []


def test_odd_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "odd.avi"
    foreign(path, moving_frames(6, 51, 37), "ffv1", "bgr0", range(6))
    info = video.probe(path)
    assert (info.width, info.height) == (37, 51)
    assert np.array_equal(video.read_frames(path), moving_frames(6, 51, 37))


def foreign(
    path: Path, frames: np.ndarray, codec: str, pixel_format: str, ticks: "range | list[int]"
) -> None:
    """A file that another program might have written, frame i shown at ticks[i]/25 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixel_format
        for image, tick in zip(frames, ticks, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_variable_rate_is_stated(tmp_path: Path) -> None:
    foreign(tmp_path / "a.mp4", moving_frames(8), "libx264", "yuv420p", [0, 1, 2, 5, 6, 7, 12, 13])
    info = video.probe(tmp_path / "a.mp4")
    assert info.variable_rate
    assert info.num_frames == 8


def test_rotated_phone_video_is_upright(tmp_path: Path) -> None:
    frames = moving_frames(4)
    path = tmp_path / "phone.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.height, stream.width = 64, 96
        stream.pix_fmt = "yuv420p"
        stream.set_display_rotation(90)
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    info = video.probe(path)
    got = video.read_frames(path)
    assert (info.width, info.height) == (64, 96)
    assert got.shape == (4, 96, 64, 3)
    small = sample_frames(path, 4, (32, 48))[1]
    assert np.abs(small - video.resize_frames(got, (32, 48)).astype(float)).mean() < 2
    turned = {k: np.abs(np.rot90(frames, k, (1, 2)) - got.astype(float)).mean() for k in (1, 3)}
    assert turned[1] < 6 < turned[3]  # 90 degrees is counter-clockwise for ffmpeg


def test_truncated_file_says_how_many_frames(clip: Path, tmp_path: Path) -> None:
    data = clip.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 2 // 3])
    for read in (video.probe, video.read_frames):
        with pytest.raises(InputError, match=r"cut\.mp4: is truncated: \d+ of 50 frames read"):
            read(tmp_path / "cut.mp4")


def test_iteration_yields_what_was_whole(clip: Path, tmp_path: Path) -> None:
    data = clip.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 2 // 3])
    frames = []

    def read() -> None:
        for frame in video.iter_frames(tmp_path / "cut.mp4"):
            frames.append(frame)  # noqa: PERF402

    with pytest.raises(InputError, match="truncated"):
        read()
    assert 5 < len(frames) < 50


def test_damage_is_found(clip: Path, tmp_path: Path) -> None:
    data = bytearray(clip.read_bytes())
    middle = slice(len(data) // 2, len(data) // 2 + 200)
    data[middle] = np.random.default_rng(0).bytes(200)
    (tmp_path / "bad.mp4").write_bytes(data)
    with pytest.raises(InputError, match=r"bad\.mp4: .*damaged"):
        video.read_frames(tmp_path / "bad.mp4")


@pytest.mark.parametrize("content", [b"", b"just words\n" * 200, bytes(range(256)) * 40])
def test_not_a_video(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    for read in (video.probe, video.read_frames, video.read_comment):
        with pytest.raises(InputError, match=r"a\.mp4: .*expected a") as caught:
            read(tmp_path / "a.mp4")
        assert "\n" not in str(caught.value)


def test_missing_folder_and_picture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        video.probe(tmp_path / "none.mp4")
    with pytest.raises(InputError, match="no such file"):
        video.probe(tmp_path)
    Image.fromarray(moving_frames(1)[0]).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="still picture"):
        video.probe(tmp_path / "a.mp4")


def test_zero_frames(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.open()
        container.start_encoding()
    for read in (video.probe, video.read_frames):
        with pytest.raises(InputError, match=r"a\.mp4"):
            read(tmp_path / "a.mp4")


def test_sound_only(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 16000), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match="no video stream"):
        video.probe(tmp_path / "a.mp4")


def test_read_range_and_selection(clip: Path) -> None:
    whole = video.read_frames(clip)
    assert np.array_equal(video.read_frames(clip, 10, 13), whole[10:13])
    assert np.array_equal(video.frames_at(clip, [0, 7, 49]), whole[[0, 7, 49]])
    with pytest.raises(InputError, match="no frame 50"):
        video.frames_at(clip, [3, 50])
    with pytest.raises(InputError, match="longer video"):
        video.read_frames(clip, 60)


def test_evenly_covers_the_whole_clip() -> None:
    for n in (1, 2, 3, 10, 50, 301):
        for count in (1, 3, 8, 32, 500):
            picked = evenly(n, count)
            assert len(picked) == min(n, count)
            assert len(set(picked.tolist())) == len(picked)
            assert picked.min() >= 0
            assert picked.max() < n
            gaps = np.diff(picked)
            assert gaps.size == 0 or gaps.max() - gaps.min() <= 1
    picked = evenly(300, 32)
    assert picked[0] < 10
    assert picked[-1] > 290
    assert np.abs(np.bincount(picked // 100) - 32 / 3).max() < 1  # each third, alike
    with pytest.raises(ValueError, match="at least 1"):
        evenly(0, 3)


def test_sample_frames(clip: Path) -> None:
    indices, frames = sample_frames(clip, 6)
    assert indices[0] < 50 / 3
    assert indices[-1] > 100 / 3
    assert np.array_equal(frames, video.read_frames(clip)[indices])


def test_is_video() -> None:
    assert video.is_video(Path("A.MP4"))
    assert not video.is_video(Path("a.png"))


@pytest.fixture(scope="module")
def textured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 frames of 256x256 with camera noise, nothing that flatters a filter."""
    frames = add_camera_noise(moving_frames(64, 256, 256), seed=1)
    path = tmp_path_factory.mktemp("textured") / "clip.mp4"
    video.write_video(path, frames, FPS, crf=18)
    return path


def psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b.astype(float)) ** 2)))


def test_passing_over_frames_changes_none(textured: Path) -> None:
    everything = video.read_frames(textured)
    for count in (1, 7, 32, 64):
        indices, frames = sample_frames(textured, count)
        assert np.array_equal(frames, everything[indices])


def test_frames_that_carry_no_others_are_not_decoded(textured: Path) -> None:
    ticks = video.frame_times(textured).ticks
    wanted = frozenset(ticks[i] for i in (30, 31))
    with opened(textured) as film:
        decoded = [frame.pts for frame in video._decoded(film, wanted)]
    assert wanted <= set(decoded)
    assert 20 < len(decoded) < 26  # of 64: I and P, every third one


def test_wanted_frames_alone_are_converted_once(
    textured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted = []
    convert = RgbConverter.__call__

    def counting(self: RgbConverter, frame: av.VideoFrame) -> np.ndarray:
        converted.append(frame.pts)
        return convert(self, frame)

    monkeypatch.setattr(RgbConverter, "__call__", counting)
    indices, frames = sample_frames(textured, 32, (224, 224))
    assert frames.shape == (32, 224, 224, 3)
    ticks = video.frame_times(textured).ticks
    assert converted == [ticks[i] for i in indices]
    assert sum(i < 22 for i in indices) >= 10
    assert sum(i > 41 for i in indices) >= 10
    assert np.ptp(np.diff(indices)) <= 1


def test_frames_without_times_of_their_own_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"  # holds no presentation times
    foreign(path, moving_frames(12), "mpeg4", "yuv420p", range(12))
    assert not video.frame_times(path).identify_frames
    everything = video.read_frames(path)
    indices, frames = sample_frames(path, 5)
    assert np.array_equal(frames, everything[indices])


def test_resizing_while_converting_agrees_with_lanczos(textured: Path) -> None:
    _, native = sample_frames(textured, 8)
    _, direct = sample_frames(textured, 8, (224, 224))
    by_pillow = np.stack(
        [Image.fromarray(f).resize((224, 224), Image.Resampling.LANCZOS) for f in native]
    )
    from_arrays = video.resize_frames(native, (224, 224))
    assert psnr_db(direct, by_pillow) > 48
    assert psnr_db(from_arrays, by_pillow) > 48
    assert psnr_db(direct, from_arrays) > 48
    colours = (direct.astype(float) - by_pillow).mean((0, 1, 2))
    assert np.abs(colours).max() < 0.1  # no channel is darker


def test_resizing_to_the_same_size_is_no_resizing(clip: Path) -> None:
    _, native = sample_frames(clip, 3)
    assert np.array_equal(sample_frames(clip, 3, (96, 64))[1], native)
    assert video.resize_frames(native, (96, 64)) is native
    assert sample_frames(clip, 3, (40, 50))[1].shape == (3, 50, 40, 3)


@pytest.mark.parametrize(
    "pixel_format",
    ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "nv12", "gray", "yuv420p10le", "bgr0", "gbrp"],
)
def test_planes_have_the_values_of_packed_colours(pixel_format: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 72, 3)).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(noise, format="rgb24").reformat(format=pixel_format)
    packed = frame.reformat(
        format="rgb24",
        src_colorspace=Colorspace.ITU601,
        src_color_range=ColorRange.JPEG if pixel_format == "yuvj420p" else ColorRange.MPEG,
        interpolation=TO_RGB,
    ).to_ndarray()
    assert np.array_equal(RgbConverter()(frame), packed)


def test_frames_far_apart_are_read_without_what_is_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.mp4"
    video.write_video(path, moving_frames(200), FPS, crf=18)
    times = video.frame_times(path)
    wanted = [0, 3, 60, 61, 149, 199]
    decoded: list[int] = []
    every = video._decoded

    def counted(*arguments: object) -> Iterator[VideoFrame]:
        for frame in every(*arguments):  # type: ignore[arg-type]
            decoded.append(frame.pts or 0)
            yield frame

    monkeypatch.setattr(video, "_decoded", counted)
    straight = dict(video.looks_at(path, wanted, times=times))
    whole, decoded[:] = len(decoded), []
    monkeypatch.setattr(video, "SEEK_AFTER_S", 1)
    apart = dict(video.looks_at(path, wanted, times=times))
    assert list(straight) == list(apart) == wanted
    for index in wanted:
        assert np.array_equal(straight[index], apart[index])
    assert len(decoded) < whole / 2


def test_looks_where_times_name_no_frames(tmp_path: Path, clip: Path) -> None:
    times = replace(video.frame_times(clip), identify_frames=False)
    found = dict(video.looks_at(clip, [4, 49], times=times))
    assert list(found) == [4, 49]
    assert np.array_equal(found[49], video.read_frames(clip)[49])
