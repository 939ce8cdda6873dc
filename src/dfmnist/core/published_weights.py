"""Weights that others publish: where a user gets each, and our copy in the cache, by name.

Nothing is downloaded: the motion models lie on file hosts that want a browser. `place` checks a
file that the user brings and keeps it, so that its name works wherever weights are asked for.
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path, cache_dir, sha256_file

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
MESONET_PAGE = "https://github.com/DariusAf/MesoNet/tree/master/weights"
MESONET_LICENCE = "Apache-2.0"
IMAGENET = "ImageNet"


@dataclass(frozen=True)
class PublishedWeights:
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
    network: str = ""
    """The detector that `train --weights NAME` may start from it; empty for other networks."""
    trained_on: str = ""
    """In a word, for the record of a run; for detectors."""
    is_motion_model: bool = False
    """Whether `--weights NAME` of `animate` and `build` takes it."""
    kept_as: str = ""
    """Path in the cache; empty: `weights/` and the authors' name."""

    @property
    def path(self) -> Path:
        """Where our copy lies, if there is one."""
        return cache_dir() / (self.kept_as or f"weights/{self.file_name}")


def _resnet(depth: int, sha256: str, version: int = 1) -> PublishedWeights:
    name = f"resnet{depth}"
    file_name = f"{name}-{sha256}.pth"
    return PublishedWeights(
        f"start of the detector {name} (`train --weights`), torchvision's V{version} on ImageNet",
        file_name,
        VISION_PAGE + file_name,
        VISION_LICENCE,
        sha256=sha256,
        network=name,
        trained_on=IMAGENET,
        kept_as=f"imagenet/{name}{'' if version == 1 else f'-v{version}'}.pth",
    )


def _mesonet(network: str, stem: str, trained_on: str, md5: str) -> PublishedWeights:
    return PublishedWeights(
        f"the detector {network} as its authors trained it on {trained_on} (`train --weights`)",
        f"{stem}.h5",
        MESONET_PAGE,
        MESONET_LICENCE,
        md5=md5,
        md5_by="this project's tests'",
        network=network,
        trained_on=f"{trained_on}, by MesoNet's authors",
    )


PUBLISHED: dict[str, PublishedWeights] = {
    "vox-256": PublishedWeights(
        "motion model for faces, 256×256 (First Order Motion Model)",
        "vox-cpk.pth.tar",
        FOMM_PAGE,
        FOMM_LICENCE,
        is_motion_model=True,
    ),
    "vox-adv-256": PublishedWeights(
        "the same, trained on with an adversarial loss",
        "vox-adv-cpk.pth.tar",
        FOMM_PAGE,
        FOMM_LICENCE,
        md5="8a45a24037871c045fbb8a6a8aa95ebc",
        md5_by="Avatarify's (https://github.com/alievk/avatarify-python, docs/README.md)",
        is_motion_model=True,
    ),
    "vgg19": PublishedWeights(
        "perceptual loss when training a motion model",
        "vgg19-dcbb9e9d.pth",
        f"{VISION_PAGE}vgg19-dcbb9e9d.pth",
        VISION_LICENCE,
        sha256="dcbb9e9d",
    ),
    "resnet50": _resnet(50, "0676ba61"),
    "resnet101": _resnet(101, "63fe2227"),
    "resnet152": _resnet(152, "394f9c45"),
    "resnet50-v2": _resnet(50, "11ad3fa6", 2),
    "resnet101-v2": _resnet(101, "cd907fc2", 2),
    "resnet152-v2": _resnet(152, "f82ba261", 2),
    "xception": PublishedWeights(
        "start of the detector xception (`train --weights`), trained on ImageNet",
        "xception-43020ad28.pth",
        "http://data.lip6.fr/cadene/pretrainedmodels/xception-43020ad28.pth",
        "its publisher's code (Cadene/pretrained-models.pytorch) is BSD-3-Clause; no licence is "
        "stated for the weights, which were trained on ImageNet",
        network="xception",
        trained_on=IMAGENET,
        kept_as="imagenet/xception.pth",
    ),
    "mesoinception4-df": _mesonet(
        "mesoinception4", "MesoInception_DF", "Deepfakes", "994969053a614d98547b6fbb51dbdf25"
    ),
    "mesoinception4-f2f": _mesonet(
        "mesoinception4", "MesoInception_F2F", "Face2Face", "7ee772842799b146e5beda0d24ce7376"
    ),
    "meso4-df": _mesonet("meso4", "Meso4_DF", "Deepfakes", "1516a64bfa857c1281bc465d658f824a"),
    "meso4-f2f": _mesonet("meso4", "Meso4_F2F", "Face2Face", "55eb295f61bac7bedf24bd5d83b4cc6f"),
}
"""By the name that the command line takes."""


def in_cache(name: str) -> Path:
    """The file of the published weights `name`. Raises `InputError`, which says how to get it."""
    known = PUBLISHED[name]
    if not known.path.is_file():
        raise InputError.of(
            name,
            "not in the cache",
            f"`dfmnist fetch {name} --from FILE` first, with {known.file_name} from {known.page}",
        )
    return known.path


def install(name: str, file: Path, check: Callable[[Path], object]) -> tuple[Path, str]:
    """Check `file` as the published weights `name` and copy it into the cache, whole or not.

    `check` reads the file as the network that it is for, and raises `InputError` where it is
    something else. Returns where it lies and what its checksum said. Raises `InputError`.
    """
    known = PUBLISHED[name]
    if not file.is_file():
        raise InputError.of(file, "no such file", f"{known.file_name} from {known.page}")
    if file.suffix == ".safetensors":
        raise InputError.of(file, "is not the published file", known.file_name)
    said = _checksum(known, file)
    check(file)
    if not (known.path.is_file() and known.path.samefile(file)):
        with atomic_path(known.path) as temporary:
            shutil.copyfile(file, temporary)
    return known.path, said


def _checksum(known: PublishedWeights, file: Path) -> str:
    found = sha256_file(file)
    if known.sha256:
        if not found.startswith(known.sha256):
            expected = f"one that begins with {known.sha256}"
            raise InputError.of(file, f"has SHA-256 {found}", expected)
        return f"SHA-256 {found}, as published ({known.sha256}…)"
    said = f"no published checksum is known; SHA-256 {found}"
    if known.md5:
        with file.open("rb") as content:
            same = hashlib.file_digest(content, "md5").hexdigest() == known.md5
        said += f"; its MD5 {'is' if same else 'differs from'} that of {known.md5_by} copy"
    return said
