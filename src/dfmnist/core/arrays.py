"""Array types that several rooms share."""

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]
"""Frames of one clip: (n, height, width, 3), RGB, 0 to 255."""
