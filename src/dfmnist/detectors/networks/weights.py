"""The weights that a training run starts from: none, published ones, a file or a finished run."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dfmnist.core.errors import InputError
from dfmnist.core.files import sha256_file
from dfmnist.core.published_weights import IMAGENET, PUBLISHED, get
from dfmnist.detectors import shipped
from dfmnist.detectors.networks.builders import new_network
from dfmnist.detectors.networks.load import fitting_state
from dfmnist.detectors.networks.names import NETWORKS, is_mesonet, is_timm, published_size_px
from dfmnist.detectors.run import RUN, WEIGHTS, read_config

IMAGENET_CLASSES = 1000


@dataclass(frozen=True)
class Source:
    """The source of a network's initial values."""

    path: Path | None
    """The file that `load_weights` reads; None starts every layer at random."""
    sha256: str
    """SHA-256 of the file's content; empty if there is no file."""
    words: str
    """The source in words, for a run's record and for tables."""


def resolve(network: str, weights: str, size_px: int | None = None) -> Source:
    """The source that the setting `weights` names for the network `network`.

    `weights` is `none`; `imagenet`, the published ImageNet weights of this network; `actors`, the
    detector that ships, for the network that it has; a file; the folder of a finished run, all of
    whose layers are loaded; or a name of `PUBLISHED`. The first that fits is taken. Published
    weights are downloaded into the cache unless they are there. `size_px` is the frames' side if
    known; a MesoNet's run at another size is refused. Raises `InputError`, also for weights of
    another network; random values never take the place of weights that cannot be found.
    """
    if network not in NETWORKS and not is_timm(network):
        known = f"{', '.join(NETWORKS)}, or timm:NAME"
        raise InputError(f"network is '{network}'; expected one of {known}")
    if weights == "none":
        return Source(None, "", "random, every layer")
    if weights == "imagenet":
        if network not in PUBLISHED:
            what = f"there are no ImageNet weights of {network}"
            raise InputError.of("weights imagenet", what, _choices(network, imagenet=False))
        return _published(network)
    if weights == shipped.NAME:
        if network != shipped.NETWORK:
            what = f"is for {shipped.NETWORK}, not for {network}"
            raise InputError.of(f"weights {weights}", what, _choices(network))
        return replace(_run(network, shipped.FOLDER, size_px), words=shipped.WORDS)
    path = Path(weights)
    if path.is_file():
        return Source(path, sha256_file(path), path.name)
    if (path / RUN).is_file():
        return _run(network, path, size_px)
    if weights in PUBLISHED:
        other = PUBLISHED[weights].network or "no detector"
        if other != network:
            what = f"is for {other}, not for {network}"
            raise InputError.of(f"weights {weights}", what, _choices(network))
        return _published(weights)
    what = "no such file, and no published weights of that name"
    if path.is_dir():
        what = f"a folder without {RUN}: no training run, or none that has finished"
    raise InputError.of(f"weights {weights}", what, _choices(network))


def check(name: str, file: Path) -> None:
    """Check that `file` holds the published detector weights `name`. Raises `InputError`."""
    known = PUBLISHED[name]
    imagenet = known.trained_on == IMAGENET
    options = {"num_classes": IMAGENET_CLASSES} if imagenet else {}
    network = new_network(known.network, **options)
    _, loaded = fitting_state(network, file)
    if loaded != "all layers":
        raise InputError.of(file, f"lacks a fitting {network.head}.weight", known.file_name)


def _published(name: str) -> Source:
    known = PUBLISHED[name]
    path = get(name, partial(check, name))
    return Source(path, sha256_file(path), f"{known.trained_on}, {known.file_name}")


def _run(network: str, folder: Path, size_px: int | None) -> Source:
    config = read_config(folder)
    if config.network != network:
        raise InputError.of(folder, f"is a run of {config.network}", f"a run of {network}")
    if is_mesonet(network) and size_px is not None:
        found = config.size_px or published_size_px(network)
        if found != size_px:
            what = f"is a run at {found} px, whose first linear layer is of another size"
            raise InputError.of(folder, what, f"a run of {network} at {size_px} px")
    path = folder / WEIGHTS
    if not path.is_file():
        raise InputError.of(path, "no such file", "the weights of a finished run")
    return Source(path, sha256_file(path), f"run {folder.resolve().name}")


def _choices(network: str, *, imagenet: bool = True) -> str:
    names = [name for name, known in PUBLISHED.items() if known.network == network]
    words = ["none", *(["imagenet"] if imagenet and network in PUBLISHED else []), *names]
    words += [shipped.NAME] if network == shipped.NETWORK else []
    return f"{', '.join(words)}, a file of weights, or the folder of a finished run of {network}"
