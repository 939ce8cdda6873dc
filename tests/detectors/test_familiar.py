"""What a detector knows: clips like the validation's are within, others are outside."""

from pathlib import Path

import numpy as np
import pytest

from dfmnist.core.errors import InputError
from dfmnist.detectors.familiar import FILE, fit_familiar, read_familiar, write_familiar

DIMS = 12


def clips(seed: int, people: int, shift: float = 0.0) -> tuple[list[np.ndarray], list[str]]:
    """Four clips of three frames of each person; a person has features of their own."""
    rng = np.random.default_rng(seed)
    found, names = [], []
    for person in range(people):
        own = rng.normal(2, 0.4, DIMS)
        for _ in range(4):
            frames = own + rng.normal(0, 0.2, (3, DIMS)) + shift
            found.append(np.abs(frames).astype(np.float32))
            names.append(f"p{person}")
    return found, names


def share_outside(known, found: list[np.ndarray]) -> float:  # type: ignore[no-untyped-def]
    return float(np.mean([known.distances(clip).mean() > known.limit for clip in found]))


def test_new_people_are_known_and_another_kind_of_picture_is_not() -> None:
    known = fit_familiar(*clips(0, 40))
    assert known is not None
    assert (known.people, known.clips) == (40, 160)
    assert share_outside(known, clips(1, 100)[0]) < 0.1
    assert share_outside(known, clips(2, 100, shift=3.0)[0]) > 0.9


def test_the_limit_is_measured_on_people_left_out() -> None:
    """In few people's clips every other person is far; their own clips are not."""
    found, names = clips(0, 6)
    known = fit_familiar(found, names)
    assert known is not None
    own = max(float(known.distances(clip).mean()) for clip in found)
    assert known.limit > 1.2 * own


def test_too_few_people_say_nothing_of_others() -> None:
    assert fit_familiar(*clips(0, 3)) is None
    found, names = clips(0, 6)
    found[0][0, 0] = np.nan
    assert fit_familiar(found, names) is None


def test_it_is_kept_with_the_weights_it_was_made_of(tmp_path: Path) -> None:
    known = fit_familiar(*clips(0, 8))
    assert known is not None
    assert read_familiar(tmp_path, "abc") is None
    write_familiar(known, tmp_path / FILE, {"weights_sha256": "abc"})
    again = read_familiar(tmp_path, "abc")
    assert again is not None
    assert (again.limit, again.residual, again.clips) == (known.limit, known.residual, known.clips)
    frames = clips(1, 1)[0][0]
    np.testing.assert_allclose(again.distances(frames), known.distances(frames), rtol=1e-6)
    with pytest.raises(InputError, match="made with other weights than the run's; expected `dfmni"):
        read_familiar(tmp_path, "abd")
    (tmp_path / FILE).write_bytes(b"no safetensors")
    with pytest.raises(InputError, match=f"{FILE}: cannot be read"):
        read_familiar(tmp_path, "abc")
    broken = known.__class__(**{**vars(known), "variances": known.variances[:2]})
    write_familiar(broken, tmp_path / FILE, {"weights_sha256": "abc"})
    with pytest.raises(InputError, match="its arrays do not fit together"):
        read_familiar(tmp_path, "abc")
