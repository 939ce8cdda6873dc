"""Two presentation attacks before a camera: a printed photo in a hand, and a clip on a screen.

Both are simulated from pictures of the person attacked. The print has a white border, the smaller
range of tones of ink on paper, a halftone screen and the paper's grain; the display has a bezel, a
grid of red, green and blue stripes that beats with the camera's pixels (moiré), and a blue tint.
Light is reflected on both (glare), and both are seen in perspective. What is simulated are the
traces that detectors of presentation attacks look for (Silent-Face-Anti-Spoofing and similar); no
camera and no printer was measured.
"""

import numpy as np
from PIL import Image, ImageFilter

from dfmnist.attacks.photo import hand_motion, still
from dfmnist.core.arrays import Bools, Floats, Floats32, Frames, RgbImage

PRINT_BORDER = 0.05
"""Width of a print's white border, as a share of the picture's side."""
BEZEL = 0.06
"""Width of a display's bezel, as a share of the picture's side."""
INK = (0.13, 0.87)
"""Brightness of the darkest and of the lightest tone of ink on paper, 0 to 1."""
HALFTONE_PX = 2.6
"""Distance between the rows of dots of a halftone screen, in pixels of the picture."""
STRIPE_PX = 1.7
"""Distance between the stripes of one colour on a display, in pixels of the frame: below the two
pixels that a camera needs to resolve them, so that they beat."""
SHOWN = 0.86
"""Size of the object in the frame: the rest of the frame is the room behind it."""


def printed(
    source: RgbImage, num_frames: int, rng: np.random.Generator, fps: float = 25.0
) -> Frames:
    """The photo `source` (h, w, 3) as a print that a hand holds before a camera: (n, h, w, 3).

    `rng` decides the movement, the paper's grain and the place of the glare.
    """
    paper = _bordered(_on_paper(source, rng), PRINT_BORDER, 0.93)
    return _filmed(still(paper, num_frames), rng, fps, share=0.6, glare=0.16, is_display=False)


def replayed(frames_rgb_u8: Frames, rng: np.random.Generator, fps: float = 25.0) -> Frames:
    """The clip `frames_rgb_u8` (n, h, w, 3) on a display before a camera: (n, h, w, 3).

    `rng` decides the display's movement, the phase of its stripes and the place of the glare.
    """
    shown = np.stack([_bordered(_on_display(frame), BEZEL, 0.04) for frame in frames_rgb_u8])
    return _filmed(shown, rng, fps, share=0.35, glare=0.28, is_display=True)


def _on_paper(source: RgbImage, rng: np.random.Generator) -> Floats32:
    """The photo as ink on paper (h, w, 3), 0 to 1."""
    soft = Image.fromarray(source).filter(ImageFilter.GaussianBlur(0.6))
    tone = np.asarray(soft, np.float32) / 255
    grey = tone.mean(axis=-1, keepdims=True)
    tone = INK[0] + (INK[1] - INK[0]) * (grey + 0.8 * (tone - grey))
    height, width = source.shape[:2]
    y, x = np.mgrid[:height, :width]
    dots = np.zeros_like(tone)
    for channel, angle in enumerate(np.deg2rad([15.0, 75.0, 45.0])):
        u = (x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / HALFTONE_PX)
        v = (y * np.cos(angle) - x * np.sin(angle)) * (2 * np.pi / HALFTONE_PX)
        dots[..., channel] = np.cos(u) * np.cos(v)
    grain = rng.normal(0, 0.012, (height, width, 1))
    warm = np.array([1.02, 1.0, 0.95])
    return np.asarray(np.clip((tone + 0.035 * dots + grain) * warm, 0, 1), np.float32)


def _on_display(frame: RgbImage) -> Floats32:
    """The frame as a display shows it (h, w, 3), 0 to 1: raised black, more contrast, blue."""
    tone = (np.asarray(frame, np.float32) / 255) ** 1.12
    return np.asarray(
        np.clip((0.05 + 0.95 * tone) * np.array([0.95, 0.99, 1.06]), 0, 1), np.float32
    )


def _bordered(picture: Floats32, border: float, level: float) -> RgbImage:
    """The picture within an even border of one grey `level`, 0 to 1; larger by the border."""
    pad = round(border * picture.shape[0])
    sides = ((pad, pad), (pad, pad), (0, 0))
    whole = np.pad(picture, sides, constant_values=level)
    return np.asarray(np.rint(whole * 255), np.uint8)


def _filmed(
    shown: Frames,
    rng: np.random.Generator,
    fps: float,
    *,
    share: float,
    glare: float,
    is_display: bool,
) -> Frames:
    """A flat object that shows `shown` (n, H, W, 3), filmed in a room: frames of equal size.

    The object fills `SHOWN` of the frame. `share` scales the hand's movement, `glare` is the
    brightness of the reflection, 0 to 1.
    """
    count, height, width = shown.shape[:3]
    moves = hand_motion(count, rng, fps, (width, height), share)
    shrink = np.array([[SHOWN, 0, (1 - SHOWN) * width / 2], [0, SHOWN, (1 - SHOWN) * height / 2],
                       [0, 0, 1.0]])  # fmt: skip
    room = _room(shown[0], rng)
    spot = rng.uniform(0.25, 0.75, 2) * (width, height)
    phase = rng.uniform(0, 2 * np.pi)
    out = []
    for index in range(count):
        place = moves[index] @ shrink
        xy = _seen(np.linalg.inv(place), width, height)
        frame = _through(shown[index], np.linalg.inv(place), room)
        inside: Bools = np.all((xy >= 0) & (xy < (width, height)), axis=-1)
        if is_display:
            frame = frame * np.where(inside[..., None], _stripes(xy, phase), 1)
        far = ((xy - spot) / (0.22 * width, 0.3 * height)) ** 2
        light = glare * np.exp(-far.sum(axis=-1)) * inside
        frame = frame + (255 - frame) * light[..., None]
        picture = Image.fromarray(np.asarray(np.clip(np.rint(frame), 0, 255), np.uint8))
        out.append(
            np.asarray(picture.resize(_inner(width, height, is_display), Image.Resampling.BOX))
        )
    return np.stack(out)


def _inner(width: int, height: int, is_display: bool) -> tuple[int, int]:
    """Size in pixels of the picture within the border, which the frames have in the end."""
    border = BEZEL if is_display else PRINT_BORDER
    return round(width / (1 + 2 * border) / 2) * 2, round(height / (1 + 2 * border) / 2) * 2


def _room(shown: RgbImage, rng: np.random.Generator) -> tuple[int, int, int]:
    """The even colour of the room behind the object: near the picture's mean, darker."""
    mean = shown.reshape(-1, 3).mean(axis=0) * rng.uniform(0.5, 0.8)
    red, green, blue = (int(value) for value in mean)
    return red, green, blue


def _seen(back: Floats, width: int, height: int) -> Floats:
    """The place on the object (h, w, 2), in its pixels, that each pixel of the frame shows."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    mapped = np.stack([x, y, np.ones_like(x)], axis=-1) @ back.T
    return np.asarray(mapped[..., :2] / mapped[..., 2:])


def _through(picture: RgbImage, back: Floats, room: tuple[int, int, int]) -> Floats32:
    """The frame in which the object lies where `back` (3, 3) says; the room's colour elsewhere."""
    height, width = picture.shape[:2]
    frame = Image.fromarray(picture).transform(
        (width, height),
        Image.Transform.PERSPECTIVE,
        tuple((back / back[2, 2]).ravel()[:8].tolist()),
        Image.Resampling.BICUBIC,
        fillcolor=room,
    )
    return np.asarray(frame, np.float32)


def _stripes(xy: Floats, phase: float) -> Floats:
    """Brightness of the display's stripes (h, w, 3) at the places `xy` (h, w, 2), about 1.

    Each colour's stripes lie a third of their distance beside the next one's. They are sampled as
    a sensor does, without smoothing, so that they beat.
    """
    turn = 2 * np.pi / STRIPE_PX
    across = xy[..., :1] * turn + phase + np.array([0, 2, 4]) * np.pi / 3
    down = xy[..., 1:] * turn * 1.03
    return np.asarray(1 + 0.09 * np.cos(across) + 0.05 * np.cos(down))
