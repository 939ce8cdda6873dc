"""A portrait that every installation has (matplotlib's sample data, a public-domain photo)."""

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib import cbook
from PIL import Image


@pytest.fixture(scope="session")
def portrait() -> npt.NDArray[np.uint8]:
    """(600, 512, 3) RGB: one person, nearly frontal, mouth closed, eyes open."""
    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.fixture(scope="session")
def no_face() -> npt.NDArray[np.uint8]:
    """(300, 400, 3): a textured wall."""
    rng = np.random.default_rng(0)
    return rng.integers(60, 190, (300, 400, 3)).astype(np.uint8)
