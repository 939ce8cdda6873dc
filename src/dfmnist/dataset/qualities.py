"""Qualities of a dataset's clips, in order from the best to the worst."""

from collections.abc import Iterable

from dfmnist.core.choices import QUALITIES, Quality
from dfmnist.dataset.manifest import Clip

ORDER = ("raw", "original", "c23", "c40")
"""Qualities whose order is known; others follow by name."""


def in_order(names: Iterable[str]) -> list[str]:
    """The different `names` of qualities, from the best to the worst."""
    rank = {name: index for index, name in enumerate(ORDER)}
    return sorted(set(names), key=lambda name: (rank.get(name, len(ORDER)), name))


def qualities_of(clips: Iterable[Clip]) -> list[str]:
    """The qualities that some of `clips` have, from the best to the worst."""
    return in_order({clip.quality for clip in clips})


def quality_text(name: str) -> str:
    """What a quality of built clips is: codec, constant rate factor, bits and chroma."""
    assert name in QUALITIES
    lossless = ", which looks lossless and is not" if name == "raw" else ""
    return (
        f"H.264 High profile by libx264, CRF {Quality(name).crf}{lossless}; 8 bits, chroma "
        "subsampled 4:2:0 (yuv420p), BT.601, limited range"
    )
