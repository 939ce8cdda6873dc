"""Weights that others publish: where a user gets each, and our copy in the cache, by name.

Nothing is downloaded: the motion models lie on file hosts that want a browser. `fomm.place` checks
a file that the user brings and keeps it, so that its name works wherever weights are asked for.
"""

from dataclasses import dataclass
from pathlib import Path

from dfmnist.core.errors import InputError
from dfmnist.core.files import cache_dir

FOMM_PAGE = (
    "https://github.com/AliaksandrSiarohin/first-order-model (README: Pre-trained checkpoint)"
)
FOMM_LICENCE = (
    "the authors' repository is MIT; it states nothing else for the weights, which were trained "
    "on VoxCeleb"
)
VISION_PAGE = "https://download.pytorch.org/models/"
VISION_LICENCE = (
    "torchvision's code is BSD-3-Clause; it says that the weights may carry terms of the dataset "
    "they were trained on (ImageNet), and that the user has to find out"
)


@dataclass(frozen=True)
class Published:
    """One file of weights that somebody else publishes."""

    use: str
    """What it is for."""
    file_name: str
    """As its authors name it."""
    page: str
    """Where a user gets it."""
    licence: str
    """As its authors state it."""
    sha256: str = ""
    """What its SHA-256 begins with; empty where no checksum is published."""
    md5: str = ""
    """Somebody else's MD5 of their copy: told, not demanded."""
    md5_by: str = ""
    marks: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Tensors that tell it, with their shapes; empty for a motion model, which is loaded whole."""
    kept_as: str = ""
    """Path in the cache; empty: `weights/` and the authors' name."""

    @property
    def is_motion_model(self) -> bool:
        """Whether `--weights NAME` of `animate` and `build` takes it."""
        return not self.marks

    @property
    def path(self) -> Path:
        """Where our copy lies, if there is one."""
        return cache_dir() / (self.kept_as or f"weights/{self.file_name}")


def _resnet(depth: int, sha256: str) -> Published:
    name = f"resnet{depth}"
    return Published(
        f"start of the detector {name} (`train --weights`), trained on ImageNet",
        f"{name}-{sha256}.pth",
        f"{VISION_PAGE}{name}-{sha256}.pth",
        VISION_LICENCE,
        sha256=sha256,
        marks=(("conv1.weight", (64, 3, 7, 7)), ("fc.weight", (1000, 2048))),
        kept_as=f"imagenet/{name}.pth",
    )


PUBLISHED: dict[str, Published] = {
    "vox-256": Published(
        "motion model for faces, 256×256 (First Order Motion Model)",
        "vox-cpk.pth.tar",
        FOMM_PAGE,
        FOMM_LICENCE,
    ),
    "vox-adv-256": Published(
        "the same, trained on with an adversarial loss",
        "vox-adv-cpk.pth.tar",
        FOMM_PAGE,
        FOMM_LICENCE,
        md5="8a45a24037871c045fbb8a6a8aa95ebc",
        md5_by="Avatarify's (https://github.com/alievk/avatarify-python, docs/README.md)",
    ),
    "vgg19": Published(
        "perceptual loss when training a motion model",
        "vgg19-dcbb9e9d.pth",
        f"{VISION_PAGE}vgg19-dcbb9e9d.pth",
        VISION_LICENCE,
        sha256="dcbb9e9d",
        marks=(("features.0.weight", (64, 3, 3, 3)), ("features.34.weight", (512, 512, 3, 3))),
    ),
    "resnet50": _resnet(50, "0676ba61"),
    "resnet101": _resnet(101, "63fe2227"),
    "resnet152": _resnet(152, "394f9c45"),
    "xception": Published(
        "start of the detector xception (`train --weights`), trained on ImageNet",
        "xception-43020ad28.pth",
        "http://data.lip6.fr/cadene/pretrainedmodels/xception-43020ad28.pth",
        "its publisher's code (Cadene/pretrained-models.pytorch) is BSD-3-Clause; no licence is "
        "stated for the weights, which were trained on ImageNet",
        marks=(("conv1.weight", (32, 3, 3, 3)), ("conv4.pointwise.weight", (2048, 1536, 1, 1))),
        kept_as="imagenet/xception.pth",
    ),
}
"""By the name that the command line takes."""


def resolve_weights(weights: Path) -> Path:
    """The file that `--weights` means: a file of that name, else a motion model of `PUBLISHED`.

    Raises `InputError` for a known name without a file in the cache.
    """
    known = PUBLISHED.get(str(weights))
    if known is None or weights.is_file():
        return weights  # reading it says so if there is no such file
    if not known.is_motion_model:
        raise InputError.of(weights, "is no motion model", _motion_models())
    if not known.path.is_file():
        raise InputError.of(
            weights,
            "not in the cache",
            f"`dfmnist fetch {weights} --from FILE` first, with {known.file_name} from "
            f"{known.page}",
        )
    return known.path


def _motion_models() -> str:
    return " or ".join(name for name, known in PUBLISHED.items() if known.is_motion_model)
