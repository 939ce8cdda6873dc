"""A portrait that every installation has, and signals of made-up clips."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib import cbook
from PIL import Image

from dfmnist.faces.pose import Signals

MakeSignals = Callable[..., Signals]
Pulse = Callable[..., npt.NDArray[np.float64]]


@pytest.fixture(scope="session")
def portrait() -> npt.NDArray[np.uint8]:
    """(256, 256, 3) RGB: one person, nearly frontal, framed as a clip."""
    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    picture = Image.open(path).convert("RGB").crop((60, 30, 460, 430))
    return np.asarray(picture.resize((256, 256)))


@pytest.fixture(scope="session")
def make_signals() -> MakeSignals:
    """Signals of 50 frames at rest, with the tracks given by name laid over them."""

    def make(**tracks: npt.ArrayLike) -> Signals:
        rest = {
            "yaw_deg": 2.0, "pitch_deg": -3.0, "roll_deg": 1.0, "eye_right": 0.3, "eye_left": 0.3,
            "mouth_open": 0.03, "mouth_width": 0.38, "mouth_corner_lift": -0.05,
            "brow_raise": 0.22, "gaze_side": 0.0, "gaze_down": -0.05, "centre_x_px": 128.0,
            "centre_y_px": 120.0, "size_px": 80.0, "score": 1.0,
        }  # fmt: skip
        wobble = np.sin(np.arange(50) / 3)
        values = {}
        for name, level in rest.items():
            small = 0.4 if name.endswith("_deg") else 0.002 * abs(level)
            values[name] = level + small * wobble + np.asarray(tracks.get(name, 0.0))
        return Signals(**values)

    return make


@pytest.fixture(scope="session")
def pulse() -> Pulse:
    """Makes (50,) tracks that are 0, go up to `height` and back, smoothly."""

    def make(height: float, start: int = 12, width: int = 24) -> npt.NDArray[np.float64]:
        track = np.zeros(50)
        track[start : start + width] = height * np.sin(np.linspace(0, np.pi, width)) ** 2
        return track

    return make
