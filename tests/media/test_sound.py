"""Sound that is brought from one video into another: in step, cut at the sample, or refused."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dfmnist.core.errors import InputError
from dfmnist.media.opening import FrameTimes
from dfmnist.media.sound import Sound, has_sound
from dfmnist.media.video import frame_times, probe, write_video

RATE = 22_050
BEEP_S, BEEP_LONG_S = 0.8, 0.2


def filmed(path: Path, late_s: float = 0.0, channels: int = 1) -> Path:
    """A video of 2 s, 25 frames a second, with a beep from 0.8 s to 1.0 s on its clock.

    The sound track begins `late_s` after the first frame.
    """
    at = np.arange(round(2 * RATE)) / RATE + late_s
    beep = 0.5 * np.sin(2 * np.pi * 1000 * at) * ((at >= BEEP_S) & (at < BEEP_S + BEEP_LONG_S))
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        layout = "mono" if channels == 1 else "stereo"
        audio = container.add_stream("pcm_s16le", rate=RATE, layout=layout)
        for number in range(50):
            picture = np.full((32, 32, 3), number, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode(None))
        packed = np.repeat((beep * 32767).astype(np.int16), channels)[None]
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        frame.sample_rate, frame.pts = RATE, round(late_s * RATE)
        frame.time_base = Fraction(1, RATE)
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    return path


def copied(source: Path, out: Path, start_s: Fraction, count: int) -> Path:
    """A video of `count` frames with the sound of `source` from `start_s` on."""
    sound = Sound(source, start_s, Fraction(count, 25))
    frames = np.zeros((count, 32, 32, 3), np.uint8)
    write_video(out, frames, Fraction(25), crf=40, sound=sound)
    return out


def beep_of(path: Path) -> tuple[float, float, float]:
    """Beginning and end of the beep, and length of the sound, in seconds on the file's clock."""
    samples, rate, first_s = [], 1, None
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            rate = frame.sample_rate
            first_s = float(frame.pts * frame.time_base) if first_s is None else first_s
            samples.append(frame.to_ndarray()[0])
    heard = np.concatenate(samples)
    loud = np.flatnonzero(np.abs(heard) > 0.1) / rate + (first_s or 0.0)
    return float(loud[0]), float(loud[-1]), len(heard) / rate


@pytest.mark.parametrize(("late_s", "channels"), [(0.0, 1), (0.3, 2)])
def test_the_sound_stays_in_step(tmp_path: Path, late_s: float, channels: int) -> None:
    source = filmed(tmp_path / "s.mkv", late_s, channels)
    assert has_sound(source)
    for name, start_s, count in (("all", Fraction(0), 50), ("cut", Fraction(13, 25), 25)):
        out = copied(source, tmp_path / f"{name}.mp4", start_s, count)
        assert probe(out).num_frames == count
        begin, end, length = beep_of(out)
        assert begin == pytest.approx(BEEP_S - start_s, abs=0.006)
        assert end == pytest.approx(BEEP_S + BEEP_LONG_S - start_s, abs=0.006)
        assert length == pytest.approx(count / 25, abs=0.025)  # AAC has whole blocks
    again = copied(source, tmp_path / "again.mp4", start_s, count)
    assert again.read_bytes() == out.read_bytes()


def test_sound_that_ends_before_the_frames_do_and_none_at_all(tmp_path: Path) -> None:
    source = filmed(tmp_path / "s.mkv")
    out = copied(source, tmp_path / "long.mp4", Fraction(0), 75)
    assert beep_of(out)[2] == pytest.approx(2, abs=0.025)
    behind = copied(source, tmp_path / "behind.mp4", Fraction(5), 5)
    assert probe(behind).num_frames == 5
    silent = tmp_path / "silent.mp4"
    write_video(silent, np.zeros((3, 32, 32, 3), np.uint8), Fraction(25), crf=40)
    assert not has_sound(silent)
    with pytest.raises(InputError, match=r"silent\.mp4: has no sound; expected"):
        copied(silent, tmp_path / "no.mp4", Fraction(0), 3)
    assert not (tmp_path / "no.mp4").exists()


def test_a_stretch_of_frames(tmp_path: Path) -> None:
    times = frame_times(filmed(tmp_path / "s.mkv"))
    assert times.between(0.0, None) == range(50)
    assert times.between(0.5, 1.0) == range(12, 25)
    assert times.between(0.52, 0.521) == range(13, 14)
    assert times.part(range(12, 25)).duration_s == pytest.approx(13 / 25)
    phone = FrameTimes((5, 38, 72, 105, 205), Fraction(1, 1000), Fraction(20), True, True)
    assert phone.between(0.033, 0.1) == range(1, 3)
    assert phone.between(0.04, None) == range(1, 5)
    part = phone.part(range(1, 4))
    assert part.ticks == (38, 72, 105)
    assert part.duration_s == pytest.approx(0.167)  # the last one is shown for 0.1 s
