"""Process that calls a user's animator function: `python -m dfmnist.pipeline.function_process`.

A process of its own, because a function may run for ever, end its process or print, none of which
may harm a build. It reads requests and writes answers, each a line of JSON, on its standard input
and output. The first request is `{"function"}`, all others `{"source", "driver", "out",
"fps"}`; a failure is answered with `{"error"}`.
"""

import importlib.metadata
import json
import os
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dfmnist.core.errors import InputError
from dfmnist.core.plugins import PluginError, find_function, said
from dfmnist.core.plugins import call as call_function
from dfmnist.core.processes import exit_with_parent
from dfmnist.media.image import read_image
from dfmnist.media.video import read_frames

MAX_SIDE_PX = 4096
"""Longest side in pixels of the frames that are taken from an animator."""


def main() -> None:
    """Answer requests until standard input ends."""
    exit_with_parent()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the function prints, also from C, is no answer
    function: Callable[..., Any] | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if function is None:
                function = find_function(request["function"], f"--animator {request['function']}")
                answer = about(function, request["function"])
            else:
                answer = call(function, request)
        except KeyboardInterrupt:
            return
        except (InputError, PluginError) as error:
            answer = {"error": str(error)}
        except Exception as error:
            answer = {"error": said(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def about(function: Callable[..., Any], name: str) -> dict[str, str]:
    """Version of the function's module or package; empty where none is stated."""
    module = sys.modules[name.partition(":")[0]]
    package = module.__name__.partition(".")[0]
    version = getattr(module, "__version__", getattr(sys.modules[package], "__version__", ""))
    if not version:
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            version = ""
    return {"version": str(version)}


def call(function: Callable[..., Any], request: dict[str, str]) -> dict[str, str]:
    """Call the function for one pair; write the frames to the `.npy` file `out`."""
    driver = read_frames(Path(request["driver"]))
    source = read_image(Path(request["source"]))
    made = call_function(function, source, driver.copy(), Fraction(request["fps"]))
    if made is None:
        return {"error": "the function returned None; expected frames (n, h, w, 3)"}
    frames = np.asarray(made)
    if problem := problem_of(frames, len(driver)):
        return {"error": problem}
    np.save(request["out"], frames)
    return {}


def problem_of(frames: Any, count: int) -> str:
    """What is wrong with an animator's array, with what was expected; empty if nothing is."""
    if frames.dtype != np.uint8:
        nan = frames.dtype.kind == "f" and not np.isfinite(frames).all()
        more = ", some of them NaN or infinite" if nan else ""
        expected = f"uint8 frames ({count}, side, side, 3)"
        return f"gave values of type {frames.dtype}{more}; expected {expected}"
    return shape_problem(frames.shape, count)


def shape_problem(shape: tuple[int, ...], count: int) -> str:
    """What is wrong with the shape of an animator's frames; empty if nothing is."""
    if len(shape) != 4 or shape[-1] != 3 or 0 in shape:
        return f"gave an array of shape {shape}; expected ({count}, side, side, 3)"
    if shape[0] != count:
        return f"gave {shape[0]} frames; expected {count}, one for each of the driver's"
    height, width = shape[1:3]
    if height != width:
        return f"gave frames of {width}x{height}; expected square ones"
    if height > MAX_SIDE_PX:
        return f"gave frames of {width}x{height}; expected at most {MAX_SIDE_PX} pixels a side"
    return ""


if __name__ == "__main__":
    main()
