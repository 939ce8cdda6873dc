from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dfmnist.core.errors import InputError
from dfmnist.media.inspect import protocol_facts, signal_facts
from dfmnist.media.noise import add_camera_noise
from dfmnist.media.video import write_video


def scene(n: int = 27, speed: float = 3.0, size: int = 96) -> np.ndarray:
    y, x, t = np.mgrid[:size, :size, :n].astype(np.float64)
    wave = 120 + 70 * np.sin((x + speed * t) / 9) * np.cos(y / 11)
    return np.stack([wave, wave * 0.8, 200 - wave / 2], -1).transpose(2, 0, 1, 3).astype(np.uint8)


def written(path: Path, frames: np.ndarray, crf: int = 23, comment: str = "tag") -> Path:
    write_video(path, frames, Fraction(25), crf=crf, comment=comment)
    return path


def test_protocol(tmp_path: Path) -> None:
    facts = protocol_facts(written(tmp_path / "a.mp4", scene()))
    assert (facts["fps"], facts["num_frames"], facts["codec"]) == ("25", 27.0, "h264")
    assert (facts["profile"], facts["pixel_format"]) == ("High", "yuv420p")
    assert facts["key_frames"] == "0 25"
    assert "crf=23.0" in str(facts["encoder_settings"])
    assert facts["comment_bytes"] == 3.0
    assert "encoder=" not in str(facts["metadata"])
    assert "moov/trak/mdia/minf/stbl/stsd" in str(facts["boxes"])


def test_frame_types_agree_with_the_decoder(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", scene())
    shown = str(protocol_facts(path)["frame_types"])
    with av.open(str(path)) as container:
        decoded = [".IPB"[frame.pict_type] for frame in container.decode(video=0)]
    assert sorted(shown) == sorted(decoded)
    assert shown[:4] == "IPBB"
    assert decoded[:4] == ["I", "B", "B", "P"]


def test_content_does_not_change_the_protocol(tmp_path: Path) -> None:
    still = written(tmp_path / "a.mp4", np.zeros_like(scene()), comment="real")
    busy = np.random.default_rng(0).integers(0, 255, scene().shape, dtype=np.uint8)
    assert protocol_facts(still) == protocol_facts(written(tmp_path / "b.mp4", busy, 23, "fake"))


def test_signal_follows_what_it_names(tmp_path: Path) -> None:
    base = signal_facts(written(tmp_path / "a.mp4", scene(), 18))
    noisy = signal_facts(written(tmp_path / "b.mp4", add_camera_noise(scene(), 0, 6.0), 18))
    coarse = signal_facts(written(tmp_path / "c.mp4", scene(), 40))
    fast = signal_facts(written(tmp_path / "d.mp4", scene(speed=9), 18))
    bright = signal_facts(written(tmp_path / "e.mp4", scene() // 2 + 100, 18))
    assert noisy["noise"] > base["noise"] + 2
    assert noisy["bytes_per_pixel"] > base["bytes_per_pixel"] > coarse["bytes_per_pixel"]
    assert 10 < base["quantiser_mean"] + 10 < coarse["quantiser_mean"] < 51
    assert fast["motion_mean"] > 1.5 * base["motion_mean"]
    assert bright["luma_mean"] > base["luma_mean"] + 20
    assert bright["luma_contrast"] < base["luma_contrast"]
    assert base["key_to_inter"] > 1
    assert all(np.isfinite(list(base.values())))


def test_other_formats(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 96, 96, "yuv420p"
        for image in scene(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    facts = protocol_facts(path)
    assert (facts["codec"], facts["frame_types"], facts["boxes"]) == ("ffv1", "?????", "not MP4")
    assert signal_facts(path)["quantiser_mean"] == 0


def test_not_a_video(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("words")
    for read in (protocol_facts, signal_facts):
        with pytest.raises(InputError, match=r"a\.mp4"):
            read(tmp_path / "a.mp4")
