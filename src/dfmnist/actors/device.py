"""Device of the ray caster, and `wp`: the warp library without its incomplete types."""

import os
from functools import cache
from typing import Any

import numpy as np
import warp
from numpy.typing import NDArray

wp: Any = warp
wp.config.log_level = warp.LOG_ERROR  # no banner


@cache
def default_device() -> str:
    """Device for warp: the GPU if it finds one, else the CPU."""
    # warp's native part reports a missing GPU on stderr at any log level, once per process
    stderr = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        wp.init()
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)
    return "cuda:0" if wp.get_cuda_device_count() else "cpu"


def send(values: NDArray[Any], dtype: Any, device: str) -> Any:
    """Copy of `values` as a warp array on `device`."""
    return wp.array(np.ascontiguousarray(values), dtype=dtype, device=device)
