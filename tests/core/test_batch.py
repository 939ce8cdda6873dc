"""Failures within a batch: what they are called, and which end it."""

import errno
from pathlib import Path

import av
import pytest

from dfmnist.core.batch import LONGEST, failure, published
from dfmnist.core.errors import InputError, StorageError


def test_bad_input_keeps_its_words_and_a_surprise_names_its_type() -> None:
    path = Path("people/ann.mp4")
    assert failure(InputError.of(path, "is empty", "a video"), path) == (
        "people/ann.mp4: is empty; expected a video"
    )
    assert failure(KeyError("x\ny"), path) == "people/ann.mp4: KeyError: 'x\\ny'"
    assert failure(MemoryError(), path) == "people/ann.mp4: MemoryError:"
    assert failure(OSError(errno.EACCES, "no leave"), path).endswith("Error: [Errno 13] no leave")
    assert len(failure(ValueError("x" * 9999), path)) == LONGEST + 1


@pytest.mark.parametrize(
    "error",
    [
        StorageError.of("o.mp4", "cannot be written", "room"),
        OSError(errno.ENOSPC, "full"),
        av.error.OSError(errno.ENOSPC, "full"),
        OSError(errno.EROFS, "read-only"),
    ],
)
def test_output_that_cannot_be_written_ends_the_batch(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        failure(error, Path("x"))
    assert raised.value is error


def test_what_is_published_names_no_folder_of_this_machine(tmp_path: Path) -> None:
    item = tmp_path / "my films" / "ann.mp4"
    assert published(f"{item}: is empty; expected a video", item) == (
        "ann.mp4: is empty; expected a video"
    )
    assert published("films/a.mp4: see '/home/me/x/b.png', 3/4 s", Path("films/a.mp4")) == (
        "a.mp4: see 'b.png', 3/4 s"
    )
    assert published("https://host/a/b is no file", Path("a")) == "https://host/a/b is no file"


def test_a_hostile_name_is_escaped_and_its_folder_not_published(tmp_path: Path) -> None:
    item = tmp_path / "my\nfilms" / "a\nb  \u202ec.mp4"
    reason = failure(InputError.of(item, "is\nempty", "a video"), item)
    shown = r"a\nb  \u202ec.mp4"
    assert reason == rf"{tmp_path}/my\nfilms/{shown}: is empty; expected a video"
    assert published(reason, item) == f"{shown}: is empty; expected a video"
    assert failure(ValueError("x\ny"), item).endswith(f"{shown}: ValueError: x y")
