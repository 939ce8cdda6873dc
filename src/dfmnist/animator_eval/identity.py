"""Identity of a face as a recognition network sees it, for the distance to a source picture.

The network is dlib's ResNet (King, "High Quality Face Recognition with Deep Metric Learning",
2017, http://blog.dlib.net/2017/02/high-quality-face-recognition-with-deep.html; weights CC0). It
takes no part in making animations, so that its answer is independent. It needs the extra
`identity`.
"""

import functools
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from dfmnist.animator_eval.metrics import TrackedClip
from dfmnist.core.arrays import Floats, RgbImage
from dfmnist.core.extras import have
from dfmnist.faces.mesh import Mesh

SAME_PERSON = 0.6
"""Distance below which two pictures show one person, by the network's makers."""
FRAMES = 8
"""Number of frames of a clip whose faces are recognised; an embedding takes as long as a frame."""
BOX_SIDE = 0.9
"""Side of the box given to the network's landmark finder, in heights of the face mesh."""
_MODELS = "face_recognition_models"
_LANDMARKS = "shape_predictor_5_face_landmarks.dat"
_NETWORK = "dlib_face_recognition_resnet_model_v1.dat"


def can_recognise() -> bool:
    """Whether the extra `identity` is installed."""
    return have("dlib") and have(_MODELS)


class FaceIdentity:
    """A face recognition network; it uses one thread."""

    def __init__(self) -> None:
        import dlib

        spec = importlib.util.find_spec(_MODELS)  # not imported: its module wants setuptools
        assert spec is not None
        assert spec.origin is not None
        folder = Path(spec.origin).parent / "models"
        self._dlib = dlib
        self._landmarks: Any = dlib.shape_predictor(str(folder / _LANDMARKS))
        self._network: Any = dlib.face_recognition_model_v1(str(folder / _NETWORK))

    def __call__(self, frame_rgb_u8: RgbImage, mesh: Mesh) -> Floats:
        """The embedding (128,) of the face `mesh` in a picture (h, w, 3)."""
        low, high = mesh.points[:, :2].min(axis=0), mesh.points[:, :2].max(axis=0)
        centre, half = (low + high) / 2, float(high[1] - low[1]) * BOX_SIDE / 2
        left, top, right, bottom = (round(float(v)) for v in (*(centre - half), *(centre + half)))
        frame = np.ascontiguousarray(frame_rgb_u8)
        points = self._landmarks(frame, self._dlib.rectangle(left, top, right, bottom))
        return np.array(self._network.compute_face_descriptor(frame, points), np.float64)


@functools.lru_cache(maxsize=1)
def face_identity() -> FaceIdentity | None:
    """The face recognition network of this process; None without the extra `identity`."""
    return FaceIdentity() if can_recognise() else None


def identity_distance(made: TrackedClip, reference: TrackedClip) -> float:
    """Mean distance of the face's embedding in `made` to that in `reference`.

    `reference` is the true clip of the same length, whose frames are compared one by one, or a clip
    of one picture, to which all are compared. It is the average Euclidean distance (AED) of
    Siarohin et al. (2019), section 4, with another network. Frames without a face do not count. NaN
    if none is left, or without the extra `identity`.
    """
    network = face_identity()
    if network is None:
        return float("nan")
    known = functools.lru_cache(maxsize=None)(lambda at: _embedding(network, reference, at))
    distances = []
    for index in np.linspace(0, len(made.frames) - 1, FRAMES).round().astype(int):
        own = _embedding(network, made, int(index))
        other = known(int(index) if len(reference.frames) > 1 else 0)
        if own is not None and other is not None:
            distances.append(float(np.linalg.norm(own - other)))
    return float(np.mean(distances)) if distances else float("nan")


def _embedding(network: FaceIdentity, clip: TrackedClip, index: int) -> Floats | None:
    mesh = clip.meshes[index]
    return None if mesh is None else network(clip.frames[index], mesh)
