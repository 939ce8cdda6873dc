"""A photo whose lids are painted shut now and then: it blinks, and nothing else moves."""

import numpy as np
import pytest
from matplotlib import cbook
from PIL import Image

from dfmnist.attacks.lids import painted_lids
from dfmnist.core.errors import InputError
from dfmnist.faces.mesh import face_mesh
from dfmnist.faces.pose import signals


def test_the_eyes_shut_and_all_else_stands_still() -> None:
    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    picture = Image.open(path).convert("RGB").crop((60, 30, 460, 430))
    photo = np.asarray(picture.resize((256, 256)))
    clip = painted_lids(photo, 50, np.random.default_rng(3))
    assert clip.shape == (50, 256, 256, 3)
    changed = (clip != photo).any(axis=3)
    blinking = np.flatnonzero(changed.any(axis=(1, 2)))
    assert 5 <= len(blinking) <= 15
    eyes = signals(face_mesh().track(clip[[0, blinking[2]]])).eye_aspect
    assert eyes[1] < 0.8 * eyes[0]
    rows, columns = np.nonzero(changed.any(axis=0))
    assert rows.max() - rows.min() < 40  # both eyes, nothing below
    assert columns.max() - columns.min() < 100
    assert (clip[:5] == photo).all()


def test_a_photo_without_a_face_is_refused() -> None:
    with pytest.raises(InputError, match="no face"):
        painted_lids(np.full((128, 128, 3), 90, np.uint8), 10, np.random.default_rng(0))
