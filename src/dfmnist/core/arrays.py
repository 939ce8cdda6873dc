"""Array types that several rooms share."""

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
"""Frames of one clip: (n, height, width, 3), RGB, 0 to 255."""
RgbImage = NDArray[np.uint8]
"""One frame or picture: (height, width, 3), RGB, 0 to 255."""
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]
"""Indices or counts."""
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
