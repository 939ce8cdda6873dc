"""Configs of the motion model: `FommConfig()` is vox-256, `actors()` the shipped small one."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfmnist.core.errors import InputError
from dfmnist.core.records import read_config

MOST = 65_536
"""Largest value of a setting: number of features, of keypoints, of channels."""
MOST_OF = {"image_size": 4096, "kp_kernel": 63, "motion_kernel": 63, "final_kernel": 63}
"""Largest values of settings for which `MOST` would take all memory."""
MOST_BLOCKS = 64
"""Largest number of blocks of one kind."""
MOST_REDUCTION = 64
"""Largest reduction of the frames for keypoint detector and dense motion."""


@dataclass(frozen=True)
class FommConfig:
    """Sizes of keypoint detector, dense motion network and generator; the default is vox-256.

    Source: Siarohin et al., "First Order Motion Model for Image Animation", NeurIPS 2019,
    and `config/vox-256.yaml` of the public implementation.
    """

    image_size: int = 256
    """Side of the frames in pixels."""
    num_kp: int = 10
    """Number of keypoints; each has a position and a 2×2 Jacobian."""
    num_channels: int = 3
    """Number of colour channels."""
    temperature: float = 0.1
    """Divisor of the keypoint heatmap's logits; a lower one gives a sharper peak."""
    kp_variance: float = 0.01
    """Variance of the Gaussians in dense motion's input, in units where the frame is [-1, 1]."""
    kp_expansion: int = 32
    kp_max_features: int = 1024
    kp_blocks: int = 5
    kp_scale: float = 0.25
    """Factor by which the frame is reduced for the keypoint detector."""
    kp_kernel: int = 7
    kp_padding: int = 0
    """Padding of the keypoint detector's last convolutions; 0 as published."""
    motion_expansion: int = 64
    motion_max_features: int = 1024
    motion_blocks: int = 5
    motion_scale: float = 0.25
    motion_kernel: int = 7
    generator_expansion: int = 64
    generator_max_features: int = 512
    generator_down_blocks: int = 2
    generator_bottleneck_blocks: int = 6
    final_kernel: int = 7
    blend: bool = False
    """Whether a full-size mask blends the warped source with the decoded picture (our addition)."""
    hint: bool = False
    """Whether the decoder also gets dense motion's features, which show lids and lips (ours)."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, bool) and field.name != "kp_padding":
                most = MOST_OF.get(field.name, MOST_BLOCKS if "blocks" in field.name else MOST)
                if not 0 < value <= most:  # also NaN
                    what = f"motion model: {field.name} is {value}"
                    raise InputError(f"{what}; expected more than 0, and {most} at most")
        if not 0 <= self.kp_padding <= self.kp_kernel:
            what = f"motion model: kp_padding is {self.kp_padding}"
            raise InputError(f"{what}; expected 0 to {self.kp_kernel}, which is kp_kernel")
        for name in ("kp_scale", "motion_scale"):
            inverse = 1 / getattr(self, name)
            if abs(inverse - round(inverse)) > 1e-6 or not 1 <= inverse <= MOST_REDUCTION:
                raise InputError(f"motion model: {name} is {1 / inverse}; expected 1, 1/2, 1/4, …")

        for name, scale, blocks in (
            ("kp_blocks", self.kp_scale, self.kp_blocks),
            ("motion_blocks", self.motion_scale, self.motion_blocks),
            ("generator_down_blocks", 1, self.generator_down_blocks),
        ):
            step = round(2**blocks / scale)
            if self.image_size % step:
                what = f"motion model: image_size is {self.image_size}"
                raise InputError(f"{what}; expected a multiple of {step}, for {name} {blocks}")

    @property
    def motion_size_hw(self) -> tuple[int, int]:
        """Height and width of the motion that dense motion predicts, in its own pixels."""
        side = round(self.image_size * self.motion_scale)
        return side, side

    def at_size(self, image_size: int) -> "FommConfig":
        """The config of the same network for smaller or larger frames.

        Keypoint detector and dense motion still see the same number of pixels, so that weights
        can be used at another size.
        """
        ratio = self.image_size / image_size
        return dataclasses.replace(
            self,
            image_size=image_size,
            kp_scale=min(1.0, self.kp_scale * ratio),
            motion_scale=min(1.0, self.motion_scale * ratio),
        )

    @classmethod
    def from_dict(cls, values: dict[str, Any], origin: str) -> "FommConfig":
        """The config in `values`, read from JSON; `origin` names the file in an `InputError`."""
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise InputError.of(origin, f"unknown model settings {', '.join(unknown)}", "ours")
        return read_config(Path(origin), cls, values)


def actors(num_kp: int = 20) -> FommConfig:
    """Config of the shipped small network, which is trained on synthetic actors."""
    return FommConfig(
        num_kp=num_kp,
        kp_variance=0.004,
        kp_expansion=16,
        kp_max_features=192,
        kp_kernel=3,
        kp_padding=1,
        motion_expansion=16,
        motion_max_features=192,
        motion_kernel=3,
        generator_expansion=16,
        generator_max_features=96,
        generator_bottleneck_blocks=4,
        final_kernel=3,
        blend=True,
        hint=True,
    )
