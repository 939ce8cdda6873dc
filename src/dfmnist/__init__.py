"""DeepFake MNIST+: make, screen, publish and detect facial-animation deepfakes.

What the command line does takes three lines of Python:

    import dfmnist
    run = dfmnist.train("mydata", "runs", network="resnet50", quality="c23")
    print(dfmnist.evaluate(dfmnist.score(run, "mydata")).clip["auc"])

Each function is imported on first use, so that `import dfmnist` loads neither torch nor any room.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "InputError",
    "__version__",
    "animate",
    "build",
    "demo",
    "detect",
    "evaluate",
    "load",
    "score",
    "train",
]

if TYPE_CHECKING:
    from dfmnist.core.errors import InputError
    from dfmnist.dataset.api import load
    from dfmnist.detectors.api import detect, evaluate, score, train
    from dfmnist.pipeline.api import animate, build
    from dfmnist.stages import demo

_ROOM = {
    "InputError": "core.errors",
    "load": "dataset.api",
    "demo": "stages",
    "build": "pipeline.api",
    "animate": "pipeline.api",
    "train": "detectors.api",
    "score": "detectors.api",
    "evaluate": "detectors.api",
    "detect": "detectors.api",
}
"""Where each public name is defined. No room has such a name: rooms are nouns."""


def __getattr__(name: str) -> Any:
    """The public name `name`, imported on first use."""
    if name not in _ROOM:
        raise AttributeError(f"module 'dfmnist' has no attribute '{name}'")
    value = getattr(import_module(f"dfmnist.{_ROOM[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, for completion."""
    return sorted({*globals(), *__all__})
