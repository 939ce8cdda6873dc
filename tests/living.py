"""Counts how many frames of a stream are held at once."""

import weakref
from collections.abc import Iterable, Iterator

import numpy as np


class Living:
    """Passes frames on, each a copy of its own, and remembers the most that were alive."""

    def __init__(self, frames: Iterable[np.ndarray]) -> None:
        self._frames = frames
        self._alive: weakref.WeakSet[_Frame] = weakref.WeakSet()
        self.passed = 0
        self.most = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for frame in self._frames:
            own = frame.copy().view(_Frame)
            self._alive.add(own)
            self.most = max(self.most, len(self._alive))
            self.passed += 1
            yield own
            del own


class _Frame(np.ndarray):
    """An array by identity, so that a set can hold it weakly; views of it keep it alive."""

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:  # type: ignore[override]
        return self is other
