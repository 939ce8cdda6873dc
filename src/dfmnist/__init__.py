"""DeepFake MNIST+: make, screen, publish and detect facial-animation deepfakes."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "animate"]

if TYPE_CHECKING:
    from dfmnist.fomm.inference.animate import animate


def __getattr__(name: str) -> Any:
    """`dfmnist.animate` loads the motion model on first use only."""
    if name == "animate":
        from dfmnist.fomm.inference.animate import animate

        return animate
    raise AttributeError(f"module 'dfmnist' has no attribute '{name}'")
