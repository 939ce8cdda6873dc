"""Actors to train the motion model on: people of `sample_identity` with more varied looks.

Their mouths show teeth, gums and tongue, their lights and backgrounds are also extreme. All other
purposes use the plain people, so that datasets, thresholds and tables stay as they are.
"""

from dataclasses import replace

import numpy as np

from dfmnist.actors.identity import (
    SKIN_TONES_SRGB,
    Backdrop,
    Glasses,
    Identity,
    Light,
    Mouth,
    Rgb,
    Skin,
    linear,
    sample_identity,
)

VARIETY_VERSION = 5
"""Film version of these people, apart from the plain ones' `film.FILM_VERSION`."""
PLAIN_SRGB: tuple[Rgb, ...] = (
    (0.99, 0.99, 0.99),
    (0.93, 0.93, 0.92),
    (0.96, 0.91, 0.82),
    (0.03, 0.03, 0.035),
    (0.10, 0.10, 0.11),
    (0.16, 0.60, 0.33),
    (0.12, 0.25, 0.70),
    (0.65, 0.12, 0.12),
    (0.55, 0.70, 0.85),
    (0.90, 0.70, 0.30),
)
"""Colours of plain backgrounds: white, black, and strong ones."""


def training_identity(seed: int) -> Identity:
    """The person of a seed with a visible inside of the mouth, and often an extreme setting."""
    person = sample_identity(seed)
    rng = np.random.default_rng([seed, 0x7EA1])
    skin = _skin(rng, person)
    light = person.light if rng.random() < 0.4 else _light(rng)
    backdrop = person.backdrop if rng.random() < 0.4 else _backdrop(rng)
    distance = float(np.exp(rng.uniform(np.log(0.6), np.log(2.6))))
    return replace(
        person,
        skin=skin,
        light=light,
        backdrop=backdrop,
        camera=replace(person.camera, distance_m=distance),
        mouth=_mouth(rng),
        glasses=_glasses(rng) if rng.random() < 0.25 else None,
    )


def _grey(rng: np.random.Generator, low: float, high: float, tint: float) -> Rgb:
    """Random sRGB colour whose brightness is from `low` to `high`, as linear light."""
    value = rng.uniform(low, high) + rng.uniform(-tint, tint, 3)
    r, g, b = (float(v) for v in np.clip(value, 0.01, 1.0))
    return linear((r, g, b))


def _mouth(rng: np.random.Generator) -> Mouth:
    white = rng.uniform(0.66, 0.97)
    yellow = rng.uniform(0.0, 0.16)
    dark = rng.random() ** 1.5
    red = rng.uniform(0.7, 1.2)
    return Mouth(
        upper_m=float(rng.uniform(0.0013, 0.0056)),
        lower_m=float(rng.uniform(0.0010, 0.0080)),
        tooth_m=float(rng.uniform(0.0074, 0.0092)),
        gap=float(rng.uniform(0.12, 0.6)),
        uneven_m=float(rng.uniform(0.0, 0.0007)),
        enamel=linear((white, white - 0.35 * yellow - 0.01, white - yellow - 0.02)),
        gums=linear((0.62 * red, 0.30, 0.31)),
        cavity=linear((0.05 + 0.40 * dark * red, 0.03 + 0.17 * dark, 0.03 + 0.16 * dark)),
        tongue=linear(
            (
                float(rng.uniform(0.58, 0.85)),
                float(rng.uniform(0.33, 0.5)),
                float(rng.uniform(0.33, 0.48)),
            )
        ),
        tongue_m=(float(rng.uniform(-0.004, 0.009)), float(rng.uniform(-0.003, 0.007))),
        reach=float(np.exp(rng.uniform(np.log(0.5), np.log(1.8)))),
        seed=int(rng.integers(2**31)),
    )


def _glasses(rng: np.random.Generator) -> Glasses:
    width = float(rng.uniform(0.022, 0.028))
    colours = ((0.05, 0.05, 0.05), (0.25, 0.15, 0.08), (0.75, 0.72, 0.65), (0.55, 0.15, 0.12))
    return Glasses(
        half_width_m=width,
        half_height_m=float(width * rng.uniform(0.62, 1.0)),
        squareness=float(rng.uniform(2.0, 5.0)),
        thickness_m=float(rng.uniform(0.0009, 0.0032)),
        apart_m=float(rng.uniform(0.0, 0.002)),
        drop_m=float(rng.uniform(0.0, 0.005)),
        colour=linear(colours[int(rng.integers(len(colours)))]),
    )


def _skin(rng: np.random.Generator, person: Identity) -> Skin:
    skin = person.skin
    if rng.random() < 0.35:  # any tone on any shape
        at = rng.uniform(0, len(SKIN_TONES_SRGB) - 1.001)
        low, share = SKIN_TONES_SRGB[int(at)], at % 1
        high = SKIN_TONES_SRGB[int(at) + 1]
        base = [
            (a + (b - a) * share) * rng.uniform(0.92, 1.06) for a, b in zip(low, high, strict=True)
        ]
        tone = linear(tuple(min(c, 0.98) for c in base))
        lips = linear((base[0] * 0.86, base[1] * rng.uniform(0.55, 0.85), base[2] * 0.78))
        skin = replace(skin, tone=tone, lips=lips)
    male = person.shape.gender > 0.5
    if male and rng.random() < 0.3:
        skin = replace(skin, beard=float(rng.uniform(0.5, 1.0)), stubble=float(rng.uniform(0.5, 1)))
    if rng.random() < 0.3:
        skin = replace(skin, wrinkles=float(rng.uniform(0.3, 1.0)))
    return replace(skin, gloss=skin.gloss * float(rng.uniform(0.6, 1.5)))


def _light(rng: np.random.Generator) -> Light:
    kind = rng.choice(["side", "flat", "top", "dim"], p=[0.4, 0.3, 0.15, 0.15])
    warmth = rng.uniform(-0.25, 0.3)
    tint = np.array([1 + warmth, 1.0, 1 - warmth])
    side = rng.choice([-1.0, 1.0])
    azimuth, elevation, key, fill, sky = {
        "side": (rng.uniform(50, 95), rng.uniform(0, 40), (1.8, 3.4), (0.03, 0.3), (0.08, 0.4)),
        "flat": (rng.uniform(0, 15), rng.uniform(5, 35), (0.8, 1.8), (0.3, 0.8), (0.5, 1.0)),
        "top": (rng.uniform(0, 50), rng.uniform(50, 75), (1.6, 2.8), (0.1, 0.5), (0.3, 0.7)),
        "dim": (rng.uniform(5, 60), rng.uniform(10, 50), (0.6, 1.2), (0.1, 0.4), (0.15, 0.4)),
    }[str(kind)]

    def colour(strength: float, share: float) -> Rgb:
        r, g, b = (float(v) for v in (1 + (tint - 1) * share) * strength)
        return (r, g, b)

    return Light(
        key_deg=(float(side * azimuth), float(elevation)),
        key=colour(rng.uniform(*key), 1.0),
        fill=colour(rng.uniform(*fill), -0.5),
        sky=colour(rng.uniform(*sky), float(rng.uniform(-0.5, 1.0))),
        ground=colour(rng.uniform(0.08, 0.4), 0.5),
        softness=float(rng.uniform(0.05, 0.4)),
        exposure=float(rng.uniform(0.65, 1.05)),
    )


def _backdrop(rng: np.random.Generator) -> Backdrop:
    kind = str(rng.choice(["plain", "sharp"], p=[0.7, 0.3]))
    first = linear(PLAIN_SRGB[int(rng.integers(len(PLAIN_SRGB)))])
    if kind == "sharp":
        first = _grey(rng, 0.05, 0.95, 0.2)
    return Backdrop(
        kind=kind,
        first=first,
        second=_grey(rng, 0.05, 0.95, 0.25),
        third=_grey(rng, 0.05, 0.95, 0.25),
        noise_seed=int(rng.integers(2**31)),
    )
