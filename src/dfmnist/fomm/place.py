"""Read a file that is to become published weights as the network that it claims to be."""

from pathlib import Path

from dfmnist.core.errors import InputError
from dfmnist.core.published_weights import PUBLISHED
from dfmnist.fomm.checkpoint import load_networks
from dfmnist.fomm.config import FommConfig
from dfmnist.fomm.networks.vgg import load_vgg


def check(name: str, file: Path) -> None:
    """Load `file` whole as the motion model `name`, or as VGG-19. Raises `InputError`."""
    if not PUBLISHED[name].is_motion_model:
        load_vgg(file)
        return
    config = load_networks(file).config
    if config != FommConfig():
        raise InputError.of(file, f"is another motion model ({config})", f"the {name} network")
