"""The ray caster's device, and `wp` as an untyped name: warp's own types end at its kernels."""

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
    """The GPU where warp finds one, else the CPU."""
    # its native part tells stderr of a missing GPU at any log level, once a process
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        wp.init()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
    return "cuda:0" if wp.get_cuda_device_count() else "cpu"


def send(values: NDArray[Any], dtype: Any, device: str) -> Any:
    """A warp array of `values` on `device`."""
    return wp.array(np.ascontiguousarray(values), dtype=dtype, device=device)
