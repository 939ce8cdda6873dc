"""The ray caster's device, and `wp` as an untyped name: warp's own types end at its kernels."""

from typing import Any

import numpy as np
import warp
from numpy.typing import NDArray

wp: Any = warp
wp.config.log_level = warp.LOG_ERROR  # no banner, no word of a missing GPU


def default_device() -> str:
    """The GPU where warp finds one, else the CPU."""
    wp.init()
    return "cuda:0" if wp.get_cuda_device_count() else "cpu"


def send(values: NDArray[Any], dtype: Any, device: str) -> Any:
    """A warp array of `values` on `device`."""
    return wp.array(np.ascontiguousarray(values), dtype=dtype, device=device)
