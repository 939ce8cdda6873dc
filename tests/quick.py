"""How networks run in the tests: with torch in float32, unless a test wants the product's choice.

Compiling a network for OpenVINO, and timing training steps in two precisions, takes seconds. In
tests of something else both are a waste. Processes that a test starts choose as ever.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch

from dfmnist.core import inference
from dfmnist.detectors import precision

_chosen = [False]
_choose, _choose_precision = inference.choose, precision.choose_precision


@contextmanager
def as_shipped() -> Iterator[None]:
    """Backend and precision are chosen as in the product within the `with` block."""
    before, _chosen[0] = _chosen[0], True
    try:
        yield
    finally:
        _chosen[0] = before


@wraps(_choose)
def _backend(backend: str = "auto", precision: str = "auto") -> inference.BackendChoice:
    if _chosen[0] or (backend, precision) != ("auto", "auto"):
        return _choose(backend, precision)
    return inference.BackendChoice("torch", torch.device("cpu"), False)


@wraps(_choose_precision)
def _precision(*about: Any) -> tuple[str, dict[str, float]]:
    return _choose_precision(*about) if _chosen[0] else ("f32", {"f32": 0.01, "bf16": 0.02})


def install() -> None:
    """Put the quick choices in the place of the product's; call it before anything uses them."""
    inference.choose = _backend
    precision.choose_precision = _precision
