"""A video of three hours is judged in bounded memory (`make soak`)."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from matplotlib import cbook
from PIL import Image

from dfmnist.media.video import write_video

HOURS, FPS = 3, 30
JUDGE = """
import json, sys, time
from pathlib import Path
import dfmnist
start = time.perf_counter()
found = dfmnist.detect(sys.argv[1])
# not `ru_maxrss`, which starts with the memory of the process that started this one
(peak,) = (x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM"))
peak_mb = int(peak.split()[1]) / 1024
print(json.dumps([found.num_frames, found.looked_at, len(found.faces[0].timeline), peak_mb,
                  time.perf_counter() - start]))
"""


def repeated(clip: Path, out: Path, times: int) -> Path:
    """The packets of `clip`, `times` one after the other."""
    with av.open(str(clip)) as source, av.open(str(out), "w") as target:
        stream = source.streams.video[0]
        packets = [p for p in source.demux(stream) if p.size]
        length = round(stream.frames / (FPS * stream.time_base))
        made = target.add_stream_from_template(stream)
        for number in range(times):
            for packet in packets:
                copy = av.Packet(bytes(packet))
                copy.pts, copy.dts = (t + number * length for t in (packet.pts, packet.dts))
                copy.is_keyframe, copy.time_base = packet.is_keyframe, packet.time_base
                copy.stream = made
                target.mux(copy)
    return out


@pytest.mark.soak
def test_three_hours(tmp_path: Path) -> None:
    photo = Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    face = np.asarray(photo.convert("RGB").resize((360, 360), box=(0, 0, 480, 480)))
    frame = np.full((360, 640, 3), 90, np.uint8)
    frame[:, 140:500] = face
    clip = tmp_path / "clip.mp4"
    write_video(clip, [np.roll(frame, i % 20, axis=1) for i in range(10 * FPS)], Fraction(FPS),
                crf=30)  # fmt: skip
    film = repeated(clip, tmp_path / "film.mp4", HOURS * 360)
    done = subprocess.run(
        [sys.executable, "-c", JUDGE, str(film)], capture_output=True, text=True, check=True
    )
    num_frames, looked_at, judged, peak_mb, seconds = json.loads(done.stdout.splitlines()[-1])
    assert num_frames == HOURS * 3600 * FPS
    assert looked_at == judged == 600
    assert peak_mb < 2500
    print(f"{peak_mb:.0f} MB, {seconds:.0f} s")
