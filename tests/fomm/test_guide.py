"""Guidance by the face mesh: geometry by hand, and a portrait whose mouth opens."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import cbook
from PIL import Image
from scipy.spatial import ConvexHull
from tests.fomm.test_backends import frames, networks
from tests.fomm.test_networks import tiny
from torch.nn.functional import grid_sample

from dfmnist.core.errors import InputError
from dfmnist.faces.mesh import Mesh, face_mesh
from dfmnist.faces.pose import frontal, measure
from dfmnist.fomm import guide as guides
from dfmnist.fomm.checkpoint import save_networks, taught_points
from dfmnist.fomm.guide import (
    MESH,
    NUM_POINTS,
    FaceGuide,
    Faces,
    FaceTracker,
    Guide,
    face_points,
    guided,
    still_guide,
)
from dfmnist.fomm.inference.animate import Animator
from dfmnist.fomm.inference.backends import OpenVinoMotionBackend, TorchMotionBackend
from dfmnist.fomm.mouth import CHART_HW, LOWER, SKIN, UPPER
from dfmnist.fomm.networks.blocks import coordinate_grid
from dfmnist.fomm.networks.dense_motion import DenseMotion
from dfmnist.fomm.networks.generator import blended, full_warp
from dfmnist.fomm.networks.keypoints import Keypoints

LIPS_BELOW = [14, 17, 18, 83, 84, 87, 148, 152, 178, 181, 199, 200, 313, 314, 317, 377, 402, 405]
LIDS = ("eye_left_upper", "eye_left_lower")
NAMES = ("nose_tip", "lip_lower_inner", "jaw_left", "pupil_left", *LIDS)


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    return np.array(Image.open(path).convert("RGB").crop((90, 50, 420, 380)).resize((256, 256)))


@pytest.fixture(scope="module")
def face(portrait: np.ndarray) -> np.ndarray:
    found = FaceTracker()(portrait)
    assert found.seen.tolist() == [True]
    return np.asarray(found.points[0])


def turned(face: np.ndarray, yaw_deg: float, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """The face turned about the vertical through its middle, enlarged, shifted to the right."""
    a = np.radians(yaw_deg)
    turn = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    middle = face[:MESH].mean(axis=0)
    return ((face - middle) @ turn.T * scale + middle + (shift, 0, 0)).astype(np.float32)


def opened(face: np.ndarray, by: float = 0.12) -> np.ndarray:
    """The face with the lower lip and the chin moved down."""
    other = face.copy()
    other[LIPS_BELOW, 1] += by
    return other


def faces_of(*points: np.ndarray) -> Faces:
    """Faces whose mouths are green within, in the light of 100."""
    mouths = np.zeros((len(points), *CHART_HW, 3), np.uint8)
    mouths[..., 1] = 200
    return Faces(np.stack(points), mouths, np.full(len(points), 100, np.float32))


def guide_of(source: np.ndarray, first: np.ndarray, names: tuple[str, ...] = ()) -> FaceGuide:
    return FaceGuide(faces_of(source), first, (16, 16), names)


def test_the_correction_by_hand() -> None:
    """Three points around the middle pixel of 3 × 3 all come from 0.2 further right."""
    still = coordinate_grid(3, 3)[None]
    target = torch.tensor([[[-0.5, -0.5], [0.5, -0.5], [0.0, 0.9], [9.0, 9.0]]])
    shares = torch.zeros(1, 9, 3)
    shares[0, 4] = 1 / 3
    corners = torch.tensor([[[0, 1, 2]] * 9])
    trust = torch.tensor([1.0, 1.0, 0.5, 0.0]).reshape(1, 4, 1)
    made = guided(still, Guide(target + torch.tensor([0.2, 0.0]), target, trust, corners, shares))
    expected = still.clone()
    expected[0, 1, 1, 0] += 0.2 * 2.5 / 3
    torch.testing.assert_close(made, expected)


def test_points_of_a_picture_have_the_coordinates_of_keypoints(portrait: np.ndarray) -> None:
    mesh = face_mesh()(portrait)
    assert mesh is not None
    found = face_points(mesh, 256, 256)
    assert found.shape == (NUM_POINTS, 3)
    corner = dataclasses.replace(mesh, points=np.full_like(mesh.points, 255.5))
    assert face_points(corner, 256, 256)[0, :2].tolist() == [1.0, 1.0]  # the last pixel's centre
    np.testing.assert_allclose(face_points(mesh, 511, 256)[:, 0] + 1, (found[:, 0] + 1) / 2, 1e-4)
    assert np.isnan(face_points(None, 256, 256)).all()
    with pytest.raises(ValueError, match="without eyes"):
        face_points(dataclasses.replace(mesh, eyes=None), 256, 256)


def test_a_still_driver_moves_nothing(face: np.ndarray) -> None:
    other = turned(face, 10, 0.8, 0.1)
    guide = guide_of(face, other)
    np.testing.assert_allclose(guide.moved(other), face, atol=1e-4)
    keypoints = Keypoints(torch.zeros(1, 1, 2), torch.eye(2)[None, None])
    found = guide(keypoints, keypoints, other).guide
    torch.testing.assert_close(found.source, found.target, atol=1e-4, rtol=0)
    grid = coordinate_grid(16, 16)[None]
    torch.testing.assert_close(guided(grid, found), grid, atol=1e-3, rtol=0)


def test_the_source_takes_the_drivers_change(face: np.ndarray) -> None:
    """Yaw is added to the source's own; a shift is in the size of the source's face."""
    small = turned(face, 12, 0.5, -0.2)
    moved = guide_of(small, face).moved(turned(face, 20, 1.1, 0.3))
    before, after = (measure(Mesh(p[:MESH].astype(np.float32), 1.0)) for p in (small, moved))
    change = after["yaw_deg"] - before["yaw_deg"]
    assert abs(change) == pytest.approx(20, abs=1)
    assert change * before["yaw_deg"] > 0
    assert after["size_px"] / before["size_px"] == pytest.approx(1.1, abs=0.02)
    itself = turned(face, 20, 1.1, 0.3)
    np.testing.assert_allclose(guide_of(face, face).moved(itself), itself, atol=2e-3)
    shifted = guide_of(small, face).moved(turned(face, 0, 1, 0.3))
    np.testing.assert_allclose(shifted[:MESH] - small[:MESH], [[0.15, 0, 0]] * MESH, atol=3e-3)


def test_lids_close_as_far_in_smaller_eyes(face: np.ndarray) -> None:
    """The source's eyes are half as open; a gap of a third is what is seen of shut eyes."""

    def lids(points: np.ndarray, share: float) -> np.ndarray:
        other = points.copy()
        for eye in guides._LIDS:
            line = other[eye][[0, 8], 1].mean()
            other[eye, 1] = line + (other[eye, 1] - line) * share
        return other

    def gap(points: np.ndarray) -> float:
        eye = points[guides._LIDS[0]]
        return float(eye[guides._LOWER, 1] - eye[guides._UPPER, 1])

    source = lids(face, 0.5)
    for seen, made in ((0.8, 0.8), (0.6, 0.6), (0.45, 0.3), (0.3, 0.0), (0.1, 0.0), (1.3, 1.3)):
        moved = guide_of(source, face).moved(lids(face, seen))
        assert gap(moved) / gap(source) == pytest.approx(made, abs=0.05), seen
        for eye in guides._LIDS:
            height = source[eye][:-1, 1] - source[eye][[0, 8], 1].mean()
            now = moved[eye][:-1, 1] - moved[eye][[0, 8], 1].mean()
            np.testing.assert_allclose(now, made * height, atol=0.004)
            kept = moved[eye][-1, 1] - source[eye][-1, 1]  # the brow
            assert kept == pytest.approx(
                (seen - 1) * (face[eye][-1, 1] - face[eye][8, 1]), abs=0.03
            )


def test_eyes_move_with_the_face_around_them(face: np.ndarray) -> None:
    """The driver's lids, irises and brows rise; the source's rise as far."""
    raised = face.copy()
    raised[MESH:, 1] -= 0.06
    moved = guide_of(face, face).moved(raised)
    np.testing.assert_allclose(moved[MESH:, 1] - face[MESH:, 1], -0.06, atol=0.003)
    np.testing.assert_allclose(moved[:MESH], face[:MESH], atol=0.003)


def test_the_named_parts_of_the_mesh_are_where_they_should_be(face: np.ndarray) -> None:
    """On a frontal face with a closed mouth: outline around all, lips together, skin in pairs."""
    shape = frontal(Mesh(face[:MESH], 1.0))[:, :2]
    x, y = shape[list(guides.OUTLINE)].T
    area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    assert area / ConvexHull(shape).volume > 0.995  # in the plane, its volume is the area
    upper, lower = shape[list(UPPER)], shape[list(LOWER)]
    assert (UPPER[0], UPPER[-1]) == (LOWER[0], LOWER[-1])
    assert (np.diff(upper[:, 0]) > 0).all()
    np.testing.assert_allclose(upper, lower, atol=0.02)
    np.testing.assert_allclose(upper, upper[::-1] * (-1, 1), atol=0.02)
    for right, left in zip(SKIN[:-2:2], SKIN[1:-2:2], strict=True):
        assert shape[right][0] == pytest.approx(-shape[left][0], abs=0.02)
        assert shape[right][1] == pytest.approx(shape[left][1], abs=0.02)


def test_the_motion_comes_from_where_the_mesh_says(face: np.ndarray) -> None:
    """Guiding points that both pictures show; nothing outside of the ring, nothing at the eyes."""
    guide = FaceGuide(faces_of(face), face, (64, 64))
    keypoints = Keypoints(torch.zeros(1, 1, 2), torch.eye(2)[None, None])
    driving = turned(face, 18, 1.05, 0.05)
    found = guide(keypoints, keypoints, driving).guide
    flow = guided(coordinate_grid(64, 64)[None], found)
    at = torch.from_numpy(driving[None, None, :MESH, :2])
    seen = grid_sample(flow.permute(0, 3, 1, 2), at, align_corners=True)[0, :, 0].T.numpy()
    error = np.linalg.norm(seen - face[:MESH, :2], axis=1)
    for point in (1, 4, 61, 291, 13, 17, 168, 152):  # nose, mouth, bridge, chin
        assert error[point] < 0.02, point
    moved = np.linalg.norm(driving[:MESH, :2] - face[:MESH, :2], axis=1)
    assert moved[4] > 0.1  # the tip of the nose moves far
    assert flow[0, 0, 0].tolist() == pytest.approx([-1, -1])
    assert flow[0, -1, 0].tolist() == pytest.approx([-1, 1])
    eyes = torch.from_numpy(driving[list(guides.AROUND_EYES), :2].astype(np.float32))
    near = torch.cdist(found.target[0], eyes).min(dim=1).values
    assert float(near[found.trust[0, :, 0] > 0].min()) > 1e-4


def test_what_one_picture_hides_does_not_guide(face: np.ndarray) -> None:
    """At 60° the far cheek is hidden: in the driver it is left out, in the source not trusted."""
    keypoints = Keypoints(torch.zeros(1, 1, 2), torch.eye(2)[None, None])

    def trusted(source: np.ndarray, driving: np.ndarray, point: int) -> float:
        found = guide_of(source, face)(keypoints, keypoints, driving).guide
        at = torch.from_numpy(guide_of(source, face).moved(driving)[point, :2]).float()
        near = (found.target[0] - at).norm(dim=1) < 1e-5
        return float(found.trust[0, near].max()) if near.any() else 0.0

    cheeks = (234, 454)
    for driving, source in ((turned(face, 60), face), (face, turned(face, 60))):
        both = [trusted(source, driving, point) for point in cheeks]
        assert min(both) == 0
    plain = [trusted(face, face, point) for point in (50, 280)]
    assert min(plain) > 0.9


def test_keypoints_of_the_inner_face_move_as_the_mesh(face: np.ndarray) -> None:
    source = Keypoints(torch.zeros(1, 6, 2), torch.eye(2).repeat(1, 6, 1, 1))
    target = Keypoints(torch.full((1, 6, 2), 0.5), source.jacobian)
    target.value[0, 3] += 0.01  # the pupil, between its lids
    driving = opened(turned(face, 0, 1, 0.1))
    moved = guide_of(face, face, NAMES)(target, source, driving).keypoints.value[0]
    assert moved[0].tolist() == pytest.approx([0.1, 0], abs=0.02)
    assert moved[1].tolist() == pytest.approx([0.1, 0.12], abs=0.02)
    assert moved[2].tolist() == [0.5, 0.5]  # the jaw is the model's
    middle = (moved[4] + moved[5]) / 2
    assert (moved[3] - middle).tolist() == pytest.approx([0.01, 0.01])  # the gaze is the model's
    for names in ((), ("a", "b", "c", "d", "e", "f")):
        kept = guide_of(face, face, names)(target, source, driving).keypoints
        assert kept is target


def test_without_a_face_nothing_is_corrected(face: np.ndarray) -> None:
    guide = FaceGuide(faces_of(face), face, (8, 8), NAMES)
    keypoints = Keypoints(torch.zeros(1, 6, 2), torch.eye(2).repeat(1, 6, 1, 1))
    grid = coordinate_grid(8, 8)[None]
    for nothing in (np.full_like(face, np.nan), np.zeros_like(face), face * (1, 0, 1)):
        with np.errstate(all="ignore"):
            found = guide(keypoints, keypoints, nothing.astype(np.float32))
        assert torch.isfinite(found.keypoints.value).all()
        assert torch.isfinite(guided(grid, found.guide)).all()
    unseen = guide(keypoints, keypoints, np.full_like(face, np.nan))
    assert unseen.keypoints is keypoints
    assert np.isnan(unseen.points).all()
    torch.testing.assert_close(guided(grid, still_guide((8, 8))), grid)


@pytest.mark.parametrize("name", ["torch", "openvino"])
def test_backends_guide_as_plain_torch_does(name: str, face: np.ndarray) -> None:
    net = networks(tiny(blend=True, hint=True))
    images = frames(3, net.config.image_size)
    backend = (
        TorchMotionBackend(net, torch.device("cpu"))
        if name == "torch"
        else OpenVinoMotionBackend(net)
    )
    found = backend.detect(images)
    source, driving = found.at(slice(0, 1)), found.at(slice(1, None))
    guide = FaceGuide(faces_of(face), face, net.config.motion_size_hw)
    each = np.stack([turned(face, 15, 1, 0.2), opened(face)])
    driving, correction, _ = guide.batch(driving, source, each)
    code = backend.encode(images[:1])
    made = backend.decode(code, source, driving, correction)
    plain = backend.decode(code, source, driving)
    assert np.abs(made.astype(int) - plain).max() > 10  # it does something
    generator, wanted = net.generator, []
    with torch.no_grad():
        picture = torch.from_numpy(images[:1]).permute(0, 3, 1, 2).float() / 255
        own = generator.encode(picture)
        for i in range(2):
            now = slice(i, i + 1)
            motion = generator.dense_motion_network(own.reduced, source, driving.at(now))
            flow = guided(motion.deformation, correction.at(now))
            motion = DenseMotion(flow, motion.occlusion_logit, motion.features)
            hinted = generator.hint(motion.features)  # type: ignore[misc]
            out = generator.decode_features(generator.warp_features(own.features, motion, hinted))
            frame = blended(out, *full_warp(own.image, motion))
            wanted.append((frame[0].permute(1, 2, 0) * 255).round().clamp(0, 255).numpy())
    assert np.abs(made.astype(int) - np.stack(wanted)).max() <= 1


def test_which_motion_is_meant(tmp_path: Path, portrait: np.ndarray, face: np.ndarray) -> None:
    path = tmp_path / "tiny.safetensors"
    config = tiny(num_kp=6, image_size=64)
    net = networks(config)
    record = {"config": {"points": list(NAMES)}}
    save_networks(path, config, net.kp_detector, net.generator, record)
    assert taught_points(path) == NAMES
    model = Animator(path, backend="torch")
    shown, black = model.encode(portrait), model.encode(np.zeros_like(portrait))
    faces = faces_of(face, np.full_like(face, np.nan))
    assert model.motion_for("auto", shown, faces) == "guided"
    assert model.motion_for("auto", shown, faces, 1) == "relative"
    assert model.motion_for("auto", black, faces) == "relative"
    assert model.motion_for("auto", shown, None) == "relative"
    assert model.motion_for("absolute", shown, None) == "absolute"
    with pytest.raises(InputError, match="guided: no face found by the face mesh in the source"):
        model.motion_for("guided", black, faces)
    with pytest.raises(InputError, match="in driving frame 1; expected"):
        model.motion_for("guided", shown, faces, 1)
    save_networks(path, config, net.kp_detector, net.generator)
    unnamed = Animator(path, backend="torch")
    assert unnamed.motion_for("auto", unnamed.encode(portrait), faces) == "relative"
    assert unnamed.motion_for("guided", unnamed.encode(portrait), faces) == "guided"
    assert (unnamed.may_guide("auto"), unnamed.may_guide("guided")) == (False, True)
    save_networks(path, config, net.kp_detector, net.generator, {"config": {"points": 5}})
    with pytest.raises(InputError, match="its points are no list of names"):
        taught_points(path)


def test_a_mouth_opens_because_the_drivers_does(portrait: np.ndarray, face: np.ndarray) -> None:
    """The shipped model, whose keypoints stand still: the mesh alone opens the mouth.

    Its inside is the driver's, which is green.
    """
    model = Animator(backend="torch")
    source = model.encode(portrait)
    driving = source.keypoints.at(torch.tensor([0, 0]))
    faces = faces_of(face, opened(face, 0.1))
    made = model.animate(source, driving, "guided", faces=faces)
    still = [model.unmoved(source, guided=guided).astype(int) for guided in (False, True)]
    assert np.abs(still[0] - still[1]).max() <= 1
    followed = list(model.follow([portrait] * 2, driving, "guided", faces=faces))
    np.testing.assert_array_equal(np.stack(followed), made)
    shut, wide = (face_mesh()(frame) for frame in made)
    assert shut is not None
    assert wide is not None
    assert measure(wide)["mouth_open"] - measure(shut)["mouth_open"] > 0.1
    x, y = wide.points[[13, 14], :2].mean(axis=0).astype(int)
    red, green, blue = made[1][y, x].astype(int)
    assert green > red + 40
    assert green > blue + 40
